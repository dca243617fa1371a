"""Network cards: MACs, addresses from pools, clashes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors import actions, selectors
from descriptors.models import Nic
from descriptors.nics import mac_for, mac_of_ip, pool
from olimpus.errors import Conflict, Invalid
from tests.world import World


def test_a_generated_mac_is_local_unicast_and_always_the_same():
    mac = mac_for("5c2e", 0)
    assert mac == mac_for("5c2e", 0) != mac_for("5c2e", 1)
    assert int(mac[:2], 16) & 0b11 == 0b10


def test_an_address_fits_into_a_mac_if_it_is_ipv4():
    assert mac_of_ip("10.1.2.255") == "02:00:0a:01:02:ff"
    with pytest.raises(Invalid):
        mac_of_ip("fd00::1")


@given(st.ip_addresses(v=4), st.integers(22, 30), st.integers(0, 60), st.integers(0, 60))
def test_a_pool_stays_inside_its_network_and_spares_the_gateway(ip, prefix, start, length):
    cidr = ipaddress.ip_network((ip, prefix), strict=False)
    gateway = cidr[1]
    limits = {"start": str(cidr[min(start, cidr.num_addresses - 1)])}
    limits["end"] = str(cidr[min(start + length, cidr.num_addresses - 1)])
    for network in ({"cidr": str(cidr), "gateway": str(gateway)}, {"cidr": str(cidr), "pool": limits}):
        given = list(pool(network))
        assert len(given) == len(set(given))
        assert all(ipaddress.ip_address(address) in cidr for address in given)
        assert not {str(cidr[0]), str(cidr[-1])} & set(given)
        if "gateway" in network:
            assert str(gateway) not in given
            assert len(given) == cidr.num_addresses - 3
        else:
            low, high = (ipaddress.ip_address(limits[end]) for end in ("start", "end"))
            assert all(low <= ipaddress.ip_address(address) <= high for address in given)


def test_a_network_without_a_cidr_has_no_pool():
    assert list(pool({"type": "isolated"})) == []


@pytest.fixture
def lan(world: World):
    """A folder with a network of four free addresses and three machines that ask for one."""
    network = {"cidr": "10.9.0.0/29", "gateway": "10.9.0.1", "dns": ["10.9.0.2"]}
    document = {
        "path": "/lan",
        "common": {
            "hypervisor": world.hypervisor.name,
            "networks": {"lan": network},
            "nics": [{"network": "lan", "ip": "auto", "ip_mode": "mac"}],
        },
        "descriptors": {name: {} for name in "abc"},
    }
    actions.apply(document, actor=world.root)
    return selectors.get(world.root, "/lan")


def test_auto_gives_each_card_the_next_free_address_and_the_mac_that_carries_it(world: World, lan):
    actions.request("create", lan, actor=world.root)
    cards = list(Nic.objects.order_by("descriptor__name").values_list("mac", "ip"))
    assert cards == [(mac_of_ip(ip), ip) for ip in ("10.9.0.3", "10.9.0.4", "10.9.0.5")]


def test_when_the_pool_is_empty_the_machine_is_skipped_with_the_reason(world: World, lan):
    actions.apply({"path": "/lan", "descriptors": {"d": {}, "e": {}}}, actor=world.root)
    operation = actions.request("create", lan, actor=world.root)
    assert (operation.total, operation.skipped) == (4, 1)
    (skipped,) = operation.result["skipped"]
    assert "lan" in skipped["reason"]
    assert Nic.objects.count() == 4


def test_auto_needs_a_network_with_a_cidr(world: World, lan):
    actions.edit(lan, {**lan.definition, "networks": {"lan": {"type": "isolated"}}}, actor=world.root)
    with pytest.raises(Conflict) as refused:
        actions.request("create", selectors.get(world.root, "/lan/a"), actor=world.root)
    assert "nics[0].ip" in refused.value.where
    assert not Nic.objects.exists()


def test_an_address_is_given_once_in_a_network(world: World, lan):
    for name in "ab":
        node = selectors.get(world.root, f"/lan/{name}")
        actions.edit(node, {"nics": [{"network": "lan", "ip": "10.9.0.6"}]}, actor=world.root)
    actions.request("create", selectors.get(world.root, "/lan/a"), actor=world.root)
    with pytest.raises(Conflict, match="/lan/a"):
        actions.request("create", selectors.get(world.root, "/lan/b"), actor=world.root)
