"""RFB between a viewer and a screen: the hello on both sides, and what whoever only watches may send."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.consoles.rfb import LONGEST_CUT, UNWANTED, VERSION, Doorman, Nonsense, answer, greet
from olimpus.errors import Rejected, Unreachable

INIT = struct.pack(">HH", 640, 480) + bytes(16) + struct.pack(">I", 3) + b"web"
KEY = struct.pack(">BBxxI", 4, 1, 0x40)
POINTER = struct.pack(">BBHH", 5, 1, 10, 20)
CUT = struct.pack(">BxxxI", 6, 4) + b"text"
QEMU_KEY = struct.pack(">BBHII", 255, 0, 1, 0x40, 3)
RESIZE = struct.pack(">BxHHBx", 251, 800, 600, 1) + bytes(16)
FORMAT = bytes(20)
REQUEST = struct.pack(">BBHHHH", 3, 1, 0, 0, 640, 480)
DRIVING, LOOKING = (KEY, POINTER, CUT, QEMU_KEY, RESIZE), (FORMAT, REQUEST)


def encodings(*wanted: int) -> bytes:
    return struct.pack(f">BxH{len(wanted)}i", 2, len(wanted), *wanted)


def doorman(*, watch_only: bool = False) -> Doorman:
    """One whose viewer has said hello."""
    made = Doorman(INIT, watch_only=watch_only)
    assert made.feed(VERSION).down == b"\x01\x01"
    assert not made.is_open
    assert made.feed(b"\x01\x00").down == bytes(4) + INIT
    assert made.is_open
    return made


@pytest.mark.parametrize("message", DRIVING + LOOKING)
def test_who_drives_may_send_all(message):
    passed = doorman().feed(message)
    assert (passed.up, passed.touched) == (message, message in DRIVING)


def test_who_watches_may_look_and_not_touch():
    made = doorman(watch_only=True)
    assert made.feed(b"".join(DRIVING + LOOKING)).up == b"".join(LOOKING)


@given(st.lists(st.sampled_from(DRIVING + LOOKING), max_size=20), st.integers(1, 30))
def test_pieces_make_no_difference(messages, size):
    data, made, up = b"".join(messages), doorman(watch_only=True), b""
    for start in range(0, len(data), size):
        up += made.feed(data[start : start + size]).up
    assert up == b"".join(message for message in messages if message in LOOKING)


def test_encodings_that_change_the_messages_are_not_let_through():
    assert doorman().feed(encodings(7, *sorted(UNWANTED), -258, 0)).up == encodings(7, -258, 0)


@pytest.mark.parametrize(
    "nonsense",
    [b"\x07", b"\xff\x01", struct.pack(">BxxxI", 6, LONGEST_CUT + 1), struct.pack(">BxxxI", 6, 0xFFFFFFFF), b"\xfa"],
)
def test_what_is_no_message_is_refused(nonsense):
    with pytest.raises(Nonsense):
        doorman().feed(nonsense)


def test_another_protocol_is_refused():
    with pytest.raises(Nonsense):
        Doorman(INIT, watch_only=False).feed(b"GET / HTTP/1.")


class Server(threading.Thread):
    """A screen that says these things in turn, each after so many bytes were heard."""

    def __init__(self, *steps: tuple[int, bytes]):
        super().__init__(daemon=True)
        self.ours, self._theirs = socket.socketpair()
        self._steps = steps
        self.heard: list[bytes] = []
        self.start()

    def run(self) -> None:
        with self._theirs:
            for number, reply in self._steps:
                self.heard.append(self._theirs.recv(number, socket.MSG_WAITALL) if number else b"")
                self._theirs.sendall(reply)


def test_a_screen_without_a_password():
    server = Server((0, VERSION), (12, b"\x02\x01\x13"), (1, bytes(4)), (1, INIT))
    assert greet(server.ours, "") == INIT
    server.join(5)
    assert server.heard == [b"", VERSION, b"\x01", b"\x01"]  # the last: shared


def test_the_password_is_told_here_and_nowhere_else():
    challenge = bytes(range(16))
    server = Server((0, VERSION), (12, b"\x02\x01\x02"), (1, challenge), (16, bytes(4)), (1, INIT))
    assert greet(server.ours, "secret") == INIT
    server.join(5)
    assert server.heard[2:4] == [b"\x02", answer(challenge, "secret")]
    assert server.ours.gettimeout() is None


def test_the_answer_is_des_with_the_bits_of_the_password_turned():
    assert answer(bytes(16), "\0").hex() == "8ca64de9c1b123a7" * 2  # known: DES of zeros under zeros
    assert answer(bytes(16), "\x01") == answer(bytes(16), "\x01ignored"[:1])


@pytest.mark.parametrize(
    ("steps", "error", "words"),
    [
        (((0, b"HTTP/1.1 400"),), Unreachable, "no screen"),
        (((0, VERSION), (12, b"\x00" + struct.pack(">I", 4) + b"full")), Rejected, "full"),
        (((0, VERSION), (12, b"\x01\x13")), Rejected, "19"),
        (((0, VERSION), (12, b"\x01\x01"), (1, b"\0\0\0\x01" + struct.pack(">I", 3) + b"bad")), Rejected, "bad"),
        (((0, b"RFB"),), Unreachable, "does not answer"),
    ],
)
def test_what_goes_wrong_is_said(steps, error, words):
    with pytest.raises(error, match=words):
        greet(Server(*steps).ours, "")
