"""Gateways between hypervisors, as pure graphs: the same twice, gone when nobody needs them, and nobody's address moves."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypervisors.placement import Place, Reason
from slices import documents, joins, routing
from slices.graph import End, Graph, Link, Node, check
from slices.ipam import addressed, check_addresses
from slices.joins import Told, apart, crossing, gateways, joined, peers
from slices.plan import Running, Site, Tunnel, Wish, joining, plan
from slices.treeform import Tree, graph_of, tree_of
from tests.slices.plans import codes, graphs, link, rows

SITES = ("x", "y", "z")


def hybrid(*links: Link, routed: bool = False) -> tuple[Graph, dict[str, str]]:
    """Four nodes on two hypervisors with these links, and where they are."""
    at = {"a": "x", "b": "x", "c": "y", "d": "y"}
    nodes = tuple(Node(name, {"hypervisor": site}) for name, site in at.items())
    return addressed(Graph("g", nodes=nodes, links=links, routed=routed)), at


def whole(graph: Graph, sites: dict[str, str]) -> Graph:
    return addressed(joined(graph, sites))


@settings(max_examples=40)
@given(graphs(sound=True), st.data())
def test_joined_graphs(graph: Graph, data: st.DataObject):
    graph = addressed(graph)
    sites = {node.name: data.draw(st.sampled_from(SITES)) for node in graph.nodes}
    found = whole(graph, sites)
    check(found)
    check_addresses(found)
    assert joined(found, sites) is found
    assert apart(found) == graph
    assert joined(found, dict.fromkeys(sites, "x")) == graph
    assert {node.name for node in found.nodes} - set(sites) == {
        joins.name_at(site) for there in crossing(graph, sites).values() for site in there
    }
    for one in found.links:
        inside = {sites[name] for name in one.talking if name in sites}
        assert sorted(end.node for end in one.ends if end.bridged) == (
            sorted(map(joins.name_at, inside)) if len(inside) > 1 else []
        )


@settings(max_examples=40)
@given(graphs(sound=True), st.data())
def test_through_the_tree_and_documents(graph: Graph, data: st.DataObject):
    sites = {node.name: data.draw(st.sampled_from(SITES)) for node in graph.nodes}
    found = whole(addressed(graph), sites)
    assert documents.read(documents.write(found)) == found
    tree = tree_of(found)
    back = graph_of("g", tree)
    assert (gateways(back), peers(back), back.nodes) == (gateways(found), peers(found), found.nodes)
    assert [(one.shared, one.cidr, set(one.talking)) for one in back.links] == [
        (one.shared, one.cidr, set(one.talking)) for one in found.links
    ]
    assert tree_of(back, tree) == tree
    for name in gateways(found):
        first, *others = tree.machines[name]["nics"]
        assert first["floating"]
        assert all(nic["bridge"] for nic in others)
        assert tree.machines[name]["node"]["peers"] == list(peers(found)[name])


def test_hypervisors_with_long_names_that_begin_alike():
    sites = {"a": "x" * 63 + "1", "b": "x" * 63 + "2"}
    found = whole(Graph("g", nodes=(Node("a"), Node("b")), links=(link("ab", *"ab"),)), sites)
    check(found)
    assert len(gateways(found)) == 2
    assert {len(name) for name in gateways(found)} == {joins.MOST}


@pytest.mark.parametrize(("bound", "most", "code"), [("MOST_NODES", 3, "join_nodes"), ("MOST_LINKS", 2, "join_links")])
def test_a_slice_that_is_too_large_with_its_gateways(monkeypatch: Any, bound: str, most: int, code: str):
    monkeypatch.setattr(joining, bound, most)
    graph = Graph(
        "g", nodes=(Node("a", {"hypervisor": "x"}), Node("b", {"hypervisor": "y"})), links=(link("ab", *"ab"),)
    )
    found = whole(graph, {"a": "x", "b": "y"})
    assert ("", code) in codes(plan(found, [Site("x", floats=True), Site("y", floats=True)]))


def test_three_hypervisors_know_each_other():
    graph = Graph("g", nodes=tuple(map(Node, "abc")), links=(link("lan", *"abc", shared=True),))
    found = whole(graph, {"a": "x", "b": "y", "c": "z"})
    assert peers(found)["gw-y"] == ("gw-x", "gw-z")
    assert joins.ways_out(found).keys() == {"gw-x", "gw-y", "gw-z"}


def test_only_who_shares_a_link_is_a_peer():
    links = (link("ab", *"ab"), link("bc", *"bc"))
    found = whole(Graph("g", nodes=tuple(map(Node, "abc")), links=links), {"a": "x", "b": "y", "c": "z"})
    assert peers(found) == {"gw-x": ("gw-y",), "gw-y": ("gw-x", "gw-z"), "gw-z": ("gw-y",)}


@pytest.mark.parametrize("options", [{"type": "provider"}, {"type": "public"}, {"aliases": {"x": "net"}}])
def test_what_is_there_already_is_joined_by_others(options: dict[str, Any]):
    graph, sites = hybrid(replace(link("lan", *"ac", shared=True), options=options))
    assert joined(graph, sites) is graph


def test_a_new_link_has_room_for_its_gateways():
    """In the lower half: above, clouds give addresses."""
    graph, sites = hybrid(link("ac", *"ac"), link("ab", *"ab"))
    assert [ipaddress.ip_network(one.cidr).prefixlen for one in graph.links] == [28, 29]
    ends = whole(graph, sites).links[0].ends
    assert [int(ipaddress.ip_address(end.ip)) % 16 for end in ends] == [1, 2, 3, 4]


def test_the_image_is_the_usual_one_there():
    graph, sites = hybrid(link("ac", *"ac"))
    found = joined(graph, sites, {"a": "debian", "b": "debian", "c": "router"})
    assert [found.node(name).definition for name in ("gw-x", "gw-y")] == [
        {"hypervisor": "x", "image": "debian"},
        {"hypervisor": "y", "image": "router"},
    ]


def test_they_are_drawn_side_by_side_below_all_nodes_with_their_ways_out_below_them():
    graph, sites = hybrid(link("ac", *"ac"))
    placed = replace(graph, nodes=tuple(replace(node, x=100.0 * at, y=50.0) for at, node in enumerate(graph.nodes)))
    found = joined(placed, sites)
    assert [(found.node(name).x, found.node(name).y) for name in ("gw-x", "gw-y")] == [(60, 170), (240, 170)]
    assert [(out.x, out.y) for out in found.links if out.name.startswith("out-")] == [(60, 290), (240, 290)]


def test_gateways_are_on_no_way():
    graph, sites = hybrid(link("ab", *"ab"), link("bc", *"bc"), link("cd", *"cd"), routed=True)
    found = whole(graph, sites)
    assert routing.routes(apart(found)) == routing.routes(graph)


def test_a_node_in_its_way():
    graph, sites = hybrid(link("ac", *"ac"))
    for name, role, ends in (("gw-y", "host", ()), ("gw-y", "gateway", ("gw-y", "c")), ("out-y", "", ("c",))):
        more = () if name == "out-y" else (Node(name, {"hypervisor": "y"}, role),)
        links = (link("out-y" if name == "out-y" else "own", *ends, shared=True),) if ends else ()
        odd = replace(graph, nodes=(*graph.nodes, *more), links=(*graph.links, *links))
        assert joins.strangers(odd, "y") == name
        found = joined(odd, {**sites, "gw-y": "y"})
        assert "gw-x" in gateways(found)
        assert "gw-y" not in gateways(found)


# -- what plans say ----------------------------------------------------------------------------------------------------


def test_planned():
    graph, sites = hybrid(link("ac", *"ac"), link("ab", *"ab"))
    graph = whole(graph, sites)
    told = plan(graph, [Site("x", floats=True), Site("y", floats=True)])
    assert told.fits
    assert told.tunnels == (Tunnel("ac", ("x", "y"), ("gw-x", "gw-y")),)
    reason = rows(told)["gw-x"].reason
    assert (reason.code, reason.params) == ("joins", {"links": ["ac"], "hypervisors": ["y"]})
    assert type(told).from_json(told.to_json()) == told
    bare = plan(apart(graph), [Site("x", floats=True), Site("y", floats=True)])
    assert bare.digest != told.digest


def test_nobody_is_more_important_for_them():
    graph, sites = hybrid(link("ac", *"ac"), link("ad", *"ad"))
    told = plan(whole(graph, sites), [Site("x", floats=True), Site("y", floats=True)])
    assert {row.flavor for row in told.rows} == {"small"}


def test_refused():
    graph, sites = hybrid(
        link("six", *"ac", cidr="fd00::/64"),
        link("tight", *"ad", cidr="10.0.0.0/30"),
        link("like", *"bc", cidr="10.9.9.0/24"),
        link("other", *"bd", cidr="11.9.9.0/24"),
    )
    told = plan(whole(graph, sites), [Site("x"), Site("y", floats=True)])
    assert codes(told) == {
        ("gw-x", "gateway_floats"),
        ("gw-x", "join_range"),
        ("gw-x", "join_room"),
        ("gw-x", "join_number"),
    }


def test_old_plans_are_read():
    told = plan(whole(*hybrid(link("ac", *"ac"))), [Site("x", floats=True), Site("y", floats=True)]).to_json()
    del told["tunnels"][0]["gateways"]
    assert plan.__globals__["Plan"].from_json(told).tunnels == (Tunnel("ac", ("x", "y")),)


def test_a_tree_without_gateways_is_as_before():
    graph, _sites = hybrid(link("ac", *"ac"))
    assert all("peers" not in own.get("node", {}) for own in tree_of(graph, Tree()).machines.values())


def test_cards_of_a_gateway_that_is_written_by_hand():
    """A card that bridges counts for nobody's end."""
    ends = (End("a"), End("b"), End("gw-x", card={"bridge": True}))
    nodes = (Node("a"), Node("b"), Node("gw-x", {"hypervisor": "x"}, "gateway"))
    graph = Graph("g", nodes=nodes, links=(Link("ab", ends),))
    check(graph)
    assert apart(graph).links[0].nodes == ("a", "b")


