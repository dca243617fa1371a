"""Hearing of changes at once, from hypervisors that tell them: each is watched by one worker process of a data folder.

What is told is only where to look: the machine is compared as in every reconcile.
"""

from __future__ import annotations

import fcntl
import logging
import queue
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import connections

from descriptors import reconcile
from hypervisors.drivers.base import Capability
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from hypervisors.registry import driver_class
from olimpus.errors import HypervisorError, Invalid, OlimpusError

log = logging.getLogger(__name__)

#: What arrives within this time is looked at together.
GATHER: Final = 0.05
#: Seconds between two listings, however much is told.
REST: Final = 1.0
#: How often the records are looked at: new hypervisors, new settings, maintenance.
LOOK: Final = 2.0


class Watch:
    """One hypervisor, watched until `end`. A thread of its own compares what the driver's thread tells."""

    def __init__(self, hypervisor: Hypervisor):
        self.version = hypervisor.version
        self._pk, self._name = hypervisor.pk, hypervisor.name
        self._told: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stop: Callable[[], None] = gateway_for(hypervisor).watch(self._told.put)
        threading.Thread(target=self._run, name=f"watch-{hypervisor.name}", daemon=True).start()

    def end(self) -> None:
        """Hear no more. May be repeated."""
        self._stop()
        self._told.put(None)

    def _run(self) -> None:
        whole, listed = True, float("-inf")  # what was before nobody has told
        while (refs := self._gathered(listed + REST - time.monotonic() if whole else None)) is not None:
            whole |= "" in refs
            if whole and time.monotonic() >= listed + REST:
                self._compare(lambda: reconcile.reconcile(self._pk))
                whole, listed = False, time.monotonic()
            elif some := refs - {""}:
                whole |= self._compare(lambda some=some: reconcile.look(self._pk, some)) is False

    def _gathered(self, patience: float | None) -> set[str] | None:
        """References that were told together, none after so many seconds; None at the end."""
        refs: set[str] = set()
        with suppress(queue.Empty):
            item = self._told.get(timeout=None if patience is None else max(0.0, patience))
            until = time.monotonic() + GATHER
            while item is not None:
                refs.add(item)
                item = self._told.get(timeout=max(0.0, until - time.monotonic()))
            return None
        return refs

    def _compare(self, look: Callable[[], Any]) -> Any:
        try:
            return look()
        except HypervisorError as error:
            log.info("%s: what changed cannot be looked at: %s", self._name, error)
        except Exception:  # the next change is to be heard, whatever went wrong with this one
            log.exception("%s: what changed cannot be looked at", self._name)
        finally:
            connections.close_all()  # until the next change the database may have hung up
        return None


class Watchers:
    """All watches of this process. `look` begins and ends them as the records say."""

    def __init__(self, queues: Collection[str] = ()):
        #: Of the workers' queues that this process serves; empty: all.
        self._queues = set(queues)
        self._watches: dict[int, Watch] = {}
        self._locks: dict[int, IO[Any]] = {}
        self._ending = threading.Event()

    def start(self) -> None:
        """Keep looking, in a thread of our own."""
        threading.Thread(target=self._run, name="watchers", daemon=True).start()

    def stop(self) -> None:
        """End all watches. May be repeated."""
        self._ending.set()
        for pk in list(self._watches):
            self._end(pk)

    def look(self) -> None:
        """Watch every hypervisor that tells its changes and is not in maintenance, with the settings that are true now."""
        wanted = {row.pk: row for row in Hypervisor.objects.filter(maintenance=False) if self._is_ours(row)}
        for pk, watch in list(self._watches.items()):
            if pk not in wanted or watch.version != wanted[pk].version:
                self._end(pk)
        for pk, hypervisor in wanted.items():
            if pk not in self._watches and self._take(pk):
                self._begin(hypervisor)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.look()
            except Exception:  # a database that is away for a moment must not end it
                log.exception("The hypervisors to watch cannot be read.")
                connections.close_all()
            self._ending.wait(LOOK)
        connections.close_all()

    def _is_ours(self, hypervisor: Hypervisor) -> bool:
        if self._queues and hypervisor.queue not in self._queues:
            return False
        try:
            return Capability.EVENTS in driver_class(hypervisor.driver).capabilities
        except Invalid:  # its library is missing here
            return False

    def _begin(self, hypervisor: Hypervisor) -> None:
        try:
            self._watches[hypervisor.pk] = Watch(hypervisor)
        except OlimpusError as error:
            log.info("%s: cannot be watched now: %s", hypervisor.name, error)
            self._free(hypervisor.pk)

    def _end(self, pk: int) -> None:
        self._watches.pop(pk).end()
        self._free(pk)

    def _take(self, pk: int) -> bool:
        """Whether no other process of this data folder watches it; the kernel frees the lock when a process ends."""
        path = Path(settings.OLIMPUS_HOME) / "watching" / str(pk)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._locks[pk] = file
        return True

    def _free(self, pk: int) -> None:
        if file := self._locks.pop(pk, None):
            file.close()


_watchers: Watchers | None = None


def begin(queues: Collection[str] = ()) -> None:
    """Watch in this process, for the workers' queues that it serves."""
    global _watchers
    if _watchers is None:
        _watchers = Watchers(queues)
        _watchers.start()


def shut_down(**_signal: Any) -> None:
    """End what this process watches."""
    if _watchers is not None:
        _watchers.stop()
