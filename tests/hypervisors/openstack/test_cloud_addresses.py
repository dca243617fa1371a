"""Ranges are refused in words, and what Neutron may give never meets what we give."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors.drivers.cloud import Subnet
from hypervisors.drivers.openstack.addresses import check_free, check_within, last_host, parse_range, spare
from olimpus.errors import Rejected


def subnet(cidr: str, name: str = "lan") -> Subnet:
    return Subnet(id="1", name=name, network_id="n", cidr=cidr)


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0.0/24/24", "lan", "10.0.0/24", "10.0.0.0/-1"])
def test_what_is_no_range_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_range(text)
    assert refused.value.where == "cidr"
    assert "192.168.100.0/24" in refused.value.hint


def test_host_bits_are_refused_and_the_nearest_range_is_offered() -> None:
    with pytest.raises(Rejected) as refused:
        parse_range("10.0.0.5/24")
    assert "10.0.0.0/24" in refused.value.hint


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [("10.0.0.0/24", "10.0.0.0/16"), ("10.0.0.0/8", "10.9.9.0/24"), ("fd00::/48", "fd00::/64")],
)
def test_an_overlap_names_both_ranges_and_the_subnet(wanted: str, taken: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_free(parse_range(wanted), [subnet("192.168.0.0/24", "other"), subnet(taken)])
    assert refused.value.message == f"{wanted} overlaps {taken}, the range of subnet “lan”."


def test_ranges_side_by_side_and_of_the_other_version_are_free() -> None:
    assert check_free(parse_range("10.0.1.0/24"), [subnet("10.0.0.0/24"), subnet("fd00::/64")]) is None


@pytest.mark.parametrize(
    ("gateway", "pool", "dns", "where"),
    [
        ("10.0.1.1", None, (), "gateway"),
        ("here", None, (), "gateway"),
        ("", ("10.0.0.9", "10.0.0.5"), (), "pool"),
        ("", ("10.0.0.9", "10.0.1.5"), (), "pool"),
        ("", None, ("1.1.1.1", "dns.example.org"), "dns"),
    ],
)
def test_wrong_addresses_are_told_by_their_parameter(
    gateway: str, pool: tuple[str, str] | None, dns: tuple[str, ...], where: str
) -> None:
    with pytest.raises(Rejected) as refused:
        check_within(parse_range("10.0.0.0/24"), gateway, pool, dns)
    assert refused.value.where == where


def test_name_servers_may_be_anywhere() -> None:
    assert (
        check_within(parse_range("10.0.0.0/24"), "10.0.0.1", ("10.0.0.5", "10.0.0.9"), ("9.9.9.9", "fd00::1")) is None
    )


def test_without_a_pool_the_cloud_gives_from_the_upper_half() -> None:
    assert spare(parse_range("10.0.0.0/24"), None, "10.0.0.254") == ("10.0.0.128", "10.0.0.253")


def test_beside_a_pool_the_cloud_gives_from_the_longest_run() -> None:
    assert spare(parse_range("10.0.0.0/24"), ("10.0.0.10", "10.0.0.50"), "10.0.0.1") == ("10.0.0.51", "10.0.0.254")


@given(
    number=st.integers(0, 2**24),
    prefix=st.integers(8, 32),
    offsets=st.none() | st.tuples(st.integers(0, 300), st.integers(0, 300)),
    gateway=st.none() | st.integers(0, 300),
)
def test_what_the_cloud_gives_is_in_the_range_and_never_ours(
    number: int, prefix: int, offsets: tuple[int, int] | None, gateway: int | None
) -> None:
    cidr = ipaddress.ip_network((number << 8, prefix), strict=False)

    def pick(offset: int) -> str:
        return str(cidr[min(offset, cidr.num_addresses - 1)])

    kept = (pick(min(offsets)), pick(max(offsets))) if offsets else None
    way_out = "" if gateway is None else pick(gateway)
    given_by_cloud = spare(cidr, kept, way_out)
    if given_by_cloud is None:
        return
    first, last = map(ipaddress.ip_address, given_by_cloud)
    assert cidr[0] < first <= last
    assert last < cidr[-1]
    assert not way_out or not first <= ipaddress.ip_address(way_out) <= last
    if kept:
        assert last < ipaddress.ip_address(kept[0]) or first > ipaddress.ip_address(kept[1])


@pytest.mark.parametrize(
    ("cidr", "gateway"), [("10.0.0.0/24", "10.0.0.254"), ("10.0.0.0/30", "10.0.0.2"), ("10.0.0.0/31", "10.0.0.1")]
)
def test_the_last_address_of_a_machine(cidr: str, gateway: str) -> None:
    assert last_host(parse_range(cidr)) == gateway
