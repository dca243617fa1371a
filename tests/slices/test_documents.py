"""The own document: what it says is the graph, what is wrong with it is told all at once and with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descriptors.documents import dump_yaml, load
from olimpus.errors import Invalid
from slices.documents import read, write
from slices.graph import MOST_LINKS, MOST_NODES, End, Graph, Link, Node
from tests.slices.graphs import graphs

RING = {
    "olimpus": "slice/1",
    "name": "ring",
    "description": "Three routers",
    "defaults": {"hypervisor": "mock-1", "image": "debian-12"},
    "nodes": [
        {"name": "r1", "role": "router", "critical": True, "group": "core", "x": 10, "y": 20, "cpus": 1},
        {"name": "r2", "apart": "pair"},
        {"name": "r3", "apart": "pair", "host": "worker-1"},
    ],
    "links": [
        ["r1", "r2"],
        {"ends": ["r2", {"node": "r3", "ip": "10.0.0.3", "name": "eth1", "floating": True}], "cidr": "10.0.0.0/29"},
        {"name": "back", "ends": ["r3", "r1"], "mtu": 1400},
    ],
    "networks": [{"name": "lan", "cidr": "192.168.100.0/24", "network_type": "private", "ends": ["r1", "r2"]}],
}


def told(document: object) -> dict[str, str]:
    """What is wrong, by its place."""
    with pytest.raises(Invalid) as caught:
        read(document)
    return {fault["where"]: fault["message"] for fault in caught.value.errors}


def test_a_document_is_a_graph_and_back():
    graph = read(RING)
    assert graph.node("r1") == Node("r1", {"cpus": 1}, role="router", critical=True, group="core", x=10, y=20)
    assert graph.node("r3").definition == {"host": "worker-1"}
    assert [link.name for link in graph.links] == ["r1-r2", "r2-r3", "back", "lan"]
    assert graph.links[1].ends == (End("r2"), End("r3", "10.0.0.3", "eth1", {"floating": True}))
    assert graph.links[2] == Link("back", (End("r3"), End("r1")), options={"mtu": 1400})
    assert graph.links[3] == Link("lan", (End("r1"), End("r2")), True, "192.168.100.0/24", {"type": "private"})
    assert write(graph) == RING


@given(graphs())
@settings(max_examples=50)
def test_written_and_read_it_is_the_same(graph: Graph):
    document = write(graph)
    assert read(document) == graph
    assert read(json.loads(json.dumps(document))) == graph
    assert read(load(dump_yaml(document))) == graph


def test_the_body_of_the_requirements():
    body = {
        "name": "test-openstack-slice",
        "description": "…",
        "nodes": [{"name": "vm1", "image": "ubuntu-20.04", "flavor": "small"}],
        "networks": [{"name": "test-net", "cidr": "192.168.100.0/24", "network_type": "private"}],
    }
    (link,) = read(body).links
    assert (link.name, link.nodes, link.options, link.shared) == ("test-net", ("vm1",), {"type": "private"}, True)


def test_nodes_may_name_their_networks():
    nodes = [{"name": "a"}, {"name": "b", "networks": ["in"]}, {"name": "c", "networks": []}, {"name": "d"}]
    networks = [{"name": "in"}, {"name": "all"}, {"name": "more", "ends": ["a"]}]
    nodes[1]["networks"].append("more")
    graph = read({"nodes": nodes, "networks": networks})
    assert {link.name: link.nodes for link in graph.links} == {"in": ("b",), "all": ("a", "d"), "more": ("a", "b")}


def test_links_without_a_name_get_one_of_their_own():
    nodes = [{"name": name} for name in ("a", "a-b", "b-c", "c")]
    links = [["a", "b-c"], ["a-b", "c"], {"name": "a-c", "ends": ["c", "b-c"]}, ["a", "c"]]
    graph = read({"nodes": nodes, "links": links})
    assert [link.name for link in graph.links] == ["a-b-c", "a-b-c-2", "a-c", "a-c-2"]
    assert read(write(graph)) == graph


def test_all_faults_at_once_with_their_places():
    document = {
        "nodse": [],
        "name": "a/b",
        "routed": "yes",
        "defaults": {"cpus": 0, "nics": []},
        "nodes": [
            {"name": "a", "rol": "router", "cpus": "two", "x": "left"},
            {"name": "b", "critical": 1, "role": 7, "networks": ["lam"]},
            {"role": "router"},
            "c",
        ],
        "links": [["a", 5], {"ends": ["a", {"nod": "b", "ip": "10.0.0.300"}], "cidr": "10.0.0.1/24", "mtuu": 1}],
        "networks": [{"name": "lan", "network_type": "public!", "own": True}, {"cidr": "10.0.0.0/24"}],
        "parameters": {"size": {"type": "integer", "default": 2, "minimum": 3}, "other": {"type": "list"}},
    }
    assert set(told(document)) == {
        "nodse",
        "name",
        "routed",
        "defaults.cpus",
        "defaults.nics",
        "nodes[0].rol",
        "nodes[0].cpus",
        "nodes[0].x",
        "nodes[1].critical",
        "nodes[1].role",
        "nodes[1].networks[0]",
        "nodes[2]",
        "nodes[3]",
        "links[0].ends[1]",
        "links[1].ends[1]",
        "links[1].ends[1].nod",
        "links[1].ends[1].ip",
        "links[1].cidr",
        "links[1].mtuu",
        "networks[0].type",
        "networks[0].own",
        "networks[1]",
        "parameters.other.type",
    }


def test_faults_are_told_in_the_order_of_the_document():
    ends = [{"node": "a", "name": 1, "ip": "x"}, {"node": 2}]
    document = {
        "nodes": [{"name": "a", "role": 1, "cpus": 0}, {"name": "", "x": "left"}, {"role": 2}],
        "links": [{"ends": ends, "cidr": "x", "name": " "}, {"ends": [3, "a"], "mtuu": 1, "name": 4}],
    }
    assert list(told(document)) == [
        "nodes[0].cpus",
        "nodes[0].role",
        "nodes[1].name",
        "nodes[1].x",
        "nodes[2]",
        "nodes[2].role",
        "links[0].name",
        "links[0].ends[0].ip",
        "links[0].ends[0].name",
        "links[0].ends[1].node",
        "links[0].cidr",
        "links[1].name",
        "links[1].ends[0]",
        "links[1].mtuu",
    ]


def test_hints_name_what_was_meant():
    with pytest.raises(Invalid) as caught:
        read({"nodes": [{"name": "a", "rol": "router"}, {"name": "b", "flavour": "small"}]})
    assert [fault["hint"] for fault in caught.value.errors] == ['Did you mean "role"?', 'Did you mean "flavor"?']


def test_parts_that_do_not_fit_together_have_their_place_too():
    nodes = [{"name": "a"}, {"name": "b"}, {"name": "b"}]
    links = [["a", "a"], ["a", "z"], ["a", "b", "b"]]
    found = told(
        {
            "nodes": nodes,
            "links": [*links[:2], {"name": "x", "ends": links[2]}],
            "networks": [{"name": "lan", "ends": ["nobody"]}],
        }
    )
    assert set(found) == {"nodes[2]", "links[0]", "links[1]", "links[2]", "networks[0]"}
    assert "nobody" in found["networks[0]"]


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"size": {"type": "integer", "default": 2, "minimum": 3}}, "parameters.size.default"),
        ({"size": {"type": "integer", "default": "4"}}, "parameters.size.default"),
        ({"size": {"title": "Size"}}, "parameters.size"),
        ({"size": 4}, "parameters.size"),
        ({"a/b": {"type": "string"}}, "parameters.a/b"),
        ([], "parameters"),
    ],
)
def test_parameters_of_a_template(parameters, where):
    assert set(told({"parameters": parameters})) == {where}


def test_bounds():
    nodes = [{"name": f"n{number}"} for number in range(MOST_NODES + 1)]
    assert set(told({"nodes": nodes})) == {"nodes"}
    assert set(told({"links": [["a", "b"]] * MOST_LINKS, "networks": [{}]})) == {"links"}
    everybody = [node["name"] for node in nodes[:-1]]
    networks = [{"name": f"net{number}", "ends": everybody} for number in range(33)]
    assert set(told({"nodes": nodes[:-1], "networks": networks})) == {"networks[32].ends"}
    assert set(told({"links": [{"name": "x" * 101, "ends": []}]})) == {"links[0].name"}
    assert (
        told({"nodes": [{"name": "x" * 129}]})["nodes[0].name"] == "a text of 129 characters; at most 128 are allowed"
    )
    many = {f"p{number}": {"type": "integer"} for number in range(33)}
    assert told({"parameters": many})["parameters"] == "a mapping of 33; at most 32 are allowed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["a", "lan"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "ends", "node", "ip", "cidr", "x", "role", "networks", "cpus", "labels", "type", "mtu"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={key: st.lists(JSON, max_size=3) | JSON for key in ("nodes", "links", "networks")}
        | dict.fromkeys(("name", "description", "defaults", "routed", "parameters", "olimpus"), JSON),
    )
    | JSON
)
def test_nothing_but_invalid_with_its_faults_whatever_is_given(document):
    try:
        graph = read(document)
    except Invalid as error:
        graph = Graph(description=error.errors[0]["message"])
    assert read(write(graph)) == graph


def test_deep_nesting_is_a_fault():
    deep: object = 1
    for _level in range(100_000):
        deep = [deep]
    assert set(told({"nodes": [{"name": "a", "custom": deep}], "links": [deep]})) == {"nodes[0]", "links[0].ends[0]"}
