"""The console's pages for hypervisors."""

from __future__ import annotations

import json
import threading

import pytest

from accounts.models import Entry
from hypervisors import actions, connection
from hypervisors.drivers.mock import MockDriver
from hypervisors.gateway import Gateway, gateway_for
from hypervisors.health import mark_unreachable
from hypervisors.models import Health, Hypervisor
from olimpus.errors import Unreachable

LIST = "/admin/hypervisors/hypervisor/"
RECORD = {"driver": "mock", "description": "", "concurrency": 8, "queue": "olimpus", "reconcile_interval": 60}
SETTINGS = {
    "setting_latency": "0",
    "setting_jitter": "0",
    "setting_listing_latency": "0",
    "setting_failure_rate": "0",
    "setting_failure_kind": "transient",
    "setting_capacity_cpus": "0",
    "setting_capacity_memory_mib": "0",
    "setting_capacity_vms": "0",
}
LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
def console(client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(answer) -> str:
    return answer.content.decode()


def told(answer) -> list[dict]:
    """The lines of a streamed answer."""
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


def test_others_are_kept_out(client, teacher, hypervisor):
    client.force_login(teacher, backend="django.contrib.auth.backends.ModelBackend")
    own = f"{LIST}{hypervisor.pk}/"
    for url in (LIST, own, f"{LIST}add/", f"{own}change/", f"{own}maintenance/"):
        assert client.get(url).status_code == 403, url
    for url in (LIST, f"{own}test/", f"{LIST}try/", f"{own}maintenance/", f"{own}change/"):
        assert client.post(url, {"on": "1"}).status_code == 403, url
    saved = Hypervisor.objects.get()
    assert (saved.health, saved.maintenance) == (Health.UNKNOWN, False)


# -- list and overview -----------------------------------------------------------------------------------------------


def test_the_list_says_how_each_is(console, hypervisor, django_assert_max_num_queries):
    for n in range(9):
        Hypervisor.objects.create(name=f"more-{n}", driver="mock", health="error", health_detail="wrong token")
    with django_assert_max_num_queries(15):
        text = page(console.get(LIST))
    assert text.count("data-hypervisor=") == 10
    assert "wrong token" in text
    assert 'data-health="unknown"' in text
    assert page(console.get(f"{LIST}?health=error&q=MORE-3")).count("data-hypervisor=") == 1
    assert "No hypervisor matches" in page(console.get(f"{LIST}?maintenance=1"))


def test_an_empty_list_teaches(console):
    assert "No hypervisor yet" in page(console.get(LIST))


def test_what_happened_to_a_deleted_one_of_the_same_name_is_not_told_of_this_one(console, root, hypervisor):
    mark_unreachable(hypervisor, Unreachable("no route to the old one"))
    name = hypervisor.name
    actions.delete(hypervisor, actor=root)
    again = Hypervisor.objects.create(name=name, driver="mock")
    assert "no route to the old one" not in page(console.get(f"{LIST}{again.pk}/"))
    mark_unreachable(again, Unreachable("no route to the new one"))
    assert page(console.get(f"{LIST}{again.pk}/")).count("no route to the new one") == 2  # now, and in its history


def test_the_overview_tells_room_abilities_and_history(console, root, hypervisor, django_assert_max_num_queries):
    actions.test(hypervisor, actor=root)
    with django_assert_max_num_queries(15):
        text = page(console.get(f"{LIST}{hypervisor.pk}/"))
    assert "pause and resume" in text
    assert text.count('data-health="ok"') == 2  # now, and in its history
    assert "in use" in text
    assert "s3cr3t" not in text


# -- the form --------------------------------------------------------------------------------------------------------


def test_the_form_is_made_from_the_declaration(console):
    text = page(console.get(f"{LIST}add/"))
    assert 'name="setting_latency"' in text
    assert 'type="password" name="setting_api_token"' in text
    assert "Example:" in text
    assert "<script>" not in text
    assert "style=" not in text


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ({}, 2),
        ({"bastion_port": "22"}, 2),
        ({"bastion_host": "jump"}, 1),
        ({"headnode_port": "x"}, 1),
    ],
)
def test_settings_that_most_leave_empty_are_folded_until_one_is_typed(console, typed, folded):
    sent = RECORD | {"driver": "openstack"} | {f"setting_{name}": value for name, value in typed.items()}
    text = page(console.post(f"{LIST}add/", sent))
    assert text.count("<details class=") == folded
    assert 'name="setting_bastion_host"' in text


