"""Networks of the cluster as machines meet them: addresses, ways out, between and in, and what mends itself."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.linux.gateway.client import Gateway, Seat, Way
from hypervisors.tunnels import Ended, Tunnels, hops_from
from olimpus.errors import Rejected, Transient, Unreachable
from tests.lab.linux.cluster import Cluster
from tests.lab.linux.stations import Place, Station, end

HOME = "/var/lib/olimpus/gateway"
RUN = f"{os.getpid():x}"
_numbers = itertools.count(1)


class World:
    """Machines by name, with stations in their networks; all of it goes at the end."""

    def __init__(self, cluster: Cluster, gateway: Gateway):
        self.cluster = cluster
        self.gateway = gateway
        self.undo = ExitStack()
        self.headnode = Place(cluster, "headnode")
        self.bastion = Place(cluster, "bastion")
        self.gate = cluster.host("headnode").address
        self.door = str(cluster.inventory["bastion"]["internal"])  # the bastion is outside, for the gateway
        self.outside = self.gate.rpartition(".")[0]
        self.seats: dict[str, tuple[Seat, ...]] = {}
        self.ways: dict[str, tuple[Way, ...]] = {}

    def spec(self, name: str, nics: list[dict[str, Any]], networks: dict[str, Any], **more: Any) -> VmSpec:
        """A machine's; its networks are those of this run only."""
        own = {f"{key}-{RUN}": dict(one) for key, one in networks.items()}
        for one in own.values():
            one["reaches"] = [f"{key}-{RUN}" for key in one.get("reaches", [])]
        cards = [{"mac": self.mac(), **nic, "network": f"{nic['network']}-{RUN}"} for nic in nics]
        specs = tuple(NicSpec(one["network"], one["mac"], one.get("ip", "")) for one in cards)
        return VmSpec(f"{name}-{RUN}", name, 1, 128, 1, nics=specs, parameters={"nics": cards, "networks": own, **more})

    def mac(self) -> str:
        return f"52:54:00:{os.getpid() >> 8 & 0xFF:02x}:{os.getpid() & 0xFF:02x}:{next(_numbers):02x}"

    def enter(self, name: str, nics: list[dict[str, Any]], networks: dict[str, Any], **more: Any) -> VmSpec:
        """A machine in its networks."""
        spec = self.spec(name, nics, networks, **more)
        self.undo.callback(self.gateway.leave, spec.uid)
        entered = self.gateway.enter(spec)
        self.seats[name], self.ways[name] = entered.seats, entered.ways
        return spec

    def ssh(self, name: str) -> str:
        """What the command of each of its ways in begins with."""
        return f"ssh -o HostKeyAlias=vm-{f'{name}-{RUN}'[:8]}"

    def station(self, name: str, seat: Seat | None = None, worker: int = 0) -> Station:
        """What stands for the machine."""
        seat = seat or self.seats[name][0]
        made = Station.plug(self.cluster, self.cluster.workers[worker], f"gt-{name}"[:13], seat.mac, seat.tag)
        self.undo.callback(made.unplug)
        return made

    def booted(self, name: str, worker: int = 0) -> Station:
        """A station that has its address."""
        made = self.station(name, worker=worker)
        assert made.lease()
        return made

    def serve(self, place: Place, port: int) -> None:
        self.undo.callback(end, place.serve(port))

    def inside(self, tag: int) -> list[str]:
        """What is in a network's namespace."""
        look = (
            "ip -n olg-{0} -br -4 addr; ip -n olg-{0} route; ip netns exec olg-{0} nft list ruleset; cat {1}/{0}/hosts"
        )
        things = self.headnode.run("sh", "-c", look.format(tag, f"{HOME}/networks"))
        server = f"olg-{tag} serves: {len(self.headnode.run('pgrep', '-f', f'networks/{tag}/', check=False).split())}"
        passing = re.compile(r"@if\d+|\b(UP|DOWN|UNKNOWN|linkdown)\b")  # links need a moment to know that they are up
        return [" ".join(passing.sub("", line).split()) for line in (*things.splitlines(), server)]

    def on_gateway(self, tag: int) -> list[str]:
        """What there is of a network on the gateway."""
        look = "ip netns; ip -o link; ovs-vsctl list-ports br-int; nft list ruleset; pgrep -a dnsmasq; ls -d {home}/*"
        lines = self.headnode.run("sh", "-c", look.format(home=f"{HOME}/networks"), check=False).splitlines()
        ours = re.compile(rf"\bolg[-v]?{tag}\b|networks/{tag}\b")
        return [line for line in lines if ours.search(line)]


