"""The live feed: every web process tails the journal and tells its own sockets. No broker is needed between processes.

Ids are taken before commits, so rows can become visible out of order when transactions overlap. `Tail` therefore remembers
gaps and looks for them again for a while; the *settled* id is the one below which nothing can appear any more. Clients keep
it as their cursor, resume from it, and drop the ids they have had.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any, Protocol

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from accounts.models import Entry, User
from descriptors.access import Access, end_of, key_of
from descriptors.permissions import access_of

log = logging.getLogger(__name__)

#: Seconds between two looks at the journal while somebody listens.
POLL = 0.1
#: A gap older than this is a transaction that was rolled back.
PATIENCE = 20.0
#: More than this is not replayed to a client that comes back: it reads the page again instead.
BACKLOG = 2000
#: Rights are read again this often, and at once when an entry says that they changed.
RECHECK = 30.0
#: People whose rights, and sockets whose tokens, are read again after one look at the journal: nobody's message waits
#: for everybody's rights.
REREAD = 5
TOUCHES_RIGHTS = (
    *("grant.", "group.", "definition.edit", "folder.move", "folder.delete", "descriptor.move", "descriptor.delete"),
    *("user.update", "user.activate", "user.deactivate", "user.delete"),
)
#: After these the tokens of all sockets are asked for again as soon as possible.
TOUCHES_TOKENS = ("token.revoke", "user.sign_out", "user.password", "user.deactivate", "user.delete")
#: How far back a fresh tail, or a page's cursor, looks for ids that may still appear.
WINDOW = 500
#: Gaps that are looked for at once.
MOST_GAPS = 1000


class Tail:
    """Which ids are new, and below which nothing new can come. Pure: rows and times are given."""

    def __init__(self, last: int):
        self.settled = last
        self.highest = last
        self._seen: dict[int, float] = {}  # above `settled`: when we saw it

    @property
    def gaps(self) -> list[int]:
        """Ids that were passed over and may still appear."""
        missing = (pk for pk in range(self.settled + 1, self.highest) if pk not in self._seen)
        return list(islice(missing, MOST_GAPS))

    def take(self, ids: Iterable[int], now: float) -> list[int]:
        """Note these ids; returns those not seen before, in order."""
        fresh = sorted(pk for pk in set(ids) if pk > self.settled and pk not in self._seen)
        self._seen.update(dict.fromkeys(fresh, now))
        self.highest = max([self.highest, *fresh])
        self._settle(now)
        return fresh

    def _settle(self, now: float) -> None:
        for pk in sorted(self._seen):
            if pk > self.settled + 1 and now - self._seen[pk] < PATIENCE:
                return
            self.settled = pk
            del self._seen[pk]


def cursor_below(rows: Sequence[tuple[int, datetime]], now: datetime) -> int:
    """The id below which nothing can appear any more, of the newest rows (id, time), newest first. Pure."""
    cursor = rows[0][0] if rows else 0
    for (newer, at), (older, _at) in pairwise(rows):
        if now - at > timedelta(seconds=PATIENCE):
            break
        if newer - older > 1:
            cursor = older
    return cursor


class Listener(Protocol):
    """A socket that listens."""

    user: User
    paths: set[str]

    async def tell(self, text: str) -> None:
        """Send one message."""

    async def recheck(self, access: Access) -> None:
        """Somebody's rights, or places in the tree, have changed: leave what may not be heard any more."""

    async def prove(self) -> None:
        """Leave when what it came in with (a token) is no good any more."""


