"""What happens to open consoles by the clock: idle ones end, all are renewed in the database, viewers learn of each other."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Final, Protocol

from channels.db import database_sync_to_async
from django.db import DatabaseError

from descriptors.actions.consoles import renew_consoles
from descriptors.selectors import viewers

log = logging.getLogger(__name__)

#: Seconds between two looks, and between two renewals.
TICK: Final = 2.0
RENEWAL: Final = 15.0
Viewers = list[dict[str, str]]


class Held(Protocol):
    """An open console as the keeper knows it."""

    number: int
    node: int

    async def look_at(self, now: float) -> None:
        """End when nobody was there for too long."""

    async def meet(self, others: Viewers) -> None:
        """Who looks at the same machine now; said again when it changes."""


@dataclass(eq=False)
class Keeper:
    """One per process: works while there are consoles."""

    held: set[Held] = field(default_factory=set)
    _task: asyncio.Task[None] | None = None
    _renewed: float = 0.0

    async def add(self, console: Held) -> None:
        """Keep this one from now on."""
        self.held.add(console)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        await self._introduce({console.node})

    async def drop(self, console: Held) -> None:
        """It is closed."""
        self.held.discard(console)
        await self._introduce({console.node})

    async def _run(self) -> None:
        while self.held:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            for console in list(self.held):
                await self._safely(console, console.look_at(now))
            if now - self._renewed > RENEWAL and self.held:
                self._renewed = now
                await self._renew()

    async def _renew(self) -> None:
        """A database that fails now is asked again the next time."""
        try:
            await _renew([console.number for console in self.held])
            await self._introduce({console.node for console in self.held})
        except DatabaseError:
            log.exception("Open consoles cannot be renewed; trying again.")

    async def _introduce(self, nodes: set[int]) -> None:
        """Tell the viewers of these machines about each other."""
        concerned = [console for console in self.held if console.node in nodes]
        if not concerned:
            return
        found = await _viewers(nodes)
        for console in concerned:
            await self._safely(console, console.meet(found.get(console.node, [])))

    async def _safely(self, console: Held, message: object) -> None:
        try:
            await message  # type: ignore[misc]
        except Exception:  # whatever is wrong with one socket must not keep the others waiting
            log.exception("A console could not be told; it is dropped.")
            self.held.discard(console)


@database_sync_to_async
def _renew(numbers: list[int]) -> None:
    renew_consoles(numbers)


@database_sync_to_async
def _viewers(nodes: set[int]) -> dict[int, Viewers]:
    return viewers(nodes)


keeper = Keeper()