# -- while they run ----------------------------------------------------------------------------------------------------


def told_of(graph: Graph) -> dict[str, Told]:
    """What the gateways of this graph were told if they were made by it."""
    out = joins.ways_out(graph)
    return {name: Told(frozenset(others), frozenset({out[name]})) for name, others in peers(graph).items()}


def test_who_knows_what_it_must_stays_as_it_is():
    graph, sites = hybrid(link("ac", *"ac"))
    told = told_of(whole(graph, sites))
    more = replace(graph, links=(*graph.links, link("bd", *"bd")))
    assert joins.outdated(whole(addressed(more), sites), told) == set()
    assert joins.outdated(graph, told) == set()
    assert joins.outdated(whole(graph, sites), {}) == set()


@pytest.mark.parametrize(
    ("links", "anew"),
    [
        (["ab", "bc", "ac"], {"gw-x", "gw-z"}),  # the one between them knows both already
        (["abc"], {"gw-x", "gw-z"}),
        (["ab"], {"gw-y"}),  # and the third one goes
        (["ac"], {"gw-x", "gw-z"}),
    ],
)
def test_who_must_know_others_is_made_anew(links: list[str], anew: set[str]):
    def slice_of(*names: str) -> Graph:
        wanted = tuple(link(name, *name, shared=True) for name in names)
        return whole(Graph("g", nodes=tuple(map(Node, "abc")), links=wanted), dict(zip("abc", SITES, strict=True)))

    before, after = slice_of("ab", "bc"), slice_of(*links)
    out = frozenset(joins.ways_out(after).values())
    told = {name: replace(one, ways_out=out) for name, one in told_of(before).items()}
    assert joins.outdated(after, told) == anew


