"""One TCP connection through the tunnel: a local socket, a channel, and a thread for each direction."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

import paramiko

from hypervisors.tunnels import wire

CHUNK: Final = 32 * 1024 - 256  # one packet of SSH, even inside another SSH
TAKE: Final = 1024 * 1024  # whatever has come
ONE_SECOND: Final = struct.pack("ll", 1, 0)
BROKEN: Final = (OSError, EOFError, paramiko.SSHException)


class Passage:
    """Carries bytes both ways until one side is done or lost.

    An orderly end is passed on as such, in each direction by itself. A lost one cuts the local connection off (a
    reset): half an answer never looks like a whole one. So is one that nothing moves in for longer than `patience` while an
    answer is awaited.
    """

    def __init__(
        self,
        local: socket.socket,
        channel: paramiko.Channel,
        done: Callable[[Passage], None],
        heard: Callable[[], None] | None = None,
        patience: float = math.inf,
    ):
        # A send gives up after a while to see whether it still makes sense; a read has no such bound.
        local.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, ONE_SECOND)
        self._local = local
        self._channel = channel
        self._done = done
        self._heard = heard  # what to do when data has come
        self._patience = patience
        self._open_ways = 2
        self._lock = threading.Lock()
        self._whole = True
        self.bytes_out = 0  # towards the cloud
        self.bytes_in = 0
        self._moved_at = time.monotonic()
        self._answered = False  # the last bytes came in

    def start(self) -> None:
        for way, carry in (("out", self._out), ("in", self._in)):
            threading.Thread(target=self._run, args=(carry,), name=f"tunnel-{way}", daemon=True).start()

    @property
    def half_closed_for(self) -> float:
        """Seconds since the other side ended and ours has not said anything any more."""
        return time.monotonic() - self._moved_at if self._channel.eof_received else 0.0

    @property
    def hangs(self) -> bool:
        """Whether our side waits for an answer, and nothing has moved for longer than that may take."""
        return not self._answered and time.monotonic() - self._moved_at > self._patience

    @property
    def resting_for(self) -> float:
        """Seconds since the last bytes when they came from the other side; 0 while an answer is awaited."""
        return time.monotonic() - self._moved_at if self._answered else 0.0

    def finish(self) -> None:
        """End it in an orderly way."""
        with contextlib.suppress(OSError):
            self._local.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End it as lost."""
        self._whole = False
        self._wake()

    def _run(self, carry: Callable[[], bool]) -> None:
        try:
            if not carry():
                self.cut()
        except BROKEN:
            self.cut()
        finally:
            self._ended()

    def _out(self) -> bool:
        """Whether the local side came to an orderly end."""
        while data := self._local.recv(CHUNK):
            if self._answered:
                self._moved_at, self._answered = time.monotonic(), False  # before the answer can come
            sent = 0
            while sent < len(data):
                size = self._channel.send(data[sent:] if sent else data)
                if not size:
                    return False
                sent += size
            self.bytes_out += sent
            self._moved_at = time.monotonic()
        self._channel.shutdown_write()
        return True

    def _in(self) -> bool:
        """Whether the other side came to an orderly end."""
        while data := self._channel.recv(TAKE):
            self._moved_at, self._answered = time.monotonic(), True  # before our side can ask for more
            if not self._deliver(data):
                return False
            self.bytes_in += len(data)
            self._moved_at = time.monotonic()
            if self._heard:
                self._heard()
        self._moved_at = time.monotonic()
        if not self._channel.eof_received or not self._whole:  # the other side may end because we cut it off
            return False
        with contextlib.suppress(OSError):  # the client was faster
            self._local.shutdown(socket.SHUT_RDWR if self._channel.closed else socket.SHUT_WR)
        return True

    def _deliver(self, data: bytes) -> bool:
        """Whether the local side took all of it, however slowly."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._local.send(view) :]
            except BlockingIOError:
                if not self._whole or (self._channel.closed and not self._channel.eof_received):
                    return False
        return True

    def _wake(self) -> None:
        """Both threads leave their `recv`."""
        with contextlib.suppress(*BROKEN):
            self._channel.close()
        wire.cut(self._local)
        with contextlib.suppress(OSError):
            self._local.shutdown(socket.SHUT_RD)

    def _ended(self) -> None:
        with self._lock:
            self._open_ways -= 1
            if self._open_ways:
                return
        with contextlib.suppress(*BROKEN):
            self._channel.close()
        self._local.close()
        self._done(self)
