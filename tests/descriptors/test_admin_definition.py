"""The console's pages of one node: the panes of the portal in the console's frame."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from descriptors import actions, reconcile
from descriptors.models import Node
from descriptors.permissions import can
from hypervisors.drivers.mock import tamper
from tests import factories
from tests.world import World

pytestmark = pytest.mark.django_db


def console(person: User) -> Client:
    """A client in the console."""
    made = Client()
    made.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return made


@pytest.fixture
def mia(world: World) -> Client:
    """The manager of /courses in the console."""
    world.ana.web, world.sam.web  # noqa: B018 - the world is made when asked for
    return console(world.mia)


def definition_of(node: Node) -> str:
    """The console's page of a definition."""
    return reverse("admin:descriptors_node_definition", args=[node.pk])


def grants_of(node: Node) -> str:
    """The console's page of grants."""
    return reverse("admin:descriptors_node_grants", args=[node.pk])


def page(answer: Any, status: int = 200) -> str:
    """Its text."""
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def test_definitions_are_planned_and_saved(world: World, mia: Client) -> None:
    url, text = definition_of(world.tel141), "cpus: 3\n"
    assert "course: TEL141" in page(mia.get(url))
    planned = page(mia.post(url, {"definition": text, "version": "1", "step": "plan"}))
    assert "What saving will do" in planned
    assert Node.objects.get(pk=world.tel141.pk).version == 1
    token = re.search(r'name="planned" value="(\w+)"', planned)
    assert token
    saved = mia.post(url, {"definition": text, "version": "1", "step": "save", "planned": token[1]}, follow=True)
    assert "The definition is saved." in page(saved)
    assert Node.objects.get(pk=world.tel141.pk).definition == {"cpus": 3}


def test_faults_stand_beside_what_was_typed(world: World, mia: Client) -> None:
    url = definition_of(world.tel141)
    shown = page(mia.post(url, {"definition": "labels: {}\ncpu: 3\n", "version": "1", "step": "save"}), 400)
    assert "Line 2, column 1: cpu" in shown
    assert "cpu: 3" in shown


def test_who_saved_first_is_named(world: World, mia: Client) -> None:
    url, text = definition_of(world.tel141), "cpus: 2\n"
    token = re.search(r'name="planned" value="(\w+)"', page(mia.post(url, {"definition": text, "step": "plan"})))
    assert token
    actions.edit(world.tel141, {"cpus": 1}, actor=world.root)
    sent = {"definition": text, "version": "1", "step": "save", "planned": token[1]}
    shown = page(mia.post(url, sent), 400)
    assert f"{world.root.username} saved another definition meanwhile." in shown
    assert "<ins>+ cpus: 1</ins>" in shown
    assert Node.objects.get(pk=world.tel141.pk).definition == {"cpus": 1}


def test_a_machine_tells_state_drift_pending_and_origins(world: World, mia: Client) -> None:
    web = world.sam.web
    world.do("create", web)
    actions.edit(world.tel141, {"cpus": 3}, actor=world.root)
    tamper(world.home, "mock-1", web.vm_ref, memory_mib=64)
    actions.edit(world.sam.folder, {"student": "sam", "memory_mib": 1536}, actor=world.root)
    reconcile.reconcile(world.hypervisor.pk)
    shown = page(mia.get(definition_of(web)))
    for text in ("Created", "Given to the hypervisor", "Seen there", web.cards.get().mac):
        assert text in shown, text
    at = reverse("admin:descriptors_node_at")
    assert f'href="{at}?path=%2Fcourses%2FTEL141#at-cpus"' in shown


def test_a_path_leads_to_its_page(world: World, mia: Client) -> None:
    at = reverse("admin:descriptors_node_at")
    assert mia.get(at, {"path": world.tel141.path})["Location"] == definition_of(world.tel141)
    assert mia.get(at, {"path": world.tel141.path, "page": "grants"})["Location"] == grants_of(world.tel141)
    assert mia.get(at, {"path": "/lab"})["Location"] == reverse("admin:descriptors_node_changelist")


def test_grants_are_given_and_taken_back_after_a_question(world: World, mia: Client) -> None:
    url = grants_of(world.sam.folder)
    given = {"do": "grant", "role": "user", "kind": "user", "holder": "ana"}
    assert "sam" in page(mia.get(url))
    assert "The role was given." in page(mia.post(url, given, follow=True))
    assert can(User.objects.get(username="ana"), "see", world.sam.web)
    asked = page(mia.get(url, given | {"do": "revoke"}))
    assert "<strong>ana</strong>" in asked
    assert f'action="{url}"' in asked
    mia.post(url, given | {"do": "revoke"})
    assert not can(User.objects.get(username="ana"), "see", world.sam.web)
    wrong = page(mia.post(url, given | {"holder": "nobody"}), 400)
    assert "There is nobody of this name." in wrong
    assert 'value="nobody"' in wrong


def test_stopping_inheritance_is_refused_to_who_would_lose_it(world: World, mia: Client) -> None:
    url = grants_of(world.sam.folder)
    assert "lose" in page(mia.post(url, {"do": "stop"}, follow=True))
    console(world.root).post(url, {"do": "stop"})
    assert mia.get(url).status_code == 302


def test_reasons_lead_to_pages_of_the_console(world: World, mia: Client) -> None:
    shown = page(mia.get(grants_of(world.sam.web), {"who": "sam"}))
    assert "What sam may do here, and why" in shown
    at = reverse("admin:descriptors_node_at")
    assert f'href="{at}?path=%2Fcourses%2FTEL141%2Fsam&amp;page=grants"' in shown


@pytest.mark.parametrize("place", [definition_of, grants_of])
def test_pages_ask_few_questions(world: World, mia: Client, django_assert_max_num_queries: Any, place: Any) -> None:
    for number in range(10):
        factories.machine(f"{world.tel141.path}/vm-{number}", world.root)
    with django_assert_max_num_queries(15):
        page(mia.get(place(world.tel141)))
