"""The circuit breaker: when it opens, who tries, what operations notice of it."""

from __future__ import annotations

import os
import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Entry
from descriptors import actions
from descriptors.models import Descriptor, Operation, Status
from descriptors.states import State
from descriptors.worker.engine import Engine
from hypervisors import breaker as breakers
from hypervisors.breaker import FAILURES, FIRST_REST, LONGEST_REST, WINDOW, Breaker, Circuit, Notice, seen
from hypervisors.drivers.mock import MockDriver
from hypervisors.gateway import Gateway, gateway_for
from hypervisors.models import Health
from hypervisors.retries import CircuitOpen, backoff
from olimpus.errors import Rejected, TimedOut, Transient, Unreachable
from tests import factories
from tests.worker.conftest import begin, fresh, make_due
from tests.worker.conftest import sent as sent
from tests.worker.conftest import tune as tune

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Time:
    """A clock that is set by the test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.now)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def told():
    return []


@pytest.fixture
def circuit(time, told):
    return Breaker(told.append, clock=time, wall=time.wall)


def fail(circuit: Breaker, times: int = FAILURES) -> None:
    for _ in range(times):
        assert circuit.admit() is None
        circuit.failed("no route")


# -- the machine itself ------------------------------------------------------------------------------------------------


def test_it_opens_after_failures_in_a_row(circuit, time, told):
    fail(circuit, FAILURES - 1)
    assert circuit.status.state is Circuit.CLOSED
    assert told == []
    fail(circuit, 1)
    assert [status.state for status in told] == [Circuit.OPEN]
    status = circuit.status
    assert (status.since, status.next_try_at) == (NOON, NOON + timedelta(seconds=FIRST_REST))
    assert (status.failures, status.error) == (FAILURES, "no route")
    refusal = circuit.admit()
    assert refusal.status.state is Circuit.OPEN
    assert refusal.retry_in >= FIRST_REST


def test_one_answer_between_them_keeps_it_closed(circuit):
    fail(circuit, FAILURES - 1)
    circuit.succeeded()
    fail(circuit, FAILURES - 1)
    assert circuit.status.state is Circuit.CLOSED


def test_failures_far_apart_do_not_open_it(circuit, time):
    for _ in range(3 * FAILURES):
        fail(circuit, 1)
        time.now += WINDOW / (FAILURES - 2)
    assert circuit.status.state is Circuit.CLOSED


def test_after_the_rest_one_tries_and_its_answer_closes_it(circuit, time, told):
    fail(circuit)
    time.now += FIRST_REST
    assert circuit.admit() is None
    assert circuit.status.state is Circuit.HALF_OPEN
    assert all(circuit.admit().retry_in <= 4 for _other in range(20))
    circuit.succeeded()
    assert circuit.admit() is None
    assert [status.state for status in told] == [Circuit.OPEN, Circuit.HALF_OPEN, Circuit.CLOSED]
    assert circuit.status.since is None


def test_a_trial_that_fails_makes_the_rest_longer_up_to_a_bound(circuit, time):
    fail(circuit)
    rests = []
    for _ in range(6):
        time.now = (circuit.status.next_try_at - NOON).total_seconds()
        assert circuit.admit() is None
        circuit.failed("still not")
        rests.append((circuit.status.next_try_at - NOON).total_seconds() - time.now)
    assert rests == [10, 20, 40, LONGEST_REST, LONGEST_REST, LONGEST_REST]
    assert circuit.status.since == NOON
    circuit.succeeded()
    fail(circuit)
    assert circuit.status.next_try_at == time.wall() + timedelta(seconds=FIRST_REST)


def test_a_trial_that_never_ends_is_followed_by_another(circuit, time):
    fail(circuit)
    time.now += FIRST_REST
    assert circuit.admit() is None  # and its thread is never heard of again
    time.now += FIRST_REST
    assert circuit.admit() is None


def test_calls_that_were_under_way_when_it_opened_say_nothing_new(circuit, time):
    fail(circuit)
    for _ in range(64):
        circuit.failed("late")
    assert circuit.status.next_try_at == NOON + timedelta(seconds=FIRST_REST)


def test_many_threads_make_one_trial(circuit, time):
    fail(circuit)
    time.now += FIRST_REST
    through, barrier = [], threading.Barrier(32)

    def call() -> None:
        barrier.wait()
        through.append(circuit.admit() is None)

    threads = [threading.Thread(target=call) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(through) == 1


@given(st.lists(st.tuples(st.sampled_from(["ok", "fail", "wait"]), st.floats(0.1, 90)), max_size=120))
def test_it_never_stays_shut_without_a_next_try(steps):
    time = Time()
    circuit = Breaker(clock=time, wall=time.wall)
    for step, seconds in steps:
        if step == "wait":
            time.now += seconds
        elif circuit.admit() is None:
            circuit.succeeded() if step == "ok" else circuit.failed("no")
    assert circuit.status.state is not Circuit.OPEN or circuit.status.next_try_at <= time.wall() + timedelta(
        seconds=LONGEST_REST
    )
    time.now += LONGEST_REST
    assert circuit.admit() is None


# -- seen from elsewhere -----------------------------------------------------------------------------------------------


def test_other_processes_see_the_worst(tmp_path, circuit, time):
    assert seen(tmp_path, "rack-1").state is Circuit.CLOSED
    fail(circuit)
    Notice(tmp_path, "rack-1").write(circuit.status)
    Notice(tmp_path, "rack-10").write(circuit.status)
    assert seen(tmp_path, "rack-1") == circuit.status
    Notice(tmp_path, "rack-1").write(breakers.Status())
    assert seen(tmp_path, "rack-1").state is Circuit.CLOSED
    assert seen(tmp_path, "rack-10").state is Circuit.OPEN


def test_what_a_dead_process_left_is_not_believed(tmp_path, circuit):
    fail(circuit)
    Notice(tmp_path, "rack-1").write(circuit.status)
    (note,) = (tmp_path / "circuits").iterdir()
    dead = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(dead, 0)
    note.rename(note.with_name(f"rack-1@{socket.gethostname()}@{dead}.json"))
    assert seen(tmp_path, "rack-1").state is Circuit.CLOSED
    (note,) = (tmp_path / "circuits").iterdir()
    elsewhere = note.rename(note.with_name(f"rack-1@elsewhere@{dead}.json"))
    assert seen(tmp_path, "rack-1").state is Circuit.OPEN
    os.utime(elsewhere, (0, 0))
    assert seen(tmp_path, "rack-1").state is Circuit.CLOSED
    Notice(tmp_path, "rack-1").write(circuit.status)
    next(path for path in (tmp_path / "circuits").iterdir() if path != elsewhere).write_text("{")
    assert seen(tmp_path, "rack-1").state is Circuit.CLOSED


# -- in the gateway ----------------------------------------------------------------------------------------------------


class Moody(MockDriver):
    """Says what it is told to."""

    mood: Exception | None = None
    calls = 0

    def list(self):
        self.calls += 1
        if self.mood:
            raise self.mood
        return super().list()


@pytest.fixture
def moody(tmp_path, circuit):
    return Gateway(Moody("rack-1", {"latency": 0.0}, tmp_path), 4, circuit)


def hung() -> TimedOut:
    error = TimedOut("no answer within 30 s")
    error.__cause__ = TimeoutError()
    return error


def call(gateway: Gateway, mood: Exception | None = None, times: int = 1) -> Exception | None:
    gateway.driver.mood = mood
    met: Exception | None = None
    for _ in range(times):
        try:
            gateway.list()
            met = None
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            met = error
    return met


@pytest.mark.parametrize(
    ("mood", "state"),
    [
        (Unreachable("no route"), Circuit.OPEN),
        (hung(), Circuit.OPEN),
        (TimedOut("still booting"), Circuit.CLOSED),
        (Transient("503"), Circuit.CLOSED),
        (Rejected("no"), Circuit.CLOSED),
        (ZeroDivisionError(), Circuit.CLOSED),
    ],
)
def test_only_silence_opens_it(moody, mood, state):
    call(moody, mood, 2 * FAILURES)
    assert moody.circuit.state is state


def test_the_silence_of_a_part_keeps_nobody_from_the_others(moody, monkeypatch):
    monkeypatch.setattr(Moody, "answers", lambda _driver: True)
    assert isinstance(call(moody, Unreachable("worker-2 is dead"), 2 * FAILURES), Unreachable)
    assert moody.circuit.state is Circuit.CLOSED
    assert call(moody) is None


def test_while_it_is_open_nobody_is_asked(moody, time):
    call(moody, Unreachable("no route"), FAILURES)
    moody.driver.calls = 0
    error = call(moody, None, 50)
    assert isinstance(error, CircuitOpen)
    assert (error.id, error.where, moody.driver.calls) == ("hypervisor:unreachable", "rack-1", 0)
    assert "12:00:00 UTC" in error.message
    assert "12:00:05 UTC" in error.message
    assert "no route" in error.message
    assert error.retry_in >= FIRST_REST
    assert backoff(error, 100) == error.retry_in
    time.now += FIRST_REST
    assert call(moody) is None
    assert (moody.circuit.state, moody.driver.calls) == (Circuit.CLOSED, 1)


def test_who_waits_for_a_permit_learns_that_it_opened(moody):
    call(moody, Unreachable("no route"), FAILURES)
    moody.permits.resize(0)  # all are taken by calls that hang
    assert isinstance(call(moody), CircuitOpen)


def test_a_connection_test_is_not_refused_and_closes_it(moody):
    call(moody, Unreachable("no route"), FAILURES)
    assert all(check.ok for check in moody.check())
    assert moody.circuit.state is Circuit.CLOSED


def test_a_changed_record_begins_anew_and_others_are_not_concerned(world, tune):
    other = factories.hypervisor(world.root, name="mock-2")
    tune(unreachable=True)
    gateway = gateway_for(world.hypervisor)
    for _ in range(FAILURES):
        with pytest.raises(Unreachable):
            gateway.list()
    assert seen(world.home, "mock-1").state is Circuit.OPEN
    assert gateway_for(other).list() == []
    tune(unreachable=False)
    assert gateway_for(world.hypervisor).list() == []
    assert seen(world.home, "mock-1").state is Circuit.CLOSED


# -- operations --------------------------------------------------------------------------------------------------------


@pytest.fixture
def outage(world, monkeypatch):
    """A mock that goes away and comes back without a change of its record, and a clock for its circuit."""
    clock = Time()
    gateway = gateway_for(world.hypervisor)
    gateway.breaker = Breaker(Notice(world.home, "mock-1").write, clock=clock)

    def away(on: bool) -> None:
        gateway.driver.values["unreachable"] = on

    away.clock = clock
    return away


def class_of(world, number):
    folder = factories.folder(f"{world.courses.path}/class", world.root)
    factories.many_machines(folder.path, number, world.root)
    return folder


def turn(world, outage, seconds):
    """Let time pass, and the workers do what is due then."""
    outage.clock.now += seconds
    make_due()
    world.perform()


def test_a_short_outage_fails_no_operation_for_good(world, outage):
    folder = class_of(world, 40)
    outage(True)
    parent = begin(world, "create", folder)
    world.perform()
    for _ in range(40):  # far more turns than there are attempts
        turn(world, outage, 3)
    children = Operation.objects.filter(parent=parent)
    assert set(children.values_list("status", flat=True)) == {Status.QUEUED}
    assert max(children.values_list("attempts", flat=True)) < 8
    outage(False)
    for _ in range(4):
        turn(world, outage, LONGEST_REST)
    parent.refresh_from_db()
    assert (parent.status, parent.succeeded) == (Status.SUCCEEDED, 40)
    assert set(Descriptor.objects.filter(parent=folder).values_list("state", flat=True)) == {State.CREATED}


def test_a_refusal_is_told_once_and_is_no_attempt(world, outage):
    folder = class_of(world, FAILURES)
    outage(True)
    parent = begin(world, "create", folder)
    world.perform()
    web = world.sam.web
    operation = begin(world, "create", web)
    for _ in range(5):
        make_due()
        world.perform()
    operation.refresh_from_db()
    assert (operation.status, operation.attempts) == (Status.QUEUED, 0)
    assert operation.error["id"] == "hypervisor:unreachable"
    assert Entry.objects.filter(verb="vm.create.retry", operation_id=operation.pk).count() == 1
    assert parent.children.filter(status=Status.QUEUED).count() == FAILURES


def test_the_deadline_still_ends_it(world, outage):
    folder = class_of(world, FAILURES)
    outage(True)
    begin(world, "create", folder)
    world.perform()
    operation = begin(world, "create", world.sam.web)
    world.perform()
    Operation.objects.filter(pk=operation.pk).update(deadline=NOON)
    make_due()
    world.perform()
    operation.refresh_from_db()
    assert operation.status == Status.FAILED
    assert fresh(world.sam.web).state == State.FAILED


def test_the_health_follows_the_circuit(world, outage):
    folder = class_of(world, FAILURES)
    outage(True)
    engine = Engine(name="one")
    begin(world, "create", folder)
    engine.drain([world.hypervisor.pk])
    world.hypervisor.refresh_from_db()
    assert (world.hypervisor.health, "answer" in world.hypervisor.health_detail) == (Health.UNREACHABLE, True)
    outage(False)
    outage.clock.now += LONGEST_REST
    for _ in range(2):
        make_due()
        engine.drain([world.hypervisor.pk])
    world.hypervisor.refresh_from_db()
    assert world.hypervisor.health == Health.OK
    assert Entry.objects.filter(verb="hypervisor.unreachable").count() == 1


def test_who_cancels_what_was_refused_is_not_told_that_nothing_happened(world, outage):
    """The circuit may have opened in the middle of a verb: only recover knows what is there."""
    folder = class_of(world, FAILURES)
    outage(True)
    begin(world, "create", folder)
    world.perform()
    operation = begin(world, "create", world.sam.web)
    world.perform()
    actions.cancel(operation, actor=world.root)
    world.perform()
    operation.refresh_from_db()
    assert operation.status == Status.CANCELLED
    assert fresh(world.sam.web).state == State.FAILED
