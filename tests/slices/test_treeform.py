"""Graphs and the definitions of the tree: there and back, what stays as it was, what differs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from descriptors.definition import validate
from slices.graph import End, Graph, Link, Node
from slices.treeform import Tree, differences, graph_of, tree_of
from tests.slices.graphs import graphs

WIRE = Link("a-b", (End("a", "10.0.0.1"), End("b", "10.0.0.2", "eth1")), cidr="10.0.0.0/30")
LAN = Link("lan", (End("a"), End("b")), shared=True, options={"type": "nat"})
PAIR = Graph("pair", nodes=(Node("a", {"image": "debian-12"}, role="router"), Node("b")), links=(WIRE, LAN))


def in_order(graph: Graph) -> Graph:
    """Ends in the order of the nodes: a link has no first and second end."""
    seats = {node.name: seat for seat, node in enumerate(graph.nodes)}
    links = [replace(link, ends=tuple(sorted(link.ends, key=lambda end: seats[end.node]))) for link in graph.links]
    return replace(graph, links=tuple(links))


@given(graphs())
def test_there_and_back_is_the_same_graph(graph):
    tree = tree_of(graph)
    again = graph_of(graph.name, tree)
    assert in_order(again) == in_order(graph)
    assert tree_of(again, tree) == tree
    assert not any(differences(graph, again).__dict__[name] for name in ("added", "removed", "changed"))
    for definition in (tree.folder, *tree.machines.values()):
        validate(definition)


def test_the_folder_says_its_links_and_the_machines_their_cards():
    tree = tree_of(PAIR)
    assert tree.folder == {
        "networks": {"a-b": {"cidr": "10.0.0.0/30", "own": True}, "lan": {"type": "nat", "own": True}},
        "slice": {"links": {"lan": {"shared": True}}},
    }
    assert tree.machines == {
        "a": {
            "image": "debian-12",
            "nics": [{"network": "a-b", "ip": "10.0.0.1"}, {"network": "lan"}],
            "node": {"role": "router"},
        },
        "b": {
            "nics": [{"network": "a-b", "ip": "10.0.0.2"}, {"network": "lan"}],
            "node": {"cards": ["eth1", ""]},
        },
    }


def test_cards_that_stay_keep_their_place_and_new_ones_come_last():
    new = Link("b-a", (End("b", "10.1.0.1"), End("a", "10.1.0.2")), cidr="10.1.0.0/30")
    tree = tree_of(replace(PAIR, links=(new, LAN, WIRE)), tree_of(PAIR))
    assert [nic["network"] for nic in tree.machines["a"]["nics"]] == ["a-b", "lan", "b-a"]
    tree = tree_of(replace(PAIR, links=(LAN,)), tree_of(PAIR))
    assert [nic["network"] for nic in tree.machines["a"]["nics"]] == ["lan"]


def test_what_the_graph_does_not_know_stays():
    folder = {"rights": {"user": {"start": True}}, "hypervisors": ["h"], "networks": {"lan": {"cidr": "10.9.0.0/24"}}}
    machine = {"nics": [{"network": "campus"}, {"network": "lan", "ip": "auto"}]}
    before = Tree({**folder, "slice": {"template": True}}, {"a": machine})
    graph = graph_of("s", before)
    assert graph.links == (Link("lan", (End("a"),), shared=True, cidr="10.9.0.0/24"),)
    after = tree_of(graph, before)
    assert (after.folder["rights"], after.folder["hypervisors"]) == (folder["rights"], ["h"])
    assert after.folder["slice"] == {"template": True, "links": {"lan": {"shared": True}}}
    assert after.folder["networks"] == folder["networks"]
    assert after.machines["a"]["nics"][0] == {"network": "campus"}


def test_what_a_plan_chooses_is_written_and_is_no_wish():
    chosen = {"a": {"host": "worker-1", "flavor": "small"}, "b": {"availability_zone": "nova"}}
    tree = tree_of(PAIR, choices=chosen)
    assert (tree.machines["a"]["host"], tree.machines["a"]["node"]["planned"]) == ("worker-1", ["flavor", "host"])
    assert graph_of("pair", tree) == PAIR
    assert tree_of(PAIR, tree) == tree
    pinned = replace(PAIR, nodes=(Node("a", {"image": "debian-12", "host": "worker-2"}), Node("b")))
    again = tree_of(pinned, tree, choices=chosen)
    assert (again.machines["a"]["host"], again.machines["a"]["node"]["planned"]) == ("worker-2", ["flavor"])
    assert tree_of(PAIR, tree, {"a": {}, "b": {}}) == tree_of(PAIR)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (PAIR, {"kept": ("a", "b"), "links_kept": ("a-b", "lan")}),
        (
            replace(PAIR, nodes=(*PAIR.nodes, Node("c"))),
            {"added": ("c",), "kept": ("a", "b"), "links_kept": ("a-b", "lan")},
        ),
        (
            Graph("pair", nodes=PAIR.nodes[1:]),
            {"removed": ("a",), "changed": ("b",), "links_removed": ("a-b", "lan")},
        ),
        (
            replace(PAIR, nodes=(Node("a", {"image": "debian-12"}, x=5, critical=True), Node("b", {"cpus": 2}))),
            {"changed": ("b",), "kept": ("a",), "links_kept": ("a-b", "lan")},
        ),
        (
            replace(PAIR, defaults={"image": "debian-12"}),
            {"changed": ("b",), "kept": ("a",), "links_kept": ("a-b", "lan")},
        ),
        (
            replace(PAIR, links=(WIRE, replace(LAN, cidr="10.2.0.0/24"))),
            {"changed": ("a", "b"), "links_changed": ("lan",), "links_kept": ("a-b",)},
        ),
    ],
)
def test_what_differs(after, told):
    found = differences(PAIR, after)
    assert {name: value for name, value in found.__dict__.items() if value} == told
