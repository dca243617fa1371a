"""Changing definitions: plans, states, versions, rights."""

from __future__ import annotations

import pytest

from accounts.models import Entry
from descriptors import actions, selectors
from descriptors.models import Descriptor, Node
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from tests import factories


def counts(plan) -> dict[str, int]:
    return {name: number for name, number in plan.counts.items() if number}


def test_an_edit_is_seen_below_at_once_and_noted(world):
    actions.edit(world.tel141, {"cpus": 3}, actor=world.mia)
    assert selectors.computed(world.sam.web).values["cpus"] == 3
    entry = Entry.objects.get(verb="definition.edit")
    assert (entry.actor, entry.data) == (world.mia, {"parameters": ["cpus", "labels"]})


def test_versions_guard_against_lost_updates(world):
    folder = world.tel141
    edited = actions.edit(folder, {"cpus": 2}, actor=world.mia, version=folder.version)
    assert edited.version == folder.version + 1
    with pytest.raises(Stale):
        actions.edit(folder, {"cpus": 4}, actor=world.root, version=folder.version)
    assert actions.edit(folder, {"cpus": 2}, actor=world.mia).version == edited.version
    assert Node.objects.get(pk=folder.pk).definition == {"cpus": 2}


@pytest.mark.parametrize(
    "definition",
    [{"project": "service"}, {"host": "compute-01"}, {"prototypes": {"x": {"project": "service"}}}],
)
def test_projects_and_hosts_are_chosen_by_managers_of_the_hypervisor(world, definition):
    place = world.hypervisor
    for given in (definition, {**definition, "hypervisor": place.name}):
        with pytest.raises(Forbidden):
            actions.edit(world.tel141, given, actor=world.mia)
    place.managers.add(world.mia)
    with pytest.raises(Forbidden):  # of which hypervisor is not said
        actions.edit(world.tel141, definition, actor=world.mia)
    mia = type(world.mia).objects.get(pk=world.mia.pk)
    edited = actions.edit(world.tel141, {**definition, "hypervisor": place.name}, actor=mia)
    with pytest.raises(Forbidden):
        actions.create_descriptor(edited, "away", definition={"project": "admin"}, actor=mia)
    actions.edit(world.tel141, definition, actor=world.root)


def test_every_fault_is_told_at_once_and_nothing_changes(world):
    with pytest.raises(Invalid) as error:
        actions.edit(world.tel141, {"cpu": 2, "memory_mib": "much", "nics": [{"mac": "x"}]}, actor=world.mia)
    assert [fault["where"] for fault in error.value.errors] == ["cpu", "memory_mib", "nics[0].mac"]
    assert "cpus" in error.value.errors[0]["hint"]
    with pytest.raises(Invalid):
        actions.edit(world.tel141, ["not", "a", "mapping"], actor=world.mia)
    assert Node.objects.get(pk=world.tel141.pk).definition == {"labels": {"course": "TEL141"}}


def test_a_plan_tells_what_happens_to_which_machine(world):
    world.do("create", world.sam.web, world.sam.db)
    world.do("start", world.sam.web)
    plan = actions.plan_edit(world.tel141, {"cpus": 2}, actor=world.mia)
    assert {row.path: str(row.effect) for row in plan.rows} == {
        "/courses/TEL141/sam/web": "next_start",
        "/courses/TEL141/sam/db": "reapply",
    } or sum(plan.counts.values()) == 2
    again = actions.plan_edit(world.courses, world.courses.definition | {"image": "alpine"}, actor=world.mia)
    assert counts(again) == {"recreate": 2}
    assert not Entry.objects.filter(verb="definition.edit").exists()


def test_a_running_machine_keeps_its_own_run_parameters(world):
    web = world.sam.web
    world.do("create", web)
    actions.edit(web, web.definition | {"cpus": 2}, actor=world.mia)
    web.refresh_from_db()
    with pytest.raises(Conflict, match="image|creation"):
        actions.edit(web, web.definition | {"image": "alpine"}, actor=world.mia)
    world.do("start", web)
    with pytest.raises(Conflict, match="cpus|run"):
        actions.edit(web, web.definition | {"cpus": 4}, actor=world.mia)
    actions.edit(web, web.definition | {"labels": {"kept": "yes"}}, actor=world.mia)


