"""How often the cloud is asked. Times are for `make bench-openstack`; these numbers hold on any machine.

So what is a matter of time is left out: lists that are read while one waits, what is looked up for all servers together and
kept for a while, and of each server's own page all but the first reading.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from hypervisors.drivers.base import Driver, NicSpec, Power, VmSpec
from tests.bench.bare import Bare, kind_of
from tests.lab.clones import clones
from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import network

SERVERS, AT_ONCE, MORE_CALLS, LISTED = 3, 3, 2, 500


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


def counted(driver: Driver) -> Counter[str]:
    """Counts the requests of this driver from now on, by `kind_of`."""
    found: Counter[str] = Counter()

    def note(answer: requests.Response, **_more: Any) -> None:
        found[kind_of(answer.request)] += 1

    driver.session._shared().hooks["response"].append(note)  # type: ignore[attr-defined]
    return found


def work(calls: Counter[str]) -> int:
    """What does not depend on how long it took."""
    return calls.total() - calls["watch"] - calls["lookup"] - max(0, calls["look"] - SERVERS)


def asked(driver: Driver) -> int:
    """Requests of this driver to the cloud so far."""
    return sum(driver.session.calls().values())  # type: ignore[attr-defined]


def test_a_server_costs_two_calls_more_than_plain_openstacksdk(
    driver: Callable[..., Driver], bare: Bare, place: str
) -> None:
    ours = driver(created_power="on")
    warm = ours.create(specs(place, 1)[0])
    ours.destroy(warm.ref)
    calls = counted(ours)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(pool.map(ours.create, specs(place, SERVERS)))
        created = work(calls)
        assert {info.power for info in made} == {Power.ON}
        list(pool.map(lambda info: ours.destroy(info.ref), made))
    servers = bare.create(SERVERS)
    floor = work(bare.calls)
    bare.delete(servers)
    assert SERVERS * 2 == floor < created <= floor + MORE_CALLS * SERVERS


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
