"""What a hypervisor tells by itself is seen at once; what a dead worker carries is unknown, not gone."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Entry
from descriptors import reconcile, selectors, watching
from descriptors.models import Node, Unowned
from descriptors.selectors import attention
from descriptors.states import State
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers import mock
from hypervisors.drivers.base import Power
from hypervisors.drivers.mock import MockDriver
from hypervisors.models import Claim
from tests.processes.installation import until
from tests.worker.conftest import begin, fresh

TWO = "w1 4 8192 100\nw2 4 8192 100"
DEAD = "w1 4 8192 100 down\nw2 4 8192 100"


@pytest.fixture
def compare(world):
    return lambda: reconcile.reconcile(world.hypervisor.pk)


@pytest.fixture
def spread(world, tune, compare):
    """web on w1, db on w2, and on each worker one that nobody owns."""
    tune(workers=TWO)
    web, db = world.sam.web, world.sam.db
    world.do("create", web)
    world.do("create", db)
    for host in ("w1", "w2"):
        mock.create_by_hand(world.home, "mock-1", f"stray-{host}", host=host)
    compare()
    assert (fresh(web).host, fresh(db).host) == ("w1", "w2")
    return web, db


# -- parts that do not answer ------------------------------------------------------------------------------------------


def test_machines_of_a_dead_worker_are_unknown(world, tune, compare, spread):
    web, db = spread
    before = fresh(web)
    tune(workers=DEAD)
    report = compare()
    assert (report.reachable, report.unheard, report.drifted, report.unowned) == (True, 1, 0, 1)
    lost, kept = fresh(web), fresh(db)
    assert (lost.unheard, lost.drifted, lost.state, lost.silent) == (True, False, State.CREATED, "w1")
    assert lost.observed == {**before.observed, "power": "unknown"}  # the last figures stay
    assert (lost.observed_at, selectors.drift(lost)) == (before.observed_at, [])
    assert (kept.unheard, kept.silent, kept.observed["power"]) == (False, "", "off")
    assert set(Unowned.objects.values_list("name", flat=True)) == {"stray-w1", "stray-w2"}
    assert Claim.objects.count() == 2
    compare()
    assert [entry.path for entry in Entry.objects.filter(verb="vm.unheard")] == [web.path]  # told once


def test_a_worker_that_answers_again_is_told(world, tune, compare, spread):
    web, _db = spread
    tune(workers=DEAD)
    compare()
    mock.tamper(world.home, "mock-1", fresh(web).vm_ref, power=Power.ON)
    tune(workers=TWO)
    compare()
    back = fresh(web)
    assert (back.unheard, back.silent, back.drifted) == (False, "", True)
    assert [entry.data["host"] for entry in Entry.objects.filter(verb="vm.heard")] == ["w1"]


def test_a_busy_machine_of_a_dead_worker_is_left_alone(world, tune, compare, spread):
    web, _db = spread
    begin(world, "start", web)
    tune(workers=DEAD)
    compare()
    assert not fresh(web).unheard


def test_unknown_is_shown_wherever_states_are(world, tune, compare, spread):
    tune(workers=DEAD)
    compare()
    assert attention.census(world.root).states["unknown"] == 1
    assert world.sam.web.pk in [machine.pk for machine in selectors.in_trouble(world.root)]
    answer = world.api(world.root).get(f"/api/nodes/{world.sam.web.pk}").json()
    assert (answer["host"], answer["unheard"], answer["state"]) == ("w1", True, "created")
    (row,) = selectors.tallies_below(world.root, [world.tel141.path]).values()
    assert (row.states["unknown"], row.held["created"]) == (1, 2)


def test_claims_follow_what_is_seen(world, tune, compare):
    tune(workers=TWO)
    world.do("create", world.sam.web)
    Claim.objects.all().delete()  # as of a machine from before there were claims
    compare()
    claim = Claim.objects.get()
    assert (claim.uid, claim.host, claim.reason["code"]) == (world.sam.web.uid, "w1", "found")


# -- events ------------------------------------------------------------------------------------------------------------


def test_one_machine_is_compared_alone(world, monkeypatch):
    world.do("create", world.sam.web, world.sam.db)
    web = fresh(world.sam.web)
    mock.tamper(world.home, "mock-1", web.vm_ref, power=Power.ON)
    monkeypatch.setattr(MockDriver, "list", lambda self: pytest.fail("a listing for one machine"))
    with CaptureQueriesContext(connection) as asked:
        reconcile.look(world.hypervisor.pk, [web.vm_ref])
    assert fresh(web).drifted
    assert len(asked) <= 16
    mock.tamper(world.home, "mock-1", web.vm_ref, delete=True)
    reconcile.look(world.hypervisor.pk, [web.vm_ref])
    assert fresh(web).observed["power"] == "absent"


def test_what_nobody_owns_is_seen_too(world):
    vm = mock.create_by_hand(world.home, world.hypervisor.name, "stray")
    reconcile.look(world.hypervisor.pk, [vm.ref])
    assert Unowned.objects.get().name == "stray"
    mock.tamper(world.home, "mock-1", vm.ref, delete=True)
    reconcile.look(world.hypervisor.pk, [vm.ref])
    assert not Unowned.objects.exists()


def test_many_changes_are_for_one_listing(world, class_of, monkeypatch):
    class_of(20)
    begin(world, "create", Node.objects.get(path="/courses/class"))
    world.perform()
    monkeypatch.setattr(MockDriver, "get", lambda self, ref: pytest.fail("asked one by one"))
    refs = [info.ref for info in MockDriver("mock-1", {"latency": 0}, world.home).list()]
    assert not reconcile.look(world.hypervisor.pk, refs)


def test_a_slow_listing_does_not_undo_what_was_heard_meanwhile(world, compare, monkeypatch):
    world.do("create", world.sam.web)
    compare()
    ref, listed = fresh(world.sam.web).vm_ref, MockDriver.list

    def slowly(self):
        infos = listed(self)
        mock.tamper(world.home, "mock-1", ref, power=Power.ON)
        assert reconcile.look(world.hypervisor.pk, [ref])
        return infos

    with monkeypatch.context() as slow:
        slow.setattr(MockDriver, "list", slowly)
        compare()
    seen = fresh(world.sam.web)
    assert (seen.drifted, seen.observed["power"]) == (True, "on")
    compare()
    assert fresh(world.sam.web).observed_at > seen.observed_at


@pytest.fixture
def watchers(threads_world):
    made = watching.Watchers()
    yield made
    made.stop()
    time.sleep(0.5)  # their threads let go of the database


def test_a_change_by_hand_is_seen_within_two_seconds(threads_world, watchers):
    world = threads_world
    world.do("create", world.sam.web)
    watchers.look()
    assert until(lambda: fresh(world.sam.web).observed, 5)  # the first look
    begun = time.monotonic()
    mock.tamper(world.home, "mock-1", fresh(world.sam.web).vm_ref, power=Power.ON)
    assert until(lambda: Entry.objects.filter(verb="vm.drift", path=world.sam.web.path).exists(), 5)
    assert time.monotonic() - begun < 2


def test_watching_begins_and_ends_with_the_record(threads_world, watchers):
    world = threads_world
    pk = world.hypervisor.pk
    watchers.look()
    first = watchers._watches[pk]
    other = watching.Watchers()
    other.look()
    assert not other._watches  # one process of a data folder watches
    hypervisor_actions.update(world.hypervisor, {"settings": {"latency": 0, "listing_latency": 0.01}}, actor=world.root)
    watchers.look()
    assert watchers._watches[pk] is not first
    hypervisor_actions.set_maintenance(world.hypervisor, True, "discs", actor=world.root)
    watchers.look()
    assert not watchers._watches
    hypervisor_actions.set_maintenance(world.hypervisor, False, actor=world.root)
    watching.Watchers(["elsewhere"]).look()
    other.look()
    assert pk in other._watches
    other.stop()
