"""Waiting for machines, shared by all who wait: one cheap list for each state that is awaited, again and again.

`GET /servers/ID` makes Nova ask Neutron for ports and security groups each time; a plain list by status never leaves its
database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from hypervisors.drivers.openstack.errors import Denied
from hypervisors.drivers.openstack.rest import PAGE, Rest
from olimpus.errors import TimedOut, VMNotFound
from olimpus.words import gettext as _

Json = dict[str, Any]

PAUSE: Final = 1.0  # seconds between two lists of one status
LOOK_SECONDS: Final = (
    30.0  # how often each waiter looks at its own server: it may be gone, or somewhere else altogether
)
SKEW: Final = timedelta(seconds=30)  # how far the clocks inside a cloud may be apart
Wanted = tuple[str, ...]
GONE: Final[Wanted] = ("DELETED",)


@dataclass
class _Look:
    """The last answer to one question."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float = float("-inf")
    ids: frozenset[str] = frozenset()


class Watcher:
    """Waits for servers to reach a status. `reach` gives the query that says whose servers are meant. Thread-safe."""

    def __init__(self, rest: Rest, reach: Callable[[], Json]):
        self.rest = rest
        self._reach = reach
        self._lock = threading.Lock()
        self._looks: dict[Wanted, _Look] = {}
        self._waiting: dict[object, datetime] = {}
        self._blind = False
        self._ahead: timedelta | None = None  # the cloud's clock before ours

    def until(self, ref: str, seconds: float, *wanted: str) -> None:
        """Return when the server has a wanted status, or is in ERROR. `VMNotFound` when it is gone, `TimedOut`."""
        with self._registered():
            begun = looked = time.monotonic()
            while ref not in self._ids(wanted, begun):
                self._check_time(begun, seconds, wanted)
                if time.monotonic() - looked > LOOK_SECONDS:
                    looked = time.monotonic()
                    if self._server(ref)["status"] in (*wanted, "ERROR"):
                        return
                time.sleep(PAUSE)

    def until_gone(self, ref: str, seconds: float) -> None:
        """Return when Nova has deleted the server. `TimedOut`."""
        with suppress(VMNotFound), self._registered():
            begun = looked = time.monotonic()
            while not self._deleted(ref, begun):
                self._check_time(begun, seconds, GONE)
                if self._blind or time.monotonic() - looked > LOOK_SECONDS:
                    looked = time.monotonic()
                    self._for_good(ref)
                time.sleep(PAUSE)

    def _deleted(self, ref: str, begun: float) -> bool:
        try:
            return not self._blind and ref in self._ids(GONE, begun)
        except Denied:  # only an administrator sees what was deleted: others look at each server
            self._blind = True
            return False

    def _for_good(self, ref: str) -> None:
        """Where Nova keeps what is deleted for a while, say that we mean it. `VMNotFound` when it is gone."""
        if self._server(ref)["status"] == "SOFT_DELETED":
            self.rest.post("compute", f"/servers/{ref}/action", {"forceDelete": None}, missing=VMNotFound)

    def _server(self, ref: str) -> Json:
        return self.rest.get("compute", f"/servers/{ref}", missing=VMNotFound)["server"]

    def _check_time(self, begun: float, seconds: float, wanted: Wanted) -> None:
        if time.monotonic() - begun > seconds:
            message = _("The machine did not become %(status)s within %(seconds)g s.")
            raise TimedOut(message % {"status": "/".join(wanted), "seconds": seconds}, where=self.rest.where)

    # -- what all who wait share ------------------------------------------------------------------------------------

    def _ids(self, wanted: Wanted, begun: float) -> frozenset[str]:
        """Who has a wanted status, by an answer that was asked for after `begun` and is hardly older than the pause."""
        with self._lock:
            look = self._looks.setdefault(wanted, _Look())
        with look.lock:  # whoever comes meanwhile waits for the same answer
            if look.began < max(begun, time.monotonic() - PAUSE):
                began = time.monotonic()
                look.ids = self._ask(wanted)
                look.began = began
            return look.ids

    def _ask(self, wanted: Wanted) -> frozenset[str]:
        statuses = wanted if wanted == GONE else (*wanted, "ERROR")
        query = {**self._reach(), "status": statuses, "limit": PAGE, **self._since()}
        found: list[Json] = []
        while True:
            response = self.rest.ask("compute", "GET", "/servers", params=query)
            self._note_clock(response.headers.get("Date", ""))
            servers = response.json()["servers"]
            found += servers
            if len(servers) < PAGE:
                return frozenset(server["id"] for server in found)
            query["marker"] = servers[-1]["id"]

    @contextmanager
    def _registered(self) -> Iterator[None]:
        me = object()
        with self._lock:
            self._waiting[me] = datetime.now(UTC)
        try:
            yield
        finally:
            with self._lock:
                del self._waiting[me]

    def _since(self) -> Json:
        """Only what has changed since the first of those who wait began, by the cloud's clock; all until it is known."""
        with self._lock:
            if self._ahead is None or not self._waiting:
                return {}
            oldest = min(self._waiting.values())
            return {"changes-since": (oldest + self._ahead - SKEW).isoformat(timespec="seconds")}

    def _note_clock(self, date: str) -> None:
        with suppress(ValueError, TypeError):
            self._ahead = parsedate_to_datetime(date) - datetime.now(UTC)
