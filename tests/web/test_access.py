"""Access: who may do what and why, roles given and taken back after a question, names offered, inheritance."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group

from descriptors import actions, selectors
from descriptors.models import Node
from descriptors.permissions import OPERATIONS, can
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def reason(world: World, user: Any, node: Node, operation: str) -> selectors.Reason:
    """Why this person may or may not do it."""
    return next(row for row in selectors.why(user, node) if row.operation == operation)


def tab(browser: Browser, user: Any, node: Node, **asked: str) -> str:
    """The page of access."""
    return browser(user).get(f"/tree{node.path}", {"tab": "access", **asked}).content.decode()


def plain(html: str) -> str:
    """What one reads of it."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# -- why ---------------------------------------------------------------------------------------------------------------


def test_a_role_is_the_reason_with_the_place_where_it_was_given(world: World) -> None:
    found = reason(world, world.sam.user, world.sam.web, "start")
    assert (found.allowed, found.because) == (True, "default")
    assert (found.given.role, found.given.path, found.given.group) == ("user", world.sam.folder.path, "")


def test_a_refusal_has_its_reason_too(world: World) -> None:
    assert reason(world, world.sam.user, world.sam.web, "edit").because == "default"
    assert not reason(world, world.sam.user, world.sam.web, "edit").allowed
    assert reason(world, world.sam.user, world.ana.web, "see").because == "nothing"


def test_a_group_is_named(world: World) -> None:
    group = Group.objects.create(name="tutors")
    world.stranger.groups.add(group)
    actions.grant(world.tel141, "user", group=group, actor=world.root)
    assert reason(world, world.stranger, world.sam.web, "see").given.group == "tutors"


def test_a_flag_decides_and_says_where_it_is_set(world: World) -> None:
    actions.edit(world.tel141, {"rights": {"user": {"start": False, "edit": True}}}, actor=world.root)
    forbidden, allowed = (reason(world, world.sam.user, world.sam.web, name) for name in ("start", "edit"))
    assert (forbidden.allowed, forbidden.because, forbidden.set_at) == (False, "flag", world.tel141.path)
    assert (allowed.allowed, allowed.flag_key) == (True, "rights.user.edit")


def test_a_stop_of_inheritance_is_the_reason(world: World) -> None:
    actions.set_inherit_grants(world.sam.folder, False, actor=world.root)
    found = reason(world, world.mia, world.sam.web, "see")
    assert (found.allowed, found.because, found.stopped_at) == (False, "stopped", world.sam.folder.path)
    assert found.given.path == world.courses.path


def test_superusers_and_closed_accounts(world: World) -> None:
    assert reason(world, world.root, world.sam.web, "grant").because == "superuser"
    world.sam.user.is_active = False
    world.sam.user.save()
    assert reason(world, world.sam.user, world.sam.web, "see").because == "inactive"


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("flags", [{}, {"user": {"edit": True}, "manager": {"delete": False}}])
def test_reasons_agree_with_what_is_enforced(world: World, stop: bool, flags: dict[str, Any]) -> None:
    actions.edit(world.tel141, {"rights": flags} if flags else {}, actor=world.root)
    actions.set_inherit_grants(world.sam.folder, not stop, actor=world.root)
    for person in (world.mia, world.sam.user, world.ana.user, world.stranger, world.root):
        for node in (world.courses, world.tel141, world.sam.folder, world.sam.web):
            told = {row.operation: row.allowed for row in selectors.why(person, node)}
            assert told == {name: can(person, name, node) for name in OPERATIONS}, (person, node)


def test_managers_ask_about_others_in_sentences(world: World, browser: Browser) -> None:
    actions.edit(world.tel141, {"rights": {"user": {"start": False}}}, actor=world.root)
    page = tab(browser, world.mia, world.sam.web, who="sam")
    assert "What sam may do here, and why" in page
    assert f"Simple user, given in {world.sam.folder.path}" in plain(page)
    assert f"forbidden by a flag set in {world.tel141.path}" in plain(page)
    assert f"/tree{world.tel141.path}?tab=definition#at-rights.user.start" in page
    assert "There is nobody of this name." in tab(browser, world.mia, world.sam.web, who="nobody")


def test_others_see_their_own_rights_only(world: World, browser: Browser) -> None:
    world.ana  # noqa: B018 - made
    page = tab(browser, world.sam.user, world.sam.web, who="ana")
    assert "What you may do here, and why" in page
    assert "Who has a role here" not in page
    assert "mia" not in page.partition("<main")[2]


def test_the_matrix_says_where_flags_are_set(world: World) -> None:
    actions.edit(world.tel141, {"rights": {"user": {"edit": True}}}, actor=world.root)
    flags = {operation: {flag.role: flag for flag in row} for operation, _label, row in selectors.matrix(world.sam.web)}
    assert (flags["edit"]["user"].allowed, flags["edit"]["user"].set_at) == (True, world.tel141.path)
    assert (flags["grant"]["user"].allowed, flags["grant"]["manager"].set_at) == (False, "")


# -- giving and taking -------------------------------------------------------------------------------------------------


def test_a_wrong_name_is_kept_beside_its_fault(world: World, browser: Browser) -> None:
    given = {"do": "grant", "role": "manager", "kind": "group", "holder": "nobodies"}
    answer = browser(world.mia).post(f"/-/nodes/{world.tel141.pk}/access", given)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'value="nobodies"' in page
    assert '<option value="manager" selected>' in page
    assert "There is nobody of this name." in page


