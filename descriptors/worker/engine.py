"""The engine of a worker process.

One thread does all the database work: it claims operations in batches, and commits results in batches, so that hundreds of
machines a second cost few transactions and no two threads fight for SQLite's write lock. Driver calls run on threads of
their hypervisor's lane and touch no row. The queue only wakes the engine; what is to be done is read from the database.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import journal
from descriptors.models import Operation
from descriptors.verbs import VERBS
from descriptors.worker.claims import Task, cancelled, claim, due_now, give_back, prepare, renew, unexpected
from descriptors.worker.life import Life
from descriptors.worker.outcomes import Result, commit
from descriptors.worker.placing import Desk, Sight, look
from hypervisors import health
from hypervisors.breaker import Circuit
from hypervisors.models import Health, Hypervisor
from hypervisors.retries import Interrupted
from olimpus.errors import OlimpusError

log = logging.getLogger(__name__)

#: Results that arrive within this time are committed together; a person does not notice it.
GATHER = 0.02
BATCH = 256
RENEW = 4.0
LOOK_FOR_CANCELS = 1.0
#: Seconds between two claims that bring little, and between two that bring nothing.
CRUMBS, NOTHING = 0.1, 0.5


@dataclass
class Lane:
    """One hypervisor's threads in this process. Twice as many operations as calls at once: some wait between polls."""

    hypervisor: int
    room: int
    pool: ThreadPoolExecutor
    under_way: int = 0
    #: There may be more in the database than we took; ask again not before this time.
    hungry: bool = True
    not_before: float = 0.0

    @property
    def free(self) -> int:
        """Places without an operation."""
        return self.room - self.under_way

    @property
    def reserved(self) -> int:
        """Places for single machines only: a folder of hundreds that hang must not keep a person waiting."""
        return self.room // 8


