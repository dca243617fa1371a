"""A circuit breaker: after failures in a row nobody asks for a while, then one call tries whether it answers again.

Pure: no Django, no hypervisor; the clocks are given. Thread-safe. Each process has its own breakers and publishes those that
are not closed as small files, so that pages of the web process can show what the workers met.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

#: Failures in a row that open the circuit, when all of them fell into this many seconds. One lone operation never
#: reaches it within its own pauses; many at once do, and it is for them.
FAILURES: Final = 10
WINDOW: Final = 60.0
#: Seconds that an open circuit rests; each trial that fails doubles it.
FIRST_REST, LONGEST_REST = 5.0, 60.0
#: How soon to come again while somebody else is trying.
TRIAL: Final = 2.0


class Circuit(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half_open"  # one, which decides


#: Seconds for which the word of a process on another machine, or in another container, is taken.
STALE: Final = 300.0
#: The worse, the higher.
SEVERITY: Final = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}


@dataclass(frozen=True)
class Status:
    """A circuit as it is shown. Times are aware and in UTC; None while closed."""

    state: Circuit = Circuit.CLOSED
    since: datetime | None = None
    next_try_at: datetime | None = None
    failures: int = 0
    error: str = ""  # what the last failure said


@dataclass(frozen=True)
class Refusal:
    """Why a call does not go through, and in how many seconds it may come again."""

    status: Status
    retry_in: float


class Breaker:
    """The circuit to one hypervisor. Ask `admit` before a call, and tell `succeeded` or `failed` after it."""

    def __init__(
        self,
        changed: Callable[[Status], None] = lambda status: None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        self._changed, self._clock, self._wall = changed, clock, wall
        self._lock = threading.Lock()
        self._state = Circuit.CLOSED
        self._failed: list[float] = []  # when the failures in a row happened
        self._number = 0
        self._error = ""
        self._rest = FIRST_REST
        self._since: datetime | None = None
        self._next_try = 0.0

    @property
    def status(self) -> Status:
        """How it is now."""
        with self._lock:
            return self._status()

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused now without anybody trying."""
        return self._state is Circuit.OPEN and self._clock() < self._next_try

    def admit(self) -> Refusal | None:
        """None: the call may be made. After a rest the first who asks makes the trial."""
        if self._state is Circuit.CLOSED:  # the usual case takes no lock
            return None
        with self._lock:
            if self._state is Circuit.CLOSED:
                return None
            now = self._clock()
            if self._state is Circuit.OPEN and now < self._next_try:
                return Refusal(self._status(), self._next_try - now + random.uniform(0, TRIAL))
            if self._state is Circuit.HALF_OPEN and now < self._next_try:
                return Refusal(self._status(), TRIAL + random.uniform(0, TRIAL))
            # A trial that never ends (its thread died, the call hangs) is followed by another one after the rest.
            self._state, self._next_try = Circuit.HALF_OPEN, now + self._rest
            told = self._status()
        self._changed(told)
        return None

    def succeeded(self) -> None:
        """It answered, whatever it said: the circuit closes."""
        if self._state is Circuit.CLOSED and not self._number:
            return
        with self._lock:
            was, self._state = self._state, Circuit.CLOSED
            self._failed, self._number, self._error = [], 0, ""
            self._rest, self._since = FIRST_REST, None
            told = self._status()
        if was is not Circuit.CLOSED:
            self._changed(told)

    def failed(self, error: str) -> None:
        """It did not answer."""
        with self._lock:
            self._number, self._error = self._number + 1, error
            opened = self._half_opened() if self._state is not Circuit.CLOSED else self._counted()
            told = self._status()
        if opened:
            self._changed(told)

    def _half_opened(self) -> bool:
        """A trial failed: rest longer. Calls that were under way when the circuit opened say nothing new."""
        if self._state is Circuit.OPEN:
            return False
        self._rest = min(LONGEST_REST, 2 * self._rest)
        self._open()
        return True

    def _counted(self) -> bool:
        now = self._clock()
        self._failed = [*(at for at in self._failed if now - at < WINDOW), now]
        if len(self._failed) < FAILURES:
            return False
        self._since = self._wall()
        self._open()
        return True

    def _open(self) -> None:
        self._state, self._failed = Circuit.OPEN, []
        self._next_try = self._clock() + self._rest

    def _status(self) -> Status:
        if self._state is Circuit.CLOSED:
            return Status(failures=self._number, error=self._error)
        left = timedelta(seconds=max(0.0, self._next_try - self._clock()))
        return Status(self._state, self._since, self._wall() + left, self._number, self._error)


# -- seen from other processes -----------------------------------------------------------------------------------------


class Notice:
    """This process' note about one circuit that is not closed: a file that goes when it closes."""

    def __init__(self, home: Path, hypervisor: str):
        self._path = _folder(home) / f"{hypervisor}@{socket.gethostname()}@{os.getpid()}.json"

    def write(self, status: Status) -> None:
        """Say how the circuit is. A disk that is full must not stop the work: then nothing is said."""
        with contextlib.suppress(OSError):
            if status.state is Circuit.CLOSED:
                self._path.unlink(missing_ok=True)
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(f".{threading.get_ident()}")
            draft.write_text(json.dumps(asdict(status), default=str))
            draft.replace(self._path)


def seen(home: Path, hypervisor: str) -> Status:
    """The worst that a living process of this data folder says about the circuit to a hypervisor."""
    told = [status for path in _folder(home).glob(f"{hypervisor}@*.json") if (status := _read(path))]
    return max(told, key=lambda status: SEVERITY[status.state], default=Status())


def _read(path: Path) -> Status | None:
    """None for what a process left that ended without cleaning up, and for what cannot be read."""
    try:
        host, pid = path.stem.split("@")[1:]
        if host == socket.gethostname():
            os.kill(int(pid), 0)
        elif time.time() - path.stat().st_mtime > STALE:  # nobody here can tell whether it lives
            return None
        told = json.loads(path.read_text())
        times = {name: datetime.fromisoformat(told[name]) for name in ("since", "next_try_at") if told[name]}
        return Status(Circuit(told["state"]), failures=told["failures"], error=told["error"], **times)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folder(home: Path) -> Path:
    return Path(home) / "circuits"
