"""Machines nobody owns, in the console: the list, adopting many with names of one's own, comparing now."""

from __future__ import annotations

import pytest
from django.test import Client

from descriptors import reconcile
from descriptors.models import Descriptor, Unowned
from hypervisors.actions import update
from hypervisors.drivers.base import Power
from hypervisors.drivers.mock import create_by_hand
from olimpus import queue

LIST = "/admin/descriptors/unowned/"


@pytest.fixture
def strays(world) -> list[Unowned]:
    world.tel141  # noqa: B018 - the folder is made when asked for
    for name in ("found-1", "found-2"):
        create_by_hand(world.home, world.hypervisor.name, name, cpus=2, image="debian-12", power=Power.ON)
    reconcile.reconcile(world.hypervisor.pk)
    return list(Unowned.objects.order_by("name"))


@pytest.fixture
def root(world) -> Client:
    client = Client()
    client.force_login(world.root, backend="django.contrib.auth.backends.ModelBackend")
    return client


def adopt(root: Client, strays: list[Unowned], **more) -> str:
    sent = {"action": "adopt", "_selected_action": [vm.pk for vm in strays], **more}
    return root.post(LIST, sent, follow=True).content.decode()


def test_the_list_says_where_how_big_and_whether_on(root, strays, django_assert_max_num_queries):
    with django_assert_max_num_queries(15):
        page = root.get(LIST).content.decode()
    for shown in ("found-1", "found-2", "2 CPU", "mock-1"):
        assert shown in page
    assert page.count("tone-ok") == 2


def test_an_empty_list_says_so(root, world):
    assert "Nothing is left over" in root.get(LIST).content.decode()


def test_asking_shows_the_definition_each_will_get(root, strays):
    page = adopt(root, strays)
    assert page.count("vm_name: found-") == 2
    assert "image: debian-12" in page
    assert not Descriptor.objects.exists()


def test_many_are_adopted_under_names_of_ones_own(root, world, strays):
    names = {f"name_{strays[0].pk}": "web", f"name_{strays[1].pk}": "db"}
    page = adopt(root, strays, folder=world.tel141.path, **names)
    assert page.count("is ours now") == 2
    assert set(Descriptor.objects.values_list("path", flat=True)) == {"/courses/TEL141/web", "/courses/TEL141/db"}
    assert not Unowned.objects.exists()


def test_those_that_fail_are_asked_for_again_with_the_reason(root, world, strays):
    names = {f"name_{vm.pk}": "same" for vm in strays}
    page = adopt(root, strays, folder=world.tel141.path, **names)
    assert "is ours now" in page
    assert 'class="field-error"' in page
    assert f'name="name_{strays[1].pk}"' in page
    assert f'name="name_{strays[0].pk}"' not in page
    assert Descriptor.objects.count() == 1


def test_a_hypervisor_that_does_not_answer_is_told_beside_its_machines(root, world, strays):
    update(world.hypervisor, {"settings": {"unreachable": True}}, actor=world.root)
    page = adopt(root, strays)
    assert page.count('class="reason"') == 2
    assert "vm_name" not in page


def test_comparing_is_asked_of_a_worker(root, world, monkeypatch):
    sent = []
    monkeypatch.setattr(queue, "send", lambda *args, **options: sent.append((args, options)))
    url = f"{LIST}compare/{world.hypervisor.pk}/"
    assert root.get(url).status_code == 405
    assert root.post(url).status_code == 302
    assert sent == [(("descriptors.tasks.reconcile", [str(world.hypervisor.pk)]), {"queue": "olimpus"})]


def test_managers_neither_see_nor_adopt(world, strays):
    client = Client()
    client.force_login(world.mia, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(LIST).status_code == 403
    assert client.post(LIST, {"action": "adopt", "_selected_action": [strays[0].pk]}).status_code == 403
    assert client.post(f"{LIST}compare/{world.hypervisor.pk}/").status_code == 403
    assert Unowned.objects.count() == 2