def test_nothing_is_edited_while_a_verb_is_under_way(world):
    web = world.sam.web
    actions.request("create", web, actor=world.mia)
    with pytest.raises(Conflict, match="in progress"):
        actions.edit(web, web.definition | {"cpus": 2}, actor=world.mia)
    actions.edit(web, web.definition | {"labels": {"a": "b"}}, actor=world.mia)


def test_pending_changes_are_a_comparison(world):
    web = world.sam.web
    world.do("create", web)
    actions.edit(world.tel141, {"cpus": 7}, actor=world.mia)
    web = Descriptor.objects.get(pk=web.pk)
    (name,) = pending = selectors.pending(web, selectors.computed(web).values)
    assert (name, pending["cpus"]["wanted"], pending["cpus"]["kind"]) == ("cpus", 7, "run")
    world.do("reapply", web)
    web = Descriptor.objects.get(pk=web.pk)
    assert selectors.pending(web, selectors.computed(web).values) == {}


def test_an_edit_that_breaks_machines_below_is_refused(world):
    base = world.courses.definition | {"prototypes": {"web": {"cpus": 2}}}
    actions.edit(world.courses, base, actor=world.root)
    web = world.sam.web
    actions.edit(web, web.definition | {"prototype": "web"}, actor=world.mia)
    assert selectors.computed(Node.objects.get(pk=web.pk)).values["cpus"] == 2
    without = {name: value for name, value in base.items() if name != "prototypes"}
    plan = actions.plan_edit(world.courses, without, actor=world.root)
    assert [row["where"] for row in plan.broken] == [web.path]
    with pytest.raises(Invalid, match="prototype") as error:
        actions.edit(world.courses, without, actor=world.root)
    assert error.value.errors[0]["where"] == web.path
    assert "prototypes" in Node.objects.get(pk=world.courses.pk).definition


def test_a_folder_must_be_computable_itself(world):
    cycle = {"prototypes": {"a": {"extends": "b"}, "b": {"extends": "a"}}, "prototype": "a"}
    with pytest.raises(Invalid, match="cycle"):
        actions.edit(world.lab, cycle, actor=world.root)
    root = selectors.get(world.root, "/")
    with pytest.raises(Invalid, match="unknown prototype"):
        actions.edit(root, {"prototype": "nothing"}, actor=world.root)


def test_rights_to_edit(world):
    student = world.sam.user
    with pytest.raises(Forbidden):
        actions.edit(world.sam.web, {"cpus": 64}, actor=student)
    with pytest.raises(NotFound):
        actions.edit(world.ana.web, {"cpus": 64}, actor=student)
    with pytest.raises(Forbidden, match="superuser"):
        actions.edit(world.tel141, {"hypervisors": ["mock-1"]}, actor=world.mia)
    rights = {"user": {"edit": True}}
    node = world.sam.folder
    actions.edit(node, node.definition | {"rights": rights}, actor=world.mia)
    actions.edit(world.sam.web, {"cpus": 2}, actor=student)
    for guarded in ({"prototypes": {"x": {}}}, {"networks": {}}, {"rights": {"user": {"grant": True}}}):
        with pytest.raises(Forbidden):
            actions.edit(world.sam.web, {"cpus": 2, **guarded}, actor=student)


def test_unknown_operations_in_rights_are_named(world):
    with pytest.raises(Invalid) as error:
        actions.edit(world.lab, {"rights": {"user": {"stat": True}}}, actor=world.root)
    assert error.value.errors[0]["where"] == "rights.user.stat"


def test_a_new_machine_must_be_computable(world):
    with pytest.raises(Invalid, match="prototype"):
        factories.machine(f"{world.lab.path}/x", world.root, {"prototype": "nothing"})
    assert not Node.objects.filter(name="x").exists()
