"""The CD that cloud-init reads."""

from __future__ import annotations

import io
import json

import pycdlib
import pytest

from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.linux import seed

UID = "11111111-2222-3333-4444-555555555555"
FIXED = NicSpec("lan", "52:54:00:00:00:01", "10.0.0.5", "cloud-init")
NETWORKS = {"lan": {"cidr": "10.0.0.0/20", "gateway": "10.0.0.1", "dns": ["9.9.9.9"], "mtu": 1400}}


def read(data: bytes) -> dict[str, str]:
    image = pycdlib.PyCdlib()
    image.open_fp(io.BytesIO(data))
    label = image.pvd.volume_identifier.decode().strip()
    assert label == "cidata"
    found = {}
    for child in image.list_children(rr_path="/"):
        if child.is_file():
            name = child.rock_ridge.name().decode()
            written = io.BytesIO()
            image.get_file_from_iso_fp(written, rr_path=f"/{name}")
            found[name] = written.getvalue().decode()
    image.close()
    return found


def test_the_cd_holds_the_files_under_their_names():
    files = seed.files(UID, "Año 1/web", [FIXED], NETWORKS, "", ["ssh-ed25519 AAAA"])
    assert read(seed.iso(files)) == files
    assert set(files) == {"meta-data", "user-data", "network-config"}
    meta = json.loads(files["meta-data"])
    assert meta == {"instance-id": UID, "local-hostname": "A-o-1-web", "public-keys": ["ssh-ed25519 AAAA"]}
    assert files["user-data"].startswith("#cloud-config\n")
    assert json.loads(files["user-data"].partition("\n")[2])["ssh_authorized_keys"] == ["ssh-ed25519 AAAA"]


def test_a_small_cd_is_large_enough_for_readers_that_take_the_first_68_kib_at_once():
    small = seed.iso(seed.files(UID, "web", [], {}, "", []))
    assert len(small) >= 68 * 1024
    assert "network-config" not in read(small)


def test_ones_own_user_data_is_left_as_it_is():
    assert seed.files(UID, "web", [], {}, "#!/bin/sh\necho é", [])["user-data"] == "#!/bin/sh\necho é"


def test_without_a_fixed_address_the_guest_configures_itself():
    assert "network-config" not in seed.files(UID, "web", [NicSpec("lan", "52:54:00:00:00:01", "10.0.0.5")], {}, "", [])


def test_the_network_configuration():
    config = seed.network_config([FIXED, NicSpec("wan", "52:54:00:00:00:02")], NETWORKS)
    assert config["version"] == 2
    assert config["ethernets"]["nic0"] == {
        "match": {"macaddress": "52:54:00:00:00:01"},
        "mtu": 1400,
        "dhcp4": False,
        "addresses": ["10.0.0.5/20"],
        "gateway4": "10.0.0.1",
        "nameservers": {"addresses": ["9.9.9.9"]},
    }
    assert config["ethernets"]["nic1"] == {"match": {"macaddress": "52:54:00:00:00:02"}, "dhcp4": True}


@pytest.mark.parametrize(("name", "host"), [("", "vm"), ("---", "vm"), ("a" * 80, "a" * 63), ("web_1", "web-1")])
def test_host_names(name, host):
    assert json.loads(seed.files(UID, name, [], {}, "", [])["meta-data"])["local-hostname"] == host
