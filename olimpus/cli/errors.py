"""How a command ends when it does not end well: one line for people, a number for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from olimpus.errors import OlimpusError


class Exit(IntEnum):
    """Exit codes; documented in `docs/cli.md`, scripts rely on them."""

    OK = 0
    FAILED = 1  # the operation was accepted and failed, at least for some machine
    USAGE = 2  # the command line is not understood, or asks for what is never done
    UNREACHABLE = 3  # no Olimpus answers at this address
    SIGNED_OUT = 4  # no token, or it is unknown, expired or revoked
    FORBIDDEN = 5
    NOT_FOUND = 6  # no such path, or nothing matches
    REFUSED = 7  # the server refuses: invalid input, conflict, somebody else saved first
    SERVER = 8  # the server failed
    INTERRUPTED = 130  # Ctrl-C
    BROKEN_PIPE = 141  # who read our output has gone


class Failure(OlimpusError):
    """What was asked is not done. Printed as one line, with one more for each of several faults."""

    def __init__(
        self,
        message: str,
        code: Exit = Exit.FAILED,
        *,
        where: str = "",
        hint: str = "",
        faults: Sequence[str] = (),
    ):
        super().__init__(message, where=where, hint=hint)
        self.code = code
        self.faults = tuple(faults)
