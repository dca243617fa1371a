"""What goes through the tunnel to one host and port, or to a program, counted."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence

import paramiko

from hypervisors.tunnels.board import Service, State
from hypervisors.tunnels.link import Link
from hypervisors.tunnels.passage import Passage
from olimpus.errors import HypervisorError


class Target:
    """One service behind the tunnel and the connections to it, which wait for answers no longer than `patience` seconds."""

    def __init__(self, host: str, port: int, service: str = "", reconnects: int = 0, argv: Sequence[str] = ()):
        self.host, self.port, self.service, self.argv = host, port, service, tuple(argv)
        self.patience = math.inf
        self.local_port = 0
        self._reconnects_before = reconnects
        self._lock = threading.Lock()
        self._passages: set[Passage] = set()
        self._opened = 0
        self._past = [0, 0]  # bytes in and out of those that are over
        self._latency: float | None = None
        self._fault = ""
        self._last_error = ""
        self._last_error_at: float | None = None
        self._since = time.time()

    def open(self, link: Link, timeout: float) -> paramiko.Channel:
        """A channel to it. Raises as `Link.open` does."""
        return link.session(self.argv, timeout) if self.argv else link.open(self.host, self.port, timeout)

    def opened(self, passage: Passage, seconds: float) -> None:
        with self._lock:
            self._passages.add(passage)
            self._opened += 1
            self._latency = seconds
            if self._fault:
                self._fault, self._since = "", time.time()

    def failed(self, error: HypervisorError) -> None:
        with self._lock:
            if not self._fault:
                self._since = time.time()
            self._fault = self._last_error = str(error)
            self._last_error_at = time.time()

    def ended(self, passage: Passage) -> None:
        with self._lock:
            self._passages.discard(passage)
            self._past[0] += passage.bytes_in
            self._past[1] += passage.bytes_out

    def passages(self) -> list[Passage]:
        """Those that are open."""
        with self._lock:
            return list(self._passages)

    def status(self, tunnel: State, since: float, reconnects: int) -> Service:
        """As the tunnel is, which has been so `since`; down when the last connection through a tunnel that is up failed."""
        with self._lock:
            bytes_in = self._past[0] + sum(passage.bytes_in for passage in self._passages)
            bytes_out = self._past[1] + sum(passage.bytes_out for passage in self._passages)
            return Service(
                service=self.service,
                host=self.host,
                port=self.port,
                local_port=self.local_port,
                state="down" if tunnel == "up" and self._fault else tunnel,
                since=max(since, self._since),
                reconnects=reconnects - self._reconnects_before,
                connections=len(self._passages),
                opened=self._opened,
                latency_ms=None if self._latency is None else round(self._latency * 1000, 2),
                bytes_in=bytes_in,
                bytes_out=bytes_out,
                last_error=self._last_error,
                last_error_at=self._last_error_at,
            )
