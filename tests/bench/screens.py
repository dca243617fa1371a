"""As much of a browser's VNC viewer as the benchmarks need, over our WebSocket or over a bare connection."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable

from websockets.sync.client import ClientConnection

from descriptors.consoles.rfb import KEY, SET_ENCODINGS, UPDATE_REQUEST, VERSION, greet

RAW, KEYS_BY_PLACE = 0, -258
SHIFT = 0xFFE1
PIXEL = 4
#: Seconds for a machine that says nothing.
PATIENCE = 60.0
#: Bytes after which the page says how much it got.
TELL_EVERY = 65536
#: What QEMU answers at once when a viewer says that it can tell keys by their place: an update of one rectangle.
TAKEN = ">BxHHHHHi"


class Screen:
    """A viewer's side of an open screen: the hello is over."""

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[], bytes], init: bytes):
        self._send, self._receive = send, receive
        self._waiting = bytearray()
        self.width, self.height = struct.unpack(">HH", init[:4])

    @classmethod
    def direct(cls, sock: socket.socket, password: str) -> Screen:
        """Of a connection to the VNC server."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock.sendall, lambda: sock.recv(65536), greet(sock, password))

    @classmethod
    def through(cls, browser: Browser) -> Screen:
        """Of a WebSocket of ours, which asks for no password."""
        found = cls(browser.send, browser.receive, bytes(4))
        for length, reply in ((len(VERSION), VERSION), (2, b"\x01"), (4, b"\x01")):
            found.take(length)
            browser.send(reply)
        head = found.take(24)
        found.take(int.from_bytes(head[20:], "big"))
        found.width, found.height = struct.unpack(">HH", head[:4])
        return found

    def take(self, number: int) -> bytes:
        """So many bytes of what comes."""
        while len(self._waiting) < number:
            data = self._receive()
            assert data, "the screen is gone"
            self._waiting += data
        taken = bytes(self._waiting[:number])
        del self._waiting[:number]
        return taken

    def touch(self) -> None:
        """Press Shift, and wait until the machine has taken it."""
        self._send(_key(SHIFT, down=True) + _key(SHIFT, down=False) + _encodings(RAW, KEYS_BY_PLACE))
        assert struct.unpack(TAKEN, self.take(struct.calcsize(TAKEN)))[-1] == KEYS_BY_PLACE

    def watch(self) -> None:
        """Show what changes, as long as there is anything: as a browser does in which nobody touches a thing."""
        self._send(_encodings(RAW))
        changed = False
        while True:
            self._send(struct.pack(">BBHHHH", UPDATE_REQUEST, changed, 0, 0, self.width, self.height))
            self._update()
            changed = True

    def _update(self) -> None:
        _kind, rectangles = struct.unpack(">BxH", self.take(4))
        for _number in range(rectangles):
            _x, _y, width, height, encoding = struct.unpack(">HHHHi", self.take(12))
            assert encoding == RAW, encoding
            self.take(width * height * PIXEL)


class Browser:
    """A console's WebSocket, as the page uses it: it says how much it got."""

    def __init__(self, connection: ClientConnection):
        self.connection = connection
        self._got = self._told = 0

    def send(self, data: bytes) -> None:
        """To the machine."""
        self.connection.send(data)

    def receive(self) -> bytes:
        """What comes next of the machine; the page's own messages are dropped."""
        while isinstance(message := self.connection.recv(PATIENCE), str):
            assert "end" not in json.loads(message), message
        self._got += len(message)
        if self._got - self._told >= TELL_EVERY:
            self._told = self._got
            self.connection.send(json.dumps({"got": self._got}))
        return message


def _key(symbol: int, *, down: bool) -> bytes:
    return struct.pack(">BBxxI", KEY, down, symbol)


def _encodings(*wanted: int) -> bytes:
    return struct.pack(f">BxH{len(wanted)}i", SET_ENCODINGS, len(wanted), *wanted)
