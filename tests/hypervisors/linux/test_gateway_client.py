"""The client of the gateway: what it asks, how the program travels, and what refusals are in words."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.linux import faults, parcel
from hypervisors.drivers.linux.gateway import client, program
from hypervisors.drivers.linux.gateway.client import Gateway, Way
from hypervisors.drivers.linux.gateway.refusals import REFUSALS, in_words
from hypervisors.drivers.linux.gateway.wishes import enter_request
from hypervisors.tunnels import Ended
from olimpus.errors import CapacityExceeded, Rejected, Transient

NICS = [{"network": "lan", "forwards": [{"port": 22}], "floating": True}, {"network": "wire"}]
NETWORKS = {
    "lan": {"cidr": "10.0.0.0/24", "aliases": {"rack": "course-lan"}, "reaches": ["wire"], "dns": ["9.9.9.9"]},
    "wire": {},
}
SPEC = VmSpec(
    "u-1",
    "web",
    1,
    128,
    1,
    nics=(NicSpec("lan", "52:54:00:00:00:0A", "auto"), NicSpec("wire", "52:54:00:00:00:0b", ip_mode="disk")),
    parameters={
        "nics": NICS,
        "networks": NETWORKS,
        "ssh_keys": ["ssh-rsa AAAA me@home"],
        "custom": {"ssh_user": "ana"},
    },
)

SSH = "ssh -o HostKeyAlias=vm-u-1"
#: What the gateway answers when all is well, and nobody is there.
MENDED: dict[str, Any] = {"faults": [], "machines": {}, "outside": ""}


class Told:
    """A way to the gateway that has its answer already; what is asked is kept."""

    def __init__(self, code: int = 0, out: Any = None, err: str = ""):
        self.argv: Sequence[str] = ()
        self.sent: dict[str, Any] = {}
        self.answer(out, code, err)

    def answer(self, out: Any, code: int = 0, err: str = "") -> None:
        """What is answered from now on."""
        self.ended = Ended(code, json.dumps([out]).encode(), err.encode())

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60.0) -> Ended:
        self.argv, self.sent = argv, json.loads(stdin)
        return self.ended


def gateway(told: Told, **settings: Any) -> Gateway:
    return Gateway(told, settings, "rack")


class TestRequests:
    def test_the_definition_in_the_programs_words(self) -> None:
        request = enter_request(SPEC, "rack")
        assert list(request["networks"]) == ["course-lan 10.0.0.0/24", "wire"]
        assert request["networks"]["course-lan 10.0.0.0/24"]["reaches"] == ["wire"]
        assert request["machine"]["cards"][0] | {"network": ""} == {
            "network": "",
            "mac": "52:54:00:00:00:0a",
            "ip": "",
            "dhcp": True,
            "floating": "wanted",
            "forwards": [{"port": 22}],
        }
        assert not request["machine"]["cards"][1]["dhcp"]
        assert (request["machine"]["keys"], request["machine"]["login"]) == (["ssh-rsa AAAA"], "ana")

    @pytest.mark.parametrize("user", ["-oProxyCommand=reboot", "ana;reboot", "$(reboot)", "ana@elsewhere", ["ana"]])
    def test_who_signs_in_is_a_word_that_a_shell_may_see(self, user: Any) -> None:
        told = replace(SPEC, parameters={**SPEC.parameters, "custom": {"ssh_user": user}})
        assert enter_request(told, "rack")["machine"]["login"] == ""

    def test_one_name_with_two_ranges_is_two_networks(self) -> None:
        other = replace(SPEC, parameters={"networks": NETWORKS | {"lan": {"cidr": "10.1.0.0/24"}}})
        assert list(enter_request(other, "rack")["networks"])[0] == "lan 10.1.0.0/24"

    def test_what_the_branch_does_not_define_is_refused(self) -> None:
        lost = replace(SPEC, nics=(NicSpec("lna", ""),))
        with pytest.raises(Rejected, match=r"lna.*lan, wire"):
            enter_request(lost, "rack")

    def test_no_word_of_anybody_stands_in_the_command(self) -> None:
        told = Told(out={"answer": {}})
        gateway(told).leave("u-1; reboot")
        assert told.argv == ("sudo", "-n", *parcel.ARGV)
        assert told.sent["requests"][0]["uid"] == "u-1; reboot"
        gateway(told, headnode_user="root").leave("u-1")
        assert told.argv == parcel.ARGV


class TestTheParcel:
    def test_it_runs_with_nothing_installed(self, tmp_path: Path) -> None:
        request = {"command": "look", "settings": {"home": str(tmp_path), "outside_interface": "lo"}}
        argv = [sys.executable, *parcel.ARGV[1:]]
        done = subprocess.run(
            argv,
            input=parcel.packed(program, [request, {"command": "dance"}]),
            cwd="/",
            capture_output=True,
            check=True,
        )
        said, error = json.loads(done.stdout)
        assert error == {"refused": "failed", "told": {"command": "dance", "error": "KeyError('dance')"}}
        assert said["answer"] == {
            "networks": {},
            "machines": {},
            "leftovers": [],
            "outside": "127.0.0.1",
        }

    def test_it_carries_the_whole_program_and_nothing_of_the_rest(self) -> None:
        folder = Path(program.__file__).parent
        assert {one.stem for one in folder.glob("*.py")} == {*program.MODULES, "__init__"}
        for file in folder.glob("*.py"):
            lines = [line for line in file.read_text().splitlines() if line.startswith(("import ", "from "))]
            own = [line.split()[1] for line in lines if line.split()[1].split(".")[0] not in sys.stdlib_module_names]
            assert all(name.startswith((program.__name__, faults.__name__)) for name in own), file


class TestTending:
    def test_it_is_done_in_the_background_and_not_too_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = Told(out={"answer": MENDED})
        tended = gateway(told)
        tended.tend()
        assert told.sent == {}  # nobody needs it so soon
        monkeypatch.setattr(client, "TEND_SECONDS", 0.0)
        tended = gateway(told)
        monkeypatch.setattr(client, "TEND_SECONDS", 60.0)
        tended.tend()
        deadline = time.monotonic() + 10
        while not told.sent and time.monotonic() < deadline:
            time.sleep(0.01)
        assert told.sent["requests"][0]["command"] == "mend"
        assert not told.sent["requests"][0]["thorough"]
        told.sent = {}
        tended.tend()
        assert told.sent == {}

    def test_what_is_in_the_way_is_told_to_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        fault = {"network": "lan", "refused": "bridge", "told": {"bridge": "br-x"}}
        gateway(Told(out={"answer": MENDED | {"faults": [fault]}}))._tend()
        gateway(Told(1, None, "sudo: a password is required"))._tend()
        assert "br-x" in caplog.records[0].message
        assert "root" in caplog.records[1].message


class TestErrors:
    @pytest.mark.parametrize(
        ("ended", "error", "words"),
        [
            ((1, None, "sudo: a password is required"), Rejected, "may not become root.*without a password"),
            ((1, None, "sudo: python3: command not found"), Rejected, "python3.*Install the package python3"),
            ((1, None, "Traceback…\nKeyError: 'x'"), Transient, "KeyError: 'x'"),
            ((0, {"refused": "tags-used-up", "told": {"range": "100-101"}}, ""), CapacityExceeded, "vlans.*100-101"),
            ((0, {"refused": "tool", "told": {"tool": "nft", "package": "nftables"}}, ""), Rejected, "nftables"),
            ((0, {"refused": "of-tomorrow", "told": {}}, ""), Rejected, "of-tomorrow"),
        ],
    )
    def test_in_words(self, ended: tuple[int, Any, str], error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            gateway(Told(*ended)).enter(SPEC)

    def test_every_refusal_of_the_program_has_words(self) -> None:
        folder = Path(program.__file__).parent
        parts = "".join(file.read_text() for file in folder.glob("*.py")).split('Refused("')[1:]
        assert {part.split('"')[0] for part in parts} == set(REFUSALS)

    def test_a_wrong_setting_is_named(self) -> None:
        refusal = in_words("setting", {"name": "vlans", "value": "x"}, "rack")
        assert (refusal.where, refusal.status) == ("vlans", 502)  # the record's fault, not that of whoever asked


def test_ways_in_are_what_their_owner_types() -> None:
    ways = [
        {
            "kind": "forward",
            "outside": "",
            "inside": "10.0.0.5",
            "protocol": "tcp",
            "outside_port": 20000,
            "inside_port": 22,
        },
        {
            "kind": "forward",
            "outside": "",
            "inside": "10.0.0.5",
            "protocol": "udp",
            "outside_port": 20000,
            "inside_port": 53,
        },
        {"kind": "floating", "outside": "203.0.113.9", "inside": "10.0.0.5"},
        {"kind": "jump", "outside": "100.96.0.1", "inside": "10.0.0.5"},
    ]
    seat = {"network": "lan", "tag": 101, "mac": "52:54:00:00:00:0a", "ip": "10.0.0.5", "dns": ["9.9.9.9"]}
    told = Told(out={"answer": {"cards": [seat], "ways": ways, "login": "ana", "outside": "192.0.2.1"}})
    entered = gateway(told, jump_port=2022).enter(SPEC)
    assert (entered.seats[0].tag, entered.seats[0].dns) == (101, ("9.9.9.9",))
    assert entered.ways == (
        Way("forward", "192.0.2.1", 20000, "10.0.0.5:22/tcp", f"{SSH} -p 20000 ana@192.0.2.1"),
        Way("forward", "192.0.2.1", 20000, "10.0.0.5:53/udp"),
        Way("floating", "203.0.113.9", 0, "10.0.0.5", f"{SSH} ana@203.0.113.9"),
        Way("jump", "192.0.2.1", 2022, "10.0.0.5", f"{SSH} -J olimpus-jump@192.0.2.1:2022 ana@100.96.0.1"),
    )


def test_a_gateway_without_an_address_outside_is_no_way_in() -> None:
    ways = [
        {"kind": "floating", "outside": "203.0.113.9", "inside": "10.0.0.5"},
        {"kind": "jump", "outside": "100.96.0.1", "inside": "10.0.0.5"},
    ]
    told = Told(out={"answer": {"cards": [], "ways": ways, "login": "", "outside": ""}})
    assert [way.kind for way in gateway(told).enter(SPEC).ways] == ["floating"]
    assert [way.command for way in gateway(told, outside_address="lab.example.org").enter(SPEC).ways] == [
        f"{SSH} 203.0.113.9",
        f"{SSH} -J olimpus-jump@lab.example.org 100.96.0.1",
    ]


def test_ways_in_follow_what_the_gateway_says_and_nobody_asks_it_for_them() -> None:
    jump = {"kind": "jump", "outside": "100.96.0.1", "inside": "10.0.0.5"}
    told = Told(out={"answer": {"cards": [], "ways": [jump], "login": "", "outside": "192.0.2.1"}})
    known = gateway(told)
    assert known.ways("u-1") is None
    assert told.sent == {}
    assert known.enter(SPEC).ways == known.ways("u-1")
    machine = {"ways": [jump], "login": "eva"}
    told.answer({"answer": MENDED | {"machines": {"u-1": machine}, "outside": "198.51.100.7"}})
    known.mend(thorough=False)
    (way,) = known.ways("u-1") or ()
    assert way.command == f"{SSH} -J olimpus-jump@198.51.100.7 eva@100.96.0.1"
    told.answer({"answer": {"faults": []}})
    known.leave("u-1")
    assert known.ways("u-1") is None
