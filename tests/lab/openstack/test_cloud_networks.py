"""Networks, subnets and routers, against the real Neutron: made once, refused in words, never torn apart."""

from __future__ import annotations

import pytest

from hypervisors.drivers.openstack.cloud import OpenStackCloud
from olimpus.errors import Missing, Rejected
from tests.lab.cloud import Cloud


def test_a_network_with_subnet_and_router(cloud: OpenStackCloud, name: str) -> None:
    network = cloud.create_network(name, mtu=1400)
    assert cloud.create_network(name, mtu=1400).id == network.id
    subnet = cloud.create_subnet(
        network.id, "10.71.0.0/24", name=name, dns=["9.9.9.9"], pool=("10.71.0.9", "10.71.0.99")
    )
    assert cloud.create_subnet(network.id, "10.71.0.0/24", name=name).id == subnet.id
    router = cloud.create_router(name, external="public", subnets=[subnet.id])
    try:
        assert cloud.create_router(name, external="public", subnets=[subnet.id]) == router
        seen = next(item for item in cloud.networks() if item.id == network.id)
        assert (seen.mtu, seen.subnets) == (1400, (subnet,))
        assert (subnet.gateway, subnet.dns, subnet.pools) == ("10.71.0.1", ("9.9.9.9",), (("10.71.0.9", "10.71.0.99"),))
        assert router.subnet_ids == (subnet.id,)
        assert router.external_network_id == next(item.id for item in cloud.networks() if item.name == "public")
        assert router in cloud.routers()
        for delete, key in ((cloud.delete_network, network.id), (cloud.delete_subnet, subnet.id)):
            with pytest.raises(Rejected, match=f"the router “{name}”"):
                delete(key)
    finally:
        for _turn in range(2):
            cloud.delete_router(router.id)
            cloud.delete_subnet(subnet.id)
            cloud.delete_network(network.id)
    assert name not in {item.name for item in cloud.networks()}


def test_overlapping_ranges_are_refused_in_words(cloud: OpenStackCloud, name: str) -> None:
    network = cloud.create_network(name)
    try:
        cloud.create_subnet(network.id, "10.72.0.0/16", name="first")
        with pytest.raises(Rejected, match="10.72.3.0/24 overlaps 10.72.0.0/16, the range of subnet “first”"):
            cloud.create_subnet(network.id, "10.72.3.0/24")
        with pytest.raises(Rejected, match="MTU of"):
            cloud.create_network(name, mtu=1234)
    finally:
        cloud.delete_network(network.id)


def test_what_is_not_there_is_named_with_the_nearest(cloud: OpenStackCloud, name: str) -> None:
    network = cloud.create_network(name)
    try:
        with pytest.raises(Missing) as unknown:
            cloud.create_subnet(name[:-1], "10.73.0.0/24")
        assert network.id in unknown.value.hint
        with pytest.raises(Missing, match="publik") as unknown:
            cloud.create_router(name, external="publik")
        assert "“public”" in unknown.value.hint
        with pytest.raises(Missing, match="There is no subnet"):
            cloud.create_router(name, subnets=["nope"])
        assert name not in {router.name for router in cloud.routers()}
    finally:
        cloud.delete_network(network.id)


def test_an_id_never_leads_elsewhere(cloud: OpenStackCloud) -> None:
    for key in ("", "../networks", "a/../../b", "?all", "%2e%2e"):
        cloud.delete_network(key)
        cloud.delete_volume(key)
        cloud.delete_image(key)
        with pytest.raises(Missing):
            cloud.extend_volume(key, 2)


def test_a_network_with_a_machine_stays(cloud: OpenStackCloud, lab: Cloud, name: str) -> None:
    network = cloud.create_network(name)
    subnet = cloud.create_subnet(network.id, "10.74.0.0/24")
    port = lab.sdk().network.create_port(network_id=network.id, name=f"{name}-port")
    try:
        for delete, key in ((cloud.delete_network, network.id), (cloud.delete_subnet, subnet.id)):
            with pytest.raises(Rejected, match=f"the port “{name}-port”"):
                delete(key)
    finally:
        lab.sdk().network.delete_port(port)
        cloud.delete_network(network.id)


def test_floating_ips_keep_their_router(cloud: OpenStackCloud, lab: Cloud, name: str) -> None:
    network = cloud.create_network(name)
    subnet = cloud.create_subnet(network.id, "10.75.0.0/24")
    router = cloud.create_router(name, external="public", subnets=[subnet.id])
    api = lab.sdk().network
    port = api.create_port(network_id=network.id)
    floating = api.create_ip(floating_network_id=router.external_network_id, port_id=port.id)
    try:
        with pytest.raises(Rejected, match=floating.floating_ip_address):
            cloud.delete_router(router.id)
        assert subnet.id in next(item for item in cloud.routers() if item.id == router.id).subnet_ids
    finally:
        api.delete_ip(floating)
        api.delete_port(port)
        cloud.delete_router(router.id)
        cloud.delete_network(network.id)
