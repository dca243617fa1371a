"""Programs that run on the last hop: one after the other until their end, or as a stream of bytes."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import paramiko

from olimpus.errors import TimedOut, Unreachable
from olimpus.words import gettext as _

BREATH: Final = 0.001
TAKE: Final = 256 * 1024
CHUNK: Final = 32 * 1024 - 256
#: How often a wait looks whether its time is up.
LOOK: Final = 0.5
#: Seconds from the end of the output to the exit status, and to the end of the session.
LONGEST_END: Final = 5.0
#: What paramiko says of a program that a signal ended, and of one whose connection was lost.
NO_STATUS: Final = -1
BROKEN: Final = (OSError, EOFError, paramiko.SSHException)


@dataclass(frozen=True)
class Ended:
    """How a program ended. `code` is -1 when a signal ended it."""

    code: int
    out: bytes
    err: bytes


def begin(transport: paramiko.Transport, argv: Sequence[str], timeout: float) -> paramiko.Channel:
    """Start a program; its words reach it as they are, whatever is in them. Raises what paramiko raises."""
    channel = transport.open_session(timeout=timeout)
    try:
        channel.settimeout(timeout)
        channel.exec_command(shlex.join(argv))
    except BaseException:
        channel.close()
        raise
    return channel


def finish(channel: paramiko.Channel, stdin: bytes, timeout: float, heard: Callable[[], None] | None) -> Ended:
    """Give the program its input and collect what it says until it ends.

    `TimedOut`: it goes on, or not, and nobody listens. `Unreachable`: the connection was lost, and so was its end.
    """
    deadline = time.monotonic() + timeout
    threading.Thread(target=_feed, args=(channel, stdin), name="tunnel-stdin", daemon=True).start()
    out: list[bytes] = []
    try:
        _collect(channel, out, deadline, heard)
        code = channel.recv_exit_status() if channel.status_event.wait(LONGEST_END) else None
        if code == NO_STATUS and not channel.get_transport().is_active():
            code = None
        _await_close(channel)
        said = b"".join(iter(lambda: channel.recv_stderr(TAKE) if channel.recv_stderr_ready() else b"", b""))
    except BROKEN:
        code, said = None, b""
    finally:
        channel.close()
    if code is None:
        raise Unreachable(_("The SSH connection was lost."))
    return Ended(code, b"".join(out), said)


def _collect(channel: paramiko.Channel, out: list[bytes], deadline: float, heard: Callable[[], None] | None) -> None:
    channel.settimeout(LOOK)
    while True:
        try:
            data = channel.recv(TAKE)
        except TimeoutError:
            if time.monotonic() > deadline:
                raise TimedOut(_("The command did not end in time.")) from None
            continue
        if heard:
            heard()
        if not data:
            return
        out.append(data)


def _await_close(channel: paramiko.Channel) -> None:
    """sshd counts a session until both sides have closed it: the next one might be refused."""
    deadline = time.monotonic() + LONGEST_END
    while not channel.closed and time.monotonic() < deadline:
        time.sleep(BREATH)


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    try:
        view = memoryview(stdin)
        while view:
            with suppress(TimeoutError):  # it reads slowly; who collects what it says knows when its time is up
                view = view[channel.send(bytes(view[:CHUNK])) :]
        channel.shutdown_write()
    except BROKEN:
        return  # it ended without reading everything: its exit code tells
