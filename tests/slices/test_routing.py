"""Static routes: a packet from any node to any address of the slice arrives, and in small slices by the shortest way."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slices import routing
from slices.graph import End, Graph, Link
from slices.ipam import addressed
from slices.routing import forwarders, routes
from slices.topology import generate

KINDS = [
    ("linear", {"size": 5}),
    ("ring", {"size": 6}),
    ("mesh", {"size": 5}),
    ("tree", {"arity": 2, "depth": 3}),
    ("star", {"size": 6}),
    ("grid", {"rows": 3, "columns": 3}),
    ("leaf-spine", {"hosts": 2}),
    ("dumbbell", {}),
    ("bus", {}),
    ("joined", {"a": {"kind": "bus"}, "node_a": "h1", "b": {"kind": "bus"}, "node_b": "h2"}),
]


def routed(kind: str, parameters: dict[str, object], pool: str = "10.64.0.0/10") -> Graph:
    graph = generate(kind, parameters)
    nodes = tuple(
        replace(node, role="router" if node.role == "host" and kind == "joined" else node.role) for node in graph.nodes
    )
    return addressed(replace(graph, routed=True, nodes=nodes), pool=pool)


class Net:
    """Forwards packets as machines do: attached networks, then the longest range."""

    def __init__(self, graph: Graph):
        self.cards = graph.cards()
        self.routes = {
            name: sorted(((ipaddress.ip_network(to), via) for to, via in given), key=lambda one: -one[0].prefixlen)
            for name, given in routes(graph).items()
        }
        self.owner = {end.ip: end.node for link in graph.links for end in link.ends}
        self.forwards = set(forwarders(graph))

    def hops(self, start: str, ip: str) -> int:
        """How many machines the packet passes."""
        at, number = start, 0
        while self.owner[ip] != at:
            assert number == 0 or at in self.forwards, f"{at} leads nothing on"
            assert number <= len(self.cards), "it turns in circles"
            at, number = self.next(at, ip), number + 1
        return number

    def next(self, at: str, ip: str) -> str:
        address = ipaddress.ip_address(ip)
        if any(address in ipaddress.ip_network(link.cidr) for link, _end in self.cards[at]):
            return self.owner[ip]
        via = next(
            via for network, via in self.routes.get(at, []) if address.version == network.version and address in network
        )
        assert any(via in [end.ip for end in link.ends] for link, _end in self.cards[at]), (
            "the next one is no neighbour"
        )
        return self.owner[via]


def shortest(graph: Graph, start: str, link: Link) -> int:
    """Hops to the nearest node of the network."""
    lengths = nx.single_source_shortest_path_length(simple(graph), start)
    return min(lengths[name] for name in link.nodes)


def simple(graph: Graph) -> nx.Graph:
    drawn = nx.Graph()
    for link in graph.links:
        drawn.add_edges_from((a, b) for a in link.nodes for b in link.nodes if a != b)
    return drawn


@pytest.mark.parametrize(("kind", "parameters"), KINDS)
@pytest.mark.parametrize("pool", ["10.64.0.0/10", "fd00:64::/32"])
def test_every_address_is_reached_the_shortest_way(kind, parameters, pool):
    graph = routed(kind, parameters, pool)
    net = Net(graph)
    for link in graph.links:
        for end in link.ends:
            for node in graph.nodes:
                hops = net.hops(node.name, end.ip)
                assert hops <= shortest(graph, node.name, link) + 1


@given(size=st.integers(2, 12), seed=st.integers(0, 99), large=st.booleans(), outside=st.integers(0, 3))
@settings(deadline=None)
def test_random_slices_large_and_small(size, seed, large, outside):
    graph = generate("random", {"size": size, "seed": seed})
    campus = Link("nat", tuple(End(node.name) for node in graph.nodes[:outside]), shared=True, options={"type": "nat"})
    graph = addressed(replace(graph, routed=True, links=(*graph.links, campus) if outside else graph.links))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "LARGE", 0 if large else routing.LARGE)
        net = Net(graph)
    for ip in net.owner:
        for node in graph.nodes:
            net.hops(node.name, ip)
    led_out = set(campus.nodes)
    for name, given_routes in net.routes.items():
        assert len({network for network, _via in given_routes}) == len(given_routes)
        assert name not in led_out or all(network.prefixlen for network, _via in given_routes)


def test_hosts_lead_nothing_on_and_need_one_route():
    graph = routed("leaf-spine", {"spines": 2, "leaves": 2, "hosts": 1})
    assert set(forwarders(graph)) == {"spine1", "spine2", "leaf1", "leaf2"}
    given_routes = routes(graph)
    assert [to for to, _via in given_routes["h1-1"]] == ["0.0.0.0/0"]
    assert routes(replace(graph, routed=False)) == {}


def test_a_thousand_machines_have_few_routes():
    for kind, parameters in (("ring", {"size": 1000}), ("random", {"size": 1000, "links": 2000})):
        number = sum(map(len, routes(routed(kind, parameters)).values()))
        assert number < 12_000
