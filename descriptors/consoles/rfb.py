"""As much of RFB (VNC) as stands between a viewer and a screen: the greeting on both sides, and what may be sent there.

The password stays here: we answer the server's challenge, and viewers, who came with a ticket, are asked for none. From
then on the server's bytes pass as they are. The viewer's are read message by message, because whoever only watches may
ask for pictures but not type, and because encodings that change the messages themselves are not let through.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from olimpus.errors import Rejected, Unreachable
from olimpus.words import gettext as _

VERSION: Final = b"RFB 003.008\n"
NO_PASSWORD, VNC_PASSWORD = 1, 2
SECONDS: Final = 15.0
LONGEST_REASON: Final = 4096
LONGEST_NAME: Final = 65536

SET_PIXEL_FORMAT, SET_ENCODINGS, UPDATE_REQUEST, KEY, POINTER, CUT_TEXT = 0, 2, 3, 4, 5, 6
SET_DESKTOP_SIZE, QEMU = 251, 255
#: Messages by which a viewer changes something in the guest.
DRIVING: Final = frozenset({KEY, POINTER, CUT_TEXT, SET_DESKTOP_SIZE, QEMU})
#: A clipboard above this is refused.
LONGEST_CUT: Final = 1024 * 1024
#: Fence, continuous updates, xvp, extended mouse buttons, extended clipboard, VMware's: each changes what viewers send, or
#: lets the server send unasked, which a slow browser could not stop.
UNWANTED: Final = frozenset({-312, -313, -309, -316, 0xC0A1E5CE - 2**32, -305})


class Nonsense(Exception):
    """The viewer does not speak RFB as we offered it."""


# -- towards the screen ------------------------------------------------------------------------------------------------


def greet(sock: socket.socket, password: str) -> bytes:
    """Sign in at the server and ask for a shared screen; returns its ServerInit. Blocks; `Unreachable`, `Rejected`."""
    sock.settimeout(SECONDS)
    try:
        return _greet(sock, password)
    except OSError as error:
        raise Unreachable(_("The screen does not answer.")) from error
    finally:
        sock.settimeout(None)


def _greet(sock: socket.socket, password: str) -> bytes:
    if not _exactly(sock, 12).startswith(b"RFB 003."):
        raise Unreachable(_("What answers there is no screen."))
    sock.sendall(VERSION)
    kinds = _exactly(sock, _exactly(sock, 1)[0])
    if not kinds:
        raise Rejected(_("The screen refuses: %(why)s") % {"why": _reason(sock)})
    _sign_in(sock, kinds, password)
    if _exactly(sock, 4) != b"\0\0\0\0":
        raise Rejected(_("The screen refuses: %(why)s") % {"why": _reason(sock)})
    sock.sendall(b"\x01")  # shared: nobody is thrown out by the next who comes
    head = _exactly(sock, 24)
    length = int.from_bytes(head[20:], "big")
    if length > LONGEST_NAME:
        raise Unreachable(_("What answers there is no screen."))
    return head + _exactly(sock, length)


def _sign_in(sock: socket.socket, kinds: bytes, password: str) -> None:
    if VNC_PASSWORD in kinds and (password or NO_PASSWORD not in kinds):
        sock.sendall(bytes([VNC_PASSWORD]))
        sock.sendall(answer(_exactly(sock, 16), password))
    elif NO_PASSWORD in kinds:
        sock.sendall(bytes([NO_PASSWORD]))
    else:
        known = ", ".join(map(str, kinds))
        raise Rejected(_("The screen asks for a way to sign in that is not known here (%(kinds)s).") % {"kinds": known})


def answer(challenge: bytes, password: str) -> bytes:
    """The challenge enciphered with the password, whose bits VNC reads backwards: DES is all that it knows."""
    key = password.encode("latin-1", "replace")[:8].ljust(8, b"\0")
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    cipher = Cipher(TripleDES(turned * 3), modes.ECB()).encryptor()  # noqa: S305 - the protocol's own
    return cipher.update(challenge) + cipher.finalize()


def _exactly(sock: socket.socket, number: int) -> bytes:
    found = b""
    while len(found) < number:
        piece = sock.recv(number - len(found))
        if not piece:
            raise ConnectionError("closed")
        found += piece
    return found


def _reason(sock: socket.socket) -> str:
    length = int.from_bytes(_exactly(sock, 4), "big")
    return _exactly(sock, min(length, LONGEST_REASON)).decode("latin-1")


# -- towards the viewer ------------------------------------------------------------------------------------------------


@dataclass
class Passed:
    """What came of a viewer's bytes: `up` goes to the screen, `down` back to the viewer; `touched`: a person was there."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)
    touched: bool = False


