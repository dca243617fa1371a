"""The embedded queue: kombu's file-system transport, made safe against processes that are killed half-way.

A message is a file that appears whole (written under another name, then renamed) and is taken by renaming it: a half-written
one is never read, and two workers never get the same one. Unlike the original it keeps no table of exchanges (a table cut off
half-way would stop every worker for ever): all our messages go straight to a queue. Messages that nobody fetches are dropped
after a while: the database knows what is to be done, and says it again.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

#: Takes the place of kombu's own transport of this name.
SCHEME = "filesystem"
#: Seconds that a message, or what is left of one, waits for somebody to fetch it.
STALE = 300.0
DRAFT = "~"  # no queue can have this name


class Channel(filesystem.Channel):
    """Messages are files `<time>-<unique>.<queue>` in one folder."""

    def _queue_bind(self, *_binding: Any) -> None:
        """Queues are known by their names alone."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        """A message goes to the queue that its routing key names."""
        return [routing_key]

    def get_table(self, exchange: str) -> list[Any]:
        """No exchange sends anything to another queue."""
        return []

    def _put(self, queue: str, payload: Any, **_options: Any) -> None:
        name = f"{time.time_ns():020}-{uuid.uuid4().hex[:12]}"
        draft = self._folder / f"{name}.{DRAFT}"
        draft.write_text(dumps(payload))
        draft.rename(self._folder / f"{name}.{queue}")

    def _get(self, queue: str) -> Any:
        """The oldest message; what cannot be read is thrown away. Raises `Empty`."""
        for path in self._waiting(queue):
            mine = path.with_suffix(f".{DRAFT}")
            with contextlib.suppress(FileNotFoundError, ValueError):  # somebody else was faster, or it is no message
                path.rename(mine)
                text = mine.read_text()
                mine.unlink()
                return loads(text)
        raise Empty

    def _purge(self, queue: str) -> int:
        paths = self._waiting(queue)
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _waiting(self, queue: str) -> list[Path]:
        names = (name for name in os.listdir(self._folder) if name.partition(".")[2] == queue)
        return [self._folder / name for name in sorted(names)]

    @property
    def _folder(self) -> Path:
        return Path(self.data_folder_in)


class Transport(filesystem.Transport):
    """`filesystem://`, with the option `data_folder_in`."""

    Channel = Channel
    driver_name = SCHEME


def tidy(folder: Path) -> int:
    """Remove messages that nobody has fetched, and rests of killed processes. Returns how many."""
    return sum(_drop(path) for path in _stale(folder))


def _stale(folder: Path) -> Iterator[Path]:
    oldest = time.time() - STALE
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                yield path


def _drop(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
