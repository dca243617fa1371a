"""A network that a definition describes is made once, whoever asks, and wherever; and removed when nobody is in it."""

from __future__ import annotations

import multiprocessing
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.settings import SETTINGS
from hypervisors.drivers.openstack.topology import READY, ensure_network, remove_network
from olimpus.errors import Missing, Rejected
from tests.lab.cloud import Cloud

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
NAT = {"cidr": "10.81.0.0/24", "type": "nat", "dns": ["9.9.9.9"], "mtu": 1400}


@pytest.fixture
def name(lab: Cloud, tmp_path: Path) -> Iterator[str]:
    """A name of this test alone; what it made under it is removed."""
    made = f"topology-{uuid.uuid4().hex[:6]}"
    yield made
    session = Session("lab", DEFAULTS | lab.account(), tmp_path)
    assert remove_network(session, made)
    session.close()
    assert list(lab.sdk().network.networks(name=made)) == []
    assert [router for router in lab.sdk().network.routers() if router.name.startswith(made)] == []


@pytest.fixture
def session(lab: Cloud, tmp_path: Path) -> Iterator[Session]:
    made = Session("lab", DEFAULTS | lab.account(), tmp_path)
    yield made
    made.close()


@pytest.fixture
def elsewhere(lab: Cloud, tmp_path: Path) -> Iterator[Callable[[], Session]]:
    """Sessions of other machines: their locks are not ours."""
    made: list[Session] = []

    def make() -> Session:
        home = tmp_path / f"machine-{len(made)}"
        made.append(Session("lab", DEFAULTS | lab.account(), home))
        return made[-1]

    yield make
    for session in made:
        session.close()


def test_a_routed_network_is_made_whole(session: Session, lab: Cloud, name: str) -> None:
    network = ensure_network(session, name, NAT)
    before = sum(session.calls().values())
    assert ensure_network(session, name, NAT) == network
    assert sum(session.calls().values()) == before + 1
    api = lab.sdk().network
    seen = api.get_network(network)
    assert (seen.mtu, seen.tags) == (1400, [READY])
    subnet = api.get_subnet(seen.subnet_ids[0])
    assert (subnet.cidr, subnet.gateway_ip, subnet.dns_nameservers) == ("10.81.0.0/24", "10.81.0.254", ["9.9.9.9"])
    assert subnet.allocation_pools == [{"start": "10.81.0.128", "end": "10.81.0.253"}]
    router = next(item for item in api.routers() if item.name.startswith(name))
    assert router.external_gateway_info["network_id"] == api.find_network("public").id
    assert any(port.device_id == router.id for port in api.ports(network_id=network))


def test_a_private_network_has_no_way_out(session: Session, lab: Cloud, name: str) -> None:
    network = ensure_network(session, name, {"cidr": "10.82.0.0/24", "type": "private", "dhcp": False})
    subnet = next(lab.sdk().network.subnets(network_id=network))
    assert (subnet.gateway_ip, subnet.is_dhcp_enabled) == (None, False)
    assert list(lab.sdk().network.ports(network_id=network)) == []


def test_threads_make_it_once(session: Session, lab: Cloud, name: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _turn: ensure_network(session, name, NAT), range(8)))
    assert len(made) == 1
    assert [network.id for network in lab.sdk().network.networks(name=name)] == list(made)


def make_it(account: dict[str, Any], home: Path, name: str) -> str:
    session = Session("lab", DEFAULTS | account, home)
    try:
        return ensure_network(session, name, NAT)
    finally:
        session.close()


def test_processes_make_it_once(lab: Cloud, tmp_path: Path, name: str) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = {one.result() for one in [pool.submit(make_it, lab.account(), tmp_path, name) for _turn in range(3)]}
    assert len(made) == 1
    assert [network.id for network in lab.sdk().network.networks(name=name)] == list(made)


def test_machines_that_share_no_folder_settle_it(elsewhere: Callable[[], Session], lab: Cloud, name: str) -> None:
    sessions = [elsewhere() for _machine in range(3)]
    for session in sessions:
        session.access()
    with ThreadPoolExecutor(3) as pool:
        made = set(pool.map(lambda session: ensure_network(session, name, NAT), sessions))
    assert len(made) == 1
    assert [network.id for network in lab.sdk().network.networks(name=name)] == list(made)
    assert len([router for router in lab.sdk().network.routers() if router.name.startswith(name)]) == 1


def test_what_a_died_attempt_left_is_finished(session: Session, lab: Cloud, name: str) -> None:
    half = lab.sdk().network.create_network(name=name, description="Made by Olimpus.")
    assert ensure_network(session, name, NAT) == half.id
    assert lab.sdk().network.get_network(half.id).tags == [READY]
    assert [subnet.cidr for subnet in lab.sdk().network.subnets(network_id=half.id)] == ["10.81.0.0/24"]


def test_a_network_of_others_is_taken_as_it_is_and_stays(session: Session, lab: Cloud, name: str) -> None:
    theirs = lab.sdk().network.create_network(name=name)
    try:
        assert ensure_network(session, name, NAT) == theirs.id
        assert remove_network(session, name)
        assert [network.id for network in lab.sdk().network.networks(name=name)] == [theirs.id]
        assert list(lab.sdk().network.subnets(network_id=theirs.id)) == []
    finally:
        lab.sdk().network.delete_network(theirs)


def test_a_network_in_use_stays_whole(session: Session, lab: Cloud, name: str) -> None:
    network = ensure_network(session, name, NAT)
    port = lab.sdk().network.create_port(network_id=network)
    try:
        assert not remove_network(session, name)
        assert [router for router in lab.sdk().network.routers() if router.name.startswith(name)]
    finally:
        lab.sdk().network.delete_port(port)


@pytest.mark.parametrize(
    ("definition", "more", "error"),
    [
        ({}, {}, Missing),
        ({"cidr": "10.83.0.0/24", "type": "provider"}, {}, Missing),
        ({"cidr": "10.83.0.0/24", "gateway": "10.84.0.1"}, {}, Rejected),
        (NAT, {"external_network": "nowhere"}, Missing),
    ],
    ids=["no range", "provider", "gateway", "external"],
)
def test_what_cannot_be_made_leaves_nothing(
    lab: Cloud, tmp_path: Path, name: str, definition: dict[str, Any], more: dict[str, Any], error: type[Exception]
) -> None:
    session = Session("lab", DEFAULTS | lab.account(**more), tmp_path)
    with pytest.raises(error):
        ensure_network(session, name, definition)
    session.close()
    assert list(lab.sdk().network.networks(name=name)) == []
