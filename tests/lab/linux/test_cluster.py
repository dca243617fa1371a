"""The lab itself: its hosts answer through our own tunnels, and what tests do to them by hand is real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hypervisors.tunnels import Tunnels, hops_from
from olimpus.errors import Unreachable
from tests.lab.linux.cluster import Cluster


@pytest.fixture
def tunnels(cluster: Cluster, tmp_path: Path) -> Iterator[Tunnels]:
    """From the headnode, as the driver enters."""
    made = Tunnels("lab", hops_from(cluster.way("bastion", "headnode")), tmp_path)
    yield made
    made.close()


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
