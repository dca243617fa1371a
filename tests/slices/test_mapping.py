"""Foreign names: what is most like them, how a graph changes, and that what somebody said is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors import actions as tree_actions
from descriptors.models import Node
from hypervisors import actions as hypervisor_actions
from hypervisors.models import Hypervisor
from olimpus.errors import Invalid, NotFound
from slices import actions, mapping, selectors
from slices.graph import Graph
from slices.graph import Node as Machine
from slices.models import NameMapping
from tests import factories

KNOWN = ["debian-12", "ubuntu-22.04", "frr-10", "vyos-1.4", "alpine-3.20", "kali"]
GRAPH = Graph(
    defaults={"image": "nginx:1.27", "flavor": "small"},
    nodes=(
        Machine("a", {"image": "frrouting/frr:10.2.1"}),
        Machine("b", {"image": "frr-10", "flavor": "4x8"}),
        Machine("c"),
    ),
)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("quay.io/frrouting/frr:10.2.1", "frr-10"),
        ("vyos-1.4-rolling.qcow2", "vyos-1.4"),
        ("Kali 2024", "kali"),
        ("python:3.13-alpine", "alpine-3.20"),
        ("ghcr.io/hellt/network-multitool", "debian-12"),
        ("vpcs", "debian-12"),
        ("debain12", "debian-12"),
        ("c7200-adventerprisek9-mz.153-3.image", ""),
        ("", ""),
    ],
)
def test_what_is_most_like_a_foreign_name(name, ours):
    assert mapping.suggested(name, KNOWN) == ours


@given(st.text(), st.lists(st.text(max_size=9), max_size=5))
def test_a_suggestion_is_known_or_none(name, known):
    assert mapping.suggested(name, known) in {*known, ""}


def test_unknown_names_of_a_graph():
    known = {"images": KNOWN, "flavors": {"small"}}
    assert mapping.unknown(GRAPH, known) == {"images": ["frrouting/frr:10.2.1", "nginx:1.27"], "flavors": ["4x8"]}
    assert mapping.unknown(GRAPH, {"images": None}) == {"images": []}


def test_a_mapping_changes_names_and_nothing_else():
    graph = mapping.mapped(GRAPH, {"images": {"nginx:1.27": "debian-12", "frrouting/frr:10.2.1": ""}})
    assert graph.defaults == {"image": "debian-12", "flavor": "small"}
    assert [node.definition for node in graph.nodes] == [{}, {"image": "frr-10", "flavor": "4x8"}, {}]
    assert mapping.mapped(GRAPH, {}) == GRAPH


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {"nics": {}},
        {"images": []},
        {"images": {"a": 1}},
        {"images": {"a" * 256: "b"}},
        {"images": {"\0": "b"}},
    ],
)
def test_what_is_no_mapping(given):
    with pytest.raises(Invalid):
        mapping.clean(given)


@pytest.mark.django_db
def test_one_s_own_word_is_remembered_before_that_of_others(world):
    one, other = world.sam.user, world.ana.user
    factories.hypervisor(world.root, "mock-7")
    actions.remember(one, "mock-7", {"images": {"frr": "debian-12", "x": "y"}})
    actions.remember(other, "mock-7", {"images": {"frr": "kali"}})
    actions.remember(one, "mock-7", {"images": {"x": ""}})
    assert selectors.remembered(one, "mock-7") == {"images": {"frr": "debian-12", "x": ""}}
    assert selectors.remembered(other, "mock-7") == {"images": {"frr": "kali", "x": ""}}
    assert NameMapping.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["mock-1", "nowhere"])
def test_nobody_without_rights_learns_or_says_what_a_hypervisor_has(world, name):
    assert world.sam  # on mock-1
    body = {"text": "nodes:\n- {name: a, image: frr, flavor: 4x8}\n", "hypervisor": name}
    for mapped in ({}, {"images": {"frr": "kali"}}):
        answer = world.api(world.stranger).post("/api/slices/import", {**body, "mapping": mapped}, format="json")
        assert (answer.status_code, answer.json()["where"]) == (404, "hypervisor")
        assert answer.json()["detail"] == f"hypervisor: There is no hypervisor “{name}”."
    with pytest.raises(NotFound):
        actions.remember(world.stranger, name, {"images": {"frr": "kali"}})
    assert not NameMapping.objects.exists()
    without = world.api(world.stranger).post("/api/slices/import", body | {"hypervisor": ""}, format="json")
    assert without.json()["report"]["unknown"] == {"images": {}, "flavors": {}}


@pytest.mark.django_db
def test_a_hypervisor_is_for_those_whose_folders_offer_it(world):
    for name in ("mock-2", "mock-3"):
        factories.hypervisor(world.root, name)

    assert world.hypervisor

    def usable(who):
        return [name for name in ("mock-1", "mock-2", "mock-3") if can_use(who, name)]

    assert usable(world.root) == usable(world.mia) == usable(world.sam.user) == ["mock-1", "mock-2", "mock-3"]
    tree_actions.edit(world.courses, {**world.courses.definition, "hypervisors": ["mock-1"]}, actor=world.root)
    assert (usable(world.mia), usable(world.sam.user)) == (["mock-1"], ["mock-1"])
    sam = Node.objects.get(pk=world.sam.folder.pk)
    tree_actions.edit(sam, {**sam.definition, "hypervisors": ["mock-2"]}, actor=world.root)
    assert (usable(world.mia), usable(world.sam.user), usable(world.ana.user)) == (
        ["mock-1", "mock-2"],
        ["mock-2"],
        ["mock-1"],
    )
    third = Hypervisor.objects.get(name="mock-3")
    hypervisor_actions.update(third, {"managers": [world.stranger.username]}, actor=world.root)
    assert usable(world.stranger) == ["mock-3"]


def can_use(who, name):
    who = type(who).objects.get(pk=who.pk)
    try:
        return selectors.hypervisor(who, name).name == name
    except NotFound:
        return False


@pytest.mark.django_db
def test_an_import_is_mapped_and_the_next_one_knows(slices):
    text = "nodes:\n- {name: a, image: debian-12, flavor: 4x8}\n"
    body = {"text": text, "hypervisor": "mock-1"}
    first = slices.client.post("/api/slices/import", {**body, "mapping": {"flavors": {"4x8": "large"}}}, format="json")
    assert first.json()["document"]["nodes"][0]["flavor"] == "large"
    assert "4x8" not in first.json()["report"]["unknown"]["flavors"]
    again = slices.client.post("/api/slices/import", body, format="json").json()
    assert again["document"]["nodes"][0]["flavor"] == "4x8"
    assert again["report"]["unknown"]["flavors"] == {"4x8": "large"}
    assert "large" in again["report"]["known"]["flavors"]
    assert again["report"]["known"]["images"] == []  # nothing of it is unknown
    wrong = slices.client.post("/api/slices/import", {**body, "mapping": {"disks": {}}}, format="json")
    assert wrong.status_code == 400
