"""A machine as libvirt's XML, and what is read back from it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.linux.domain import Card, Disk, Hardware, domain_xml, name_of
from hypervisors.drivers.linux.facts import facts_of, screen_of, volume_of
from hypervisors.drivers.linux.marks import Mark

UID = "11111111-2222-3333-4444-555555555555"
NIC = NicSpec("lan", "52:54:00:00:00:01", "10.0.0.5", "cloud-init")
GOLDEN = Path(__file__).parent / "golden"


def hardware(**changes) -> Hardware:
    mark = Mark(UID, "web & <db>", "debian-12", 10.0, (NIC,), ({"name": "data", "size_gib": 1},), (), ("disk",))
    wanted = {
        "uuid": UID,
        "name": name_of(mark.name, UID),
        "mark": mark,
        "cpus": 2,
        "memory_mib": 1024,
        "disks": [Disk("/pool/vm-1.qcow2"), Disk("/pool/vm-1-disk-data.qcow2")],
        "cdroms": [Disk("/pool/vm-1-seed.iso", "raw")],
        "cards": [Card("52:54:00:00:00:01", 101), Card("52:54:00:00:00:02", model="e1000")],
        "password": "secret",
        "description": "a \x00 web\x1b server",
    }
    return Hardware(**(wanted | changes))


def pretty(xml: str) -> str:
    tree = ET.fromstring(xml)
    ET.indent(tree)
    return ET.tostring(tree, encoding="unicode") + "\n"


@pytest.mark.parametrize(
    ("name", "changes"),
    [("bios", {}), ("uefi", {"firmware": "uefi", "virt_type": "qemu", "boot_order": ("cdrom", "disk")})],
)
def test_the_domain_is_as_written_down(name, changes):
    assert pretty(domain_xml(hardware(**changes))) == (GOLDEN / f"{name}.xml").read_text()


def test_what_is_written_is_read_back():
    facts = facts_of(domain_xml(hardware()))
    assert (facts.uuid, facts.uid, facts.name, facts.cpus, facts.memory_mib) == (UID, UID, "web & <db>", 2, 1024)
    assert facts.mark == hardware().mark
    assert facts.nics == (NIC, NicSpec("br-int:0", "52:54:00:00:00:02", model="e1000"))
    assert facts.disks == ("/pool/vm-1.qcow2", "/pool/vm-1-disk-data.qcow2")
    assert [volume_of(path) for path in facts.cdroms] == ["vm-1-seed.iso"]
    assert facts.vnc_password == "secret"
    assert (facts.disk_gib, facts.room_gib) == (10.0, 11.0)


@pytest.mark.parametrize("disks", [[{"name": "data"}], [{"name": "data", "size_gib": "large"}], ["data"], 7])
def test_a_mark_that_somebody_else_wrote_is_none(disks):
    told = domain_xml(hardware()).replace('[{"name": "data", "size_gib": 1}]', json.dumps(disks))
    assert facts_of(told).mark is None


def test_a_machine_made_by_hand_is_nobodys():
    facts = facts_of(
        "<domain><name>pet</name><uuid>u</uuid><memory>524288</memory><vcpu>1</vcpu><devices>"
        "<interface type='network'><mac address='52:54:00:AA:00:01'/><source network='default'/></interface>"
        "</devices></domain>"
    )
    assert (facts.uid, facts.name, facts.memory_mib) == ("", "pet", 512)
    assert facts.nics == (NicSpec("default", "52:54:00:aa:00:01"),)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"uid": 1, "what": 2}', '{"uid": "a"}'])
def test_a_mark_that_we_do_not_understand_is_none(text):
    domain = ET.fromstring(domain_xml(hardware()))
    domain.find("metadata")[0].text = text
    assert facts_of(ET.tostring(domain, encoding="unicode")).uid == ""


def test_the_screen_has_a_port_while_it_is_on():
    on = "<domain><devices><graphics type='vnc' port='5901' passwd='x'/></devices></domain>"
    assert screen_of(on) == (5901, "x")
    assert screen_of(on.replace("5901", "-1")) is None
    assert screen_of("<domain><devices/></domain>") is None


@given(st.text(), st.text(max_size=300))
def test_any_name_and_description_make_a_domain(name, text):
    facts = facts_of(domain_xml(hardware(name=name_of(name, UID), mark=Mark(UID, name), description=text)))
    assert facts.mark == Mark(UID, name)
    assert facts.domain.endswith("-11111111")
    assert facts.domain.isascii()
    assert "/" not in facts.domain
