"""What a real guest says on its serial console."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from hypervisors.drivers.base import Driver

#: Seconds that a guest may take to boot, and to answer.
BOOT = 60.0
#: After so many seconds without a word one knocks again: who has just opened the line may not be heard.
SILENCE = 3.0


def is_ready(driver: Driver, ref: str) -> bool:
    """Whether the guest says that it can be used."""
    return "LAB-READY" in driver.console_text(ref)


def answered(driver: Driver, ref: str, command: str, until: str, seconds: float = BOOT) -> str:
    """What the guest says to a command, up to this word, once somebody has signed in. Nobody was signed in before."""
    with driver.console(ref, "serial").sock as line:
        line.settimeout(SILENCE)
        for typed, awaited in (("", "login:"), ("root", "assword:"), ("lab", "# "), (command, until)):
            said = _said(line, typed, awaited, seconds)
    return said


def _said(line: Any, typed: str, awaited: str, seconds: float) -> str:
    said, end = "", time.monotonic() + seconds
    line.sendall(typed.encode() + b"\r")
    while awaited not in said:
        assert time.monotonic() < end, said
        with suppress(TimeoutError):
            said += line.recv(4096).decode(errors="replace")
            continue
        if not typed:
            line.sendall(b"\r")
    return said
