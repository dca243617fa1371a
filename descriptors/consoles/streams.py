"""The two ends of a console inside this process: what the hypervisor's stream gives, and how much a browser may be owed.

A screen has one stream for each viewer. A serial line has one reader only, so its viewers share one, with the text of
before for whoever comes later. Memory is bounded everywhere: a reader stops while a browser lags, and a viewer of a shared
line who lags gets the text anew instead of all that was missed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

#: Bytes that are read at once, kept for who comes later, and that may wait to go to the guest.
PIECE: Final = 65536
KEPT: Final = 65536
MOST_INPUT: Final = 1024 * 1024
#: Seconds that a line stays connected without viewers: who reloads the page finds it as it was.
LINGER: Final = 5.0
#: Bytes that a browser may be owed until it says that it got them.
WINDOW: Final = 4 * 1024 * 1024
#: What tells a terminal to begin anew.
ANEW: Final = b"\x1bc"


class TooMuch(Exception):
    """The guest does not take what is typed, or what is sent is no typing."""


class Stream:
    """One connection to a hypervisor."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> Stream:
        """Of a connected socket, which is ours from now on."""
        return cls(*await asyncio.open_connection(sock=sock, limit=PIECE))

    async def take(self) -> bytes:
        """What comes next; b"" at the end."""
        try:
            return await self._reader.read(PIECE)
        except OSError:
            return b""

    def put(self, data: bytes) -> None:
        """Send to the guest. `TooMuch` when it takes nothing any more."""
        if self._writer.transport.get_write_buffer_size() + len(data) > MOST_INPUT:
            raise TooMuch
        self._writer.write(data)

    async def close(self) -> None:
        """Hang up. May be repeated."""
        self.hang_up()

    def hang_up(self) -> None:
        """At once."""
        self._writer.close()


class Line:
    """One serial line of a machine with everybody who looks at it."""

    def __init__(self, stream: Stream):
        self._stream = stream
        self._kept = bytearray()
        self._ends: set[Extension] = set()
        self.over = False
        self._task = asyncio.create_task(self._read())

    def extension(self) -> Extension:
        """An end for one more viewer, which begins with the text of before."""
        end = Extension(self)
        end.hear(bytes(self._kept), self._kept)
        self._ends.add(end)
        return end

    def put(self, data: bytes) -> None:
        self._stream.put(data)

    def leave(self, end: Extension) -> None:
        """One less; when nobody has come for a while after the last one, it is hung up."""
        self._ends.discard(end)
        if not self._ends:
            asyncio.get_running_loop().call_later(LINGER, self._hang_up_when_alone)

    def _hang_up_when_alone(self) -> None:
        if not self._ends:
            self.over = True
            self._task.cancel()
            self._stream.hang_up()

    async def _read(self) -> None:
        while data := await self._stream.take():
            self._kept += data
            del self._kept[:-KEPT]
            for end in self._ends:
                end.hear(data, self._kept)
        self.over = True
        self._stream.hang_up()
        for end in self._ends:
            end.hang_up()


class Extension:
    """One viewer's end of a shared line."""

    def __init__(self, line: Line):
        self._line = line
        self._waiting = bytearray()
        self._news = asyncio.Event()
        self._over = False

    def hear(self, data: bytes, kept: bytearray) -> None:
        """More text; who has not taken what was there before begins anew."""
        if len(self._waiting) + len(data) > KEPT:
            self._waiting[:] = ANEW + kept
        else:
            self._waiting += data
        self._news.set()

    def hang_up(self) -> None:
        self._over = True
        self._news.set()

    async def take(self) -> bytes:
        """What comes next; b"" at the end."""
        while not self._waiting and not self._over:
            self._news.clear()
            await self._news.wait()
        data, self._waiting = bytes(self._waiting), bytearray()
        return data

    def put(self, data: bytes) -> None:
        """Send to the guest. `TooMuch` when it takes nothing any more."""
        self._line.put(data)

    async def close(self) -> None:
        """Leave the line. May be repeated."""
        self._line.leave(self)


Key = tuple[int, str, str]  # hypervisor, reference there, kind


class Exchange:
    """The shared lines of this process."""

    def __init__(self) -> None:
        self._lines: dict[Key, Line] = {}
        self._locks: dict[Key, asyncio.Lock] = {}

    async def join(self, key: Key, connect: Callable[[], Awaitable[Stream]]) -> Extension:
        """An end of this line, which is connected for the first who comes."""
        self._lines = {known: line for known, line in self._lines.items() if not line.over}
        self._locks = {known: lock for known, lock in self._locks.items() if known in self._lines or lock.locked()}
        async with self._locks.setdefault(key, asyncio.Lock()):
            line = self._lines.get(key)
            if line is None or line.over:
                line = self._lines[key] = Line(await connect())
            return line.extension()


class Window:
    """How much a browser may be owed: whoever sends waits while it lags."""

    def __init__(self, size: int = WINDOW):
        self._size = size
        self._sent = 0
        self._got = 0
        self._room = asyncio.Event()
        self._room.set()

    async def send(self, number: int) -> None:
        """So many bytes go out now; returns when more may follow."""
        self._sent += number
        while self._sent - self._got > self._size:
            self._room.clear()
            await self._room.wait()

    def got(self, number: int) -> None:
        """The browser has had so many in all."""
        self._got = max(self._got, min(number, self._sent))
        self._room.set()
