"""Who is in charge of a hypervisor: given by superusers through every door, and what it means."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group

from accounts.models import Entry
from hypervisors import actions
from hypervisors.models import Hypervisor
from olimpus.errors import Forbidden, Invalid

URL = "/api/hypervisors"


def test_superusers_and_managers_are_in_charge_and_nobody_else(hypervisor, root, teacher):
    assert actions.manages(root, hypervisor)
    assert not actions.manages(teacher, hypervisor)
    with pytest.raises(Forbidden) as caught:
        actions.require_manager(teacher, hypervisor)
    assert "rack-1" in caught.value.message
    actions.update(hypervisor, {"managers": ["teacher"]}, actor=root)
    actions.require_manager(teacher, hypervisor)
    other = actions.create({"name": "rack-2", "driver": "mock"}, actor=root)
    assert not actions.manages(teacher, other)
    assert not actions.manages(AnonymousUser(), hypervisor)


def test_members_of_a_group_are_in_charge(hypervisor, root, teacher):
    group = Group.objects.create(name="Cloud team")
    actions.update(hypervisor, {"manager_groups": ["Cloud team"]}, actor=root)
    assert not actions.manages(teacher, hypervisor)
    teacher.groups.add(group)
    assert actions.manages(teacher, hypervisor)


def test_who_is_not_active_is_in_charge_of_nothing(hypervisor, root, teacher):
    actions.update(hypervisor, {"managers": ["teacher"]}, actor=root)
    for person in (root, teacher):
        person.is_active = False
        assert not actions.manages(person, hypervisor)


def test_the_journal_names_them(hypervisor, root, teacher):
    saved = actions.update(hypervisor, {"managers": ["teacher"], "description": "x"}, actor=root)
    entry = Entry.objects.get(verb="hypervisor.update")
    assert (entry.data["managers"], entry.data["changed"]) == (["teacher"], ["description", "managers"])
    assert saved.version == 2
    actions.update(saved, {"managers": []}, actor=root)
    assert not Hypervisor.objects.get().managers.exists()


def test_a_name_that_nobody_has_changes_nothing(hypervisor, root):
    with pytest.raises(Invalid) as caught:
        actions.update(hypervisor, {"managers": ["root", "nobody"], "description": "x"}, actor=root)
    assert [fault["where"] for fault in caught.value.errors] == ["managers"]
    assert "nobody" in caught.value.message
    saved = Hypervisor.objects.get()
    assert (saved.description, saved.managers.count(), saved.version) == ("", 0, 1)
    with pytest.raises(Invalid):
        actions.create({"name": "rack-2", "driver": "mock", "manager_groups": ["none"]}, actor=root)
    assert Hypervisor.objects.count() == 1


def test_managers_are_no_superusers(hypervisor, root, teacher):
    actions.update(hypervisor, {"managers": ["teacher"]}, actor=root)
    with pytest.raises(Forbidden):
        actions.update(hypervisor, {"managers": ["teacher", "root"]}, actor=teacher)


def test_over_the_api(api, teacher_api, hypervisor, teacher):
    answer = api.patch(f"{URL}/{hypervisor.pk}", {"managers": ["teacher"]}, format="json")
    assert (answer.status_code, answer.json()["managers"]) == (200, ["teacher"])
    assert api.get(URL).json()["results"][0]["manager_groups"] == []
    assert "managers" not in teacher_api.get(f"{URL}/{hypervisor.pk}").json()
    answer = api.patch(f"{URL}/{hypervisor.pk}", {"managers": ["nobody"]}, format="json")
    assert (answer.status_code, answer.json()["where"]) == (400, "managers")
    made = api.post(URL, {"name": "rack-2", "driver": "mock", "managers": ["teacher"]}, format="json")
    assert made.json()["managers"] == ["teacher"]


def test_in_the_console(client, hypervisor, root, teacher):
    client.force_login(root)
    Group.objects.create(name="Cloud team")
    url = f"/admin/hypervisors/hypervisor/{hypervisor.pk}"
    typed = {"concurrency": 8, "queue": "olimpus", "reconcile_interval": 60, "version": hypervisor.version}
    faulty = client.post(f"{url}/change/", {**typed, "managers": "nobody"})
    assert "There is no “nobody”." in faulty.content.decode()
    named = {"managers": " teacher \r\n\r\nroot", "manager_groups": "Cloud team"}
    assert client.post(f"{url}/change/", {**typed, **named}).status_code == 302
    assert set(hypervisor.managers.values_list("username", flat=True)) == {"root", "teacher"}
    assert "root\nteacher</textarea>" in client.get(f"{url}/change/").content.decode()
    assert "root, teacher, group Cloud team" in client.get(f"{url}/").content.decode()
