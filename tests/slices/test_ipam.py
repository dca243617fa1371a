"""Addresses: every network has a range of its own and every card an address in it, and what is given stays."""

from __future__ import annotations

import ipaddress
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olimpus.errors import CapacityExceeded, Invalid
from slices.documents import read
from slices.graph import End, Graph, Link, Node
from slices.ipam import addressed, check_addresses, faults_of
from slices.topology import generate
from tests.slices.graphs import graphs

KINDS = st.sampled_from(["ring", "mesh", "tree", "bus", "leaf-spine", "random"])


def wires(*links: Link) -> Graph:
    names = dict.fromkeys(name for link in links for name in link.nodes)
    return Graph(nodes=tuple(Node(name) for name in names), links=links)


def wire(name: str, *ips: str, shared: bool = False, cidr: str = "", **options: object) -> Link:
    return Link(name, tuple(End(f"n{n}", ip) for n, ip in enumerate(ips)), shared, cidr, options)


def test_ranges_and_addresses():
    graph = addressed(
        read({"nodes": [{"name": n} for n in "abc"], "links": [["a", "b"], ["b", "c"]], "networks": [{"name": "lan"}]})
    )
    assert [(link.cidr, [end.ip for end in link.ends]) for link in graph.links] == [
        ("10.64.0.0/29", ["10.64.0.1", "10.64.0.2"]),
        ("10.64.0.8/29", ["10.64.0.9", "10.64.0.10"]),
        ("10.96.0.0/24", ["10.96.0.1", "10.96.0.2", "10.96.0.3"]),
    ]


@given(KINDS)
def test_generated_graphs_get_good_addresses(kind):
    graph = addressed(generate(kind))
    assert faults_of(graph) == []
    assert all(end.ip for link in graph.links for end in link.ends)
    networks = [ipaddress.ip_network(link.cidr) for link in graph.links]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(networks, 2))
    assert addressed(graph) == graph


@given(graphs())
def test_whatever_is_given_stays_and_what_is_added_overlaps_nothing(graph):
    done = addressed(graph)
    given_ranges = [ipaddress.ip_network(link.cidr) for link in graph.links if link.cidr]
    said = set()
    for before, after in zip(graph.links, done.links, strict=True):
        network = ipaddress.ip_network(after.cidr)
        if before.cidr:
            assert after.cidr == before.cidr
        elif not any(end.ip for end in before.ends):
            assert not any(
                network.overlaps(other) for other in [*given_ranges, *said] if network.version == other.version
            )
            said.add(network)
        new = [b.ip for a, b in zip(before.ends, after.ends, strict=True) if not a.ip and b.ip]
        assert all(b.ip == a.ip for a, b in zip(before.ends, after.ends, strict=True) if a.ip)
        assert len(set(new)) == len(new)
        assert not set(new) & {end.ip for end in before.ends}
        assert all(ipaddress.ip_address(ip) in network for ip in new)
    assert addressed(done) == done


@given(KINDS, st.integers(1, 5))
def test_a_node_more_renumbers_nothing(kind, more):
    before = addressed(generate(kind))
    nodes = tuple(Node(f"new{number}") for number in range(more))
    first = before.nodes[0].name
    links = tuple(Link(f"l{node.name}", (End(node.name), End(first))) for node in nodes)
    grown = [
        replace(link, ends=(*link.ends, *map(End, (n.name for n in nodes)))) if link.shared else link
        for link in before.links
    ]
    after = addressed(replace(before, nodes=(*nodes, *before.nodes), links=(*links, *grown)))
    assert faults_of(after) == []
    kept = {link.name: (link.cidr, link.ends) for link in after.links}
    for link in before.links:
        assert kept[link.name][0] == link.cidr
        assert kept[link.name][1][: len(link.ends)] == link.ends


def test_a_thousand_machines_fit_into_one_network():
    (bus,) = addressed(generate("bus", {"size": 1000})).links
    assert bus.cidr == "10.96.0.0/21"
    assert len({end.ip for end in bus.ends}) == 1000


def test_five_thousand_links_fit_beside_what_is_avoided():
    graph = addressed(generate("random", {"size": 1000, "links": 5000}), avoid=["10.64.0.0/16", "10.65.1.0/24"])
    networks = sorted(ipaddress.ip_network(link.cidr) for link in graph.links)
    assert networks[0] == ipaddress.ip_network("10.65.0.0/29")
    assert all(one[-1] < other[0] for one, other in itertools.pairwise(networks))
    assert not any(network.overlaps(ipaddress.ip_network("10.65.1.0/24")) for network in networks)


