"""Somebody at a terminal: runs the real `olimpus` as a process, with a home folder of his own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        process = self.begin(*arguments, env=self.environment | environment)
        out, err = process.communicate(typed, timeout=60)
        assert "Traceback" not in out + err, err
        assert code is None or process.returncode == code, f"{process.returncode}: {out}{err}"
        return Ended(process.returncode, out, err)