@dataclass
class Engine:
    """Claims, drives, commits. `drain` does it all in the caller's thread; `start` runs it in the background."""

    name: str = field(default_factory=lambda: f"{socket.gethostname()[:20]}:{os.getpid()}:{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self._lanes: dict[int, Lane] = {}
        self._inbox: queue.SimpleQueue[Result | Sight | int | None] = queue.SimpleQueue()
        self._desk = Desk()
        self._held: dict[UUID, Task] = {}
        self._unwritten: list[Result] = []
        self._to_stop: set[UUID] = set()
        self._ending = threading.Event()
        self._silent: set[int | None] = set()  # hypervisors whose circuit we told about
        self._renewed = self._looked = 0.0
        self._thread: threading.Thread | None = None

    # -- from outside --------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin to work in a thread of our own."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def wake(self, hypervisors: Iterable[int]) -> None:
        """There is something to do on these hypervisors. Returns at once; any thread, any number of times."""
        for hypervisor in hypervisors:
            self._inbox.put(hypervisor)

    def stop(self, patience: float = 10.0) -> None:
        """Claim nothing more, interrupt what waits, and wait for driver calls; what does not end goes to other workers."""
        self._ending.set()
        self._inbox.put(None)
        if self._thread:
            self._thread.join(patience)
            if self._thread.is_alive():
                give_back(self.name, list(self._held))

    def drain(self, hypervisors: Iterable[int]) -> int:
        """Do everything that is due on these hypervisors, in this thread; returns how many results were written."""
        self.wake(hypervisors)
        number = 0
        while True:
            number += self._turn(wait=0.05)
            if self._inbox.empty() and not self._held and not any(lane.hungry for lane in self._lanes.values()):
                return number

    # -- the loop ------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        life = Life(self.name)
        while not self._ending.is_set() or self._held:
            try:
                self._turn(wait=0.5)
            except Exception:  # a worker without its engine would look alive and do nothing
                log.exception("The engine stumbled; it goes on in a second.")
                connections.close_all()
                time.sleep(1)
        life.end()
        connections.close_all()

    def _turn(self, *, wait: float) -> int:
        """Gather what has arrived, write it, fill the lanes."""
        self._gather(CRUMBS if any(lane.hungry for lane in self._lanes.values()) else wait)
        number = self._write()
        self._keep_alive()
        if not self._ending.is_set():
            for lane in self._lanes.values():
                self._fill(lane)
        return number

    def _gather(self, wait: float) -> None:
        until = time.monotonic() + (0 if self._unwritten else wait)
        try:
            while True:
                item = self._inbox.get(timeout=max(0.0, until - time.monotonic()))
                until = min(until, time.monotonic() + GATHER)
                if isinstance(item, Result):
                    self._unwritten.append(item)
                elif isinstance(item, Sight):
                    self._serve(item)
                elif item is not None:
                    self._open(item)
        except queue.Empty:
            return

    def _open(self, hypervisor: int) -> None:
        """Have a lane of the right width for the hypervisor, and look there for work."""
        row = Hypervisor.objects.filter(pk=hypervisor).first()
        if row is None:
            return
        lane, room = self._lanes.get(hypervisor), 2 * row.concurrency
        if lane is None:
            lane = self._lanes[hypervisor] = Lane(hypervisor, room, ThreadPoolExecutor(room, f"lane-{row.name}"))
        elif lane.room != room:
            lane.pool.shutdown(wait=False)  # its threads end what they have begun
            lane.room, lane.pool = room, ThreadPoolExecutor(room, f"lane-{row.name}")
        lane.hungry, lane.not_before = True, 0.0

    def _write(self) -> int:
        """Commit a batch of results. What we only gave up because we are told to stop is left to others."""
        batch = self._unwritten[:BATCH]
        if not batch:
            return 0
        with journal.context(via="worker"):
            number = commit([result for result in batch if not self._interrupted(result)], self.name)
        self._tell_health(batch)
        if mine := [result.task.operation.pk for result in batch if self._interrupted(result)]:
            give_back(self.name, mine)
        del self._unwritten[: len(batch)]
        for result in batch:
            self._forget(result.task.operation)
        return number

    def _tell_health(self, batch: Sequence[Result]) -> None:
        """A circuit that has opened is told as the hypervisor's health, and that it answers again; no query else."""
        circuits = {task.operation.hypervisor_id: task.gateway for task in (r.task for r in batch) if task.gateway}
        for pk, gateway in circuits.items():
            status = gateway.circuit
            silent = status.state is not Circuit.CLOSED
            if silent == (pk in self._silent) or not (row := Hypervisor.objects.filter(pk=pk).first()):
                continue
            if silent:
                self._silent.add(pk)
                health.mark_failing(row, Health.UNREACHABLE, status.error)
            else:
                self._silent.discard(pk)
                health.mark_ok(row)

    def _interrupted(self, result: Result) -> bool:
        operation = result.task.operation
        overdue = operation.deadline is not None and timezone.now() > operation.deadline
        called_off = operation.cancel_requested or operation.pk in self._to_stop
        return isinstance(result.error, Interrupted) and self._ending.is_set() and not overdue and not called_off

    def _forget(self, operation: Operation) -> None:
        self._to_stop.discard(operation.pk)
        if self._held.pop(operation.pk, None):
            self._lanes[operation.hypervisor_id or 0].under_way -= 1

    def _fill(self, lane: Lane) -> None:
        """Claim as much as fits, in good portions; the last places only for what somebody asked of one machine."""
        now = time.monotonic()
        many = lane.free - lane.reserved
        if not lane.hungry or lane.free <= 0 or (now < lane.not_before and many < lane.room // 4):
            return
        limit = many if many > 0 else lane.free
        operations = claim(lane.hypervisor, limit, self.name, single=many <= 0)
        if len(operations) < limit and many > 0:
            lane.hungry = due_now().filter(hypervisor=lane.hypervisor).exists()
        lane.not_before = now + (CRUMBS if operations else NOTHING)
        self._submit(lane, [operation for operation in operations if not self._have(operation)])

    def _have(self, operation: Operation) -> bool:
        """Whether one of our threads still drives it: we had been taken for dead, and have taken it over from ourselves."""
        if task := self._held.get(operation.pk):
            task.operation.attempts = operation.attempts
        return task is not None

    def _submit(self, lane: Lane, operations: Sequence[Operation]) -> None:
        tasks = prepare(operations, self._should_stop)
        for task in tasks:
            self._held[task.operation.pk] = task
            lane.under_way += 1
        with self._letting_go(tasks):
            ready, waiting = self._desk.admit(tasks)
        self._begin(lane, ready)
        if waiting:
            lane.pool.submit(self._look, waiting)

    def _serve(self, sight: Sight) -> None:
        with self._letting_go(self._desk.waiting(sight.hypervisor)):
            tasks = self._desk.see(sight)
        self._begin(self._lanes[sight.hypervisor], tasks)

    @contextmanager
    def _letting_go(self, tasks: Iterable[Task]) -> Iterator[None]:
        """What cannot be served, as when the database is away, is held no longer: its lease ends, and it is taken anew."""
        try:
            yield
        except Exception:
            for task in tasks:
                self._forget(task.operation)
            raise

    def _begin(self, lane: Lane, tasks: Iterable[Task]) -> None:
        for task in tasks:
            lane.pool.submit(self._drive, task)

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if self._held and now - self._renewed > RENEW:
            renew(self.name, list(self._held))
            self._renewed = now
        if self._held and now - self._looked > LOOK_FOR_CANCELS:
            self._to_stop |= cancelled(self.name) & self._held.keys()
            self._looked = now

    def _should_stop(self, operation: Operation) -> Callable[[], bool]:
        deadline = operation.deadline

        def should_stop() -> bool:
            overdue = deadline is not None and timezone.now() > deadline
            return overdue or operation.pk in self._to_stop or self._ending.is_set()

        return should_stop

    # -- in a lane's thread --------------------------------------------------------------------------------------------
    def _drive(self, task: Task) -> None:
        self._inbox.put(driven(task))

    def _look(self, task: Task) -> None:
        self._inbox.put(look(task))


def driven(task: Task) -> Result:
    """Do what the task says on its hypervisor, errors told in the language of whoever asked. Never raises."""
    if task.job is None or task.gateway is None:
        return Result(task, error=task.error)
    try:
        with translation.override(getattr(task.operation.actor, "language", "") or settings.LANGUAGE_CODE):
            if task.job.should_stop():
                raise Interrupted(_("It was stopped before it began."), where=task.operation.path)
            return Result(task, VERBS[task.operation.verb].drive(task.gateway, task.job))
    except OlimpusError as error:
        return Result(task, error=error)
    except Exception as error:  # a fault of ours must end as a failed operation, not as a silent thread
        log.exception("%s failed unexpectedly", task.operation)
        return Result(task, error=unexpected(error, task.operation))


def running() -> Engine:
    """This process' engine, started on first use."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = Engine()
            _engine.start()
        return _engine


def shut_down(**_signal: Any) -> None:
    """End this process' engine, if it has one."""
    if _engine is not None:
        _engine.stop()


_engine: Engine | None = None
_lock = threading.Lock()
