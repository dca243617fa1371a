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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from accounts import journal
from descriptors.models import Operation
from descriptors.verbs import VERBS
from descriptors.worker.claims import Task, cancelled, claim, prepare, renew
from descriptors.worker.outcomes import Result, commit
from hypervisors.models import Hypervisor
from olimpus.errors import HypervisorError, OlimpusError

log = logging.getLogger(__name__)

#: Results that arrive within this time are committed together; a person does not notice it.
GATHER = 0.02
BATCH = 256
RENEW = 4.0
LOOK_FOR_CANCELS = 1.0


@dataclass
class Lane:
    """One hypervisor's threads in this process. Twice as many operations as calls at once: some wait between polls."""

    hypervisor: int
    room: int
    pool: ThreadPoolExecutor
    under_way: int = 0
    #: There may be more in the database than we took.
    hungry: bool = True


@dataclass
class Engine:
    """Claims, drives, commits. `drain` does it all in the caller's thread; `start` runs it in the background."""

    name: str = field(default_factory=lambda: f"{socket.gethostname()[:20]}:{os.getpid()}:{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self._lanes: dict[int, Lane] = {}
        self._inbox: queue.SimpleQueue[Result | int] = queue.SimpleQueue()
        self._unwritten: list[Result] = []
        self._to_stop: set[UUID] = set()
        self._ending = threading.Event()
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
        """Claim nothing more and wait for what is under way; what does not end in time is resumed by another worker."""
        self._ending.set()
        if self._thread:
            self._thread.join(patience)

    def drain(self, hypervisors: Iterable[int]) -> int:
        """Do everything that is due on these hypervisors, in this thread; returns how many results were written."""
        self.wake(hypervisors)
        number = 0
        while True:
            number += self._turn(wait=0.05)
            busy = self._under_way or self._unwritten or any(lane.hungry for lane in self._lanes.values())
            if self._inbox.empty() and not busy:
                return number

    # -- the loop ------------------------------------------------------------------------------------------------------
    @property
    def _under_way(self) -> int:
        return sum(lane.under_way for lane in self._lanes.values())

    def _run(self) -> None:
        while not (self._ending.is_set() and not self._under_way and not self._unwritten):
            try:
                self._turn(wait=0.5)
            except DatabaseError:
                log.exception("The database failed; trying again.")
                close_old_connections()
                time.sleep(1)

    def _turn(self, *, wait: float) -> int:
        """Gather what has arrived, write it, fill the lanes."""
        self._unwritten += self._gather(wait)
        number = 0
        if self._unwritten:
            with journal.context(via="worker"):
                number = commit(self._unwritten[:BATCH], self.name)
            self._settled(self._unwritten[:BATCH])
            self._unwritten = self._unwritten[BATCH:]
        self._keep_alive()
        if not self._ending.is_set():
            for lane in self._lanes.values():
                self._fill(lane)
        return number

    def _gather(self, wait: float) -> list[Result]:
        results: list[Result] = []
        try:
            item = self._inbox.get(timeout=0 if self._unwritten else wait)
            until = time.monotonic() + GATHER
            while True:
                self._take(item, results)
                item = self._inbox.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return results

    def _take(self, item: Result | int, results: list[Result]) -> None:
        if isinstance(item, Result):
            results.append(item)
        elif item in self._lanes:
            self._lanes[item].hungry = True
        elif lane := self._open(item):
            self._lanes[item] = lane

    def _open(self, hypervisor: int) -> Lane | None:
        row = Hypervisor.objects.filter(pk=hypervisor).first()
        if row is None:
            return None
        return Lane(hypervisor, 2 * row.concurrency, ThreadPoolExecutor(2 * row.concurrency, f"lane-{row.name}"))

    def _settled(self, results: Iterable[Result]) -> None:
        for result in results:
            operation = result.task.operation
            self._to_stop.discard(operation.pk)
            self._lanes[operation.hypervisor_id or 0].under_way -= 1

    def _fill(self, lane: Lane) -> None:
        """Claim as much as fits; wait for half of the room rather than claim in crumbs."""
        free = lane.room - lane.under_way
        if not lane.hungry or (free < lane.room // 2 and lane.under_way):
            return
        operations = claim(lane.hypervisor, free, self.name)
        lane.hungry = len(operations) == free
        for task in prepare(operations, self._should_stop):
            lane.under_way += 1
            lane.pool.submit(self._drive, task)

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if self._under_way and now - self._renewed > RENEW:
            renew(self.name)
            self._renewed = now
        if self._under_way and now - self._looked > LOOK_FOR_CANCELS:
            self._to_stop |= cancelled(self.name)
            self._looked = now

    def _should_stop(self, operation: Operation) -> Callable[[], bool]:
        deadline = operation.deadline
        return lambda: operation.pk in self._to_stop or (deadline is not None and timezone.now() > deadline)

    # -- in a lane's thread --------------------------------------------------------------------------------------------
    def _drive(self, task: Task) -> None:
        self._inbox.put(_driven(task))


def _driven(task: Task) -> Result:
    if task.job is None or task.gateway is None:
        return Result(task, error=task.error)
    try:
        return Result(task, VERBS[task.operation.verb].drive(task.gateway, task.job))
    except OlimpusError as error:
        return Result(task, error=error)
    except Exception as error:  # a fault of ours must end as a failed operation, not as a silent thread
        log.exception("%s failed unexpectedly", task.operation)
        return Result(task, error=HypervisorError(f"Unexpected {type(error).__name__}.", where=task.operation.path))


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
