"""Somebody at a terminal: runs the real `olimpus` as a process, with a home folder of his own.

Calls that run to their end begin warm (`tests.cli.kitchen`), unless something is asked of Python itself.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.cli.kitchen import Kitchen

PROGRAM = Path(sys.executable).parent / "olimpus"


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)

    @property
    def table(self) -> list[list[str]]:
        """The cells of a table, headings first. (Cells are parted by two spaces and hold none.)"""
        return [re.split(r" {2,}", line.strip()) for line in self.out.splitlines()]


class Terminal:
    """Calls of `olimpus` in one home folder, against one server."""

    #: Whether each call begins as one of a person does, with nothing loaded.
    cold = False

    def __init__(self, home: Path, server: str, token: str = "", **environment: str):
        self.config = home / "config"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(self.config),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "OLIMPUS_SERVER": server,
            **({"OLIMPUS_TOKEN": token} if token else {}),
            **environment,
        }

    def begin(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a call and do not wait for it."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [PROGRAM, *arguments],
            **{"env": self.environment, "stdin": pipe, "stdout": pipe, "stderr": pipe, "text": True} | options,
        )

    def __call__(self, *arguments: str, typed: str = "", code: int | None = 0, **environment: str) -> Ended:
        """Run to the end. `code` is the exit code that it must have, None: any. Never a traceback."""
        ended = self._ended(arguments, typed, self.environment | environment)
        assert "Traceback" not in ended.out + ended.err, ended.err
        assert code is None or ended.code == code, f"{ended.code}: {ended.out}{ended.err}"
        return ended

    def _ended(self, arguments: tuple[str, ...], typed: str, environment: dict[str, str]) -> Ended:
        if self.cold or any(name.startswith(("PYTHON", "_OLIMPUS")) for name in environment):
            process = self.begin(*arguments, env=environment)
            out, err = process.communicate(typed, timeout=60)
            return Ended(process.returncode, out, err)
        with tempfile.TemporaryDirectory() as folder:
            return Ended(*kitchen().run(arguments, environment, typed.encode(), Path(folder)))


@cache
def kitchen() -> Kitchen:
    """Opened by the first call, closed when the tests end."""
    opened = Kitchen.open()
    atexit.register(opened.close)
    return opened
