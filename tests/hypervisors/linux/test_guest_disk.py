"""Addresses written into disks: the files in each configuration's own format, what travels, and what refusals say."""

from __future__ import annotations

import configparser
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.linux import faults, parcel
from hypervisors.drivers.linux.guestdisk import program
from hypervisors.drivers.linux.guestdisk.client import write_network
from hypervisors.drivers.linux.guestdisk.files import OURS, GuestFile, files_for
from hypervisors.drivers.linux.guestdisk.program.export import _refusal
from hypervisors.drivers.linux.guestdisk.program.ext import ENTRY, word
from hypervisors.drivers.linux.guestdisk.program.partitions import Part, kind_from, table_from
from hypervisors.drivers.linux.guestdisk.refusals import REFUSALS
from hypervisors.tunnels import Ended
from olimpus.errors import Rejected, Transient

NICS = (
    NicSpec("lan", "52:54:00:00:00:0A", "10.0.0.5", "disk"),
    NicSpec("wan", "52:54:00:00:00:0b"),
)
NETWORKS = {
    "lan": {"cidr": "10.0.0.0/22", "gateway": "10.0.0.1", "dns": ("9.9.9.9", "1.1.1.1"), "mtu": 1400},
    "wan": {"cidr": "10.9.0.0/24"},
}
NETWORKD = """\
[Match]
MACAddress=52:54:00:00:00:0a
Type=ether

[Link]
MTUBytes=1400

[Network]
Address=10.0.0.5/22
Gateway=10.0.0.1
DNS=9.9.9.9
DNS=1.1.1.1
"""
IFUPDOWN = """\
auto mac/52:54:00:00:00:0a=olimpus0
iface olimpus0 inet static
    address 10.0.0.5/22
    gateway 10.0.0.1
    mtu 1400
    dns-nameservers 9.9.9.9 1.1.1.1

auto mac/52:54:00:00:00:0b=olimpus1
iface olimpus1 inet dhcp
"""
NETPLAN = {
    "network": {
        "version": 2,
        "ethernets": {
            "nic0": {
                "match": {"macaddress": "52:54:00:00:00:0A"},
                "mtu": 1400,
                "dhcp4": False,
                "addresses": ["10.0.0.5/22"],
                "gateway4": "10.0.0.1",
                "nameservers": {"addresses": ["9.9.9.9", "1.1.1.1"]},
            },
            "nic1": {"match": {"macaddress": "52:54:00:00:00:0b"}, "dhcp4": True},
        },
    }
}


class TestFiles:
    def test_each_configuration_in_its_own_words(self) -> None:
        files = {file.name: file for file in files_for(NICS, NETWORKS)}
        assert json.loads(files["90-olimpus.yaml"].text) == NETPLAN
        assert files["05-olimpus-0.network"].text == NETWORKD
        assert (
            files["05-olimpus-1.network"].text
            == "[Match]\nMACAddress=52:54:00:00:00:0b\nType=ether\n\n[Network]\nDHCP=ipv4\n"
        )
        assert files["olimpus"].text == IFUPDOWN
        assert files["99-olimpus-network.cfg"].text == "network: {config: disabled}\n"
        assert {name for name, file in files.items() if file.mode == 0o600} == {
            "90-olimpus.yaml",
            "olimpus-0.nmconnection",
            "olimpus-1.nmconnection",
        }

    def test_network_manager_finds_cards_by_their_mac(self) -> None:
        first, second = [file for file in files_for(NICS, NETWORKS) if file.name.endswith(".nmconnection")]
        read = configparser.ConfigParser()
        read.read_string(first.text)
        assert read["ethernet"] == {"mac-address": "52:54:00:00:00:0A", "mtu": "1400"} | dict(read["DEFAULT"])
        assert dict(read["ipv4"]) == {
            "method": "manual",
            "address1": "10.0.0.5/22,10.0.0.1",
            "dns": "9.9.9.9;1.1.1.1;",
        }
        assert "method=auto" in second.text
        ids = {line for text in (first.text, second.text) for line in text.splitlines() if line.startswith("uuid=")}
        assert len(ids) == 2

    def test_who_asks_for_none_gets_none(self) -> None:
        assert files_for((NicSpec("lan", "52:54:00:00:00:0a", "10.0.0.5"),), NETWORKS) == ()

    def test_an_address_that_is_not_there_cannot_be_written(self) -> None:
        with pytest.raises(Rejected, match="“lan” has no address"):
            files_for((NicSpec("lan", "52:54:00:00:00:0a", ip_mode="disk"),), NETWORKS)

    def test_every_file_is_one_that_is_found_again_to_be_removed(self) -> None:
        for file in files_for(NICS, NETWORKS):
            assert Path(file.name).match(OURS[file.folder])