def test_who_knew_an_old_address_is_made_anew():
    """Another one's outside, or its own where it comes out."""
    graph, sites = hybrid(link("ac", *"ac"))
    graph = whole(graph, sites)
    told = told_of(graph)
    assert joins.outdated(graph, told, {"gw-y"}) == {"gw-x"}
    moved = told | {"gw-x": replace(told["gw-x"], ways_out=frozenset({"10.9.9.9"}))}
    assert joins.outdated(graph, moved) == {"gw-x"}


def test_the_plan_shows_who_is_made_anew_where_it_is():
    graph, sites = hybrid(link("ac", *"ac"))
    graph = whole(graph, sites)
    places = [Site(name, "worker", [Place("w1"), Place("w2")], floats=True) for name in ("x", "y")]
    there = {node.name: Running(node.definition["hypervisor"], "w2", "small", 1, 1536, 10) for node in graph.nodes}
    why = Reason("tunnels_anew", {"links": joins.joined_by(graph, "gw-x")})
    before, after = (plan(graph, places, Wish(running=there, anew=anew)) for anew in ({}, {"gw-x": why}))
    row = rows(after)["gw-x"]
    assert (row.change, row.place, row.note, row.reason.code) == ("anew", "w2", why, "joins")
    assert why.params == {"links": ["ac"]}
    assert {row.change for name, row in rows(after).items() if name != "gw-x"} == {"keep"}
    assert before.digest != after.digest
    assert type(after).from_json(after.to_json()) == after