def test_taking_back_asks_first_and_names_what_is_lost(world: World, browser: Browser) -> None:
    client, address = browser(world.mia), f"/-/nodes/{world.sam.folder.pk}/access"
    asked = {"do": "revoke", "kind": "user", "role": "user", "holder": "sam"}
    question = client.get(address, asked)
    assert "sam : all access" in plain(question.content.decode())
    assert can(world.sam.user, "see", world.sam.web)
    assert client.post(address, asked).status_code == 302
    assert not can(type(world.sam.user).objects.get(pk=world.sam.user.pk), "see", world.sam.web)


def test_who_keeps_another_role_loses_only_the_difference(world: World) -> None:
    actions.grant(world.tel141, "manager", user=world.sam.user, actor=world.root)
    (loss,) = selectors.losses(world.tel141, lambda row: row.get("user") == "sam")
    assert not loss.keeps
    actions.grant(world.tel141, "user", user=world.sam.user, actor=world.root)
    (loss,) = selectors.losses(world.tel141, lambda row: row.get("user") == "sam" and row["role"] == "manager")
    assert (loss.keeps, "edit" in loss.operations, "see" in loss.operations) == (True, True, False)


def test_stopping_inheritance_previews_who_is_shut_out(world: World, browser: Browser) -> None:
    group = Group.objects.create(name="tutors")
    for number in range(25):
        factories.user(f"tutor-{number:02}").groups.add(group)
    actions.grant(world.tel141, "user", group=group, actor=world.root)
    actions.grant(world.sam.folder, "manager", user=world.mia, actor=world.root)
    client, address = browser(world.mia), f"/-/nodes/{world.sam.folder.pk}/access"
    page = plain(client.get(address, {"do": "stop"}).content.decode())
    assert "25 people lose rights" in page
    assert "tutor-19" in page
    assert "and 5 more" in page
    assert "mia : " not in page
    client.post(address, {"do": "stop"})
    assert not Node.objects.get(pk=world.sam.folder.pk).folder.inherit_grants
    client.post(address, {"do": "allow"})
    assert Node.objects.get(pk=world.sam.folder.pk).folder.inherit_grants


def test_nobody_shuts_himself_out(world: World, browser: Browser) -> None:
    answer = browser(world.mia).post(f"/-/nodes/{world.sam.folder.pk}/access", {"do": "stop"})
    assert answer.status_code == 409
    assert "You would lose this folder yourself." in answer.content.decode()
    assert Node.objects.get(pk=world.sam.folder.pk).folder.inherit_grants


def test_after_it_is_done_one_returns_to_where_one_was(world: World, browser: Browser) -> None:
    given = {"do": "grant", "role": "user", "kind": "user", "holder": world.stranger.username}
    client, address = browser(world.mia), f"/-/nodes/{world.tel141.pk}/access"
    assert client.post(address, given | {"next": "/search/?q=x"})["Location"] == "/search/?q=x"
    assert (
        client.post(address, given | {"next": "//evil.example"})["Location"] == f"/tree{world.tel141.path}?tab=access"
    )
    assert client.get(address)["Location"] == f"/tree{world.tel141.path}?tab=access"


@pytest.mark.parametrize("do", ["grant", "revoke", "stop", "allow", "nonsense"])
def test_students_give_nothing(world: World, browser: Browser, do: str) -> None:
    given = {"do": do, "role": "user", "kind": "user", "holder": "sam"}
    answer = browser(world.sam.user).post(f"/-/nodes/{world.sam.folder.pk}/access", given)
    assert answer.status_code == 403
    assert browser(world.sam.user).get(f"/-/nodes/{world.sam.folder.pk}/access", given).status_code == 403
    assert browser(world.stranger).get(f"/-/nodes/{world.sam.folder.pk}/access", given).status_code == 404


# -- names and groups --------------------------------------------------------------------------------------------------


def test_names_are_offered_to_those_who_may_grant(world: World, browser: Browser) -> None:
    Group.objects.create(name="samba")
    world.ana  # noqa: B018 - made
    address = f"/-/nodes/{world.sam.folder.pk}/people"
    users = browser(world.mia).get(address, {"holder": "SA", "kind": "user"}).content.decode()
    assert 'value="sam"' in users
    assert "ana" not in users
    assert 'value="samba"' in browser(world.mia).get(address, {"holder": "sam", "kind": "group"}).content.decode()
    assert browser(world.sam.user).get(address, {"holder": "a"}).status_code == 403


def test_members_of_a_group_are_named_and_counted(world: World) -> None:
    group = Group.objects.create(name="tutors")
    for number in range(35):
        factories.user(f"tutor-{number:02}").groups.add(group)
    members = selectors.members_of([group.pk])[group.pk]
    assert (members.count, len(members.names), members.names[0]) == (35, 30, "tutor-00")


def test_the_page_asks_few_questions(world: World, browser: Browser, django_assert_max_num_queries: Any) -> None:
    for number in range(6):
        group = Group.objects.create(name=f"group-{number}")
        factories.user(f"member-{number}").groups.add(group)
        actions.grant(world.tel141, "user", group=group, actor=world.root)
    client, node = browser(world.mia), world.tel141
    with django_assert_max_num_queries(15):
        page = client.get(f"/tree{node.path}?tab=access&who=member-1").content.decode()
    assert "member-5" in page
    with django_assert_max_num_queries(15):
        client.get(f"/-/nodes/{node.pk}/access", {"do": "stop"})
