"""What templates ask for, and what becomes of the answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descriptors import actions as tree_actions
from descriptors.models import Node
from olimpus.errors import Invalid
from slices import topology
from slices.templates import used
from tests.slices.conftest import Slices

ASKS = {
    "size": {"type": "integer", "default": 4, "minimum": 3, "maximum": 20},
    "image": {"type": "image", "default": "debian-12"},
    "cpus": {"type": "integer", "default": 1},
    "week": {"type": "integer"},
}


def template(kind="ring", **more):
    made = topology.generate(kind, {"size": 4, **more})
    nodes = [replace(node, definition={"image": "debian-12"}) for node in made.nodes[:-1]]
    other = replace(made.nodes[-1], definition={"image": "tiny", "cpus": 3})
    return replace(made, parameters=ASKS, nodes=(*nodes, other))


def test_what_a_template_would_make_is_shown_before(world, slices):
    key = slices.made(parameters=ASKS)

    def shown(**body):
        return slices.client.post("/api/slices/generate", {"template": key, **body}, format="json")

    assert len(shown(parameters={"size": 6}).json()["nodes"]) == 6
    (fault,) = shown(parameters={"size": 2}).json()["errors"]
    assert fault["where"] == "parameters.size"
    for body in ({"parameters": [1]}, {"template": "x"}, {"template": 0}):
        assert shown(**body).status_code in (400, 404)


def test_without_answers_it_is_as_it_is_drawn():
    made = used(template(), {})
    assert (made.nodes, made.links) == (template().nodes, template().links)
    assert (made.parameters, made.defaults) == ({}, {"image": "debian-12", "cpus": 1})


def test_answers_go_where_they_belong():
    made = used(template(), {"image": "ubuntu-24.04", "cpus": 2, "week": 3})
    assert made.defaults == {"image": "ubuntu-24.04", "cpus": 2, "custom": {"week": 3}}
    assert [node.definition["image"] for node in made.nodes] == ["ubuntu-24.04"] * 3 + ["tiny"]


@pytest.mark.parametrize("kind", ["ring", "star", "linear", "mesh", "bus"])
@pytest.mark.parametrize("size", [3, 7])
def test_the_size_is_that_of_its_topology(kind, size):
    made = used(template(kind), {"size": size})
    generated = topology.generate(kind, {"size": size})
    assert [node.name for node in made.nodes] == [node.name for node in generated.nodes]
    assert {frozenset(link.nodes) for link in made.links} == {frozenset(link.nodes) for link in generated.links}
    assert all(node.definition for node in made.nodes)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"size": 2}, "parameters.size"),
        ({"size": "many"}, "parameters.size"),
        ({"sice": 4}, "parameters.sice"),
        ({"image": 3}, "parameters.image"),
    ],
)
def test_bad_answers_are_named(values, where):
    with pytest.raises(Invalid) as error:
        used(template(), values)
    assert where in (error.value.where, *(fault["where"] for fault in error.value.errors))


def test_what_was_drawn_by_hand_has_the_size_it_has():
    drawn = template()
    with pytest.raises(Invalid, match="cannot be changed"):
        used(replace(drawn, links=drawn.links[1:]), {"size": 6})


def test_a_template_is_shared_by_a_grant_and_used(world, slices):
    key = slices.made(parameters={name: ASKS[name] for name in ("size", "image")}, defaults={})
    assert slices.patch(key, template=True).json()["template"] is True
    (row,) = slices.client.get("/api/slices", {"templates": True}).json()["results"]
    assert row["parameters"]["size"]["default"] == 4
    mia = Slices(world, world.mia)
    body = {"name": "mine", "folder": "/courses", "template": key, "parameters": {"size": 6, "image": "tiny"}}
    answer = mia.client.post("/api/slices", body, format="json")
    assert answer.status_code == 201, answer.content
    told = answer.json()["slice"]
    assert (told["nodes"], told["template"], told["document"]["defaults"]) == (6, False, {"image": "tiny"})
    stranger = Slices(world, world.stranger)
    assert stranger.client.post("/api/slices", body, format="json").status_code == 404
    assert mia.client.post("/api/slices", {**body, "nodes": [{"name": "a"}]}, format="json").status_code == 400
    tree_actions.edit(Node.objects.get(pk=key), {}, actor=world.root)
    assert mia.client.post("/api/slices", {**body, "name": "x"}, format="json").status_code == 404
