"""What the cloud offers to build with, against the real one: services, flavors, images, zones, key pairs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hypervisors.drivers.openstack.cloud import OpenStackCloud
from olimpus.errors import Rejected
from tests.lab.cloud import Cloud

# -- services ----------------------------------------------------------------------------------------------------------


def test_services_tell_version_and_latency(cloud: OpenStackCloud) -> None:
    found = {service.name: service for service in cloud.services()}
    assert list(found) == ["keystone", "nova", "neutron", "glance", "cinder"]
    for service in found.values():
        assert service.ok, service
        assert 0 < service.seconds < 10
    assert found["nova"].version == "2.93"
    assert found["keystone"].version.startswith("3.")
    assert found["cinder"].version.startswith("3.")


@pytest.mark.parametrize(
    "wrong",
    [{"auth_url": "http://127.0.0.1:9/v3"}, {"password": "wrong-secret"}, {"region_name": "Nowhere"}],
    ids=["url", "password", "region"],
)
def test_services_say_what_is_wrong_and_never_raise(
    reach: Callable[..., OpenStackCloud], wrong: dict[str, str]
) -> None:
    rows = reach(**wrong).services()
    assert len(rows) == 5
    assert any(not row.ok and row.detail for row in rows)
    assert "wrong-secret" not in str(rows)


# -- flavors, images, zones --------------------------------------------------------------------------------------------


def test_flavors_come_smallest_first(cloud: OpenStackCloud, reach: Callable[..., OpenStackCloud]) -> None:
    found = cloud.flavors()
    sizes = [(flavor.cpus, flavor.memory_mib, flavor.disk_gib) for flavor in found]
    assert sizes == sorted(sizes)
    names = [flavor.name for flavor in reach("lab-demo").flavors()]
    assert {"nano", "micro", "small", "medium", "large"} <= set(names)


def test_a_flavor_is_made_once_and_deleted_quietly(cloud: OpenStackCloud, name: str) -> None:
    made = cloud.create_flavor(name, 3, 700, 4.5)
    try:
        assert (made.cpus, made.memory_mib, made.disk_gib, made.public) == (3, 700, 5, True)
        assert cloud.create_flavor(name, 3, 700, 4.5) == made
        with pytest.raises(Rejected, match="3 CPUs, 700 MiB, 5 GiB"):
            cloud.create_flavor(name, 4, 700, 5)
    finally:
        cloud.delete_flavor(name)
    cloud.delete_flavor(name)
    assert name not in {flavor.name for flavor in cloud.flavors()}


def test_many_make_one_flavor(cloud: OpenStackCloud, name: str) -> None:
    try:
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(lambda _turn: cloud.create_flavor(name, 1, 64, 1), range(6)))
        assert len({flavor.id for flavor in made}) == 1
    finally:
        cloud.delete_flavor(name)


def test_who_may_not_make_flavors_is_told_so(reach: Callable[..., OpenStackCloud], name: str) -> None:
    with pytest.raises(Rejected) as refused:
        reach("lab-demo").create_flavor(name, 1, 64, 1)
    assert "role" in refused.value.hint


def test_the_use_of_flavors_is_counted(
    cloud: OpenStackCloud, reach: Callable[..., OpenStackCloud], server: str
) -> None:
    assert cloud.flavor_use()["nano"] >= 1
    assert isinstance(reach("lab-demo").flavor_use(), dict)


def test_images_are_listed(cloud: OpenStackCloud) -> None:
    found = {image.name: image for image in cloud.images()}
    cirros = found["cirros"]
    assert (cirros.status, cirros.format, cirros.visibility) == ("active", "qcow2", "public")
    assert cirros.size_bytes > 0
    assert cirros.created_at
    assert cirros.created_at.tzinfo


def test_zones_have_hosts_with_room(cloud: OpenStackCloud) -> None:
    zones = {zone.name: zone for zone in cloud.zones(capacity=True)}
    assert {"zone-1", "zone-2"} <= set(zones)
    hosts = {host.name: host for zone in zones.values() for host in zone.hosts}
    assert {host.zone for host in hosts.values()} == set(zones)
    first = hosts["compute-01"]
    assert first.cpus_total
    assert first.memory_mib_total
    assert first.up
    assert first.enabled


def test_room_counts_the_overcommit_as_placement_does(cloud: OpenStackCloud, lab: Cloud) -> None:
    api = lab.sdk().placement
    provider = next(item for item in api.resource_providers() if item.name == "compute-01")
    inventory = {item.resource_class: item for item in api.resource_provider_inventories(provider)}
    cpus = inventory["VCPU"]
    first = next(host for zone in cloud.zones(capacity=True) for host in zone.hosts if host.name == "compute-01")
    assert first.cpus_total == int((cpus.total - cpus.reserved) * cpus.allocation_ratio)


def test_who_may_not_see_hosts_sees_zones(reach: Callable[..., OpenStackCloud]) -> None:
    zones = reach("lab-demo").zones(capacity=True)
    assert {"zone-1", "zone-2"} <= {zone.name for zone in zones}
    assert all(zone.available and not zone.hosts for zone in zones)


def test_key_pairs_are_listed(cloud: OpenStackCloud, lab: Cloud, name: str) -> None:
    made = lab.sdk().compute.create_keypair(name=name)
    try:
        assert next(pair for pair in cloud.keypairs() if pair.name == name).fingerprint == made.fingerprint
    finally:
        lab.sdk().compute.delete_keypair(name)
