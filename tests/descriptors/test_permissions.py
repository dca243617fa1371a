"""Who may, on the database: lists agree with single answers, one query, nobody gives more than he has."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from descriptors import actions, permissions, selectors, tree
from descriptors.models import Folder, Node, NodeUserObjectPermission
from descriptors.permissions import OPERATIONS, access_of, can, effective, forget, require, visible
from descriptors.tree import Draft
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound
from tests import factories

NASTY = ("-", "+", ".x", "a", "a b", "a-b", "a0", "0", "Á", "é", "你", "𠀀", "_", "@")


def queries(work) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def fresh(user):
    """The same person in a new request."""
    return type(user).objects.get(pk=user.pk)


class TestListsAgree(TestCase):
    """`visible()` in SQL against `can()` for every node of random trees."""

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def test_visible_is_can_for_every_node(self, data):
        root = factories.superuser()
        person = factories.user()
        group = Group.objects.create(name="crew")
        person.groups.add(group)
        some = st.lists(st.sampled_from(NASTY), unique=True, max_size=4)
        drafts = [Draft(top, children=[Draft(name) for name in data.draw(some)]) for top in data.draw(some)]
        tree.insert([(tree.plant(), drafts)])
        nodes = list(Node.objects.all())
        for node in data.draw(st.lists(st.sampled_from(nodes), max_size=4)):
            role = data.draw(st.sampled_from(["manager", "user"]))
            holder = {"group": group} if data.draw(st.booleans()) else {"user": person}
            actions.grant(node, role, actor=root, **holder)
        for node in data.draw(st.lists(st.sampled_from(nodes), max_size=3, unique_by=lambda node: node.pk)):
            flag = {data.draw(st.sampled_from(["see", "edit"])): data.draw(st.booleans())}
            actions.edit(node, {"rights": {data.draw(st.sampled_from(["manager", "user"])): flag}}, actor=root)
        for node in data.draw(st.lists(st.sampled_from(nodes), max_size=2)):
            Folder.objects.filter(pk=node.pk).update(inherit_grants=False)
        forget()
        person = fresh(person)
        for operation in ("see", "edit"):
            listed = set(visible(person, Node.objects.all(), operation).values_list("path", flat=True))
            assert listed == {node.path for node in nodes if can(person, operation, node)}
            with patch.object(permissions, "FEW", 0):  # as if there were many intervals
                assert listed == set(visible(person, Node.objects.all(), operation).values_list("path", flat=True))
            for node in nodes[:3]:
                inside = Node.objects.filter(lft__gte=node.lft, rght__lte=node.rght)
                below = set(visible(person, inside, operation, below=node.path).values_list("path", flat=True))
                assert below == {path for path in listed if path in set(inside.values_list("path", flat=True))}
                right = visible(person, Node.objects.filter(parent=node), operation, below=node.path, children=True)
                assert set(right) == {child for child in nodes if child.parent_id == node.pk and child.path in listed}


def test_one_query_whatever_the_number_of_grants(world):
    student = world.sam.user
    few = queries(lambda: list(visible(fresh(student), Node.objects.all())))
    drafts = [Draft(f"extra-{number:04}") for number in range(1500)]
    folders = tree.insert([(world.lab, drafts)])
    actions.grant_many([(folder.pk, "user", student.pk) for folder in folders[::2]], actor=world.root)
    person = fresh(student)
    access_of(person)
    assert queries(lambda: visible(person, Node.objects.all()).count()) == 1
    many = queries(lambda: list(visible(fresh(student), Node.objects.all())))
    assert many == few
    assert visible(person, Node.objects.filter(parent=world.lab)).count() == 750


def test_groups_count_and_ancestors_are_not_listed(world):
    group = Group.objects.create(name="assistants")
    helper = factories.user("helper", group=group)
    actions.grant(world.sam.folder, "user", group=group, actor=world.root)
    seen = set(visible(fresh(helper), Node.objects.all()).values_list("path", flat=True))
    assert seen == {"/courses/TEL141/sam", "/courses/TEL141/sam/web", "/courses/TEL141/sam/db"}


def test_what_is_not_visible_is_not_found_and_the_rest_forbidden(world):
    student = world.sam.user
    with pytest.raises(NotFound):
        require(student, "see", world.ana.web)
    with pytest.raises(Forbidden, match="may not"):
        require(student, "edit", world.sam.web)
    require(student, "start", world.sam.web)


def test_nobody_and_closed_accounts_see_nothing(world):
    world.sam.web  # noqa: B018 - the world is made when asked for
    assert not visible(AnonymousUser(), Node.objects.all()).exists()
    world.mia.is_active = False
    world.mia.save()
    assert not visible(fresh(world.mia), Node.objects.all()).exists()
    world.root.is_active = False
    world.root.save()
    assert not can(fresh(world.root), "see", world.sam.web)


def test_flags_open_and_close_operations_by_branch(world):
    student, folder = world.sam.user, world.sam.folder
    actions.edit(world.courses, world.courses.definition | {"rights": {"user": {"start": False}}}, actor=world.root)
    assert not can(student, "start", world.sam.web)
    node = Node.objects.get(pk=folder.pk)
    actions.edit(node, node.definition | {"rights": {"user": {"start": True, "edit": True}}}, actor=world.root)
    assert can(student, "start", world.sam.web)
    assert can(student, "edit", world.sam.web)
    assert not can(world.ana.user, "start", world.ana.web)


def test_a_stop_hides_a_folder_from_the_manager_above(world):
    assert can(world.mia, "see", world.sam.web)
    actions.set_inherit_grants(world.sam.folder, False, actor=world.root)
    assert not can(world.mia, "see", world.sam.web)
    assert can(world.sam.user, "see", world.sam.web)
    assert can(world.root, "see", world.sam.web)


def test_who_stops_inheritance_must_not_lose_the_folder(world):
    with pytest.raises(Conflict, match="lose"):
        actions.set_inherit_grants(world.sam.folder, False, actor=world.mia)
    assert Folder.objects.get(pk=world.sam.folder.pk).inherit_grants
    assert can(world.mia, "grant", world.sam.folder)
    with pytest.raises(Conflict, match="Only a folder"):
        actions.set_inherit_grants(world.sam.web, False, actor=world.root)


def test_effective_tells_why(world):
    rows = {row["operation"]: row for row in effective(world.mia, world.sam.web)}
    assert set(rows) == set(OPERATIONS)
    assert rows["edit"] == rows["edit"] | {"allowed": True, "role": "manager", "granted_at": "/courses", "set_at": ""}
    actions.edit(world.tel141, world.tel141.definition | {"rights": {"manager": {"edit": False}}}, actor=world.root)
    rows = {row["operation"]: row for row in effective(fresh(world.mia), world.sam.web)}
    assert rows["edit"] == rows["edit"] | {"allowed": False, "set_at": "/courses/TEL141"}
    assert all(row["allowed"] and row["role"] == "superuser" for row in effective(world.root, world.sam.web))
    assert not any(row["allowed"] for row in effective(world.stranger, world.sam.web))


# -- no escalation -----------------------------------------------------------------------------------------------------


def test_managers_grant_inside_their_branches_only(world):
    actions.grant(world.sam.folder, "user", user=world.ana.user, actor=world.mia)
    assert can(world.ana.user, "see", world.sam.web)
    with pytest.raises(NotFound):
        actions.grant(world.lab, "user", user=world.mia, actor=world.mia)
    with pytest.raises(Forbidden):
        actions.grant(world.sam.folder, "user", user=world.ana.user, actor=world.sam.user)


def test_nobody_gives_more_than_he_has(world):
    actions.edit(world.tel141, world.tel141.definition | {"rights": {"manager": {"delete": False}}}, actor=world.root)
    actions.grant(world.sam.folder, "manager", user=world.stranger, actor=world.mia)
    assert not can(world.stranger, "delete", world.sam.web)
    # A flag that closes something for managers alone: giving a role that may do it would be an escalation.
    world.tel141.refresh_from_db()
    rights = {"rights": {"manager": {"start": False}}}
    actions.edit(world.tel141, world.tel141.definition | rights, actor=world.root)
    with pytest.raises(Forbidden, match="start"):
        actions.grant(world.ana.folder, "user", user=world.stranger, actor=world.mia)


def test_nobody_opens_a_right_that_he_lacks(world):
    closed = {"rights": {"manager": {"delete": False}}}
    actions.edit(world.courses, world.courses.definition | closed, actor=world.root)
    for rights in ({"manager": {"delete": True}}, {"user": {"delete": True}}, {"manager": None}):
        with pytest.raises(Forbidden):
            actions.edit(world.tel141, world.tel141.definition | {"rights": rights}, actor=world.mia)
    with pytest.raises(Forbidden):
        actions.create_folder(world.tel141, "x", actor=world.mia, definition={"rights": {"user": {"delete": True}}})
    actions.edit(world.tel141, world.tel141.definition | {"rights": {"user": {"start": False}}}, actor=world.mia)
    assert not can(world.sam.user, "start", world.sam.web)


def test_a_right_cannot_be_opened_by_taking_the_flag_away(world):
    """mia may grant at /courses, but what the superuser closed there for managers she cannot open again."""
    closed = world.courses.definition | {"rights": {"manager": {"delete": False}}}
    actions.edit(world.courses, closed, actor=world.root)
    world.courses.refresh_from_db()
    without = {name: value for name, value in world.courses.definition.items() if name != "rights"}
    with pytest.raises(Forbidden):
        actions.edit(world.courses, without, actor=world.mia)
    assert not can(world.mia, "delete", world.sam.web)


def test_roles_and_holders_are_checked(world):
    with pytest.raises(Invalid, match="role"):
        actions.grant(world.lab, "king", user=world.mia, actor=world.root)
    with pytest.raises(Invalid):
        actions.grant(world.lab, "user", actor=world.root)
    with pytest.raises(Invalid):
        actions.grant(world.lab, "user", user=world.mia, group=Group.objects.create(name="x"), actor=world.root)


def test_grants_may_be_repeated_and_are_taken_back_where_they_were_given(world):
    for _time in range(2):
        actions.grant(world.lab, "user", user=world.stranger, actor=world.root)
    assert NodeUserObjectPermission.objects.filter(user=world.stranger).count() == 1
    with pytest.raises(NotFound, match="inherited|not given"):
        actions.revoke(world.probe, "user", user=world.stranger, actor=world.root)
    actions.revoke(world.lab, "user", user=world.stranger, actor=world.root)
    assert not can(world.stranger, "see", world.lab)


def test_grants_in_bulk_leave_what_is_there(world):
    rows = [(world.sam.folder.pk, "user", world.sam.user.pk), (world.ana.folder.pk, "user", world.sam.user.pk)]
    assert actions.grant_many([*rows, *rows], actor=world.root) == 1
    assert can(world.sam.user, "see", world.ana.web)


def test_grants_are_listed_with_their_origin_up_to_a_stop(world):
    world.mia  # noqa: B018 - the world is made when asked for
    rows = selectors.grants_of(world.sam.web)
    assert [(row["role"], row.get("user"), row["from"], row["inherited"]) for row in rows] == [
        ("user", "sam", "/courses/TEL141/sam", True),
        ("manager", "mia", "/courses", True),
    ]
    actions.set_inherit_grants(world.sam.folder, False, actor=world.root)
    assert [row.get("user") for row in selectors.grants_of(world.sam.web)] == ["sam"]