@dataclass(eq=False)
class Feed:
    """One per process: polls while there are listeners."""

    listeners: set[Listener] = field(default_factory=set)
    tail: Tail | None = None
    _task: asyncio.Task[None] | None = None
    _started: asyncio.Event = field(default_factory=asyncio.Event)
    _untold: list[Entry] = field(default_factory=list)
    _access: dict[int, tuple[Access, float]] = field(default_factory=dict)
    _proved: dict[Listener, float] = field(default_factory=dict)

    async def join(self, listener: Listener) -> None:
        """Begin to listen: whatever becomes visible after this returns is told."""
        self.listeners.add(listener)
        self._proved.setdefault(listener, time.monotonic())
        if self._task is None or self._task.done():
            self._started = asyncio.Event()
            self._task = asyncio.create_task(self._run(self._started))
        await self._started.wait()

    def leave(self, listener: Listener) -> None:
        """End listening; the last one stops the polling."""
        self.listeners.discard(listener)
        self._proved.pop(listener, None)

    async def backlog(self, listener: Listener, since: int) -> str | None:
        """What happened after `since` for this listener, as a message; None when it is too much to tell."""
        entries = await _after(since, BACKLOG + 1)
        if len(entries) > BACKLOG:
            return None
        access = await self.access(listener.user)
        texts = [_text(entry) for entry in entries if _concerns(entry, listener.paths) and _may_hear(entry, access)]
        return _message(texts, await self.cursor())

    async def cursor(self) -> int:
        """The settled id: of this process' tail, or of the journal while nobody listens."""
        return self.tail.settled if self.tail else await _last_id()

    async def access(self, user: User) -> Access:
        """The user's access, at most a minute old: usually `_refresh` has read it again before that."""
        known = self._access.get(user.pk)
        if known is None or time.monotonic() - known[1] > 2 * RECHECK:
            known = self._access[user.pk] = (await _access(user.pk), time.monotonic())
        return known[0]

    async def _refresh(self) -> None:
        """Read the oldest rights and tokens again, a few at a time, and forget those of people who have left."""
        here = {listener.user.pk for listener in self.listeners}
        self._access = {pk: known for pk, known in self._access.items() if pk in here}
        old = time.monotonic() - RECHECK
        for pk in sorted(pk for pk, known in self._access.items() if known[1] < old)[:REREAD]:
            self._access[pk] = (await _access(pk), time.monotonic())
        for listener in [each for each, at in self._proved.items() if at < old][:REREAD]:
            self._proved[listener] = time.monotonic()
            await self._reach(listener, listener.prove())

    async def _run(self, started: asyncio.Event) -> None:
        try:
            while self.listeners:
                begun = time.monotonic()
                await self._poll()
                if self.tail is not None:
                    started.set()
                await asyncio.sleep(max(POLL / 4, POLL - (time.monotonic() - begun)))
        finally:
            self.tail, self._untold = None, []
            self._access.clear()
            started.set()

    async def _poll(self) -> None:
        """One look; a database that fails now is asked again the next time."""
        try:
            if self.tail is None:
                self.tail = await _fresh_tail()
            else:
                self._untold += await self._look()
                await self._spread(self._untold)
                self._untold = []
            await self._refresh()
        except DatabaseError:
            log.exception("The journal cannot be read; trying again.")

    async def _look(self) -> list[Entry]:
        assert self.tail is not None  # noqa: S101 - set before the loop
        found = {entry.pk: entry for entry in await _news(self.tail.highest, self.tail.gaps)}
        return [found[pk] for pk in self.tail.take(found, time.monotonic())]

    async def _spread(self, entries: list[Entry]) -> None:
        """Tell everybody what they may hear. When it fails in the middle it is done again: clients know the ids they had."""
        if any(entry.verb.startswith(TOUCHES_RIGHTS) for entry in entries):
            self._access.clear()
            await self._recheck()
        if any(entry.verb.startswith(TOUCHES_TOKENS) for entry in entries):
            self._proved = dict.fromkeys(self._proved, float("-inf"))
        assert self.tail is not None  # noqa: S101 - only the poll that has it comes here
        texts = {entry.pk: _text(entry) for entry in entries}
        same: dict[tuple[bool, frozenset[str]], list[str]] = {}
        for listener in list(self.listeners):
            access = await self.access(listener.user)
            # A class of students watches one course: those who see all of what they watch hear the same.
            key = (access.everything, frozenset(listener.paths)) if _sees_all(access, listener.paths) else None
            mine = same.get(key) if key else None
            if mine is None:
                concerning = [entry for entry in entries if _concerns(entry, listener.paths)]
                mine = [texts[entry.pk] for entry in concerning if _may_hear(entry, access)]
                if key:
                    same[key] = mine
            if mine:
                await self._reach(listener, listener.tell(_message(mine, self.tail.settled)))

    async def _reach(self, listener: Listener, message: Coroutine[Any, Any, None]) -> None:
        try:
            await message
        except Exception:  # whatever is wrong with one socket must not silence the others
            log.exception("A socket could not be told; it is dropped.")
            self.leave(listener)

    async def _recheck(self) -> None:
        for listener in list(self.listeners):
            await self._reach(listener, listener.recheck(await self.access(listener.user)))


def may_listen(access: Access, path: str) -> bool:
    """A path may be listened to when it, or something below it, may be seen. Each event is checked again by itself."""
    return bool(access.intervals("see", below=path))


def _sees_all(access: Access, paths: Iterable[str]) -> bool:
    """Whether nothing in the branches of these paths is hidden."""
    return all(access.intervals("see", below=path) == [(key_of(path), end_of(key_of(path)))] for path in paths)


def _may_hear(entry: Entry, access: Access) -> bool:
    return access.everything if not entry.path else access.can("see", entry.path)


def _concerns(entry: Entry, paths: Iterable[str]) -> bool:
    key = key_of(entry.path)
    return any(key.startswith(key_of(path)) for path in paths)


def _text(entry: Entry) -> str:
    """One event as JSON. It says what changed; whatever else a client wants it asks through the ordinary doors."""
    data: dict[str, Any] = entry.data or {}
    return json.dumps(
        {
            "id": entry.pk,
            "at": entry.at.isoformat(),
            "verb": entry.verb,
            "path": entry.path,
            "node": entry.node_id,
            "state": data.get("state"),
            "operation": data.get("operation"),
            "error": data.get("error"),
        }
    )


def _message(texts: list[str], settled: int) -> str:
    return f'{{"events": [{", ".join(texts)}], "settled": {settled}}}'


@database_sync_to_async
def _last_id() -> int:
    return last_id()


def last_id() -> int:
    """The cursor of a page that is read now, from which its socket goes on: nothing new can appear below it."""
    rows = Entry.objects.order_by("-pk").values_list("pk", "at")[:WINDOW]
    return cursor_below(list(rows), timezone.now())


@database_sync_to_async
def _fresh_tail() -> Tail:
    """A tail at the end of the journal that still waits for the ids missing shortly before."""
    ids = list(Entry.objects.order_by("-pk").values_list("pk", flat=True)[:WINDOW])
    tail = Tail(ids[-1] if ids else 0)
    tail.take(ids, time.monotonic())
    return tail


@database_sync_to_async
def _after(since: int, limit: int) -> list[Entry]:
    return list(Entry.objects.filter(pk__gt=since).order_by("pk")[:limit])


@database_sync_to_async
def _news(highest: int, gaps: list[int]) -> list[Entry]:
    return list(Entry.objects.filter(Q(pk__gt=highest) | Q(pk__in=gaps)).order_by("pk")[:BACKLOG])


@database_sync_to_async
def _access(user: int) -> Access:
    """Of an account that is gone or disabled: nothing."""
    row = User.objects.filter(pk=user, is_active=True).first()
    return access_of(row) if row else Access([], {})


feed = Feed()
