"""What the tests of acting commands share: a branch of their own on the demo server."""

from __future__ import annotations

import os
import pty
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Ended, Terminal

_numbers = count(1)
DOCUMENT = """
path: {path}
common: {{hypervisor: mock, image: debian-12, flavor: small}}
folders:
  one:
    descriptors: {{web: {{labels: {{role: web}}}}, db: }}
  two:
    descriptors: {{web: }}
"""


@dataclass(frozen=True)
class Branch:
    """/acts-N with one/web, one/db, two/web; nothing is on the hypervisor yet."""

    path: str
    web: str
    db: str
    other: str


@pytest.fixture
def branch(admin: Terminal) -> Iterator[Branch]:
    """A branch of this test; its machines are destroyed and it is deleted afterwards."""
    path = f"/acts-{next(_numbers)}"
    admin("apply", "-f", "-", typed=DOCUMENT.format(path=path))
    yield Branch(path, f"{path}/one/web", f"{path}/one/db", f"{path}/two/web")
    if admin("find", path, "--state", "running,paused,failed", code=None).out:
        for verb in ("recover", "force-off"):
            admin(verb, path, "-r", "--wait", "--yes", code=None)
    if admin("find", path, "--state", "created,stopped,failed", code=None).out:
        admin("destroy", path, "-r", "--wait", "--yes", code=None)
    if admin("show", path, code=None).code == 0:
        admin("rm", "-r", path, "--yes")


def editor(folder: Path, *scripts: str) -> str:
    """An $EDITOR that runs one of the shell scripts each time that it is called, `$1` being the file."""
    file, number = folder / "editor", folder / "calls"
    cases = "\n".join(f"{index}) {script};;" for index, script in enumerate(scripts, 1))
    text = f"""#!/bin/sh
n=$(($(cat {number} 2>/dev/null || echo 0) + 1)); echo $n > {number}
cp "$1" {folder}/seen-$n
case $n in
{cases}
esac
"""
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def answering(terminal: Terminal, answer: str, *arguments: str) -> Ended:
    """Run with somebody at the keyboard who answers the one question with this."""
    here, there = pty.openpty()
    process = terminal.begin(*arguments, stdin=there)
    os.close(there)
    os.write(here, f"{answer}\n".encode())
    out, err = process.communicate(timeout=60)
    os.close(here)
    assert "Traceback" not in out + err, err
    return Ended(process.returncode, out, err)


def states(terminal: Terminal, path: str) -> dict[str, Any]:
    """State by name below a path."""
    rows = terminal("find", path, "--kind", "machine", "-o", "json", code=None).data
    return {row["path"].removeprefix(f"{path}/"): row["state"] for row in rows}
