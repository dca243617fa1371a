"""What a move or a copy would do is told before, and is what then happens."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Entry
from descriptors import actions, selectors
from descriptors.actions.planning import Share
from descriptors.models import Folder, Node
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound
from tests import factories


@pytest.fixture
def arc(world):
    """/courses/ARC, where machines are larger."""
    world.mia, world.sam, world.stranger  # noqa: B018 - the world is made when asked for
    return factories.folder(f"{world.courses.path}/ARC", world.root, {"cpus": 4, "labels": {"course": "ARC"}})


def snapshot():
    return list(
        Node.objects.order_by("pk").values_list("path", "definition", "version", "lft", "rght")
    ), Entry.objects.count()


def test_a_move_is_planned_without_being_done(world, arc):
    world.do("create", world.sam.web)
    before = snapshot()
    plan = actions.plan_move(world.sam.folder, arc, actor=world.mia)
    assert snapshot() == before
    assert (plan.old, plan.new) == ("/courses/TEL141/sam", "/courses/ARC/sam")
    assert (plan.folders, plan.machines) == (1, 2)
    told = {row.path: (str(row.effect), row.parameters) for row in plan.effects.rows}
    assert told == {
        world.sam.web.path: ("next_start", ["cpus"]),
        world.sam.db.path: ("now", ["cpus", "labels"]),
    }


def test_what_is_planned_is_what_the_move_does(world, arc):
    plan = actions.plan_move(world.sam.web, arc, actor=world.mia, name="other")
    moved = actions.move(world.sam.web, arc, actor=world.mia, name="other")
    assert moved.path == plan.new
    assert selectors.computed(moved).values["cpus"] == 4


def test_a_move_where_it_is_changes_nothing(world):
    plan = actions.plan_move(world.sam.web, world.sam.folder, actor=world.mia)
    assert plan.stays
    assert not plan.effects.rows


def test_who_gains_and_who_loses_by_a_move(world, arc):
    ines = factories.user("ines")
    actions.grant(arc, "user", user=ines, actor=world.root)
    actions.grant(world.tel141, "manager", user=world.stranger, actor=world.root)
    plan = actions.plan_move(world.sam.folder, arc, actor=world.mia)
    assert plan.gained == [Share("user", "ines", "user", arc.path)]
    assert plan.lost == [Share("user", "stranger", "manager", world.tel141.path)]


def test_a_folder_that_inherits_nothing_keeps_its_people(world, arc):
    actions.grant(arc, "user", user=factories.user("ines"), actor=world.root)
    Folder.objects.filter(pk=world.sam.folder.pk).update(inherit_grants=False)
    plan = actions.plan_move(world.sam.folder, arc, actor=world.root)
    assert plan.gained == plan.lost == []
    copied = actions.plan_copy(world.sam.folder, arc, actor=world.root)
    assert copied.gained == []
    assert [share.holder for share in copied.lost] == ["sam"]


def test_people_are_named_only_to_those_who_give_access(world, arc):
    actions.grant(arc, "user", user=factories.user("ines"), actor=world.root)
    actions.edit(arc, arc.definition | {"rights": {"manager": {"grant": False}}}, actor=world.root)
    plan = actions.plan_move(world.sam.folder, arc, actor=world.mia)
    assert plan.gained == []
    assert plan.unseen_shares == 1


def test_definitions_that_would_break_are_listed(world):
    course = factories.folder(f"{world.courses.path}/P", world.root, {"prototypes": {"small": {"cpus": 1}}})
    machine = factories.machine(f"{course.path}/vm", world.root, {"prototype": "small"})
    plan = actions.plan_move(machine, world.tel141, actor=world.mia)
    assert [row["where"] for row in plan.effects.broken] == [machine.path]
    with pytest.raises(Invalid):
        actions.move(machine, world.tel141, actor=world.mia)


def test_a_plan_is_refused_as_the_move_is(world, arc):
    factories.folder(f"{arc.path}/sam", world.root)
    cases = [
        (world.sam.folder, arc, Conflict),
        (world.tel141, world.sam.folder, Conflict),
        (world.sam.web, world.sam.db, Conflict),
        (world.sam.web, world.lab, NotFound),
    ]
    for node, target, kind in cases:
        for act in (actions.plan_move, actions.move):
            with pytest.raises(kind):
                act(node, target, actor=world.mia)
    with pytest.raises(Invalid):
        actions.plan_move(world.sam.web, arc, actor=world.mia, name="a/b")
    with pytest.raises(Forbidden):
        actions.plan_move(world.sam.web, world.sam.folder, actor=world.sam.user, name="x")


def test_nobody_plans_his_way_to_more_rights(world, arc):
    factories.folder(f"{world.courses.path}/locked", world.root, {"rights": {"manager": {"destroy": False}}})
    machine = factories.machine(f"{world.courses.path}/locked/vm", world.root)
    for act in (actions.plan_move, actions.move):
        with pytest.raises(Forbidden):
            act(machine, arc, actor=world.mia)


def test_a_copy_is_planned_without_being_done(world, arc):
    world.do("create", world.sam.web)
    before = snapshot()
    plan = actions.plan_copy(world.sam.folder, arc, actor=world.mia, name="copy")
    assert snapshot() == before
    assert (plan.new, plan.folders, plan.machines) == ("/courses/ARC/copy", 1, 2)
    assert {str(row.effect) for row in plan.effects.rows} == {"now"}
    assert {tuple(row.parameters) for row in plan.effects.rows} == {("cpus", "labels")}
    assert [share.holder for share in plan.gained] == ["mia"]
    assert [share.holder for share in plan.lost] == ["sam"]
    assert plan.clashes == []
    made = actions.copy(world.sam.folder, arc, actor=world.mia, name="copy")
    assert made.path == plan.new


def test_a_copy_that_keeps_addresses_tells_the_clashes(world, arc):
    world.do("create", world.sam.web)
    plan = actions.plan_copy(world.sam.folder, arc, actor=world.mia, new_addresses=False)
    (clash,) = plan.clashes
    assert clash["where"] == world.sam.web.path
    assert world.sam.web.cards.get().mac in clash["message"]


def test_a_copy_is_refused_as_the_act_is(world):
    cases = [(world.sam.web, world.sam.folder, Conflict), (world.tel141, world.sam.folder, Conflict)]
    for node, target, kind in cases:
        for act in (actions.plan_copy, actions.copy):
            with pytest.raises(kind):
                act(node, target, actor=world.mia)
    with pytest.raises(Forbidden):
        actions.plan_copy(world.sam.web, world.sam.folder, actor=world.sam.user)


def test_plans_of_many_machines_take_few_queries(world, arc):
    big = factories.folder(f"{world.courses.path}/big", world.root)
    factories.many_machines(big.path, 1500, world.root)
    for act in (actions.plan_move, actions.plan_copy):
        with CaptureQueriesContext(connection) as captured:
            plan = act(big, arc, actor=world.mia)
        assert plan.machines == 1500
        assert len(plan.effects.rows) == 1500
        assert len(captured) <= 22, [query["sql"][:80] for query in captured]
