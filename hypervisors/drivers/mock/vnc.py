"""The mock's screen over RFB 3.8: the pretended shell, drawn. It wants a password, like a real one, and knows raw pixels."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hypervisors.drivers.base import VmInfo
from hypervisors.drivers.mock import screen
from hypervisors.drivers.mock.serial import LOOK
from hypervisors.drivers.mock.shell import Shell

PASSWORD: Final = "pretend"  # noqa: S105 - of a screen that is not there
#: 32 bits, true colour, little endian: what viewers ask for, too.
FORMAT: Final = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
FIXED: Final = {0: 20, 3: 10, 4: 8, 5: 6}
RETURN, BACKSPACE, TAB, ESCAPE, CONTROL = 0xFF0D, 0xFF08, 0xFF09, 0xFF1B, (0xFFE3, 0xFFE4)
KEYS: Final = {RETURN: "\r", BACKSPACE: "\x7f", TAB: "\t", ESCAPE: "\x1b", 0x20AC: "€"}


def serve(vm: VmInfo, is_on: Callable[[], bool]) -> socket.socket:
    """Our end of a new connection to the VM's screen; it ends as a serial line does."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_run, args=(theirs, vm, is_on), name=f"vnc-{vm.ref}", daemon=True).start()
    return ours


def _run(sock: socket.socket, vm: VmInfo, is_on: Callable[[], bool]) -> None:
    with sock, contextlib.suppress(OSError):  # whoever looked has gone, or the power has
        wire = Wire(sock, is_on)
        _hello(wire, vm.name)
        viewer = Viewer(wire, Shell(vm))
        while True:
            viewer.answer(wire.take(1)[0])


@dataclass
class Wire:
    """The connection, as long as the VM is on: `ConnectionError` after that."""

    sock: socket.socket
    is_on: Callable[[], bool]

    def take(self, number: int) -> bytes:
        """So many bytes."""
        data = b""
        while len(data) < number:
            if select.select([self.sock], [], [], LOOK)[0]:
                data += self._piece(number - len(data))
            elif not self.is_on():
                raise ConnectionError("off")
        return data

    def _piece(self, most: int) -> bytes:
        if not (piece := self.sock.recv(most)):
            raise ConnectionError("closed")
        return piece


def _hello(wire: Wire, name: str) -> None:
    wire.sock.sendall(b"RFB 003.008\n")
    wire.take(12)
    wire.sock.sendall(b"\x01\x02")
    wire.take(1)
    wire.sock.sendall(bytes(16))
    wire.take(16)  # what is pretended is not checked
    wire.sock.sendall(bytes(4))
    wire.take(1)
    title = name.encode()
    size = struct.pack(">HH", screen.WIDTH, screen.HEIGHT)
    wire.sock.sendall(size + FORMAT + struct.pack(">I", len(title)) + title)


@dataclass
class Viewer:
    """Whoever looks: what was drawn for him already, and whether he waits for more."""

    wire: Wire
    shell: Shell
    terminal: screen.Terminal = field(default_factory=screen.Terminal)
    drawn: list[str] = field(default_factory=lambda: [""] * screen.ROWS)
    pixels: tuple[bytes, bytes] = (b"", b"")
    waits: bool = False
    control: bool = False

    def __post_init__(self) -> None:
        self.set_format(FORMAT)
        self.terminal.write(self.shell.greeting().decode())

    def answer(self, kind: int) -> None:
        """One message, whose first byte was read."""
        if kind == 2:
            (number,) = struct.unpack(">xH", self.wire.take(3))
            self.wire.take(4 * number)
        elif kind == 6:
            (length,) = struct.unpack(">3xI", self.wire.take(7))
            self.wire.take(length)
        elif kind in FIXED:
            self._fixed(kind, self.wire.take(FIXED[kind] - 1))
        else:
            raise ConnectionError(f"message {kind}")
        self._draw()

    def _fixed(self, kind: int, data: bytes) -> None:
        if kind == 0:
            self.set_format(data[3:])
        elif kind == 3:
            self.waits = True
            self.drawn = self.drawn if data[0] else ["\0\0"] * screen.ROWS
        elif kind == 4:
            down, keysym = struct.unpack(">B2xI", data)
            self._key(bool(down), keysym)

    def set_format(self, data: bytes) -> None:
        """Pixels as the viewer wants them: four bytes each, or he is none of ours."""
        bits, _depth, big, _true, _r, _g, _b, *shifts = struct.unpack(">BBBBHHHBBB3x", data)
        if bits != 32:
            raise ConnectionError("pixels")
        order = ">I" if big else "<I"
        paper, ink = (
            struct.pack(order, sum(part << shift for part, shift in zip(colour, shifts, strict=True)))
            for colour in (screen.PAPER, screen.INK)
        )
        self.pixels = (paper, ink)

    def _key(self, down: bool, keysym: int) -> None:
        if keysym in CONTROL:
            self.control = down
        elif down and (text := _letter(keysym)):
            text = chr(ord(text.upper()) & 31) if self.control and text.isascii() else text
            self.terminal.write(self.shell.feed(text.encode()).decode())

    def _draw(self) -> None:
        """The rows that have changed, when the viewer waits for them."""
        rows = self.terminal.rows()
        changed = [place for place, row in enumerate(rows) if row != self.drawn[place]]
        if not self.waits or not changed:
            return
        self.waits, self.drawn = False, rows
        update = struct.pack(">BxH", 0, len(changed))
        for place in changed:
            area = (0, place * screen.CELL_HEIGHT, screen.WIDTH, screen.CELL_HEIGHT)
            update += struct.pack(">HHHHi", *area, 0)
            update += b"".join(self.pixels[dot] for line in screen.dots(rows[place]) for dot in line)
        self.wire.sock.sendall(update)


def _letter(keysym: int) -> str:
    if keysym in KEYS:
        return KEYS[keysym]
    if 0x20 <= keysym <= 0xFF:
        return chr(keysym)
    return chr(keysym - 0x01000000) if 0x01000000 < keysym < 0x01110000 else ""
