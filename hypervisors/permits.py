"""How many calls one hypervisor has at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Permits:
    """A semaphore whose size can change while in use, so that new settings never double the load on a host."""

    def __init__(self, size: int):
        self._size = size
        self._used = 0
        self._freed = threading.Condition()

    def resize(self, size: int) -> None:
        with self._freed:
            self._size = size
            self._freed.notify_all()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._freed:
            self._freed.wait_for(lambda: self._used < self._size)
            self._used += 1
        try:
            yield
        finally:
            with self._freed:
                self._used -= 1
                self._freed.notify()
