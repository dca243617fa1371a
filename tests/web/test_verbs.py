"""Verbs through the portal: asked in place or as pages, questions before what is lost, refusals that say why."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from descriptors import actions
from descriptors.models import Operation
from descriptors.states import State
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db
JSON = {"headers": {"Accept": "application/json", "X-Requested-With": "fetch"}}


def press(client: Client, node: Any, verb: str, **data: Any) -> Any:
    """Press a verb's button as our script does."""
    return client.post(f"/-/nodes/{node.pk}/do/{verb}", data, **JSON)


def test_a_student_starts_his_machine(world: World, browser: Browser) -> None:
    web, client = world.sam.web, browser(world.sam.user)
    world.do("create", web)
    answer = press(client, web, "start")
    assert answer.status_code == 202
    (told,) = answer.json()["nodes"]
    assert (told["id"], told["state"], told["busy"]) == (web.pk, "starting", "Start")
    world.perform()
    web.refresh_from_db()
    assert web.state == State.RUNNING


def test_without_script_the_button_leads_back_to_the_page(world: World, browser: Browser) -> None:
    web = world.sam.web
    address = f"/tree{web.path}"
    answer = browser(world.sam.user).post(f"/-/nodes/{web.pk}/do/create", {"next": address})
    assert (answer.status_code, answer["Location"]) == (302, address)


def test_next_never_leads_to_another_site(world: World, browser: Browser) -> None:
    web = world.sam.web
    answer = browser(world.sam.user).post(f"/-/nodes/{web.pk}/do/create", {"next": "//evil.example/x"})
    assert answer["Location"] == f"/tree{web.path}"


def test_a_verb_that_is_not_possible_says_why(world: World, browser: Browser) -> None:
    answer = press(browser(world.sam.user), world.sam.web, "start")
    assert answer.status_code == 409
    assert "provisioned" in answer.json()["message"]
    page = browser(world.sam.user).post(f"/-/nodes/{world.sam.web.pk}/do/start")
    assert page.status_code == 409
    assert "provisioned" in page.content.decode()


def test_the_second_of_two_is_told(world: World, browser: Browser) -> None:
    web = world.sam.web
    assert press(browser(world.sam.user), web, "create").status_code == 202
    second = press(browser(world.mia), web, "create")
    assert second.status_code == 409
    assert "in progress" in second.json()["message"]
    assert Operation.objects.filter(node=web).count() == 1


def test_destroying_asks_and_names_what_is_lost(world: World, browser: Browser) -> None:
    question = browser(world.sam.user).get(f"/-/nodes/{world.sam.web.pk}/ask/destroy").content.decode()
    assert "its disks are deleted" in question
    assert world.sam.web.path in question


def test_a_folder_question_counts_who_takes_part(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web, world.sam.db)
    world.do("start", world.sam.web)
    question = browser(world.mia).get(f"/-/nodes/{world.tel141.pk}/ask/start").content.decode()
    assert "Start: 1 machine" in question
    assert world.sam.db.path in question
    assert "1 left out: Running" in question


def test_many_are_destroyed_only_with_their_number(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web, world.sam.db)
    client = browser(world.mia)
    refused = press(client, world.tel141, "destroy", number="3")
    assert refused.status_code == 400
    assert not Operation.objects.filter(verb="destroy").exists()
    accepted = press(client, world.tel141, "destroy", number="2")
    assert accepted.status_code == 202
    assert "Destroy" in accepted.json()["line"]
    world.perform()
    world.sam.web.refresh_from_db()
    assert world.sam.web.state == State.PROVISIONED


def test_a_selection_is_one_operation(world: World, browser: Browser) -> None:
    ids = [world.sam.web.pk, world.ana.web.pk]
    question = browser(world.mia).get(f"/-/nodes/{world.tel141.pk}/ask", {"verb": "create", "ids": ids})
    assert "Create: 2 machines" in question.content.decode()
    answer = press(browser(world.mia), world.tel141, "create", ids=ids)
    assert answer.status_code == 202
    parent = Operation.objects.get(verb="create", parent=None)
    assert set(parent.children.values_list("node_id", flat=True)) == set(ids)


def test_a_selection_never_reaches_hidden_machines(world: World, browser: Browser) -> None:
    answer = press(browser(world.sam.user), world.sam.folder, "create", ids=[world.ana.web.pk, world.sam.web.pk])
    assert answer.status_code == 202
    assert not Operation.objects.filter(node=world.ana.web).exists()


def test_a_snapshot_needs_a_name_and_is_listed(world: World, browser: Browser) -> None:
    web, client = world.sam.web, browser(world.sam.user)
    world.do("create", web)
    assert press(client, web, "snapshot").status_code == 400
    assert press(client, web, "snapshot", name="before the exam").status_code == 202
    world.perform()
    listed = client.get(f"/-/nodes/{web.pk}/snapshots").content.decode()
    assert "before the exam" in listed
    assert "Revert to it" in listed


def test_console_text_is_shown(world: World, browser: Browser) -> None:
    web, client = world.sam.web, browser(world.sam.user)
    assert "machine is off" in client.get(f"/-/nodes/{web.pk}/console-text").content.decode()
    world.do("create", web)
    world.do("start", web)
    assert "<pre" in client.get(f"/-/nodes/{web.pk}/console-text").content.decode()


def test_an_operation_shows_its_results_and_can_be_cancelled(world: World, browser: Browser) -> None:
    world.sam, world.ana  # noqa: B018 - four machines
    world.tel141.refresh_from_db()
    operation = actions.request("create", world.tel141, actor=world.mia)
    client = browser(world.mia)
    page = client.get(f"/operations/{operation.pk}").content.decode()
    assert "of 4" in page
    answer = client.post(f"/operations/{operation.pk}/cancel")
    assert answer.status_code == 302
    operation.refresh_from_db()
    assert operation.status == "cancelled"
    assert client.post(f"/operations/{operation.pk}/cancel").status_code == 409


def test_operations_of_others_are_not_there(world: World, browser: Browser) -> None:
    operation = actions.request("create", world.probe, actor=world.root)
    assert browser(world.sam.user).get(f"/operations/{operation.pk}").status_code == 404
    assert browser(world.sam.user).post(f"/operations/{operation.pk}/cancel").status_code == 404


def test_unknown_verbs_are_not_there(world: World, browser: Browser) -> None:
    assert press(browser(world.root), world.sam.web, "explode").status_code == 404
    assert browser(world.root).get(f"/-/nodes/{world.sam.web.pk}/do/start").status_code == 405


def test_changes_need_the_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.sam.user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(f"/-/nodes/{world.sam.web.pk}/do/create").status_code == 403
