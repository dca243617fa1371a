"""`python -m olimpus.embedded`: the whole product on one machine, with nothing to set up (`make run`).

Migrates, loads the demo, then keeps two processes up: the web process (daphne) and the worker (Celery, threads). One that
dies is started again; Ctrl-C or SIGTERM ends both. If this process itself is killed, the kernel ends its children.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
#: Seconds between a death and the next start; doubled for a process that dies again and again, up to the longest.
REST, LONGEST_REST = 1.0, 5.0
#: Whoever lived this long was well.
WELL = 10.0
#: Seconds that a process gets to end by itself.
PATIENCE = 15.0
#: Only what went wrong is told, unless the environment says otherwise; that we may be root in a container is known.
QUIET = {"OLIMPUS_LOG_LEVEL": "WARNING", "PYTHONWARNINGS": "ignore::UserWarning:celery.platforms"}
libc = ctypes.CDLL(None)


@dataclass
class Child:
    """One process that is kept up."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    rest: float = REST
    started: float = 0.0
    not_before: float = 0.0

    def keep_up(self) -> None:
        """Start it if it does not run."""
        now = time.monotonic()
        if self.process and self.process.poll() is not None:
            self.rest = REST if now - self.started > WELL else min(2 * self.rest, LONGEST_REST)
            told = f"[{self.name}] ended with {self.process.returncode}; starting it again in {self.rest:g} s"
            print(told, flush=True)
            self.process, self.not_before = None, now + self.rest
        if self.process is None and now >= self.not_before:
            # A session of its own: Ctrl-C reaches us only, and we end the children in order.
            start = die_with(os.getpid())
            environment = {**QUIET, **os.environ}
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                self.command, start_new_session=True, preexec_fn=start, env=environment
            )
            self.started = now

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
                self.process.wait()


@dataclass
class Supervisor:
    """Keeps its children up until told to stop."""

    children: list[Child]
    stopping: bool = field(default=False)

    def run(self, ready: Mapping[str, str]) -> None:
        """Start, announce once the web process answers, watch, end."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        announced = False
        while not self.stopping:
            for child in self.children:
                child.keep_up()
            if not announced and answers(ready["health"]):
                print(ready["text"], flush=True)
                announced = True
            time.sleep(0.3 if announced else 0.1)
        until = time.monotonic() + PATIENCE
        for child in self.children:
            child.end()
        for child in self.children:
            child.wait(until)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True


def die_with(parent: int) -> Callable[[], None]:
    """To be run in a child: has the kernel end it when the parent is gone, whatever killed it."""

    def arrange() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it went before we could say so
            os._exit(1)

    return arrange


def answers(url: str) -> bool:
    """Whether the web process serves already."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return answer.status == 200
    except OSError:
        return False


def obstacle(host: str, port: str, home: Path) -> str:
    """Why nothing can be started here, in one line; empty when it can."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return f"PORT={port} is no port number (1 to 65535)."
    try:
        home.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=home).close()
    except OSError as error:
        return f"The data folder {home} cannot be written: {error.strerror}. Choose another with OLIMPUS_HOME=."
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            return f"{host}:{port} cannot be served: {error.strerror}. Choose another port with PORT=."
    return ""


def prepare() -> str:
    """Migrate, take the OpenStack of the environment, load the demo; returns what the demo says about its accounts."""
    import io

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("openstack_from_env", verbosity=0, stdout=io.StringIO())
    told = io.StringIO()
    call_command("load_demo", stdout=told)
    return told.getvalue().strip()


def web_command(host: str, port: str) -> list[str]:
    """The web process."""
    quiet = ["--access-log", os.devnull, "--verbosity", "0"]
    return [sys.executable, "-m", "daphne", "-b", host, "-p", port, *quiet, "olimpus.asgi:application"]


def worker_command() -> list[str]:
    """The Celery worker with a threads pool; no remote control, events or gossip: the database tells what is going on."""
    options = ["--pool=threads", "--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    threads = os.environ.get("OLIMPUS_WORKER_THREADS", "8")
    return [sys.executable, "-m", "celery", "--quiet", "-A", "olimpus.celery", "worker", *options, "-c", threads]


def main() -> None:
    """Entry point. Ends with 1 and one clear line when the port or the data folder cannot be used."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "olimpus.settings.dev")
    host, port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "8000")
    # As in olimpus.env, which cannot be asked: it makes the folder when it is imported.
    home = Path(os.environ.get("OLIMPUS_HOME") or Path(__file__).parent.parent / "var").expanduser().absolute()
    if problem := obstacle(host, port, home):
        sys.exit(problem)
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    address = f"http://{name}:{port}"
    os.environ.setdefault("OLIMPUS_URL", address)  # links in mails
    for left in (home / "metrics").glob("*.db"):  # counted by processes that are gone: all of them begin anew
        left.unlink(missing_ok=True)
    try:
        accounts = prepare()
    except KeyboardInterrupt:
        sys.exit(130)
    text = f"\nOlimpus answers at {address}/ (console: /admin/, API: /api/docs). Ctrl-C stops it.\n{accounts}\n"
    children = [Child("web", web_command(host, port)), Child("worker", worker_command())]
    Supervisor(children).run({"health": f"{address}/health", "text": text})


if __name__ == "__main__":
    main()
