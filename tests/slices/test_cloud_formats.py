"""Templates for OpenStack: every reference leads somewhere, every id is legal, and all machines and links are in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from descriptors.documents import load
from olimpus.errors import Invalid
from slices.formats import read, write
from slices.graph import End, Graph, Link, Node
from slices.topology import KINDS, generate
from tests.slices.graphs import graphs

GOLDEN = Path(__file__).parent / "golden"
LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
REFERENCE = re.compile(r"(?<!\$)\$\{([^}]*)\}")


def leaves(value: Any) -> Iterator[Any]:
    """Every mapping and every text in it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from leaves(inner)


def heat(graph: Graph) -> dict[str, Any]:
    """The template, whose references all lead somewhere."""
    template = load(write(graph, "heat"))
    resources = template.get("resources", {})
    assert all(LEGAL.fullmatch(name) for name in resources)
    for one in leaves([resources, template.get("outputs", {})]):
        if isinstance(one, dict) and len(one) == 1:
            assert one.get("get_resource", next(iter(resources), None)) in {*resources, None}
            assert "get_param" not in one or one["get_param"] in template["parameters"]
            assert "get_attr" not in one or one["get_attr"][0] in resources
    assert all(one.get("depends_on", name) in resources for name, one in resources.items())
    return template


def terraform(graph: Graph) -> dict[str, Any]:
    """The configuration, whose references all lead somewhere."""
    said = json.loads(write(graph, "terraform"))
    known = {f"var.{name}" for name in said.get("variable", {})}
    for prefix, part in (("", "resource"), ("data.", "data")):
        known |= {f"{prefix}{type_}.{name}" for type_, named in said.get(part, {}).items() for name in named}
    assert all(LEGAL.fullmatch(one.rsplit(".", 1)[1]) for one in known)
    texts = [text for text in leaves(said) if isinstance(text, str)]
    for name in (name for text in texts for name in REFERENCE.findall(text)):
        assert name in known or name.rsplit(".", 1)[0] in known
    for one in said.get("resource", {}).get("openstack_networking_floatingip_v2", {}).values():
        assert set(one.get("depends_on", [])) <= known
    return said


def counted(graph: Graph) -> dict[str, int]:
    types = [resource["type"] for resource in heat(graph).get("resources", {}).values()]
    return {type_.rpartition(":")[2]: types.count(type_) for type_ in types}


@pytest.mark.parametrize(("name", "file"), [("heat", "campus.hot.yaml"), ("terraform", "campus.tf.json")])
def test_golden_files(name, file):
    graph = read((GOLDEN / "campus.yaml").read_bytes())[0]
    assert write(graph, name) == (GOLDEN / file).read_text()


@given(graph=graphs())
def test_every_reference_leads_somewhere(graph):
    servers = heat(graph)["outputs"] if graph.nodes else {}
    assert len(servers) == len(graph.nodes)
    resources = terraform(graph).get("resource", {})
    assert len(resources.get("openstack_compute_instance_v2", {})) == len(graph.nodes)
    assert len(resources.get("openstack_networking_port_v2", {})) == sum(len(link.ends) for link in graph.links)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "joined"])
def test_every_topology_has_its_networks_and_ports(kind):
    graph = generate(kind)
    cards = sum(len(link.ends) for link in graph.links)
    links = len(graph.links)
    assert counted(graph) == {"Net": links, "Subnet": links, "Port": cards, "Server": len(graph.nodes)}
    assert len(terraform(graph)["resource"]["openstack_networking_subnet_v2"]) == links


ODD = Graph(
    name="odd",
    defaults={"image": "debian-12", "user_data": "echo ${name} $${HOME} %{x}"},
    nodes=(
        Node("1 ñandú", {"flavor": "small", "security_groups": ["web", "ssh"], "availability_zone": "az1"}),
        Node("1-nand", {"image": None, "keypair": "k"}),
        Node("名"),
    ),
    links=(
        Link("a b", (End("1 ñandú", card={"floating": True}), End("1-nand"))),
        Link("a-b", (End("1-nand", "192.0.2.7"), End("名")), shared=True, options={"type": "provider"}),
    ),
)


def test_odd_names_and_texts_become_legal_and_mean_no_references():
    server = next(iter(terraform(ODD)["resource"]["openstack_compute_instance_v2"].values()))
    assert server["user_data"] == "echo 1 ñandú $${HOME} %%{x}"
    assert heat(ODD)["resources"]["server_x_1_and"]["properties"]["user_data"] == "echo 1 ñandú ${HOME} %{x}"


def test_a_floating_address_has_its_router_and_a_provider_network_is_there_already():
    assert counted(ODD) == {
        "Net": 1, "Subnet": 1, "Port": 4, "Server": 3, "Router": 1, "RouterInterface": 1, "FloatingIP": 1,
    }  # fmt: skip
    data = terraform(ODD)["data"]
    assert [one["name"] for one in data["openstack_networking_network_v2"].values()] == [
        "a-b",
        "${var.external_network}",
    ]
    assert [one["name"] for one in data["openstack_networking_secgroup_v2"].values()] == ["web", "ssh"]


def test_what_nobody_has_said_is_asked_for():
    assert heat(ODD)["parameters"].keys() == {"image", "flavor", "external_network"}
    assert terraform(ODD)["variable"].keys() == {"image", "flavor", "external_network"}
    said = Graph(nodes=(Node("a", {"image": "x", "flavor": "y"}),))
    assert "parameters" not in heat(said)
    assert "variable" not in terraform(said)


@pytest.mark.parametrize("name", ["heat", "terraform"])
def test_templates_are_only_written(name):
    with pytest.raises(Invalid, match="not read"):
        read("heat_template_version: x", name)