def test_adding_goes_through_the_actions(console):
    answer = console.post(f"{LIST}add/", {"name": "rack-2", **RECORD, **SETTINGS, "setting_api_token": "s3cr3t"})
    assert answer.status_code == 302, page(answer)
    saved = Hypervisor.objects.get()
    assert saved.settings["latency"] == 0.0
    assert saved.clear_settings()["api_token"] == "s3cr3t"
    assert saved.concurrency == 8
    assert Entry.objects.get(verb="hypervisor.create").via == "admin"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("setting_latency", "-1"),
        ("setting_latency", "soon"),
        ("setting_failure_kind", "odd"),
        ("name", "my rack"),
        ("concurrency", "0"),
        ("queue", ""),
    ],
)
def test_a_bad_value_is_shown_at_its_field_and_what_was_typed_stays(console, field, value):
    sent = {"name": "rack-2", **RECORD, "description": "in the cellar", **SETTINGS, field: value}
    answer = console.post(f"{LIST}add/", sent)
    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    assert "in the cellar" in page(answer)
    assert not Hypervisor.objects.exists()


def test_a_name_that_is_taken_is_told_at_the_name(console, hypervisor):
    answer = console.post(f"{LIST}add/", {"name": "rack-1", **RECORD, **SETTINGS})
    assert "already" in str(answer.context["form"].errors["name"])


def test_another_driver_keeps_what_was_typed_but_secrets(console):
    sent = {"switch": "mock", "name": "rack-7", "setting_latency": "3.5", "setting_api_token": "s3cr3t", **RECORD}
    text = page(console.post(f"{LIST}add/", sent))
    assert 'value="rack-7"' in text
    assert 'value="3.5"' in text
    assert "s3cr3t" not in text
    assert not Hypervisor.objects.exists()


def test_changing_shows_no_secret_and_keeps_it(console, hypervisor):
    url = f"{LIST}{hypervisor.pk}/change/"
    assert "s3cr3t" not in page(console.get(url))
    answer = console.post(url, {**RECORD, **SETTINGS, "setting_ignore_acpi": "on", "setting_api_token": ""})
    assert answer.status_code == 302, page(answer)
    saved = Hypervisor.objects.get()
    assert saved.clear_settings()["api_token"] == "s3cr3t-token"
    assert saved.settings["ignore_acpi"] is True
    assert saved.name == "rack-1"


def test_a_secret_can_be_removed(console, hypervisor):
    answer = console.post(f"{LIST}{hypervisor.pk}/change/", {**RECORD, **SETTINGS, "forget_api_token": "on"})
    assert answer.status_code == 302, page(answer)
    assert Hypervisor.objects.get().secrets_set() == []
    assert Entry.objects.get(verb="hypervisor.update").data["removed"] == ["api_token"]


def test_who_saves_second_is_told_and_may_insist(console, root, hypervisor):
    url = f"{LIST}{hypervisor.pk}/change/"
    version = hypervisor.version
    actions.update(hypervisor, {"description": "theirs"}, actor=root)
    sent = {**RECORD, **SETTINGS, "description": "mine"}
    answer = console.post(url, {**sent, "version": version})
    assert answer.status_code == 200
    assert "Somebody else saved" in page(answer)
    assert "Description" in str(answer.context["form"].non_field_errors())
    assert Hypervisor.objects.get().description == "theirs"
    assert console.post(url, {**sent, "version": answer.context["form"].data["version"]}).status_code == 302
    assert Hypervisor.objects.get().description == "mine"


# -- the connection test ---------------------------------------------------------------------------------------------


def test_the_test_page_shows_each_step(console, hypervisor):
    url = f"{LIST}{hypervisor.pk}/test/"
    assert url in page(console.get(f"{LIST}{hypervisor.pk}/"))
    assert console.get(url).status_code == 200
    assert Hypervisor.objects.get().health == Health.UNKNOWN
    text = page(console.post(url))
    assert "Sign in" in text
    assert "mock 1.0" in text
    assert Hypervisor.objects.get().health == Health.OK


def test_steps_are_told_one_by_one_and_the_end_is_journaled(console, hypervisor):
    lines = told(console.post(f"{LIST}{hypervisor.pk}/test/", headers=LINES))
    assert [line.get("step") for line in lines] == ["port", "login", "version", "inventory", None]
    assert (lines[-1]["done"], lines[-1]["ok"]) == (True, True)
    entry = Entry.objects.get(verb="hypervisor.test")
    assert (entry.via, entry.data["ok"]) == ("admin", True)


