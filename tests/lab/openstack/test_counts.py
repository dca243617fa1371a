"""How often the cloud is asked. Times are for `make bench-openstack`; these numbers hold on any machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hypervisors.drivers.base import Driver, NicSpec, Power, VmSpec
from tests.bench.bare import Bare
from tests.lab.clones import clones
from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import network

SERVERS, AT_ONCE, MORE_CALLS, LISTED = 8, 4, 2, 500


@pytest.fixture
def place(lab: Cloud) -> Iterator[str]:
    """The name of a network."""
    with network(lab) as name:
        yield name


@pytest.fixture
def bare(lab: Cloud, place: str) -> Bare:
    """Plain openstacksdk in that network, signed in and warm."""
    made = Bare(lab, lab.sdk().network.find_network(place).id, AT_ONCE)
    made.delete(made.create(1))
    made.calls.clear()
    return made


def specs(place: str, number: int) -> list[VmSpec]:
    """So many small machines with a card each."""
    return [
        VmSpec(
            str(uuid.uuid4()),
            f"count-{index}",
            cpus=1,
            memory_mib=512,
            disk_gib=1,
            image="cirros",
            nics=(NicSpec(place, "52:54:00:{:02x}:{:02x}:{:02x}".format(*uuid.uuid4().bytes[:3])),),
            parameters={"flavor": "nano"},
        )
        for index in range(number)
    ]


def asked(driver: Driver) -> int:
    """Requests of this driver to the cloud so far."""
    return sum(driver.session.calls().values())  # type: ignore[attr-defined]


def test_a_server_costs_two_calls_more_than_plain_openstacksdk(
    driver: Callable[..., Driver], bare: Bare, place: str
) -> None:
    ours = driver(created_power="on")
    warm = ours.create(specs(place, 1)[0])
    ours.destroy(warm.ref)
    before = asked(ours)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(pool.map(ours.create, specs(place, SERVERS)))
        calls = asked(ours) - before
        assert {info.power for info in made} == {Power.ON}
        list(pool.map(lambda info: ours.destroy(info.ref), made))
    servers = bare.create(SERVERS)
    floor = bare.calls.total()
    bare.delete(servers)
    assert calls <= floor + MORE_CALLS * SERVERS


def test_a_listing_of_five_hundred_is_one_call(
    driver: Callable[..., Driver], lab: Cloud, bare: Bare, place: str
) -> None:
    ours = driver()
    ((server, port),) = bare.create(1)
    with clones(lab, server, LISTED):
        ours.list()
        before = asked(ours)
        infos = ours.list()
        assert asked(ours) - before == 1
        assert len([info for info in infos if info.name.startswith("clone-") and info.uid]) == LISTED
    bare.delete([(server, port)])
    assert not [info for info in ours.list() if info.name.startswith("clone-")]
