"""`console`: a command goes to the machine, its answer comes back, in a script and at a terminal."""

from __future__ import annotations

import os
import pty
import time

from tests.cli.acting import Branch
from tests.cli.acting import branch as branch
from tests.cli.terminal import Terminal

SECONDS = 60


def read_until(terminal: int, text: bytes) -> bytes:
    """What a terminal shows, up to this text."""
    shown, end = b"", time.monotonic() + SECONDS
    while text not in shown:
        assert time.monotonic() < end, shown
        shown += os.read(terminal, 4096)
    return shown


def test_what_is_piped_is_typed_and_the_answer_printed(admin: Terminal, branch: Branch) -> None:
    admin("create", branch.web, "--wait")
    assert "it must be on" in admin("console", branch.web, code=7).err
    admin("start", branch.web, "--wait")
    said = admin("console", branch.web, typed="echo twice\rhostname\r").out
    assert said.count("twice") == 2
    assert "\none-web\n" in said
    assert "intruder" not in admin("console", branch.web, "--watch", typed="echo intruder\r").out
    assert admin("console", branch.path, code=7).err


def test_at_a_terminal_every_key_goes_there_until_it_is_left(admin: Terminal, branch: Branch) -> None:
    admin("create", branch.web, "--wait")
    admin("start", branch.web, "--wait")
    ours, theirs = pty.openpty()
    process = admin.begin("console", branch.web, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    read_until(ours, b"# ")
    os.write(ours, b"half\x03uname -a\r")
    assert b"^C" in read_until(ours, b"GNU/Linux")
    os.write(ours, b"\x1d")
    assert process.wait(SECONDS) == 0
    os.close(ours)


def test_power_that_goes_ends_it(admin: Terminal, branch: Branch) -> None:
    admin("create", branch.web, "--wait")
    admin("start", branch.web, "--wait")
    process = admin.begin("console", branch.web)
    assert process.stdout is not None
    process.stdout.read(1)
    admin("force-off", branch.web, "--wait", "--yes")
    _out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, "switched off" in err) == (0, True)