def test_a_failed_step_says_what_to_do_and_the_rest_is_not_tried(console, root, hypervisor):
    actions.update(hypervisor, {"settings": {"api_token": "wrong"}}, actor=root)
    answer = console.post(f"{LIST}{hypervisor.pk}/test/")
    outcomes = [told["outcome"] for told in answer.context["steps"]]
    assert outcomes == ["ok", "failed", "skipped", "skipped"]
    assert "Check the user and the password" in page(answer)
    assert Hypervisor.objects.get().health == Health.ERROR


def test_settings_are_tried_before_they_are_saved(console, hypervisor):
    sent = {"hypervisor": hypervisor.pk, **RECORD, **SETTINGS, "setting_api_token": "wrong"}
    lines = told(console.post(f"{LIST}try/", sent, headers=LINES))
    assert [line["ok"] for line in lines] == [True, False, False]
    lines = told(console.post(f"{LIST}try/", {**sent, "setting_api_token": ""}, headers=LINES))
    assert lines[-1]["ok"]
    saved = Hypervisor.objects.get()
    assert (saved.health, saved.clear_settings()["api_token"]) == (Health.UNKNOWN, "s3cr3t-token")
    assert Entry.objects.filter(verb="hypervisor.test", data__unsaved=True).count() == 2


def test_bad_settings_are_told_as_a_failed_step(console, own_home):
    lines = told(console.post(f"{LIST}try/", {**RECORD, **SETTINGS, "setting_latency": "-1"}, headers=LINES))
    assert [line.get("step") for line in lines] == ["settings", None]
    assert "Latency" in lines[0]["html"]
    assert not (own_home / "mock").exists()


def test_a_test_that_hangs_is_given_up(hypervisor, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(MockDriver, "check", lambda self: [] if release.wait(5) else [])
    (late,) = connection.steps(gateway_for(hypervisor), seconds=0.05)
    release.set()
    assert (late.step, late.ok) == ("timeout", False)


def test_a_driver_without_a_checklist_is_told_at_its_end(hypervisor, monkeypatch, own_home):
    gateway = Gateway(MockDriver("x", {}, own_home), 1)
    checks = gateway.check()
    monkeypatch.setattr(MockDriver, "check", lambda self: checks)
    assert list(connection.steps(gateway)) == checks


# -- maintenance and removal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "on"), [("begin_maintenance", True), ("end_maintenance", False)])
def test_maintenance_of_many(console, hypervisor, action, on):
    Hypervisor.objects.update(maintenance=not on)
    console.post(LIST, {"action": action, "_selected_action": [hypervisor.pk], "reason": "new disks"})
    saved = Hypervisor.objects.get()
    assert (saved.maintenance, saved.maintenance_reason) == (on, "new disks" if on else "")


def test_nothing_chosen_changes_nothing(console, hypervisor):
    for sent in ({"action": "begin_maintenance"}, {"action": "odd", "_selected_action": [hypervisor.pk]}):
        assert console.post(LIST, {**sent}, follow=True).status_code == 200
    assert not Hypervisor.objects.get().maintenance


def test_maintenance_asks_with_what_it_means(console, hypervisor):
    url = f"{LIST}{hypervisor.pk}/maintenance/"
    assert "New work on it is refused" in page(console.get(url))
    assert not Hypervisor.objects.get().maintenance
    assert "new disks" in page(console.post(url, {"on": "1", "reason": "new disks"}, follow=True))
    assert "x" * 201 not in Hypervisor.objects.get().maintenance_reason
    assert console.post(url, {"on": "1", "reason": "x" * 201}).status_code == 200
    assert Hypervisor.objects.get().maintenance_reason == "new disks"
    console.post(url, {"on": "0"})
    assert not Hypervisor.objects.get().maintenance


def test_deleting(console, hypervisor):
    console.post(f"{LIST}{hypervisor.pk}/delete/", {"post": "yes"})
    assert not Hypervisor.objects.exists()
    assert Entry.objects.filter(verb="hypervisor.delete").exists()


@pytest.mark.parametrize("address", ["clouds/images/", "abc/change/", "1.5/change/", "99999999999999999999/change/"])
def test_no_such_page_is_no_error_of_ours(console, address):
    assert console.get(f"/admin/hypervisors/hypervisor/{address}", follow=True).status_code == 404
