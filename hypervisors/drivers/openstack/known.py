"""Lists that hardly change, kept for a minute: a name that is not in them is looked for anew before it is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

Json = dict[str, Any]

KEPT_SECONDS: Final = 60.0
MISS_SECONDS: Final = 2.0  # a list this young is not read again for a miss: many threads miss the same name at once


class Known:
    """A list of the cloud, read when it is first needed. Thread-safe: one reads, the others wait for it."""

    def __init__(self, read: Callable[[], list[Json]], seconds: float = KEPT_SECONDS):
        self._read = read
        self._seconds = seconds
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._items: list[Json] = []

    def all(self, seconds: float | None = None) -> list[Json]:
        """The list, at most so many seconds old."""
        with self._lock:
            if time.monotonic() - self._read_at > (self._seconds if seconds is None else seconds):
                self._items = self._read()
                self._read_at = time.monotonic()
            return self._items

    def find(self, fits: Callable[[Json], bool]) -> list[Json]:
        """Those that fit; read anew when there is none."""
        return [item for item in self.all() if fits(item)] or [item for item in self.all(MISS_SECONDS) if fits(item)]

    def add(self, items: Iterable[Json]) -> None:
        """These are there, too, from now on."""
        with self._lock:
            self._items = [*self._items, *items]

    def forget(self) -> None:
        """Read it anew at the next use."""
        with self._lock:
            self._read_at = float("-inf")
