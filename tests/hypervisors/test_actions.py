"""Changes of a record: who may, what is refused, what the journal says; health."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Entry
from descriptors.models import Descriptor, Kind
from hypervisors import actions
from hypervisors.drivers.mock import MockDriver
from hypervisors.gateway import gateway_for
from hypervisors.health import mark_ok, mark_unreachable
from hypervisors.models import Health, Hypervisor
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound, Rejected, Stale, Unreachable
from tests.contract.contract import make_spec


def verbs() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("verb", flat=True))


# -- create, update, delete --------------------------------------------------------------------------------------------


def test_create_splits_settings_and_writes_the_journal(hypervisor, root):
    saved = Hypervisor.objects.get()
    assert saved.settings == {"latency": 0.0}
    assert saved.clear_settings() == {"latency": 0.0, "api_token": "s3cr3t-token"}
    entry = Entry.objects.get(verb="hypervisor.create")
    assert entry.actor == root
    assert entry.data["hypervisor"] == "rack-1"


def test_only_superusers_work_on_hypervisors(hypervisor, teacher):
    for attempt in (
        lambda: actions.create({"name": "x", "driver": "mock"}, actor=teacher),
        lambda: actions.update(hypervisor, {"description": "mine"}, actor=teacher),
        lambda: actions.delete(hypervisor, actor=teacher),
        lambda: actions.set_maintenance(hypervisor, True, actor=teacher),
        lambda: actions.test(hypervisor, actor=teacher),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert verbs() == ["hypervisor.create"]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": "a/b", "driver": "mock"}, "name"),
        ({"name": "..", "driver": "mock"}, "name"),
        ({"name": "ok\n", "driver": "mock"}, "name"),
        ({"name": "x" * 65, "driver": "mock"}, "name"),
        ({"name": "", "driver": "mock"}, "name"),
        ({"name": "ok", "driver": "kvm"}, "driver"),
        ({"name": "ok"}, "driver"),
        ({"name": "ok", "driver": "mock", "concurrency": 0}, "concurrency"),
        ({"name": "ok", "driver": "mock", "reconcile_interval": 1}, "reconcile_interval"),
        ({"name": "ok", "driver": "mock", "queue": "a b"}, "queue"),
        ({"name": "ok", "driver": "mock", "secrets": "x"}, "secrets"),
        ({"name": "ok", "driver": "mock", "settings": {"latency": -1}}, "settings.latency"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(root, fields, where):
    with pytest.raises(Invalid) as caught:
        actions.create(fields, actor=root)
    assert caught.value.where == where
    assert not Hypervisor.objects.exists()
    assert verbs() == []


def test_a_name_is_given_once(hypervisor, root):
    with pytest.raises(Conflict):
        actions.create({"name": "rack-1", "driver": "mock"}, actor=root)
    assert Hypervisor.objects.count() == 1


def test_a_secret_left_empty_is_kept(hypervisor, root):
    saved = actions.update(hypervisor, {"settings": {"latency": 1, "api_token": ""}}, actor=root)
    assert saved.clear_settings() == {"latency": 1.0, "api_token": "s3cr3t-token"}
    saved = actions.update(hypervisor, {"settings": {"api_token": "other"}}, actor=root)
    assert saved.clear_settings() == {"api_token": "other"}


def test_an_update_counts_versions_and_refuses_stale_ones(hypervisor, root):
    assert actions.update(hypervisor, {"description": "a"}, actor=root, expected_version=1).version == 2
    with pytest.raises(Stale):
        actions.update(hypervisor, {"description": "b"}, actor=root, expected_version=1)
    assert Hypervisor.objects.get().description == "a"


def test_name_and_driver_are_for_ever(hypervisor, root):
    with pytest.raises(Invalid) as caught:
        actions.update(hypervisor, {"name": "other"}, actor=root)
    assert caught.value.where == "name"
    assert actions.update(hypervisor, {"name": "rack-1", "queue": "site-b"}, actor=root).queue == "site-b"


def test_an_update_does_not_overwrite_the_health_seen_meanwhile(hypervisor, root):
    mark_ok(Hypervisor.objects.get())
    actions.update(hypervisor, {"description": "a"}, actor=root)
    assert Hypervisor.objects.get().health == Health.OK


def test_the_gateway_follows_the_settings(hypervisor, root):
    first = gateway_for(hypervisor)
    saved = actions.update(hypervisor, {"settings": {"latency": 0, "unreachable": True}}, actor=root)
    assert gateway_for(saved) is not first
    with pytest.raises(Unreachable):
        gateway_for(saved).list()


def test_delete_forgets_the_record_only(hypervisor, root, own_home):
    gateway_for(hypervisor).create(make_spec())
    actions.delete(hypervisor, actor=root)
    assert not Hypervisor.objects.exists()
    assert len(MockDriver("rack-1", {}, own_home).list()) == 1
    with pytest.raises(NotFound):
        actions.update(Hypervisor(pk=999, name="gone"), {"description": "x"}, actor=root)


def test_the_connections_of_a_deleted_hypervisor_are_let_go(hypervisor, root, own_home, monkeypatch):
    kept = gateway_for(actions.create({"name": "other", "driver": "mock"}, actor=root))
    gone, closed = gateway_for(hypervisor), []
    for gateway in (kept, gone):
        monkeypatch.setattr(gateway.driver, "close", lambda gateway=gateway: closed.append(gateway))
    actions.delete(hypervisor, actor=root)
    assert closed == [gone]


def test_delete_is_refused_while_machines_live_on_it(hypervisor, root):
    for number in range(7):
        name = f"web-{number}"
        Descriptor(kind=Kind.DESCRIPTOR, name=name, path=f"/{name}", hypervisor=hypervisor).save()
    with pytest.raises(Conflict) as caught:
        actions.delete(hypervisor, actor=root)
    assert "in use by 7: /web-0, /web-1" in caught.value.message
    assert Hypervisor.objects.filter(pk=hypervisor.pk).exists()
    assert "hypervisor.delete" not in verbs()


# -- maintenance -------------------------------------------------------------------------------------------------------


def test_maintenance_refuses_new_work_and_says_why(hypervisor, root):
    assert hypervisor.closed_because() == ""
    closed = actions.set_maintenance(hypervisor, True, "new disks", actor=root)
    closed = actions.set_maintenance(closed, True, "new disks", actor=root)
    assert closed.closed_because() == f"{hypervisor.name} is in maintenance."
    assert closed.maintenance_reason == "new disks"
    opened = actions.set_maintenance(closed, False, actor=root)
    assert (opened.maintenance, opened.maintenance_reason) == (False, "")
    assert verbs() == ["hypervisor.create", "hypervisor.maintenance_on", "hypervisor.maintenance_off"]


def test_a_reason_too_long_is_refused(hypervisor, root):
    with pytest.raises(Invalid):
        actions.set_maintenance(hypervisor, True, "x" * 201, actor=root)
    assert not Hypervisor.objects.get().maintenance


# -- test and health ---------------------------------------------------------------------------------------------------


def test_a_test_that_passes_keeps_health_and_capacity(hypervisor, root):
    gateway_for(hypervisor).create(make_spec())
    checks = actions.test(hypervisor, actor=root)
    saved = Hypervisor.objects.get()
    assert all(check.ok for check in checks)
    assert (saved.health, saved.capacity["vms"]) == (Health.OK, 1)
    assert saved.last_ok_at is not None
    assert verbs()[-2:] == ["hypervisor.ok", "hypervisor.test"]


@pytest.mark.parametrize(
    ("changes", "health"),
    [({"unreachable": True}, Health.UNREACHABLE), ({"api_token": "wrong"}, Health.ERROR)],
)
def test_a_test_that_fails_says_how(hypervisor, root, changes, health):
    saved = actions.update(hypervisor, {"settings": changes}, actor=root)
    checks = actions.test(saved, actor=root)
    assert not checks[-1].ok
    saved.refresh_from_db()
    assert saved.health == health
    assert checks[-1].detail in saved.health_detail
    assert "s3cr3t" not in str(list(Entry.objects.values()))


def test_a_test_with_a_lost_key_reports_it(hypervisor, root, settings):
    settings.OLIMPUS_SECRET_KEYS = ["cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="]
    (check,) = actions.test(hypervisor, actor=root)
    assert not check.ok
    assert "OLIMPUS_SECRET_KEYS" in check.detail


def test_the_journal_hears_of_changes_only(hypervisor):
    stale = Hypervisor.objects.get()
    assert mark_ok(hypervisor)
    assert not mark_ok(hypervisor)
    assert not mark_ok(stale)  # another worker noticed the same
    assert mark_unreachable(hypervisor, Unreachable("no route"))
    assert not mark_unreachable(stale, Unreachable("no route"))
    assert mark_unreachable(hypervisor, Rejected("bad token"))
    assert verbs()[1:] == ["hypervisor.ok", "hypervisor.unreachable", "hypervisor.error"]
    assert Hypervisor.objects.get().health_detail == "bad token"


def test_the_detail_follows_without_a_new_entry(hypervisor):
    mark_unreachable(hypervisor, Unreachable("no route"))
    assert not mark_unreachable(hypervisor, Unreachable("x" * 900))
    assert Hypervisor.objects.get().health_detail == "x" * 500
    assert verbs().count("hypervisor.unreachable") == 1


def test_a_fresh_ok_costs_no_query(hypervisor, django_assert_num_queries):
    mark_ok(hypervisor)
    with django_assert_num_queries(0):
        mark_ok(hypervisor)
    long_ago = timezone.now() - timedelta(minutes=1)
    Hypervisor.objects.update(last_ok_at=long_ago)
    mark_ok(Hypervisor.objects.get())
    assert Hypervisor.objects.get().last_ok_at > long_ago


@pytest.mark.django_db(transaction=True)
def test_many_workers_noticing_at_once_write_one_entry(hypervisor):
    def notice() -> None:
        mark_unreachable(Hypervisor.objects.get(), Unreachable("no route"))
        connection.close()

    threads = [threading.Thread(target=notice) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert verbs().count("hypervisor.unreachable") == 1


# -- drift by command --------------------------------------------------------------------------------------------------


def test_the_command_plays_the_colleague(hypervisor, own_home):
    vm = gateway_for(hypervisor).create(make_spec(name="web"))
    call_command("mock_drift", "rack-1", "web", power="on", cpus=7)
    call_command("mock_drift", "rack-1", "by-hand", create=True)
    seen = {each.name: each for each in MockDriver("rack-1", {}, own_home).list()}
    assert (seen["web"].cpus, seen["web"].power, seen["by-hand"].uid) == (7, "on", "")
    call_command("mock_drift", "rack-1", vm.uid, delete=True)
    assert [each.name for each in MockDriver("rack-1", {}, own_home).list()] == ["by-hand"]


@pytest.mark.parametrize("arguments", [("rack-9", "web"), ("rack-1", "web"), ("rack-1", "web", "--delete")])
def test_the_command_refuses_what_is_not_there(hypervisor, arguments):
    with pytest.raises(CommandError):
        call_command("mock_drift", *arguments)
