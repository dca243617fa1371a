"""One process at a time does something to an image on a worker, wherever the processes run.

A hold is a volume of the worker's pool, which only one can make; it grows by a byte as a sign of life and takes no room. Who
sees it rest takes over with the next number: of several that try, only one can make that volume either. Its size begins at
random, so that whoever comes back from a long sleep knows whether it is still its own.
"""

from __future__ import annotations

import random
import re
import threading
import time
from contextlib import suppress
from typing import Final, Protocol

from olimpus.errors import HypervisorError, Transient
from olimpus.words import gettext as _

PREFIX: Final = "hold-"
#: Seconds between two signs of life; without one for so long the holder is dead; between two looks of who waits.
BEAT, DEAD, LOOK = 3.0, 15.0, 0.3
LARGEST_START: Final = 2**32
#: As long as a thread can wait.
FOREVER: Final = threading.TIMEOUT_MAX


class Marks(Protocol):
    """What is asked of the pool."""

    def names(self) -> list[str]: ...
    def size(self, name: str) -> int | None: ...
    def mark(self, name: str, size: int) -> bool: ...
    def grow(self, name: str, size: int) -> None: ...
    def remove(self, name: str) -> None: ...


class Hold:
    """`with Hold(pool, name):` waits until nobody else holds the name, or whoever did is dead. Raises as the pool does.

    `Transient` when somebody alive holds it for longer than `patience`.
    """

    def __init__(
        self, pool: Marks, name: str, where: str, *, patience: float = FOREVER, beat: float = BEAT, dead: float = DEAD
    ):
        self.pool = pool
        self.name = name
        self.where = where
        self._patience, self._beat, self._dead = patience, beat, dead
        self._pattern = re.compile(rf"{PREFIX}(\d+)-{re.escape(name)}")
        self._size = random.randrange(1, LARGEST_START)
        self._number = 0
        self._ended = threading.Event()

    def __enter__(self) -> Hold:
        self._wait()
        self._ended.clear()
        threading.Thread(target=self._live, name="image-hold", daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        with suppress(HypervisorError):  # it dies by itself
            if self._is_mine():
                self.pool.remove(self._mark(self._number))

    def require(self) -> None:
        """`Transient` when somebody has taken over meanwhile, since we gave no sign of life."""
        if not self._is_mine():
            raise Transient(_("Somebody else goes on with “%(name)s”.") % {"name": self.name}, where=self.where)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        seen, since = None, (begun := time.monotonic())
        while time.monotonic() - begun <= self._patience:
            number = self._highest()
            life = (number, self.pool.size(self._mark(number))) if number else None
            if life != seen:
                seen, since = life, time.monotonic()
            if (life is None or time.monotonic() - since >= self._dead) and self._take(number + 1):
                if number:
                    self.pool.remove(self._mark(number))
                return
            time.sleep(min(LOOK, self._dead))
        raise busy(self.name, self.where)

    def _take(self, number: int) -> bool:
        if not self.pool.mark(self._mark(number), self._size):
            return False
        self._number = number
        if self._highest() == number:
            return True
        self.pool.remove(self._mark(number))
        return False

    def _live(self) -> None:
        while not self._ended.wait(self._beat):
            with suppress(HypervisorError):  # the next one may come through
                if not self._is_mine():
                    return
                self.pool.grow(self._mark(self._number), self._size + 1)
                self._size += 1

    def _is_mine(self) -> bool:
        """A sign of life may be on its way just now."""
        size = self._size
        return self._highest() == self._number and self.pool.size(self._mark(self._number)) in (size, size + 1)

    def _highest(self) -> int:
        matches = (self._pattern.fullmatch(name) for name in self.pool.names())
        return max((int(match[1]) for match in matches if match), default=0)

    def _mark(self, number: int) -> str:
        return f"{PREFIX}{number}-{self.name}"


def busy(name: str, where: str) -> Transient:
    """Why it cannot be done now."""
    return Transient(_("Somebody is busy with the image “%(name)s”.") % {"name": name}, where=where)


def held_of(volume: str) -> str:
    """The name that a volume holds; "" when it is no hold."""
    match = re.fullmatch(rf"{PREFIX}\d+-(.+)", volume)
    return match[1] if match else ""
