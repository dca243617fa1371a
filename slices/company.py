"""People who draw the same slice: each window hears who else has it open, and when somebody else has saved it.

Every web process looks into the database once a second for the slices that its own windows show: no broker is needed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Final, Protocol

from channels.db import database_sync_to_async
from django.db import DatabaseError

from accounts.models import User
from slices import actions, selectors
from slices.selectors import Company

log = logging.getLogger(__name__)

#: Windows that one person may have open in a process: with that many tabs nobody finds his own.
MOST_WINDOWS: Final = 16
#: Seconds between two looks, and between two renewals.
TICK: Final = 1.0
RENEWAL: Final = 15.0


class Window(Protocol):
    """An open drawing. `visit`: its row; None for who may only look."""

    user: User
    folder: int
    visit: int | None

    async def meet(self, company: Company) -> None:
        """Who is there and what was saved last; said at each look."""


@dataclass(eq=False)
class Round:
    """One per process: works while there are windows."""

    windows: set[Window] = field(default_factory=set)
    _admitted: set[Window] = field(default_factory=set)
    _task: asyncio.Task[None] | None = None
    _renewed: float = 0.0

    def admit(self, window: Window) -> bool:
        """Whether this person may have one more; until it leaves."""
        if sum(other.user == window.user for other in self._admitted) >= MOST_WINDOWS:
            return False
        self._admitted.add(window)
        return True

    async def join(self, window: Window) -> None:
        """Keep this window informed; it hears at once."""
        self.windows.add(window)
        await self._look([window])
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, window: Window) -> None:
        """It is closed; the last one stops the looking."""
        self._admitted.discard(window)
        self.drop(window)

    def drop(self, window: Window) -> None:
        """Tell it nothing more."""
        self.windows.discard(window)

    async def _run(self) -> None:
        while self.windows:
            await asyncio.sleep(TICK)
            await self._look(list(self.windows))

    async def _look(self, windows: list[Window]) -> None:
        """A database that fails now is asked again the next time."""
        try:
            await self._renew()
            found = await _company({window.folder for window in windows})
        except DatabaseError:
            log.exception("Who draws cannot be read; trying again.")
            return
        for window in windows:
            await self._safely(window, window.meet(found[window.folder]))

    async def _renew(self) -> None:
        now = time.monotonic()
        if now - self._renewed > RENEWAL:
            self._renewed = now
            await _renew([window.visit for window in self.windows if window.visit])

    async def _safely(self, window: Window, message: Awaitable[None]) -> None:
        try:
            await message
        except Exception:  # whatever is wrong with one window must not silence the others
            log.exception("A window could not be told; it is dropped.")
            self.drop(window)


@database_sync_to_async
def _company(folders: set[int]) -> dict[int, Company]:
    return selectors.company(folders)


@database_sync_to_async
def _renew(visits: list[int]) -> None:
    actions.renew(visits)


company = Round()
