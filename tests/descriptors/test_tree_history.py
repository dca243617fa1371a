"""Whatever is done to the tree in whatever order, it stays sound; a model in plain Python says what must be there."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from descriptors import tree, tree_check
from descriptors.models import Kind, Node
from descriptors.tree import Draft
from olimpus.errors import Conflict

pytestmark = pytest.mark.django_db
VM = Kind.DESCRIPTOR


class Plan:
    """A node of the model: what the tree should be, in plain Python."""

    def __init__(self, name: str, kind: str = Kind.FOLDER, children: list[Plan] | None = None):
        self.name, self.kind, self.children = name, kind, children or []
        self.above: Plan | None = None
        for child in self.children:
            child.above = self

    @property
    def path(self) -> str:
        if self.above is None:
            return "/"
        return f"{self.above.path.rstrip('/')}/{self.name}"

    def walk(self) -> list[Plan]:
        return [self, *(node for child in self.children for node in child.walk())]

    def has(self, name: str) -> bool:
        return any(child.name == name for child in self.children)

    def add(self, child: Plan) -> None:
        child.above = self
        self.children.append(child)

    def leave(self) -> None:
        self.above.children.remove(self)


NAMES = st.sampled_from(["a", "b", "c", "B", "ñ", "two words", "名"])
KINDS = st.sampled_from([Kind.FOLDER, Kind.FOLDER, VM])
DRAFTS = st.recursive(
    st.builds(Draft, NAMES, KINDS),
    lambda below: st.builds(Draft, NAMES, children=st.lists(below, max_size=3, unique_by=lambda draft: draft.name)),
    max_leaves=6,
)
PLACE = st.integers(0, 10**6)


def plan_of(draft: Draft) -> Plan:
    return Plan(draft.name, draft.kind, [plan_of(child) for child in draft.children])


class AnyHistory(RuleBasedStateMachine):
    """Random changes of tree and model; they must agree in every path and in the order of siblings."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        tree.plant()
        self.plan = Plan("")

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def pick(self, place: int) -> tuple[Plan, Node]:
        plans = self.plan.walk()
        plan = plans[place % len(plans)]
        return plan, tree.by_path(plan.path)

    def attempt(self, allowed: bool, work, change) -> None:
        if allowed:
            work()
            change()
        else:
            with pytest.raises(Conflict):
                work()

    @rule(places=st.lists(PLACE, min_size=1, max_size=4), drafts=st.lists(DRAFTS, min_size=1, max_size=4))
    def insert(self, places, drafts):
        groups = [(self.pick(place), draft) for place, draft in zip(places, drafts, strict=False)]
        wanted = [(plan.path, draft.name) for (plan, _node), draft in groups]
        allowed = len(set(wanted)) == len(wanted) and all(
            plan.kind == Kind.FOLDER and not plan.has(draft.name) for (plan, _node), draft in groups
        )

        def change():
            for (plan, _node), draft in groups:
                plan.add(plan_of(draft))

        self.attempt(allowed, lambda: tree.insert([(node, [draft]) for (_plan, node), draft in groups]), change)

    @rule(place=PLACE, goal=PLACE, name=st.none() | NAMES)
    def move(self, place, goal, name):
        (plan, node), (above, folder) = self.pick(place), self.pick(goal)
        new = name or plan.name
        stays = plan.above is above
        free = not above.has(new) or (stays and new == plan.name)
        allowed = plan is not self.plan and above.kind == Kind.FOLDER and above not in plan.walk() and free

        def change():
            plan.name = new
            if not stays:
                plan.leave()
                above.add(plan)

        self.attempt(allowed, lambda: tree.move(node, folder, name=name), change)

    @rule(place=PLACE, name=NAMES)
    def rename(self, place, name):
        plan, node = self.pick(place)
        allowed = plan is not self.plan and (name == plan.name or not plan.above.has(name))
        self.attempt(allowed, lambda: tree.rename(node, name), lambda: setattr(plan, "name", name))

    @rule(places=st.lists(PLACE, min_size=1, max_size=3))
    def remove(self, places):
        picked = [self.pick(place) for place in places]

        def change():
            for plan in {id(plan): plan for plan, _node in picked}.values():
                plan.leave()

        allowed = all(plan is not self.plan for plan, _node in picked)
        self.attempt(allowed, lambda: tree.remove([node for _plan, node in picked]), change)

    @invariant()
    def tree_and_model_agree(self):
        assert tree_check.faults() == []
        assert list(Node.objects.values_list("path", flat=True)) == [plan.path for plan in self.plan.walk()]


def test_any_history_leaves_a_sound_tree():
    run_state_machine_as_test(
        AnyHistory,
        settings=settings(
            max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