class Told:
    """A worker that has its answer already."""

    where = "rack/worker-1"

    def __init__(self, said: Any):
        self.said = said
        self.argv: Sequence[str] = ()
        self.sent: dict[str, Any] = {}

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60.0) -> Ended:
        self.argv, self.sent = argv, json.loads(stdin)
        return Ended(0, json.dumps([self.said]).encode(), b"")


class TestTheProgram:
    def test_no_word_of_anybody_stands_in_the_command(self) -> None:
        worker = Told({"answer": {"written": 1}})
        write_network(worker, "/pool/a; reboot", (GuestFile("/etc/netplan", "90-olimpus.yaml", "{}"),))
        assert worker.argv == ("sudo", "-n", "unshare", "--mount", *parcel.ARGV)
        assert worker.sent["requests"][0]["disk"] == "/pool/a; reboot"

    def test_it_carries_the_whole_program_and_nothing_of_the_rest(self) -> None:
        folder = Path(program.__file__).parent
        assert {one.stem for one in folder.glob("*.py")} == {*program.MODULES, "__init__"}
        for file in folder.glob("*.py"):
            lines = [line for line in file.read_text().splitlines() if line.startswith(("import ", "from "))]
            own = [line.split()[1] for line in lines if line.split()[1].split(".")[0] not in sys.stdlib_module_names]
            assert all(name.startswith((program.__name__, faults.__name__)) for name in own), file

    def test_every_refusal_has_words(self) -> None:
        folder = Path(program.__file__).parent
        text = "".join(file.read_text() for file in folder.glob("*.py"))
        assert {part.split('"')[0] for part in text.split('Refused("')[1:]} | {"disk"} == set(REFUSALS)

    @pytest.mark.parametrize(
        ("code", "told", "error", "words"),
        [
            ("no-guest", {"found": ["1 vfat", "2 xfs"]}, Rejected, r"1 vfat, 2 xfs.*cloud-init"),
            ("tool", {"tool": "debugfs", "package": "e2fsprogs"}, Rejected, "debugfs.*e2fsprogs"),
            ("disk-in-use", {"error": 'Failed to get "write" lock'}, Transient, "lock"),
            ("of-tomorrow", {}, Rejected, "of-tomorrow"),
        ],
    )
    def test_in_words(self, code: str, told: dict[str, Any], error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            write_network(Told({"refused": code, "told": told}), "/pool/a", ())

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ('x: --blockdev {"a": {"b": 1}}: Failed to get "write" lock\nIs another process using it?', "disk-in-use"),
            ("fuse: device not found, try 'modprobe fuse' first", "fuse"),
            ('x: --export {"type": "fuse"}: Invalid parameter \'fuse\'', "fuse"),
            ('x: --blockdev {"node-name": "disk"}: Image is not in qcow2 format', "disk"),
        ],
    )
    def test_why_the_daemon_did_not_start(self, said: str, code: str) -> None:
        refused = _refusal(said)
        assert refused.code == code
        assert "{" not in refused.told["error"]


def test_tables_as_sfdisk_tells_them() -> None:
    table = {"sectorsize": 512, "partitions": [{"start": 2048, "size": 8}, {"start": 4096, "size": 16}]}
    said = json.dumps({"partitiontable": table})
    assert table_from(said) == [Part(1, 1048576, 4096), Part(2, 2097152, 8192)]
    assert table_from("") == []
    assert table_from(json.dumps({"partitiontable": {"sectorsize": 4096, "partitions": []}})) == []


def test_kinds_as_blkid_tells_them() -> None:
    assert kind_from("DEVNAME=disk\nUUID=1\nTYPE=LVM2_member\nUSAGE=raid\n") == "LVM2_member"
    assert kind_from("") == ""


def test_entries_of_a_folder_as_debugfs_tells_them() -> None:
    assert ENTRY.fullmatch("/14/100600/0/0/90-olimpus.yaml/8/")
    assert ENTRY.fullmatch("/13/040755/0/0/a name//")
    assert not ENTRY.fullmatch("debugfs: ls -p /etc")


def words(line: str) -> list[str]:
    """A line as debugfs reads it (libss): blanks part words, two quotes inside of quotes are one."""
    found, at = [], 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        one, quoted = "", False
        while at < len(line) and (quoted or line[at] != " "):
            if line[at] != '"':
                one += line[at]
            elif quoted and line[at + 1 : at + 2] == '"':
                one, at = one + '"', at + 1
            else:
                quoted = not quoted
            at += 1
        found.append(one)
    return found


@given(st.text(min_size=1))
def test_any_text_is_one_word_of_debugfs_or_refused(text: str) -> None:
    try:
        quoted = word(text)
    except faults.Refused:
        assert not text.isprintable()
    else:
        assert words(f"rm {quoted} x") == ["rm", text, "x"]
        assert "\n" not in quoted
