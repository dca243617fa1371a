"""The socket below an SSH transport, tuned: large reads, no waiting for a delayed acknowledgement, a safe end."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Final, Protocol

READ_SIZE: Final = 256 * 1024
#: Seconds after which an unanswered connection is given up, by the kernel.
SILENCE: Final = 15
QUICK_ACK: Final = getattr(socket, "TCP_QUICKACK", None)


class Stream(Protocol):
    """What a socket and a channel have in common."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: Any, /) -> int: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def close(self) -> None: ...


class Wire:
    """What a transport reads and writes: a TCP socket, or a channel of the transport before it.

    A transport asks for 16 bytes, then for the rest of a packet: it is served from large reads. `close` only ends the
    traffic, as another thread may be inside `recv` and the number of a closed descriptor is soon another's; `release`
    closes when nobody reads any more.
    """

    def __init__(self, stream: Stream):
        self._stream = stream
        self._ack = QUICK_ACK if isinstance(stream, socket.socket) else None
        self._read = b""
        self._at = 0
        self._closed = False  # a transport looks at this name

    def recv(self, size: int) -> bytes:
        if self._at >= len(self._read):
            self._read, self._at = self._stream.recv(READ_SIZE), 0
            if self._ack is not None:
                self._acknowledge()
        data = self._read[self._at : self._at + size]
        self._at += len(data)
        return data

    def send(self, data: bytes) -> int:
        return self._stream.send(data)

    def settimeout(self, seconds: float | None) -> None:
        self._stream.settimeout(seconds)

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError, EOFError):  # not connected any more, or what carries it is not
            if isinstance(self._stream, socket.socket):
                self._stream.shutdown(socket.SHUT_RDWR)
            else:
                self._stream.close()

    def release(self) -> None:
        self.close()
        self._stream.close()

    def _acknowledge(self) -> None:
        """sshd leaves Nagle's algorithm on for forwarded ports: its next small packet waits until this one is
        acknowledged, 40 ms unless we hurry. The option wears off, hence at every read."""
        with contextlib.suppress(OSError):  # it was closed meanwhile; the next read says so
            self._stream.setsockopt(socket.IPPROTO_TCP, self._ack, 1)  # type: ignore[attr-defined]


def connected(addresses: list[tuple[Any, ...]], timeout: float) -> socket.socket:
    """A TCP connection to the first of these (family, address) that answers; the last `OSError` when none does."""
    fault: OSError = TimeoutError("no address")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(address)
            tune(sock)
            return sock
        except OSError as error:
            sock.close()
            fault = error
    raise fault


def tune(sock: socket.socket) -> None:
    """No Nagle, and a peer that vanished is noticed within `SILENCE` seconds."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection inside this process.

    Not a `socketpair`: only TCP can tell the other end that a stream was cut off, not ended (a reset).
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        ours = socket.create_connection(listener.getsockname(), timeout=5)
        while True:
            theirs, peer = listener.accept()
            if peer == ours.getsockname():
                break
            theirs.close()  # another program was curious
    for end in (ours, theirs):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.settimeout(None)
    return ours, theirs


def cut(sock: socket.socket) -> None:
    """End a local TCP connection so that its peer sees an error, not an end."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
