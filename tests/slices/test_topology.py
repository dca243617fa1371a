"""Generators: the shape that was asked for, the same for the same parameters, and refusals that name the parameter."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olimpus.errors import Invalid
from slices.documents import read, write
from slices.graph import MOST_CARDS, MOST_NODES, Graph, check
from slices.layouts import STEP
from slices.topology import KINDS, generate, joined, palette

WHOLE = {name: kind for name, kind in KINDS.items() if name != "joined"}


def degrees(graph: Graph) -> list[int]:
    return sorted(len(cards) for cards in graph.cards().values())


def test_shapes():
    assert degrees(generate("linear", {"size": 4})) == [1, 1, 2, 2]
    assert degrees(generate("ring", {"size": 5})) == [2] * 5
    assert degrees(generate("mesh", {"size": 5})) == [4] * 5
    assert degrees(generate("star", {"size": 5})) == [1, 1, 1, 1, 4]
    assert degrees(generate("tree", {"arity": 3, "depth": 2})) == [1] * 9 + [3] + [4] * 3
    assert degrees(generate("grid", {"rows": 3, "columns": 4})).count(2) == 4
    assert degrees(generate("partial-mesh", {"size": 20, "degree": 4, "seed": 3})).count(4) >= 17
    assert degrees(generate("leaf-spine", {"spines": 2, "leaves": 3, "hosts": 2})) == [1] * 6 + [3] * 2 + [4] * 3
    assert degrees(generate("dumbbell", {"left": 2, "right": 3, "path": 3})) == [1] * 5 + [2, 3, 4]
    assert len(generate("random", {"size": 10, "links": 17, "seed": 9}).links) == 17
    (bus,) = generate("bus", {"size": 6}).links
    assert bus.shared
    assert len(bus.ends) == 6


def test_names_roles_and_who_is_critical():
    graph = generate("leaf-spine", {"spines": 1, "leaves": 2, "hosts": 1})
    assert [(node.name, node.role, node.critical) for node in graph.nodes] == [
        ("spine1", "spine", True),
        ("leaf1", "leaf", False),
        ("leaf2", "leaf", False),
        ("h1-1", "host", False),
        ("h2-1", "host", False),
    ]
    assert [link.name for link in generate("ring", {"size": 3, "prefix": "x."}).links] == [
        "x.r1-x.r2",
        "x.r2-x.r3",
        "x.r3-x.r1",
    ]
    assert [node.name for node in generate("star", {"size": 3}).nodes if node.critical] == ["hub"]


@given(st.data())
def test_whatever_is_generated_hangs_together_and_is_the_same_again(data):
    name = data.draw(st.sampled_from(sorted(WHOLE)))
    asked = {
        key: data.draw(st.integers(schema["minimum"], min(schema["maximum"], 12)), key)
        for key, schema in KINDS[name].asks.items()
        if schema["type"] == "integer" and data.draw(st.booleans())
    }
    try:
        graph = generate(name, asked)
    except Invalid as error:
        assert error.where in KINDS[name].asks  # noqa: PT017
        graph = generate(name)
        asked = {}
    check(graph)
    assert nx.is_connected(graph.neighbours())
    assert generate(name, asked) == graph
    assert read(write(graph)) == graph
    places = [(node.x, node.y) for node in graph.nodes]
    near = min((math.dist(one, other) for one, other in itertools.combinations(places, 2)), default=STEP)
    assert near >= STEP * 0.6


@pytest.mark.parametrize(
    ("kind", "asked", "most"),
    [
        ("linear", {"size": MOST_NODES}, 2),
        ("ring", {"size": MOST_NODES}, 2),
        ("bus", {"size": MOST_NODES}, 1),
        ("grid", {"rows": 25, "columns": 40}, 4),
        ("random", {"size": MOST_NODES, "links": 5000}, MOST_CARDS),
        ("partial-mesh", {"size": MOST_NODES, "probability": 0.008}, MOST_CARDS),
    ],
)
def test_a_thousand_nodes(kind, asked, most):
    graph = generate(kind, asked)
    assert len(graph.nodes) == MOST_NODES
    assert max(degrees(graph)) <= most


@pytest.mark.parametrize(
    ("kind", "asked", "where"),
    [
        ("rign", {}, "kind"),
        ("ring", {"size": 2}, "size"),
        ("ring", {"size": 1001}, "size"),
        ("ring", {"size": "4"}, "size"),
        ("ring", {"sise": 4}, "sise"),
        ("ring", {"prefix": "a/"}, "prefix"),
        ("mesh", {"size": 34}, "size"),
        ("star", {"size": 34}, "size"),
        ("partial-mesh", {"size": 4, "degree": 4}, "degree"),
        ("partial-mesh", {"degree": 2, "probability": 0.5}, "probability"),
        ("partial-mesh", {"size": 1000, "probability": 1}, "probability"),
        ("tree", {"arity": 31, "depth": 999}, "depth"),
        ("grid", {"rows": 1000, "columns": 2}, "columns"),
        ("leaf-spine", {"spines": 10, "hosts": 30}, "hosts"),
        ("leaf-spine", {"leaves": 32, "hosts": 30, "spines": 20}, "hosts"),
        ("dumbbell", {"left": 20, "right": 20, "path": 1}, "right"),
        ("random", {"size": 10, "links": 8}, "links"),
        ("random", {"size": 10, "links": 46}, "links"),
        ("joined", {"a": {"kind": "ring"}}, ""),
        ("joined", {"a": {"kind": "ring", "size": 1}, "node_a": "r1", "b": {"kind": "ring"}, "node_b": "r1"}, "a.size"),
        ("joined", {"a": {"kind": "ring"}, "node_a": "r9", "b": {"kind": "ring"}, "node_b": "r1"}, "node_a"),
    ],
)
def test_refusals_name_the_parameter(kind, asked, where):
    with pytest.raises(Invalid) as caught:
        generate(kind, asked)
    assert caught.value.errors[0]["where"] == where


def test_topologies_inside_each_other_have_an_end():
    part: dict[str, object] = {"kind": "ring"}
    for _level in range(200):
        part = {"kind": "joined", "a": part, "node_a": "r1", "b": {"kind": "ring"}, "node_b": "r1"}
    with pytest.raises(Invalid, match="at most 4 deep"):
        generate("joined", {key: value for key, value in part.items() if key != "kind"})


def test_two_topologies_share_a_node():
    graph = joined(generate("ring", {"size": 3}), "r2", generate("star", {"size": 3, "prefix": ""}), "hub")
    assert [node.name for node in graph.nodes] == ["r1", "r2", "r3", "h1", "h2"]
    assert [link.name for link in graph.links][3:] == ["r2-h1", "r2-h2"]
    twice = generate(
        "joined", {"a": {"kind": "ring", "size": 3}, "node_a": "r1", "b": {"kind": "linear"}, "node_b": "r1"}
    )
    assert [node.name for node in twice.nodes] == ["r1", "r2", "r3", "r2-2", "r3-2"]
    assert [link.name for link in twice.links][3:] == ["r1-r2-2", "r2-2-r3-2"]
    bus = generate("bus")
    both = joined(bus, "h1", bus, "h1")
    assert [(link.name, len(link.ends)) for link in both.links] == [("bus", 4), ("bus-2", 4)]
    check(both)


def test_the_palette_says_what_each_asks_for():
    told = {row["name"]: row for row in palette()}
    assert told["ring"]["title"] == "Ring"
    assert told["ring"]["schema"]["properties"]["size"] == {
        "type": "integer",
        "title": "Nodes",
        "minimum": 3,
        "maximum": 1000,
        "default": 4,
    }
    assert told["joined"]["schema"]["required"] == ["a", "node_a", "b", "node_b"]
