"""The console's pages for hypervisors."""

from __future__ import annotations

import pytest

from hypervisors.models import Health, Hypervisor

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


@pytest.fixture
def console(client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(answer) -> str:
    return answer.content.decode()


def test_others_are_kept_out(client, teacher, hypervisor):
    client.force_login(teacher, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{hypervisor.pk}/change/").status_code in {302, 403}
    assert client.post(f"{LIST}{hypervisor.pk}/test/").status_code == 302
    assert Hypervisor.objects.get().health == Health.UNKNOWN


def test_the_form_is_made_from_the_declaration(console):
    text = page(console.get(f"{LIST}add/"))
    assert 'name="setting_latency"' in text
    assert 'type="password" name="setting_api_token"' in text
    assert "<script>" not in text


def test_adding_goes_through_the_actions(console):
    answer = console.post(f"{LIST}add/", {"name": "rack-2", **RECORD, **SETTINGS, "setting_api_token": "s3cr3t"})
    assert answer.status_code == 302, page(answer)
    saved = Hypervisor.objects.get()
    assert saved.settings["latency"] == 0.0
    assert saved.clear_settings()["api_token"] == "s3cr3t"
    assert saved.concurrency == 8


def test_a_bad_setting_is_shown_at_its_field(console):
    answer = console.post(f"{LIST}add/", {"name": "rack-2", **RECORD, **SETTINGS, "setting_latency": "-1"})
    assert answer.status_code == 200
    assert "setting_latency" in answer.context["adminform"].form.errors
    assert not Hypervisor.objects.exists()


def test_changing_shows_no_secret_and_keeps_it(console, hypervisor):
    url = f"{LIST}{hypervisor.pk}/change/"
    assert "s3cr3t" not in page(console.get(url))
    changes = {"maintenance": "on", "maintenance_reason": "new disks", "setting_ignore_acpi": "on"}
    answer = console.post(url, {**RECORD, **SETTINGS, **changes, "setting_api_token": ""})
    assert answer.status_code == 302, page(answer)
    saved = Hypervisor.objects.get()
    assert saved.clear_settings()["api_token"] == "s3cr3t-token"
    assert saved.settings["ignore_acpi"] is True
    assert (saved.name, saved.maintenance, saved.maintenance_reason) == ("rack-1", True, "new disks")


def test_the_test_page_shows_each_step(console, hypervisor):
    url = f"{LIST}{hypervisor.pk}/test/"
    assert url in page(console.get(f"{LIST}{hypervisor.pk}/change/"))
    assert url in page(console.get(LIST))
    assert console.get(url).status_code == 200
    assert Hypervisor.objects.get().health == Health.UNKNOWN
    text = page(console.post(url))
    assert "Sign in" in text
    assert "mock 1.0" in text
    assert Hypervisor.objects.get().health == Health.OK


@pytest.mark.parametrize(("action", "on"), [("begin_maintenance", True), ("end_maintenance", False)])
def test_maintenance_of_many(console, hypervisor, action, on):
    Hypervisor.objects.update(maintenance=not on)
    console.post(LIST, {"action": action, "_selected_action": [hypervisor.pk]})
    assert Hypervisor.objects.get().maintenance is on


def test_deleting(console, hypervisor):
    console.post(f"{LIST}{hypervisor.pk}/delete/", {"post": "yes"})
    assert not Hypervisor.objects.exists()
