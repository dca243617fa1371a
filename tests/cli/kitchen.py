"""Processes of `olimpus` that begin warm: forked from one that has loaded the libraries, but nothing of ours.

A call is a process like any other, with its own environment, streams, signals and exit code; it is only spared the time in
which Python loads typer and httpx. `python -m tests.cli.kitchen SOCKET` is the process that they are forked from.
"""

from __future__ import annotations

import array
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from olimpus.cli.loading import load_httpx

ROOT = Path(__file__).resolve().parents[2]
#: What the commands load; texts of ours are not among it: they are translated while they are loaded.
LIBRARIES = ("typer", "click.shell_completion", "babel.dates", "babel.numbers", "ruamel.yaml", "platformdirs", "uuid")
LONGEST = 1 << 20


@dataclass
class Kitchen:
    """The warm process, and the connection on which it is asked."""

    process: subprocess.Popen[bytes]
    line: socket.socket

    @classmethod
    def open(cls) -> Kitchen:
        """Start it; it ends when the connection is closed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.cli.kitchen", str(theirs.fileno())]
            process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
        ours.settimeout(60)
        return cls(process, ours)

    def close(self) -> None:
        """End it."""
        self.line.close()
        self.process.wait(10)

    def run(
        self, arguments: Sequence[str], environment: dict[str, str], typed: bytes, folder: Path
    ) -> tuple[int, str, str]:
        """Exit code, output and errors of one call, run to its end."""
        files = [folder / name for name in ("stdin", "stdout", "stderr")]
        files[0].write_bytes(typed)
        opened = [files[0].open("rb"), files[1].open("wb"), files[2].open("wb")]
        given = array.array("i", [file.fileno() for file in opened])
        asked = json.dumps({"arguments": list(arguments), "environment": environment}).encode()
        self.line.sendmsg([asked], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)])
        code = int(self.line.recv(64))
        for file in opened:
            file.close()
        return code, files[1].read_text(), files[2].read_text()


def serve(line: socket.socket) -> None:
    """Fork a process for each call that is asked for, and tell its exit code, until nobody asks any more."""
    load_httpx()
    for name in LIBRARIES:
        importlib.import_module(name)
    while True:
        asked, streams, _flags, _address = socket.recv_fds(line, LONGEST, 3)
        if not asked:
            return
        pid = os.fork()
        if pid == 0:
            line.close()
            become(json.loads(asked), streams)
            return
        for stream in streams:
            os.close(stream)
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def become(call: dict[str, Any], streams: Sequence[int]) -> None:
    """Be that call of `olimpus`."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv = ["olimpus", *call["arguments"]]
    time.tzset()
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1)
    importlib.import_module("olimpus.cli.main").main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
