"""Real processes for the benchmarks: the web process, the worker, and whatever else must not share our interpreter."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from olimpus.embedded import answers, die_with, web_command, worker_command

START_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def process(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block, or with us."""
    child = subprocess.Popen(command, preexec_fn=die_with(os.getpid()), **options)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def web() -> Iterator[str]:
    """daphne on a free port; yields `http://127.0.0.1:port`."""
    port = free_port()
    with process(web_command("127.0.0.1", str(port))):
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{address}/health"))
        yield address


@contextmanager
def worker() -> Iterator[None]:
    """The Celery worker, as `make run` starts it."""
    with process(worker_command()):
        yield


def spent(pid: int) -> float:
    """The CPU seconds of a process so far, as the kernel counts them."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool], seconds: float = START_SECONDS, every: float = 0.05) -> None:
    """Wait until something holds; TimeoutError when it does not in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(every)
