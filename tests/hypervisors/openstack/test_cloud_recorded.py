"""The cloud on recorded answers of the real one: pages, room, quotas, refusals. Recorded anew as `recorded` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from hypervisors.drivers.openstack.capacity import rooms
from hypervisors.drivers.openstack.cloud import OpenStackCloud
from hypervisors.drivers.openstack.rest import Rest
from olimpus.errors import CapacityExceeded, Missing, Rejected
from tests.hypervisors.openstack import recorded


@pytest.fixture
def reach(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], OpenStackCloud]]:
    """The cloud as an account saw it while this test was recorded."""
    made: list[OpenStackCloud] = []

    def make(who: str = "lab") -> OpenStackCloud:
        name = f"{request.node.name.removeprefix('test_')}-{who}"
        made.append(OpenStackCloud(recorded.session(name, tmp_path, who)))
        return made[-1]

    yield make
    for cloud in made:
        cloud.session.close()


@pytest.mark.parametrize(
    ("service", "path", "key"),
    [
        ("compute", "/flavors/detail", "flavors"),
        ("image", "/images", "images"),
        ("network", "/security-groups", "security_groups"),
    ],
    ids=["nova", "glance", "neutron"],
)
def test_every_page_is_read(reach: Callable[..., OpenStackCloud], service: str, path: str, key: str) -> None:
    rest = reach().rest
    whole = [item["id"] for item in rest.pages(service, path, key)]
    pages = [item["id"] for item in rest.pages(service, path, key, {"limit": 1})]
    assert len(whole) > 1
    assert sorted(pages) == sorted(whole)


def test_room_is_what_placement_counts(reach: Callable[..., OpenStackCloud]) -> None:
    zones = {zone.name: zone for zone in reach().zones(capacity=True)}
    assert {name: [host.name for host in zone.hosts] for name, zone in zones.items()} == {
        "zone-1": ["compute-01", "compute-02"],
        "zone-2": ["compute-03"],
    }
    for host in zones["zone-1"].hosts:
        assert (host.up, host.enabled, host.memory_mib_total, host.disk_gib_total) == (True, True, 392448, 8192)
        assert host.cpus_total == 128 * 16  # the allocation ratio


class Divided(Rest):
    """Nova as an administrator hears it, Placement as a member does."""

    def __init__(self, admin: OpenStackCloud, member: OpenStackCloud):
        super().__init__(admin.session)
        self._member = member.rest

    def ask(self, service: str, *args: Any, **options: Any) -> requests.Response:
        asked = self._member.ask if service == "placement" else super().ask
        return asked(service, *args, **options)


def test_without_placement_room_is_what_nova_says(reach: Callable[..., OpenStackCloud]) -> None:
    found = rooms(Divided(reach(), reach("lab-demo")))
    assert sorted(found) == ["compute-01", "compute-02", "compute-03"]
    room = found["compute-01"]
    assert (room.cpus_total, room.memory_mib_total, room.disk_gib_total) == (128, 262144, 8192)


def test_who_sees_no_hosts_knows_no_room(reach: Callable[..., OpenStackCloud]) -> None:
    member = reach("lab-demo")
    assert rooms(member.rest) == {}
    assert [(zone.name, zone.available, zone.hosts) for zone in member.zones(capacity=True)] == [
        ("zone-1", True, ()),
        ("zone-2", True, ()),
    ]


def test_services_and_their_versions(reach: Callable[..., OpenStackCloud]) -> None:
    found = {service.name: (service.ok, service.version) for service in reach().services()}
    assert found == {
        "keystone": (True, "3.14"),
        "nova": (True, "2.93"),
        "neutron": (True, "2.0"),
        "glance": (True, "2.15"),
        "cinder": (True, "3.70"),
    }


def test_quotas_say_what_is_exceeded(reach: Callable[..., OpenStackCloud]) -> None:
    cloud, name = reach(), "recorded-quotas"
    little = {"networks": 1, "subnets": 0, "volumes": 1, "gigabytes": 2, "ram": -1}
    cloud.ensure_project(name, quotas=little)
    network = cloud.create_network(name, project=name)
    volume = cloud.create_volume(name, 1, project=name)
    told = []
    for ask in (
        lambda: cloud.create_network(f"{name}-2", project=name),
        lambda: cloud.create_subnet(network.id, "10.90.0.0/24"),
        lambda: cloud.create_volume(f"{name}-2", 1, project=name),
        lambda: cloud.create_volume(f"{name}-3", 3, project=name),
    ):
        with pytest.raises(CapacityExceeded) as full:
            ask()
        told.append(full.value.message)
    limits = {(quota.service, quota.resource): (quota.limit, quota.used) for quota in cloud.quotas(name)}
    with pytest.raises(Rejected, match="is not empty: 1 volumes .*; 1 networks .*"):
        cloud.delete_project(name)
    cloud.delete_volume(volume.id)
    cloud.delete_network(network.id)
    cloud.delete_project(name)
    assert told == [
        "The quota of network is exceeded by 1: 1 wanted, 1 of 1 used.",
        "The quota of subnet is exceeded by 1: 1 wanted, 0 of 0 used.",
        "The quota of volumes is exceeded by 1: 1 wanted, 1 of 1 used.",
        "The quota of gigabytes is exceeded by 2: 3 wanted, 1 of 2 used.",
    ]
    assert limits["network", "networks"] == (1, 1)
    assert limits["volume", "gigabytes"] == (2, 1)
    assert limits["compute", "ram"] == (None, 0)


def test_what_is_not_there_is_missing(reach: Callable[..., OpenStackCloud]) -> None:
    cloud = reach()
    for ask, nearest in (
        (lambda: cloud.create_subnet("publik", "10.91.0.0/24"), "public"),
        (lambda: cloud.create_volume("recorded", 1, type="file"), "files"),
        (lambda: cloud.create_volume("recorded", 1, image="cirros"), "cirros"),
        (lambda: cloud.quotas("demos"), "demo"),
        (lambda: cloud.create_router("recorded", external="publik"), "public"),
    ):
        with pytest.raises(Missing) as unknown:
            ask()
        assert f"The nearest is “{nearest}” (" in unknown.value.hint


def test_the_account_may_not(reach: Callable[..., OpenStackCloud]) -> None:
    member = reach("lab-demo")
    for ask in (
        lambda: member.create_flavor("recorded", 1, 64, 1),
        lambda: member.ensure_project("recorded"),
        lambda: member.ensure_project("recorded", users=["demo"]),
    ):
        with pytest.raises(Rejected) as refused:
            ask()
        assert refused.value.hint == "The account needs a role that allows this."
