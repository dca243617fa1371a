"""`python -m olimpus.embedded`: the whole product on one machine, with nothing to set up (`make run`).

Migrates, loads the demo, then keeps two processes up: the web process (daphne) and the worker (Celery, threads). One that
dies is started again; Ctrl-C or SIGTERM ends both. If this process itself is killed, the kernel ends its children.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FrameType

PR_SET_PDEATHSIG = 1
#: Seconds between a death and the next start, so that a broken process does not spin.
REST = 1.0
#: Seconds that a process gets to end by itself.
PATIENCE = 15.0
libc = ctypes.CDLL(None)


@dataclass
class Child:
    """One process that is kept up."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    not_before: float = 0.0

    def keep_up(self) -> None:
        """Start it if it does not run."""
        if self.process and self.process.poll() is not None:
            print(f"[{self.name}] ended with {self.process.returncode}; starting it again", flush=True)
            self.process, self.not_before = None, time.monotonic() + REST
        if self.process is None and time.monotonic() >= self.not_before:
            # A session of its own: Ctrl-C reaches us only, and we end the children in order.
            self.process = subprocess.Popen(self.command, start_new_session=True, preexec_fn=die_with_parent)  # noqa: S603 - our own

    def end(self) -> None:
        """Ask it to end."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def wait(self, until: float) -> None:
        """Wait for its end, and kill it when it does not come."""
        if self.process:
            try:
                self.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.process.kill()


@dataclass
class Supervisor:
    """Keeps its children up until told to stop."""

    children: list[Child]
    stopping: bool = field(default=False)

    def run(self, ready: Mapping[str, str]) -> None:
        """Start, announce once the web process answers, watch, end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        announced = False
        while not self.stopping:
            for child in self.children:
                child.keep_up()
            if not announced and answers(ready["health"]):
                print(ready["text"], flush=True)
                announced = True
            time.sleep(0.1 if not announced else 0.3)
        until = time.monotonic() + PATIENCE
        for child in self.children:
            child.end()
        for child in self.children:
            child.wait(until)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True


def die_with_parent() -> None:
    """Runs in the child: have the kernel end it when this process is gone, whatever killed it."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def answers(url: str) -> bool:
    """Whether the web process serves already."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return answer.status == 200
    except OSError:
        return False


def prepare() -> str:
    """Migrate and load the demo; returns what the demo says about its accounts."""
    import io

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    told = io.StringIO()
    call_command("load_demo", stdout=told)
    return told.getvalue().strip()


def worker_command() -> list[str]:
    """The Celery worker with a threads pool; no remote control, events or gossip: the database tells what is going on."""
    options = ["--pool=threads", "--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    threads = os.environ.get("OLIMPUS_WORKER_THREADS", "8")
    return [sys.executable, "-m", "celery", "-A", "olimpus.celery", "worker", *options, f"--concurrency={threads}"]


def main() -> None:
    """Entry point."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "olimpus.settings.dev")
    host, port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "8000")
    accounts = prepare()
    web = [sys.executable, "-m", "daphne", "-b", host, "-p", port, "--access-log", os.devnull, "olimpus.asgi:application"]
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - comparing, not binding
    text = f"\nOlimpus answers at {address}/ (console: /admin/, API: /api/docs). Ctrl-C stops it.\n{accounts}\n"
    children = [Child("web", web), Child("worker", worker_command())]
    Supervisor(children).run({"health": f"{address}/health", "text": text})


if __name__ == "__main__":
    main()