def test_gateway_name_servers_and_pool_are_left_alone():
    def ips(link: Link) -> list[str]:
        return [end.ip for end in addressed(wires(link)).links[0].ends]

    assert ips(wire("l", "", "", cidr="10.0.0.0/29", gateway="10.0.0.1", dns=["10.0.0.3"])) == ["10.0.0.2", "10.0.0.4"]
    assert ips(wire("l", "", "", cidr="10.0.0.0/24", pool={"start": "10.0.0.50"})) == ["10.0.0.50", "10.0.0.51"]
    assert ips(wire("l", "", "10.0.0.1", cidr="10.0.0.0/29")) == ["10.0.0.2", "10.0.0.1"]
    assert ips(wire("l", "", "", cidr="10.0.0.0/30", type="nat")) == ["10.0.0.1", ""]
    assert ips(wire("l", "", "", cidr="fd00::/64")) == ["fd00::1", "fd00::2"]


def test_a_range_follows_from_the_addresses():
    graph = addressed(wires(wire("l", "192.168.1.9", "192.168.1.10"), wire("m", "172.16.0.3", "", shared=True)))
    assert [link.cidr for link in graph.links] == ["192.168.1.8/29", "172.16.0.0/24"]
    assert addressed(wires(wire("l", "10.0.0.7", "10.0.0.8"))).links[0].cidr == "10.0.0.0/28"


def test_what_the_cloud_addresses_stays_as_it_is():
    graph = wires(
        wire("campus", "", "", shared=True, aliases={"cloud": "campus"}), wire("ext", "", "", type="provider")
    )
    assert addressed(graph) == graph


def test_a_pool_has_an_end():
    with pytest.raises(CapacityExceeded) as caught:
        addressed(generate("ring", {"size": 5}), pool="10.0.0.0/26")
    assert caught.value.where == "links.r5-r1"
    with pytest.raises(Invalid):
        addressed(Graph(), pool="10.0.0.1/8")
    assert addressed(generate("ring"), pool="fd00:64::/48").links[0].cidr == "fd00:64::/125"


def test_all_faults_at_once():
    graph = wires(
        wire("one", "", "", cidr="10.0.0.0/16"),
        wire("two", "", "", cidr="10.0.1.0/24"),
        wire("three", "", "", cidr="10.0.1.128/25"),
        wire("bad", "", "", cidr="10.0.0.1/8"),
        wire("small", "", "", "", cidr="10.2.0.0/30", shared=True),
        wire("out", "10.4.0.1", "10.3.0.0", cidr="10.3.0.0/24"),
        wire("twice", "10.5.0.1", "10.5.0.1", cidr="10.5.0.0/24"),
        wire("kept", "10.6.0.254", "fd00::1", cidr="10.6.0.0/24", type="nat"),
        wire("strange", "", "", cidr="10.7.0.0/24", gateway="10.8.0.1"),
        wire("fine", "10.9.0.1", "10.9.0.2", cidr="10.9.0.0/24"),
    )
    with pytest.raises(Invalid) as caught:
        check_addresses(graph)
    told = {}
    for fault in caught.value.errors:
        told.setdefault(fault["where"].removeprefix("links."), []).append(f"{fault['message']} {fault['hint']}")
    assert {name: len(faults) for name, faults in told.items()} == {
        "bad": 1,
        "small": 1,
        "out": 2,
        "twice": 1,
        "kept": 2,
        "strange": 1,
        "two": 1,
        "three": 1,
    }
    assert "“one”" in told["two"][0]
    assert "“two”" in told["three"][0]
    assert "/29" in told["small"][0]
    assert "n0, n1" in told["twice"][0]


@pytest.mark.parametrize(
    "cidr",
    ["0.0.0.0/0", "127.0.0.0/8", "126.0.0.0/7", "169.254.7.0/24", "239.1.0.0/16", "::/0", "fe80::/64", "ff02::/64"],
)
def test_ranges_that_are_no_machines_are_refused(cidr):
    graph = Graph("lab", nodes=(Node("a"), Node("b")), links=(Link("wire", (End("a"), End("b")), cidr=cidr),))
    with pytest.raises(Invalid, match="No machine can have an address in"):
        check_addresses(graph)


def test_addresses_that_are_far_apart_are_told_themselves():
    with pytest.raises(Invalid) as caught:
        check_addresses(addressed(wires(wire("far", "10.200.0.5", "192.168.1.9"))))
    assert [fault["message"][:10] for fault in caught.value.errors] == ["10.200.0.5", "192.168.1."]


def test_a_mac_belongs_to_one_card():
    ends = [End(name, card={"mac": "52:54:00:00:00:01"}) for name in "ab"]
    links = Link("one", (ends[0], End("b"))), Link("two", (ends[1], End("a")))
    graph = Graph(nodes=(Node("a"), Node("b")), links=links)
    with pytest.raises(Invalid, match="52:54:00:00:00:01 is given to several cards: a, b") as caught:
        check_addresses(addressed(graph))
    assert caught.value.where == "links.two"
