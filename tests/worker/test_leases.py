"""Workers that die, lose their lease, meet each other, or are told to stop: no operation is lost, none is done twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from descriptors import actions, tasks
from descriptors.models import Descriptor, Node, Operation, Status
from descriptors.states import State
from descriptors.worker import claims, engine, life, outcomes
from descriptors.worker.claims import LEASE, claim, prepare, release_lost
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers import mock
from hypervisors.retries import Interrupted
from tests import factories
from tests.worker.conftest import begin, fresh
from tests.worker.test_trouble import never, wait_for


def drive(operations):
    return [engine.driven(task) for task in prepare(operations, never)]


def lose_lease(operation):
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_claim_takes_each_operation_once(world, class_of):
    machines = class_of(10)
    begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    first, second, third = (claim(world.hypervisor.pk, 6, name) for name in ("a", "b", "c"))
    assert (len(first), len(second), third) == (6, 4, [])
    assert not {o.pk for o in first} & {o.pk for o in second}
    assert {o.worker for o in Operation.objects.filter(total=0)} == {"a", "b"}
    assert all(o.attempts == 1 and o.started_at and o.deadline and o.lease_until for o in first)


def test_people_go_before_folders(world, class_of):
    machines = class_of(5)
    begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    mine = begin(world, "create", world.sam.web)
    assert [o.pk for o in claim(world.hypervisor.pk, 1, "a", single=True)] == [mine.pk]
    assert claim(world.hypervisor.pk, 5, "a", single=True) == []
    other = begin(world, "create", world.sam.db)
    assert claim(world.hypervisor.pk, 3, "a")[0].pk == other.pk


def test_a_dead_worker_loses_its_operations_when_its_lease_ends(world):
    operation = begin(world, "create", world.sam.web)
    claim(world.hypervisor.pk, 5, "dead")
    assert release_lost() == 0
    lose_lease(operation)
    assert release_lost() == 1
    operation.refresh_from_db()
    assert (operation.status, operation.worker, operation.lease_until) == (Status.QUEUED, "", None)
    world.perform()
    operation.refresh_from_db()
    assert (operation.status, operation.attempts) == (Status.SUCCEEDED, 2)


def test_a_living_worker_renews_what_it_drives_and_nothing_else(world):
    begin(world, "create", world.sam.web)
    begin(world, "create", world.sam.db)
    first, second = claim(world.hypervisor.pk, 5, "alive")
    for operation in (first, second):
        lose_lease(operation)
    claims.renew("alive", [first.pk])
    claims.renew("other", [second.pk])
    assert release_lost() == 1
    assert Operation.objects.get(pk=first.pk).lease_until > timezone.now() + LEASE - timedelta(seconds=2)


def test_whoever_lost_his_lease_cannot_commit(world, effects):
    operation = begin(world, "create", world.sam.web)
    late = drive(claim(world.hypervisor.pk, 5, "slow"))
    lose_lease(operation)
    release_lost()
    assert outcomes.commit(late, "slow") == 0
    on_time = drive(claim(world.hypervisor.pk, 5, "quick"))
    assert outcomes.commit(late, "slow") == 0
    assert fresh(world.sam.web).state == State.PROVISIONED
    assert outcomes.commit(on_time, "quick") == 1
    assert outcomes.commit(on_time, "quick") == 0
    assert (fresh(world.sam.web).state, effects()) == (State.CREATED, ["create"])


def test_an_old_claim_of_the_same_worker_is_fenced_by_its_number(world):
    operation = begin(world, "create", world.sam.web)
    late = drive(claim(world.hypervisor.pk, 5, "same"))
    lose_lease(operation)
    release_lost()
    again = claim(world.hypervisor.pk, 5, "same")
    assert outcomes.commit(late, "same") == 0
    assert outcomes.commit(drive(again), "same") == 1


@pytest.mark.parametrize("after", ["nothing", "shutdown", "both"])
def test_a_restart_is_not_doubled_when_it_is_taken_over(world, effects, after, settings):
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    operation = begin(world, "restart", world.sam.web)
    tasks_of_dead = prepare(claim(world.hypervisor.pk, 5, "dead"), never)
    if after == "shutdown":
        mock.MockDriver("mock-1", {"latency": 0}, settings.OLIMPUS_HOME).stop(fresh(world.sam.web).vm_ref)
    elif after == "both":
        engine.driven(tasks_of_dead[0])
    lose_lease(operation)
    release_lost()
    world.perform()
    assert fresh(world.sam.web).state == State.RUNNING
    assert effects() == ["create", "power_on", "shutdown", "power_on"]


def test_a_start_that_had_written_the_definition_says_so_when_it_is_taken_over(world, effects):
    world.do("create", world.sam.web)
    actions.edit(fresh(world.sam.web), {"memory_mib": 3072, "nics": [{"network": "lan"}]}, actor=world.root)
    operation = begin(world, "start", world.sam.web)
    drive(claim(world.hypervisor.pk, 5, "dead"))
    lose_lease(operation)
    release_lost()
    world.perform()
    web = fresh(world.sam.web)
    assert (web.state, web.applied["memory_mib"]) == (State.RUNNING, 3072)
    assert effects() == ["create", "reconfigure", "power_on"]


def test_a_lost_message_is_sent_again_by_the_sweep(world, sent):
    begin(world, "create", world.sam.web)
    del sent[:]  # the broker lost it
    tasks.sweep()
    assert sent == [("descriptors.tasks.perform", [str(world.hypervisor.pk)], "olimpus")]
    world.perform()
    del sent[:]
    tasks.sweep()
    assert sent == []


def test_the_sweep_speaks_to_the_queue_of_each_site(world, sent):
    hypervisor_actions.update(world.hypervisor, {"queue": "site-b"}, actor=world.root)
    begin(world, "create", world.sam.web)
    tasks.sweep()
    assert sent[-1] == ("descriptors.tasks.perform", [str(world.hypervisor.pk)], "site-b")


# -- dead or alive -----------------------------------------------------------------------------------------------------

KILLED = """
import os, sys, pathlib, signal
from django.conf import settings
settings.configure(OLIMPUS_HOME=pathlib.Path(sys.argv[1]))
from descriptors.worker.life import Life
life = Life("killed")
print("ready", flush=True)
if sys.argv[2] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.stdin.read()
"""


def test_a_killed_worker_is_known_to_be_dead_at_once(world, settings):
    operation = begin(world, "create", world.sam.web)
    claim(world.hypervisor.pk, 5, "killed")
    command = [sys.executable, "-c", KILLED, str(settings.OLIMPUS_HOME)]
    living = subprocess.Popen([*command, "live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert living.stdout.readline() == "ready\n"
    assert (life.dead(), release_lost()) == ([], 0)
    living.kill()
    living.communicate()
    assert life.dead() == ["killed"]
    assert release_lost() == 1
    assert life.dead() == []
    operation.refresh_from_db()
    assert operation.status == Status.QUEUED


def test_a_worker_that_ends_in_order_leaves_no_lock(settings, tmp_path):
    settings.OLIMPUS_HOME = tmp_path
    held = life.Life("me")
    assert life.dead() == []
    held.end()
    held.end()
    assert list((tmp_path / "workers").iterdir()) == []


# -- engines in threads ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_engines_never_do_the_same_operation(threads_world, settings):
    world = threads_world
    hypervisor_actions.update(world.hypervisor, {"settings": {"latency": 0.01}}, actor=world.root)
    folder = factories.folder(f"{world.courses.path}/class", world.root)
    factories.many_machines(folder.path, 60, world.root)
    engines = [engine.Engine(name=f"engine-{number}") for number in range(2)]
    for one in engines:
        one.start()
    for verb, state in (("create", State.CREATED), ("start", State.RUNNING), ("restart", State.RUNNING)):
        parent = begin(world, verb, folder)
        for one in engines:
            one.wake([world.hypervisor.pk])
        assert wait_for(lambda pk=parent.pk: Operation.objects.get(pk=pk).finished_at, 30)
        parent.refresh_from_db()
        assert (parent.status, parent.succeeded, parent.failed) == (Status.SUCCEEDED, 60, 0)
        assert set(Descriptor.objects.values_list("state", flat=True)) == {state}
    for one in engines:
        one.stop()
    happened = Counter((event.verb, event.uid) for event in mock.events(settings.OLIMPUS_HOME, "mock-1"))
    assert Counter(happened.values()) == {1: 120, 2: 60}  # one create and one shutdown each, switched on twice
    assert {verb for (verb, _uid), number in happened.items() if number == 2} == {"power_on"}
    assert not Operation.objects.exclude(attempts__lte=1).exists()


@pytest.mark.django_db(transaction=True)
def test_stopping_an_engine_gives_back_what_waits(threads_world):
    world = threads_world
    hypervisor_actions.update(world.hypervisor, {"settings": {"latency": 0, "ignore_acpi": True}}, actor=world.root)
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    operation = begin(world, "stop", world.sam.web)
    first = engine.Engine(name="first")
    first.start()
    first.wake([world.hypervisor.pk])
    assert wait_for(lambda: Operation.objects.get(pk=operation.pk).worker == "first")
    first.stop()
    operation.refresh_from_db()
    assert (operation.status, operation.worker, operation.error) == (Status.QUEUED, "", None)
    assert fresh(world.sam.web).state == State.STOPPING
    hypervisor_actions.update(world.hypervisor, {"settings": {"latency": 0, "ignore_acpi": False}}, actor=world.root)
    world.perform()
    assert fresh(world.sam.web).state == State.STOPPED


@pytest.mark.django_db(transaction=True)
def test_the_engine_goes_on_when_the_database_comes_back(threads_world, monkeypatch):
    world = threads_world
    operation = begin(world, "create", world.sam.web)
    broken = threading.Event()
    broken.set()
    real = outcomes._commit

    def sometimes(results, worker):
        if broken.is_set():
            raise OperationalError(2006, "the server has gone away")
        return real(results, worker)

    monkeypatch.setattr(outcomes, "_commit", sometimes)
    working = engine.Engine(name="working")
    working.start()
    working.wake([world.hypervisor.pk])
    try:
        assert not wait_for(lambda: Operation.objects.get(pk=operation.pk).finished_at, 1)
        broken.clear()
        assert wait_for(lambda: Operation.objects.get(pk=operation.pk).finished_at, 10)
    finally:
        working.stop()
    assert fresh(world.sam.web).state == State.CREATED


def test_places_are_kept_for_people_while_a_folder_hangs(world, class_of, tune, monkeypatch):
    """Sixteen machines of a folder fill the lane; one single start is begun all the same."""
    machines = class_of(16)
    begin(world, "create", Node.objects.get(pk=machines[0].parent_id))
    working = engine.Engine(name="w")
    monkeypatch.setattr(
        working, "_submit", lambda lane, rows: held.extend(rows) or setattr(lane, "under_way", len(held))
    )
    held: list[Operation] = []
    working.wake([world.hypervisor.pk])
    working._turn(wait=0.01)
    assert len(held) == 7  # 2 × 4 places, one of them reserved
    single = begin(world, "create", world.sam.web)
    working.wake([world.hypervisor.pk])
    working._turn(wait=0.01)
    assert held[-1].pk == single.pk
    assert len(held) == 8


def test_a_lane_follows_the_settings_of_its_hypervisor(world):
    working = engine.Engine(name="w")
    working.drain([world.hypervisor.pk])
    assert working._lanes[world.hypervisor.pk].room == 8
    hypervisor_actions.update(world.hypervisor, {"concurrency": 9}, actor=world.root)
    begin(world, "create", world.sam.web)
    working.drain([world.hypervisor.pk])
    assert working._lanes[world.hypervisor.pk].room == 18
    assert fresh(world.sam.web).state == State.CREATED


def test_an_interruption_by_a_stop_is_no_failure(world):
    begin(world, "create", world.sam.web)
    working = engine.Engine(name="w")
    (operation,) = claim(world.hypervisor.pk, 5, "w")
    (task,) = prepare([operation], never)
    working._ending.set()
    working._unwritten = [outcomes.Result(task, error=Interrupted("told to stop"))]
    working._write()
    operation.refresh_from_db()
    assert (operation.status, operation.worker, operation.finished_at) == (Status.QUEUED, "", None)


# -- queries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["create", "start", "stop", "destroy"])
def test_queries_do_not_grow_with_the_batch(world, class_of, verb):
    machines = class_of(60)
    folder = Node.objects.get(pk=machines[0].parent_id)
    for before in ["create", "start", "stop", "destroy"]:
        if before == verb:
            break
        world.do(before, folder)
    begin(world, verb, folder)
    default = connections["default"]
    figures = []
    for number in (5, 50):
        with CaptureQueriesContext(default) as claiming:
            mine = claim(world.hypervisor.pk, number, "w")
            ready = prepare(mine, never)
        results = [engine.driven(task) for task in ready]
        with CaptureQueriesContext(default) as committing:
            assert outcomes.commit(results, "w") == number
        figures.append((len(claiming), len(committing)))
    # What hypervisors call flavors is read anew every few seconds.
    assert abs(figures[0][0] - figures[1][0]) <= 1
    assert figures[1][0] <= 9
    assert abs(figures[1][1] - figures[0][1]) <= 8, figures  # rows of one second and of the next are two statements
    assert figures[1][1] <= 30
