"""What goes wrong on the way: refusals, retries, cancelling, broken definitions, hypervisors that are full or away."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Entry
from descriptors import actions, tree
from descriptors.models import Descriptor, Node, Operation, Status
from descriptors.states import State
from descriptors.verbs import VERBS
from descriptors.worker import claims, engine, outcomes
from descriptors.worker.claims import claim, prepare
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers import mock
from hypervisors.retries import backoff
from olimpus.errors import Conflict, Transient, Unreachable
from tests.worker.conftest import begin, fresh, make_due


def never(_operation):
    return lambda: False


def test_a_refusal_is_final_and_says_why(world, tune, effects):
    tune(failure_rate=1, failure_kind="fatal")
    operation = world.do("create", world.sam.web)
    assert (operation.status, operation.attempts) == (Status.FAILED, 1)
    assert operation.error["id"] == "hypervisor:rejected"
    assert operation.error["where"] == "mock-1"
    web = fresh(world.sam.web)
    assert web.state == State.FAILED
    assert operation.error["message"] in web.reason
    assert effects() == []
    entry = Entry.objects.get(verb="vm.create.failed")
    assert (entry.path, entry.node_id, entry.via) == (web.path, web.pk, "worker")
    assert entry.data["state"] == "failed"
    assert entry.actor == world.root


def test_transient_faults_come_again_after_growing_pauses(world, tune):
    tune(failure_rate=1)
    operation = begin(world, "create", world.sam.web)
    pauses = []
    for attempt in range(1, 5):
        before = timezone.now()
        assert world.perform() == 1
        operation.refresh_from_db()
        assert (operation.status, operation.attempts, operation.worker) == (Status.QUEUED, attempt, "")
        assert operation.error["id"] == "hypervisor:transient"
        assert operation.open_for_id == world.sam.web.pk
        pauses.append((operation.wake_at - before).total_seconds())
        assert world.perform() == 0  # not before its time
        make_due()
    assert all(later > earlier for earlier, later in zip(pauses, pauses[1:], strict=False))
    assert fresh(world.sam.web).state == State.PROVISIONED
    world.perform()
    operation.refresh_from_db()
    assert (operation.status, operation.attempts) == (Status.FAILED, 5)
    assert Entry.objects.filter(verb="vm.create.retry").count() == 4


def test_what_passes_by_leaves_no_trace(world, tune, effects):
    tune(failure_rate=1)
    operation = begin(world, "create", world.sam.web)
    world.perform()
    tune(failure_rate=0)
    make_due()
    world.perform()
    operation.refresh_from_db()
    assert (operation.status, operation.attempts, operation.error) == (Status.SUCCEEDED, 2, None)
    assert effects() == ["create"]


@pytest.mark.parametrize("kind", ["transient", "lost"])
def test_many_machines_on_a_flaky_hypervisor(world, class_of, tune, effects, kind):
    machines = class_of(25)
    tune(failure_rate=0.3, failure_kind=kind, seed=7)
    folder = Node.objects.get(pk=machines[0].parent_id)
    for verb, effect in (
        ("create", "create"),
        ("start", "power_on"),
        ("restart", "shutdown"),
        ("force_off", "power_off"),
    ):
        # A "lost" answer counts as unreachable and comes again up to eight times.
        parent = begin(world, verb, folder)
        while world.perform():
            Operation.objects.filter(attempts__gt=3).update(attempts=3)  # luck is not what is tested
            make_due()
        parent.refresh_from_db()
        assert (parent.status, parent.succeeded, parent.failed) == (Status.SUCCEEDED, 25, 0)
        assert effects().count(effect) == 25
    assert effects().count("power_on") == 50  # started once, restarted once
    assert not Operation.objects.exclude(status=Status.SUCCEEDED).exists()


def test_an_unreachable_hypervisor_gets_more_patience_and_then_the_machine_fails(world, tune):
    tune(unreachable=True)
    operation = begin(world, "create", world.sam.web)
    for _attempt in range(8):
        world.perform()
        make_due()
    operation.refresh_from_db()
    assert (operation.status, operation.attempts) == (Status.FAILED, 8)
    assert fresh(world.sam.web).state == State.FAILED


def test_backoff_grows_and_is_bounded():
    random.seed(1)
    assert [backoff(Transient(""), n) is None for n in range(1, 7)] == [False] * 4 + [True] * 2
    assert [backoff(Unreachable(""), n) is None for n in range(1, 9)] == [False] * 7 + [True]
    assert 40 < backoff(Unreachable(""), 7) <= 60


def test_a_full_hypervisor_takes_as_many_as_fit(world, class_of, tune):
    machines = class_of(5)
    tune(capacity_vms=3)
    parent = begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    world.perform()
    parent.refresh_from_db()
    assert (parent.status, parent.succeeded, parent.failed) == (Status.PARTIAL, 3, 2)
    states = sorted(Descriptor.objects.filter(parent=machines[0].parent_id).values_list("state", flat=True))
    assert states == ["created"] * 3 + ["failed"] * 2
    assert {row.error["id"] for row in parent.children.filter(status=Status.FAILED)} == {"hypervisor:capacity"}


def test_maintenance_refuses_new_work_and_ends_what_was_begun(world):
    begin(world, "create", world.sam.web)
    hypervisor_actions.set_maintenance(world.hypervisor, True, "New disks", actor=world.root)
    with pytest.raises(Conflict, match="maintenance"):
        begin(world, "create", world.sam.db)
    world.perform()
    assert fresh(world.sam.web).state == State.CREATED


def test_a_broken_definition_does_not_keep_a_machine_from_stopping(world, effects):
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    Node.objects.filter(pk=world.courses.pk).update(definition={"flavor": "gone", "prototype": "never defined"})
    operation = world.do("stop", world.sam.web)
    assert (operation.status, fresh(world.sam.web).state) == (Status.SUCCEEDED, State.STOPPED)
    assert world.do("destroy", world.sam.web).status == Status.SUCCEEDED
    assert effects()[-2:] == ["shutdown", "destroy"]


def test_a_definition_that_breaks_between_request_and_create_fails_that_machine_only(world):
    for machine in (world.sam.web, world.sam.db):
        begin(world, "create", machine)
    Node.objects.filter(pk=world.sam.web.pk).update(definition={"prototype": "never defined"})
    world.perform()
    assert fresh(world.sam.web).state == State.FAILED
    assert "never defined" in fresh(world.sam.web).reason
    assert fresh(world.sam.db).state == State.CREATED


def test_a_machine_that_somebody_deleted_is_said_to_be_gone(world, settings):
    world.do("create", world.sam.web)
    mock.tamper(settings.OLIMPUS_HOME, "mock-1", fresh(world.sam.web).vm_ref, delete=True)
    operation = world.do("start", world.sam.web)
    assert (operation.status, operation.error["id"]) == (Status.FAILED, "hypervisor:vm-not-found")
    world.do("recover", world.sam.web)
    assert fresh(world.sam.web).state == State.PROVISIONED


def test_a_fault_of_ours_ends_as_a_failed_operation(world, monkeypatch):
    def broken(gateway, job):
        raise ZeroDivisionError

    monkeypatch.setitem(VERBS, "create", VERBS["create"].__class__(**{**VERBS["create"].__dict__, "drive": broken}))
    operation = world.do("create", world.sam.web)
    assert operation.status == Status.FAILED
    assert "ZeroDivisionError" in operation.error["message"]
    assert fresh(world.sam.web).state == State.FAILED


def test_a_machine_that_cannot_be_prepared_does_not_hold_up_the_others(world, monkeypatch):
    real = claims.spec_of

    def sometimes(machine, *rest):
        if machine.pk == world.sam.web.pk:
            raise RecursionError
        return real(machine, *rest)

    monkeypatch.setattr(claims, "spec_of", sometimes)
    begin(world, "create", world.sam.web)
    begin(world, "create", world.sam.db)
    world.perform()
    assert (fresh(world.sam.web).state, fresh(world.sam.db).state) == (State.FAILED, State.CREATED)


def test_a_result_that_cannot_be_written_fails_alone(world, class_of, monkeypatch):
    machines = class_of(4)
    real = outcomes._succeed

    def sometimes(result, operation, machine, outcome):
        if machine.pk == machines[2].pk:
            raise KeyError("surprise")
        real(result, operation, machine, outcome)

    monkeypatch.setattr(outcomes, "_succeed", sometimes)
    parent = begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    world.perform()
    parent.refresh_from_db()
    assert (parent.status, parent.succeeded, parent.failed) == (Status.PARTIAL, 3, 1)
    assert [fresh(machine).state for machine in machines] == ["created", "created", "failed", "created"]


# -- cancelling --------------------------------------------------------------------------------------------------------


def test_cancel_before_anybody_began(world, effects):
    world.do("create", world.sam.web)
    operation = begin(world, "start", world.sam.web)
    assert actions.cancel(operation, actor=world.root).status == Status.CANCELLED
    assert fresh(world.sam.web).state == State.CREATED
    assert world.perform() == 0
    assert effects() == ["create"]
    with pytest.raises(Conflict, match="ended"):
        actions.cancel(operation, actor=world.root)


def test_cancel_between_two_attempts_asks_the_hypervisor_nothing_more(world, tune, effects, sent):
    world.do("create", world.sam.web)
    tune(failure_rate=1)
    operation = begin(world, "start", world.sam.web)
    world.perform()
    tune(failure_rate=0)
    del sent[:]
    actions.cancel(operation, actor=world.root)
    world.perform()
    operation.refresh_from_db()
    assert operation.status == Status.CANCELLED
    assert fresh(world.sam.web).state == State.FAILED  # it may have happened: recover finds out
    assert effects() == ["create"]
    assert operation.worker == ""


def test_cancel_wakes_the_workers_after_the_commit(world, tune, sent, django_capture_on_commit_callbacks):
    tune(failure_rate=1)
    operation = begin(world, "create", world.sam.web)
    world.perform()
    with django_capture_on_commit_callbacks(execute=True):
        actions.cancel(operation, actor=world.root)
    assert ("descriptors.tasks.perform", [str(world.hypervisor.pk)], "olimpus") in sent


@pytest.mark.django_db(transaction=True)
def test_cancel_while_it_waits_for_the_guest(threads_world):
    world = threads_world
    hypervisor_actions.update(world.hypervisor, {"settings": {"latency": 0, "ignore_acpi": True}}, actor=world.root)
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    operation = begin(world, "stop", world.sam.web)
    working = engine.Engine(name="working")
    working.start()
    working.wake([world.hypervisor.pk])
    try:
        assert wait_for(lambda: Operation.objects.get(pk=operation.pk).status == Status.RUNNING)
        actions.cancel(operation, actor=world.root)
        assert wait_for(lambda: Operation.objects.get(pk=operation.pk).status == Status.CANCELLED)
    finally:
        working.stop()
    web = fresh(world.sam.web)
    assert (web.state, "recover" in web.reason) == (State.FAILED, True)
    world.do("recover", world.sam.web)
    assert fresh(world.sam.web).state == State.RUNNING


def test_cancel_of_a_folder_ends_what_is_queued_and_counts_it(world, class_of):
    machines = class_of(6)
    parent = begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    held = claim(world.hypervisor.pk, 2, "somebody")
    actions.cancel(parent, actor=world.root)
    parent.refresh_from_db()
    assert (parent.status, parent.cancelled, parent.cancel_requested) == (Status.RUNNING, 4, True)
    outcomes.commit([engine.driven(task) for task in prepare(held, never)], "somebody")
    parent.refresh_from_db()
    assert (parent.status, parent.succeeded, parent.cancelled) == (Status.PARTIAL, 2, 4)


def test_cancel_of_one_child_is_counted_by_its_parent(world, class_of):
    machines = class_of(2)
    parent = begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    actions.cancel(parent.children.first(), actor=world.root)
    world.perform()
    parent.refresh_from_db()
    assert (parent.status, parent.succeeded, parent.cancelled) == (Status.PARTIAL, 1, 1)


def test_a_hanging_driver_call_is_given_up_after_its_deadline(world, tune):
    world.do("create", world.sam.web)
    operation = begin(world, "start", world.sam.web)
    (mine,) = claim(world.hypervisor.pk, 5, "hanging")
    assert outcomes.expire() == 0
    Operation.objects.filter(pk=operation.pk).update(deadline=timezone.now() - outcomes.GRACE - timedelta(seconds=1))
    assert outcomes.expire() == 1
    operation.refresh_from_db()
    assert (operation.status, operation.error["id"]) == (Status.FAILED, "hypervisor:timeout")
    assert fresh(world.sam.web).state == State.FAILED
    # The call comes back after all: nobody listens to it.
    assert outcomes.commit([engine.driven(task) for task in prepare([mine], never)], "hanging") == 0
    assert fresh(world.sam.web).state == State.FAILED


def test_no_retry_is_planned_beyond_the_deadline(world, tune):
    tune(failure_rate=1)
    operation = begin(world, "create", world.sam.web)
    claimed = claim(world.hypervisor.pk, 5, "w")
    Operation.objects.filter(pk=operation.pk).update(deadline=timezone.now())
    outcomes.commit([engine.driven(task) for task in prepare(claimed, never)], "w")
    operation.refresh_from_db()
    assert operation.status == Status.FAILED


def test_a_node_that_vanished_ends_its_operation(world):
    operation = begin(world, "create", world.sam.web)
    Operation.objects.filter(pk=operation.pk).update(open_for=None)
    tree.remove([world.sam.web.pk])
    world.perform()
    operation.refresh_from_db()
    assert (operation.status, operation.finished_at is not None) == (Status.FAILED, True)


def wait_for(condition, seconds=15.0):
    """Whether it becomes true in time."""
    done = threading.Event()
    for _turn in range(int(seconds / 0.05)):
        if condition():
            return True
        done.wait(0.05)
    return False


def test_permits_are_given_back_after_failures(world, class_of, tune):
    machines = class_of(12)  # more than may be called at once
    tune(failure_rate=1, failure_kind="fatal")
    begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    world.perform()
    assert Operation.objects.filter(status=Status.FAILED, total=0).count() == 12
    tune(failure_rate=0)
    world.do("recover", machines[0])
    assert fresh(machines[0]).state == State.PROVISIONED
