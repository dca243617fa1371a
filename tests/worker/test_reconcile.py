"""Comparing the tree with what the hypervisors really have."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Entry
from descriptors import actions, reconcile, selectors, tasks
from descriptors.models import Descriptor, Node, Operation, Unowned
from descriptors.states import State
from hypervisors.drivers import mock
from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.mock import MockDriver
from hypervisors.models import Health, Hypervisor
from olimpus.errors import Forbidden
from tests.worker.conftest import begin, fresh


@pytest.fixture
def compare(world):
    return lambda: reconcile.reconcile(world.hypervisor.pk)


@pytest.fixture
def by_hand(world, settings):
    def change(machine, **changes):
        return mock.tamper(settings.OLIMPUS_HOME, "mock-1", fresh(machine).vm_ref, **changes)

    return change


def drift_of(machine):
    return {row["field"]: (row["expected"], row["observed"]) for row in selectors.drift(fresh(machine))}


def test_nothing_differs_after_our_own_work(world, compare):
    world.do("create", world.sam.web, world.sam.db)
    report = compare()
    assert (report.reachable, report.vms, report.descriptors, report.drifted, report.unowned) == (True, 2, 2, 0, 0)
    web = fresh(world.sam.web)
    assert (web.observed["power"], web.observed["cpus"], web.drifted) == ("off", 1, False)
    assert web.observed_at > web.settled_at
    assert fresh(world.ana.web).observed is None  # a definition only: nothing to compare


@pytest.mark.parametrize(
    ("change", "field", "expected", "observed"),
    [
        ({"power": "on"}, "power", "off", "on"),
        ({"power": "paused"}, "power", "off", "paused"),
        ({"delete": True}, "power", "off", "absent"),
        ({"cpus": 7}, "cpus", 1, 7),
        ({"memory_mib": 777}, "memory_mib", 1536, 777),
        ({"nics": (NicSpec("lan", "02:11:22:33:44:55"),)}, "macs", None, ["02:11:22:33:44:55"]),
        ({"nics": ()}, "macs", None, []),
    ],
)
def test_drift_is_shown_field_by_field(world, compare, by_hand, change, field, expected, observed):
    world.do("create", world.sam.web)
    compare()
    by_hand(world.sam.web, **change)
    assert compare().drifted == 1
    web = fresh(world.sam.web)
    assert (web.state, web.drifted) == (State.CREATED, True)  # reported, not repaired
    found = drift_of(web)
    assert found[field][1] == observed
    if expected is not None:
        assert found[field][0] == expected
    entry = Entry.objects.get(verb="vm.drift")
    assert (entry.path, entry.via) == (web.path, "worker")
    assert field in [row["field"] for row in entry.data["drift"]]
    compare()
    assert Entry.objects.filter(verb="vm.drift").count() == 1  # said once


def test_drift_is_cleared_by_reapply(world, compare, by_hand):
    world.do("create", world.sam.web)
    by_hand(world.sam.web, memory_mib=777)
    compare()
    world.do("reapply", world.sam.web)
    assert fresh(world.sam.web).drifted is False
    assert compare().drifted == 0


def test_drift_that_somebody_repairs_by_hand_is_said_to_be_gone(world, compare, by_hand):
    world.do("create", world.sam.web)
    by_hand(world.sam.web, power="on")
    compare()
    by_hand(world.sam.web, power="off")
    compare()
    assert [entry.verb for entry in Entry.objects.filter(verb__startswith="vm.drift").order_by("pk")] == [
        "vm.drift",
        "vm.drift.cleared",
    ]


def test_a_hypervisor_that_is_away_says_nothing_about_its_machines(world, compare, tune):
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    compare()
    before = fresh(world.sam.web)
    tune(unreachable=True)
    assert compare().reachable is False
    after = fresh(world.sam.web)
    assert (after.state, after.observed, after.observed_at) == (before.state, before.observed, before.observed_at)
    assert after.drifted is False
    world.hypervisor.refresh_from_db()
    assert world.hypervisor.health == Health.UNREACHABLE
    compare()
    assert Entry.objects.filter(verb="hypervisor.unreachable").count() == 1
    tune(unreachable=False)
    compare()
    world.hypervisor.refresh_from_db()
    assert world.hypervisor.health == Health.OK


def test_machines_in_the_middle_of_something_are_left_alone(world, compare, by_hand):
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    begin(world, "stop", world.sam.web)
    by_hand(world.sam.web, power="off")
    assert compare().drifted == 0
    assert drift_of(world.sam.web) == {}
    world.perform()
    assert compare().drifted == 0


def test_what_moves_between_reading_and_writing_is_left_to_the_next_time(world, compare, by_hand, monkeypatch):
    world.do("create", world.sam.web)
    by_hand(world.sam.web, memory_mib=777)
    real = reconcile._write_batch

    def meanwhile(machines, looked_at):
        world.do("reapply", world.sam.web)
        real(machines, looked_at)

    monkeypatch.setattr(reconcile, "_write_batch", meanwhile)
    compare()
    web = fresh(world.sam.web)
    assert (web.drifted, web.observed) == (False, None)
    assert not Entry.objects.filter(verb="vm.drift").exists()


def test_a_listing_older_than_our_last_work_is_no_drift(world, compare, monkeypatch):
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    real = MockDriver.list

    def slow(self):
        infos = real(self)
        world.do("stop", world.sam.web)  # ends while the listing is on its way
        return infos

    monkeypatch.setattr(MockDriver, "list", slow)
    assert compare().drifted == 0
    assert fresh(world.sam.web).drifted is False


def test_an_unknown_power_keeps_what_was_known(world, compare, monkeypatch):
    from dataclasses import replace

    world.do("create", world.sam.web)
    compare()
    before = fresh(world.sam.web)
    real = MockDriver.list
    monkeypatch.setattr(MockDriver, "list", lambda self: [replace(info, power="unknown") for info in real(self)])
    compare()
    after = fresh(world.sam.web)
    assert (after.observed, after.observed_at, after.drifted) == (before.observed, before.observed_at, False)


def test_one_listing_whatever_the_number_of_machines(world, class_of, compare, monkeypatch):
    machines = class_of(30)
    world.do("create", Node.objects.get(pk=machines[0].parent_id))
    calls = []
    for name in ("list", "get", "find"):
        real = getattr(MockDriver, name)
        monkeypatch.setattr(
            MockDriver, name, lambda self, *a, real=real, name=name: calls.append(name) or real(self, *a)
        )
    compare()
    assert calls == ["list"]


def test_queries_per_thousand_are_constant(world, class_of, compare):
    machines = class_of(2000)
    Descriptor.objects.filter(pk__in=[machine.pk for machine in machines]).update(
        state=State.STOPPED, hypervisor=world.hypervisor, state_since=timezone.now()
    )
    counts = []
    for number in (1000, 2000):
        chosen = [machine.pk for machine in machines[:number]]
        Descriptor.objects.exclude(pk__in=chosen).update(hypervisor=None)
        Descriptor.objects.filter(pk__in=chosen).update(hypervisor=world.hypervisor, drifted=False, observed=None)
        with CaptureQueriesContext(connection) as queries:
            begun = time.monotonic()
            report = compare()
        assert (report.descriptors, report.drifted) == (number, number)  # all of them are absent
        counts.append(len(queries))
        assert time.monotonic() - begun < 20
    assert counts[1] <= 2 * counts[0]
    assert counts[0] <= 60
    with CaptureQueriesContext(connection) as queries:
        compare()
    assert len(queries) <= 15  # nothing has changed


# -- machines nobody owns ----------------------------------------------------------------------------------------------


@pytest.fixture
def stranger(world, settings):
    return mock.create_by_hand(
        settings.OLIMPUS_HOME, "mock-1", "old-web", cpus=2, memory_mib=2048, power="on",
        image="debian-11", nics=(NicSpec("lan", "02:aa:bb:cc:dd:01"),),
    )  # fmt: skip


def test_machines_that_nobody_owns_are_listed(world, compare, stranger, settings):
    world.do("create", world.sam.web)
    assert compare().unowned == 1
    row = Unowned.objects.get()
    assert (row.ref, row.name, row.info["power"], row.info["cpus"]) == (stranger.ref, "old-web", "on", 2)
    seen_at = row.seen_at
    compare()
    assert Unowned.objects.get().seen_at > seen_at
    mock.tamper(settings.OLIMPUS_HOME, "mock-1", stranger.ref, delete=True)
    assert compare().unowned == 0
    assert not Unowned.objects.exists()


def test_adopting_takes_it_over_as_it_is(world, compare, stranger, effects):
    compare()
    machine = actions.adopt(Unowned.objects.get(), world.lab, actor=world.root)
    assert (machine.path, machine.state, machine.vm_ref) == ("/lab/old-web", State.RUNNING, stranger.ref)
    report = compare()
    assert (report.unowned, report.drifted, report.descriptors) == (0, 0, 1)
    assert list(machine.cards.values_list("mac", flat=True)) == ["02:aa:bb:cc:dd:01"]
    world.do("stop", machine)
    assert fresh(machine).state == State.STOPPED
    assert effects() == ["create_by_hand", "adopt", "shutdown"]


def test_only_superusers_adopt(world, compare, stranger):
    compare()
    with pytest.raises(Forbidden):
        actions.adopt(Unowned.objects.get(), world.courses, actor=world.mia)
    assert not Descriptor.objects.exists()


# -- whose turn it is --------------------------------------------------------------------------------------------------


def test_each_hypervisor_is_compared_once_per_interval(world, sent):
    assert world.hypervisor.next_reconcile_at is None
    tasks.reconcile_due()
    tasks.reconcile_due()
    assert sent == [("descriptors.tasks.reconcile", [str(world.hypervisor.pk)], "olimpus")]
    world.hypervisor.refresh_from_db()
    assert world.hypervisor.next_reconcile_at > timezone.now()
    tasks.reconcile(sent[0][1])
    world.hypervisor.refresh_from_db()
    assert world.hypervisor.health == Health.OK
    assert not Operation.objects.exists()


def test_a_turn_that_is_taken_late_does_not_delay_the_next_one(world):
    """Workers ask every five seconds: with turns of five seconds, being late by a moment would halve them."""
    interval = timedelta(seconds=world.hypervisor.reconcile_interval)
    for late, in_step in ((timedelta(seconds=0.2), True), (10 * interval, False)):
        due = timezone.now() - late
        Hypervisor.objects.filter(pk=world.hypervisor.pk).update(next_reconcile_at=due)
        assert reconcile.claim_due() == [(world.hypervisor.pk, "olimpus")]
        world.hypervisor.refresh_from_db()
        assert (world.hypervisor.next_reconcile_at == due + interval) is in_step
        assert reconcile.claim_due() == []


def test_a_hypervisor_that_was_deleted_meanwhile_is_no_error(world):
    assert reconcile.reconcile(10**6) is None