class Doorman:
    """Plays the server while a viewer says hello, and lets its messages through after that. Pure: bytes in, bytes out."""

    def __init__(self, init: bytes, *, watch_only: bool):
        self._steps = [(12, VERSION_OFFER), (1, b"\0\0\0\0"), (1, init)]
        self._watch_only = watch_only
        self._waiting = bytearray()

    @property
    def is_open(self) -> bool:
        """Whether the hello is over: only then the server's bytes may go to the viewer."""
        return not self._steps

    def feed(self, data: bytes) -> Passed:
        """Take what a viewer sent. `Nonsense` when it is no RFB."""
        self._waiting += data
        passed = Passed()
        while self._steps and len(self._waiting) >= self._steps[0][0]:
            self._hello(passed)
        while not self._steps and (length := _length(self._waiting)) is not None:
            message = bytes(self._waiting[:length])
            del self._waiting[:length]
            self._pass(message, passed)
        return passed

    def _hello(self, passed: Passed) -> None:
        length, reply = self._steps.pop(0)
        said = bytes(self._waiting[:length])
        del self._waiting[:length]
        if length == len(VERSION) and not said.startswith(b"RFB 003."):
            raise Nonsense("version")
        passed.down += reply

    def _pass(self, message: bytes, passed: Passed) -> None:
        if message[0] in DRIVING:
            passed.touched = True
            if self._watch_only:
                return
        passed.up += _tamed(message) if message[0] == SET_ENCODINGS else message


#: After the version: one way to sign in, which asks for nothing.
VERSION_OFFER: Final = bytes([1, NO_PASSWORD])


def _tamed(message: bytes) -> bytes:
    """The same wish without the encodings that are not let through."""
    wanted = struct.unpack(f">{(len(message) - 4) // 4}i", message[4:])
    kept = [encoding for encoding in wanted if encoding not in UNWANTED]
    return struct.pack(f">BxH{len(kept)}i", SET_ENCODINGS, len(kept), *kept)


def _length(data: bytearray) -> int | None:
    """How long the message is that begins here; None while it is not all there. `Nonsense` for a kind that we know not."""
    if not data:
        return None
    needed = _needed(data)
    return needed if needed and len(data) >= needed else None


def _needed(data: bytearray) -> int:
    """The length of the message, 0 while its head is not there."""
    kind = data[0]
    if kind in FIXED:
        return FIXED[kind]
    head = HEADS.get(kind)
    if head is None:
        raise Nonsense(f"message {kind}")
    if len(data) < head:
        return 0
    if kind == SET_ENCODINGS:
        return 4 + 4 * int.from_bytes(data[2:4], "big")
    if kind == SET_DESKTOP_SIZE:
        return 8 + 16 * data[6]
    if kind == QEMU:
        return _needed_by_qemu(data)
    length = int.from_bytes(data[4:8], "big", signed=True)
    if not 0 <= length <= LONGEST_CUT:
        raise Nonsense("clipboard")
    return 8 + length


def _needed_by_qemu(data: bytearray) -> int:
    """Keys as they lie on the keyboard (0); sound (1) is not offered."""
    if data[1] != 0:
        raise Nonsense(f"QEMU message {data[1]}")
    return 12


FIXED: Final = {SET_PIXEL_FORMAT: 20, UPDATE_REQUEST: 10, KEY: 8, POINTER: 6}
HEADS: Final = {SET_ENCODINGS: 4, CUT_TEXT: 8, SET_DESKTOP_SIZE: 8, QEMU: 2}
