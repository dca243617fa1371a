"""The lab itself: its hosts answer through our own tunnels, and what tests do to them by hand is real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hypervisors.tunnels import Tunnels, hops_from
from olimpus.errors import Unreachable
from tests.lab.linux.cluster import OWN, Cluster

SMALL = OWN | {"LINUX_LAB_WORKERS": "1"}


@pytest.fixture
def tunnels(cluster: Cluster, tmp_path: Path) -> Iterator[Tunnels]:
    """From the headnode, as the driver enters."""
    made = Tunnels("lab", hops_from(cluster.way("bastion", "headnode")), tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A lab to break."""
    with Cluster.standing(SMALL) as made:
        yield made


def banner(sock: socket.socket) -> bytes:
    with sock:
        sock.settimeout(10)
        return sock.recv(8)


def test_every_worker_answers_behind_bastion_and_headnode(cluster: Cluster, tunnels: Tunnels) -> None:
    assert len(cluster.workers) >= 2
    for name in cluster.workers:
        host = cluster.host(name)
        assert banner(tunnels.dial(host.address, host.port, name)) == b"SSH-2.0-"
    assert tunnels.status().state == "up"


def test_no_worker_is_reached_without_the_bastion(cluster: Cluster) -> None:
    host = cluster.host(cluster.workers[0])
    with pytest.raises(OSError, match="unreachable|No route"):
        socket.create_connection((host.address, host.port), timeout=3)


def test_hands_are_root_inside_the_host_they_name(cluster: Cluster) -> None:
    names = {cluster.run(host.name, "hostname").strip() for host in cluster.hosts()}
    assert names == {"bastion", "headnode", *cluster.workers}
    uuids = {cluster.run(name, "virsh", "-q", "capabilities").split("<uuid>")[1][:36] for name in cluster.workers}
    assert len(uuids) == len(cluster.workers)  # a libvirt of its own each
    with pytest.raises(AssertionError, match="no such"):
        cluster.run(cluster.workers[0], "sh", "-c", "echo no such thing >&2; exit 1")


def test_a_refused_port_is_told_as_such(cluster: Cluster, tunnels: Tunnels) -> None:
    with pytest.raises(Unreachable):
        tunnels.dial(cluster.host(cluster.workers[0]).address, 9, "discard")


def test_a_second_lab_stands_beside_the_first(cluster: Cluster, own: Cluster, tmp_path: Path) -> None:
    assert own.workers == ("worker-1",)
    assert own.host("worker-1").address != cluster.host("worker-1").address
    assert own.host_keys("worker-1").split()[2] != cluster.host_keys("worker-1").split()[2]
    tunnels = Tunnels("own", hops_from(own.way("bastion")), tmp_path)
    assert banner(tunnels.dial(own.host("worker-1").address, 22, "worker")) == b"SSH-2.0-"
    tunnels.close()


def test_a_host_whose_plug_is_pulled_keeps_its_files_and_nothing_else(own: Cluster, cluster: Cluster) -> None:
    own.run(
        "worker-1",
        "sh",
        "-c",
        "echo kept > /var/lib/olimpus/note; nft add table inet gone; sleep 612 >/dev/null 2>&1 &",
    )
    own.kill("worker-1")
    assert not own.alive("worker-1")
    assert own.alive("headnode")
    assert cluster.alive("worker-1")
    own.revive("worker-1")
    assert own.run("worker-1", "cat", "/var/lib/olimpus/note") == "kept\n"
    assert own.run("worker-1", "nft", "list", "tables") == ""
    assert "612" not in own.run("worker-1", "pgrep", "-a", "sleep")


@pytest.mark.parametrize(
    ("host", "make", "unmake", "told"),
    [
        ("headnode", "nft add table inet mine", "nft delete table inet mine", "rules: table inet mine"),
        ("headnode", "ip netns add mine", "ip netns delete mine", "namespace mine"),
        ("worker-1", "ip tuntap add mine mode tap", "ip tuntap del mine mode tap", "tap mine"),
        ("worker-1", "ip link add mine type bridge", "ip link del mine", "bridge mine"),
        ("worker-1", "touch /var/lib/libvirt/images/vm.qcow2", "rm /var/lib/libvirt/images/vm.qcow2", "/vm.qcow2"),
        (
            "worker-1",
            "ovs-vsctl add-port br-int mine -- set interface mine type=internal",
            "ovs-vsctl del-port mine",
            "port of br-int: mine",
        ),
    ],
)
def test_what_is_left_over_is_told(own: Cluster, host: str, make: str, unmake: str, told: str) -> None:
    assert own.leftovers() == []
    own.run(host, *make.split())
    assert [line for line in own.leftovers() if line.startswith(host) and line.endswith(told)], own.leftovers()
    own.run(host, *unmake.split())
    assert own.leftovers() == []