@pytest.fixture(scope="module")
def gateway(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = cluster.settings()
    tunnels = Tunnels("lab", hops_from(settings), tmp_path_factory.mktemp("gateway"))
    yield Gateway(tunnels, settings, "lab")
    tunnels.close()


@pytest.fixture
def world(cluster: Cluster, gateway: Gateway) -> Iterator[World]:
    made = World(cluster, gateway)
    with made.undo:
        yield made


LAN = {"cidr": "10.9.0.0/24"}
#: Sends a question about a name and prints the answer.
ASK = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(3)
sock.sendto(bytes.fromhex(sys.argv[1]), ("10.9.0.1", 53))
print(sock.recv(512).hex())
"""


class TestAddresses:
    def test_each_card_gets_its_own_and_strangers_nothing(self, world: World) -> None:
        lan = {"lan": LAN | {"dns": ["9.9.9.9"], "mtu": 1400}}
        world.enter("a", [{"network": "lan", "ip": "10.9.0.5"}], lan)
        world.enter("b", [{"network": "lan"}], lan)
        first, second = world.station("a"), world.station("b", worker=1)
        lease = {"prefix": 24, "router": "", "dns": ["9.9.9.9"], "mtu": 1400}
        assert first.lease() == lease | {"ip": "10.9.0.5", "name": "a"}
        assert second.lease() == lease | {"ip": "10.9.0.253", "name": "b"}
        assert first.pings("10.9.0.253")  # on another worker
        assert first.pings("10.9.0.254")  # the gateway
        tag = world.seats["a"][0].tag
        stranger = world.station("x", Seat("lan", tag, world.mac()))
        assert stranger.lease(1.0) is None

    def test_two_have_all_of_a_small_range(self, world: World) -> None:
        wire = {"wire": {"cidr": "10.9.0.4/30"}}
        world.enter("a", [{"network": "wire", "ip": "10.9.0.5"}], wire)
        world.enter("b", [{"network": "wire", "ip": "10.9.0.6"}], wire)
        first, second = world.station("a"), world.station("b", worker=1)
        leases = [station.lease() for station in (first, second)]
        assert [(one["ip"], one["prefix"]) for one in leases if one] == [("10.9.0.5", 30), ("10.9.0.6", 30)]
        assert first.pings("10.9.0.6")

    def test_an_address_goes_to_the_next_machine_at_once(self, world: World) -> None:
        world.enter("stays", [{"network": "lan"}], {"lan": LAN})
        gone = world.enter("gone", [{"network": "lan", "ip": "10.9.0.5"}], {"lan": LAN})
        assert world.booted("gone")
        world.gateway.leave(gone.uid)
        world.enter("new", [{"network": "lan", "ip": "10.9.0.5"}], {"lan": LAN})
        lease = world.station("new").lease()
        assert lease
        assert lease["ip"] == "10.9.0.5"

    def test_who_comes_later_with_a_way_in_gets_an_address_too(self, world: World) -> None:
        """Rules and addresses change at once: the DHCP server must hear of it."""
        world.enter("first", [{"network": "lan"}], {"lan": LAN})
        assert world.booted("first")
        world.enter("later", [{"network": "lan", "ip": "10.9.0.5", "forwards": [{"port": 22}]}], {"lan": LAN})
        lease = world.station("later", worker=1).lease()
        assert lease
        assert lease["ip"] == "10.9.0.5"

    def test_networks_with_one_range_know_nothing_of_each_other(self, world: World) -> None:
        both = {"lan": LAN | {"type": "nat"}, "other": LAN | {"type": "nat"}}
        world.enter("a", [{"network": "lan", "ip": "10.9.0.5"}], both)
        world.enter("b", [{"network": "other", "ip": "10.9.0.6"}], both)
        first, second = world.booted("a"), world.booted("b", worker=1)
        assert world.seats["a"][0].tag != world.seats["b"][0].tag
        assert not first.pings("10.9.0.6")
        assert not second.pings("10.9.0.5")

    def test_thirty_enter_and_the_server_is_not_started_again(self, world: World) -> None:
        world.enter("vm-0", [{"network": "lan"}], {"lan": LAN})
        tag = world.seats["vm-0"][0].tag
        pid = f"{HOME}/networks/{tag}/pid"
        before = world.headnode.run("cat", pid)
        for number in range(1, 30):
            world.enter(f"vm-{number}", [{"network": "lan"}], {"lan": LAN})
        assert world.headnode.run("cat", pid) == before
        assert len({world.seats[f"vm-{number}"][0].ip for number in range(30)}) == 30
        assert world.booted("vm-29")


class TestWaysOut:
    def test_nat_leads_out_but_not_to_the_gateway_itself(self, world: World) -> None:
        world.enter("a", [{"network": "lan"}], {"lan": LAN | {"type": "nat"}})
        world.serve(world.bastion, 7801)
        station = world.booted("a")
        assert station.call(world.door, 7801) == world.gate  # TCP too: sums are right
        assert station.call(world.gate, 22) == ""  # its SSH
        assert station.call("10.9.0.254", 53) == ""
        assert station.pings("10.9.0.254")

    def test_isolated_is_isolated(self, world: World) -> None:
        world.enter("a", [{"network": "lan"}], {"lan": LAN})
        world.serve(world.bastion, 7802)
        station = world.booted("a")
        station.run("ip", "route", "replace", "default", "via", "10.9.0.254")
        assert station.call(world.door, 7802) == ""

    def test_who_asks_for_names_gets_them_from_the_gateway(self, world: World) -> None:
        named = {"lan": LAN | {"gateway": "10.9.0.1", "dns": ["10.9.0.1"]}}
        world.enter("web", [{"network": "lan", "ip": "10.9.0.5"}], named)
        station = world.booted("web")
        asked = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x00\x00\x01\x00\x01".hex()
        assert station.run("python3", "-c", ASK, asked).strip().endswith("0a090005")


class TestBetween:
    def test_one_reaches_the_other_and_not_back(self, world: World) -> None:
        networks = {
            "desk": {"cidr": "10.8.0.0/24", "reaches": ["servers"]},
            "servers": {"cidr": "10.8.1.0/24"},
            "rest": {"cidr": "10.8.2.0/24"},
        }
        world.enter("desk", [{"network": "desk", "ip": "10.8.0.5"}], networks)
        world.enter("server", [{"network": "servers", "ip": "10.8.1.5"}], networks)
        world.enter("rest", [{"network": "rest", "ip": "10.8.2.5"}], networks)
        desk, server, rest = world.booted("desk"), world.booted("server", worker=1), world.booted("rest")
        for station in (desk, server, rest):
            world.serve(station, 7000)
        assert desk.call("10.8.1.5", 7000) == "10.8.1.254"  # servers have no router: they see the gateway
        server.run("ip", "route", "replace", "default", "via", "10.8.1.254")
        rest.run("ip", "route", "replace", "default", "via", "10.8.2.254")
        assert server.call("10.8.0.5", 7000) == ""
        assert rest.call("10.8.1.5", 7000) == ""
        assert desk.call("10.8.2.5", 7000) == ""


class TestWaysIn:
    def test_a_port_of_the_gateway(self, world: World) -> None:
        forwards = [{"port": 7000}, {"port": 7000, "protocol": "udp"}, {"port": 22, "outside": 29999}]
        world.enter("a", [{"network": "lan", "forwards": forwards}], {"lan": LAN})
        station = world.booted("a")
        world.serve(station, 7000)
        ways = world.ways["a"]
        assert world.bastion.call(world.gate, ways[0].port) == "10.9.0.254"  # an isolated machine can answer that
        assert [way.command for way in ways] == ["", "", f"{world.ssh('a')} -p 29999 {world.gate}"]
        clash = world.spec("b", [{"network": "lan", "forwards": [{"port": 22, "outside": 29999}]}], {"lan": LAN})
        with pytest.raises(Rejected, match=r"29999.*“a”"):
            world.gateway.enter(clash)
        again = world.enter("a", [{"network": "lan", "mac": station.mac}], {"lan": LAN})
        assert world.ways["a"] == ()
        assert world.bastion.call(world.gate, ways[0].port) == ""
        world.gateway.leave(again.uid)

    def test_an_address_of_its_own(self, world: World) -> None:
        world.enter("a", [{"network": "lan", "floating": True}], {"lan": LAN | {"type": "nat"}})
        station = world.booted("a")
        (way,) = world.ways["a"]
        assert way.address in [f"{world.outside}.{last}" for last in range(220, 230)]
        world.serve(station, 7000)
        world.serve(world.bastion, 7803)
        assert world.bastion.call(way.address, 7000, 5) == world.door
        assert station.call(world.door, 7803) == way.address
        assert world.bastion.pings(way.address)

    def test_ssh_through_the_gateway_with_ones_own_key_to_ones_own_machine(
        self, world: World, tmp_path: Path, cluster: Cluster
    ) -> None:
        mine, theirs = new_key(tmp_path / "mine"), new_key(tmp_path / "theirs")
        custom = {"ssh_user": "ana"}
        world.enter("a", [{"network": "lan"}], {"lan": LAN}, ssh_keys=[mine], custom=custom)
        world.enter("b", [{"network": "lan"}], {"lan": LAN}, ssh_keys=[theirs])
        station = world.booted("a")
        world.serve(station, 22)
        world.serve(station, 7000)
        own, others = (world.ways[name][0].command.split("@")[-1] for name in "ab")
        others = others.split()[-1]
        assert world.ways["a"][0].command == f"{world.ssh('a')} -J olimpus-jump@{world.gate} ana@{own}"

        def jump(key: str, *argv: str) -> tuple[str, str]:
            target = [*argv, "-i", str(tmp_path / key), "-o", "ControlPath=none", "olimpus-jump@headnode"]
            done = subprocess.run(
                ["ssh", "-F", cluster.folder / "ssh_config", *target],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=20,
            )
            return done.stdout, done.stderr

        assert jump("mine", "-W", f"{own}:22")[0] == "10.9.0.254"
        assert "forwarding failed" in jump("mine", "-W", f"{own}:7000")[1]
        assert "forwarding failed" in jump("mine", "-W", f"{others}:22")[1]
        assert "forwarding failed" in jump("theirs", "-W", f"{own}:22")[1]
        assert "forwarding failed" in jump("mine", "-W", f"{world.outside}.11:22")[1]
        assert "forwarding failed" in jump("mine", "-o", "ExitOnForwardFailure=yes", "-NR", "29123:127.0.0.1:1")[1]
        assert "not available" in jump("mine")[0]
        world.gateway.leave(f"a-{RUN}")
        assert "Permission denied" in jump("mine", "-W", f"{own}:22")[1]


def new_key(file: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file.with_suffix(".pub").read_text().strip()


VANDALS = {
    "the port": "ovs-vsctl del-port olg{tag}",
    "the server": "kill -9 $(cat /var/lib/olimpus/gateway/networks/{tag}/pid)",
    "the namespace": "ip netns del olg-{tag}",
    "the link": "ip link del olgv{tag}",
    "the rules": "ip netns exec olg-{tag} nft flush ruleset; nft delete table inet olimpus",
    "the files": "rm -r /var/lib/olimpus/gateway/networks/{tag}",
    "addresses and routes": "ip -n olg-{tag} addr flush dev olg{tag}; ip -n olg-{tag} route flush proto 199",
    "a power cut": "rm -r /run/olimpus-gateway; ip netns del olg-{tag}; nft delete table inet olimpus",
}


#: What is seen without looking into everything.
REBOOTS = {"the port", "the server", "the namespace", "a power cut"}


class TestMending:
    @pytest.mark.parametrize("lost", VANDALS)
    def test_what_was_deleted_by_hand_comes_back(self, world: World, lost: str) -> None:
        world.enter("a", [{"network": "lan", "forwards": [{"port": 7000}]}], {"lan": LAN | {"type": "nat"}})
        station = world.booted("a")
        world.serve(station, 7000)
        world.serve(world.bastion, 7804)
        tag, port = world.seats["a"][0].tag, world.ways["a"][0].port
        world.headnode.run("sh", "-c", VANDALS[lost].format(tag=tag), check=False)
        assert world.gateway.mend(thorough=lost not in REBOOTS) == []
        assert station.lease()
        assert station.call(world.door, 7804, 5) == world.gate
        assert world.bastion.call(world.gate, port, 5) == world.door
        assert world.gateway.mend() == []

    def test_what_cannot_be_is_taken_back_and_in_nobodys_way(self, world: World) -> None:
        world.enter("first", [{"network": "lan"}], {"lan": LAN})
        known, built = world.gateway.look(), world.inside(world.seats["first"][0].tag)
        huge = {**LAN, "mtu": 70000}  # no device takes it
        for name, networks in (("second", {"lan": huge}), ("first", {"lan": huge, "other": huge})):
            with pytest.raises(Transient, match="mtu"):
                world.enter(name, [{"network": network} for network in networks], networks)
            assert world.gateway.look(thorough=True) == known
            assert world.inside(world.seats["first"][0].tag) == built
        world.enter("second", [{"network": "lan"}], {"lan": LAN})
        world.booted("second")

    def test_a_tag_that_others_use_is_nobodys_network(self, world: World) -> None:
        port = ["add-port", "br-int", "printer", "tag=998", "--", "set", "interface", "printer", "type=internal"]
        world.headnode.run("ovs-vsctl", *port)
        world.undo.callback(world.headnode.run, "ovs-vsctl", "del-port", "printer")
        with pytest.raises(Rejected, match="998: somebody else"):
            world.enter("first", [{"network": "lan"}], {"lan": {**LAN, "vlan": 998}})
        world.enter("first", [{"network": "lan"}], {"lan": {**LAN, "vlan": 997}})
        with pytest.raises(Rejected, match="998: somebody else"):
            world.enter("first", [{"network": "lan"}], {"lan": {**LAN, "vlan": 998}})

    def test_whoever_is_killed_leaves_nothing_that_the_next_does_not_finish(self, world: World) -> None:
        """Killed before each of the commands that it runs, one after the other, as it makes and as it removes."""
        lan = {"lan": LAN | {"type": "nat"}}
        nics = [{"network": "lan", "ip": "10.9.0.5", "mac": world.mac(), "forwards": [{"port": 7000}]}]
        spec = world.enter("a", nics, lan)
        tag = world.seats["a"][0].tag
        whole = world.inside(tag)
        world.gateway.leave(spec.uid)
        for number in range(1, 100):
            killing = Killing(world.cluster, number)
            gateway = Gateway(killing, world.gateway.settings, "lab")
            killed = [killing.kills(lambda: gateway.enter(spec))]  # noqa: B023 - called at once
            assert world.gateway.enter(spec).seats == world.seats["a"]
            assert world.inside(tag) == whole
            killed.append(killing.kills(lambda: gateway.leave(spec.uid)))  # noqa: B023
            world.gateway.leave(spec.uid)
            assert world.on_gateway(tag) == []
            if not any(killed):
                break
        assert 10 < number < 99

    def test_many_at_once(self, world: World) -> None:
        specs = [world.spec(f"vm-{number}", [{"network": "lan"}], {"lan": LAN}) for number in range(30)]
        with ThreadPoolExecutor(10) as threads:
            entered = list(threads.map(world.gateway.enter, specs))
            assert len({one.seats[0].ip for one in entered}) == 30
            tag = entered[0].seats[0].tag
            assert world.on_gateway(tag)
            list(threads.map(world.gateway.leave, [spec.uid for spec in specs]))
        assert world.on_gateway(tag) == []


class Killing:
    """A way to the gateway that kills the program just before this one of its commands."""

    def __init__(self, cluster: Cluster, number: int):
        self.cluster = cluster
        self.bomb = f"""    _bomb.append(argv)
    if len(_bomb) == {number}:
        os.kill(os.getpid(), 9)
    try:
        done = subprocess.run("""

    def run(self, argv: Any, stdin: bytes = b"", timeout: float = 60.0) -> Ended:
        sent = json.loads(stdin)
        for module in sent["modules"]:
            if module[0].endswith(".system"):
                module[1] = module[1].replace("    try:\n        done = subprocess.run(", self.bomb) + "\n_bomb = []\n"
        said = self.cluster.run("headnode", *argv[2:], data=json.dumps(sent), check=False)
        if not said:
            raise Unreachable("killed")
        return Ended(0, said.encode(), b"")

    def kills(self, ask: Callable[[], Any]) -> bool:
        """Whether the program did not come to its end."""
        try:
            ask()
        except Unreachable:
            return True
        return False


def test_nothing_is_left_after_the_last_one(world: World, tmp_path: Path) -> None:
    key = new_key(tmp_path / "key")
    networks = {"lan": LAN | {"type": "nat", "reaches": ["dmz"]}, "dmz": {"cidr": "10.9.1.0/24"}}
    nic = {"network": "lan", "forwards": [{"port": 22}], "floating": True}
    world.enter("a", [nic, {"network": "dmz"}], networks, ssh_keys=[key])
    tags = [seat.tag for seat in world.seats["a"]]
    assert all(world.on_gateway(tag) for tag in tags)
    world.undo.close()
    assert [world.on_gateway(tag) for tag in tags] == [[], []]
    seen = world.gateway.look(thorough=True)
    assert not set(tags) & {network["tag"] for network in seen.networks.values()}
    assert not set(tags) & set(seen.leftovers)
    assert f"{world.outside}.22" not in world.headnode.run("ip", "neigh", "show", "proxy")
