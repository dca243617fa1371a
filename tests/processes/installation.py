"""A whole installation of its own: data folder, database, port, real processes that are killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environ
import httpx
import psutil

from hypervisors.drivers import mock
from olimpus.embedded import answers, web_command, worker_command

DUMP = "dump.sql"
ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "a-password-for-tests"
COURSE = "/courses/TEL141/2026-2"
FILES = ROOT / "docs" / "examples" / "tel141"

PREAMBLE = """
import json, sys
import django; django.setup()
from collections import Counter
from django.conf import settings
from accounts.models import Entry, User
from descriptors import actions, tree
from descriptors.models import OPEN, Descriptor, Node, Operation
from hypervisors import actions as hypervisor_actions
from hypervisors.models import Hypervisor
admin = User.objects.filter(username="admin").first()
def say(answer): print("ANSWER " + json.dumps(answer))
"""

AUDIT = """
families = [(p, Counter(p.children.values_list("status", flat=True))) for p in Operation.objects.filter(total__gt=0)]
say({
    "states": Counter(Descriptor.objects.values_list("state", flat=True)),
    "statuses": Counter(Operation.objects.filter(total=0).values_list("status", flat=True)),
    "parents": Counter(p.status for p, _children in families),
    "open": Operation.objects.filter(status__in=OPEN).count(),
    "locks": Operation.objects.exclude(open_for=None).count(),
    "crooked": [str(p) for p, children in families
        if (p.succeeded, p.failed, p.cancelled) != tuple(children[s] for s in ("succeeded", "failed", "cancelled"))
        or p.total != sum(children.values())],
})
"""


class Installation:
    """Everything is ended and removed by `close`, also what was started again meanwhile."""

    def __init__(self, home: Path, template: Path):
        self.home, self._template = home, template
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._database = Database()
        self._processes: list[subprocess.Popen[str]] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OLIMPUS_", "DJANGO_"))},
            **self._database.environment,
            "OLIMPUS_LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "OLIMPUS_HOME": str(home),
            "OLIMPUS_DEMO_PASSWORD": PASSWORD,
            "PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
        }

    # -- processes -----------------------------------------------------------------------------------------------------
    def start(self, command: list[str]) -> subprocess.Popen[str]:
        """A process of this installation; its output goes to a file of the data folder."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "output").open("a") as output:
            process = subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True
            )
        self._processes.append(process)
        return process

    def embedded(self) -> subprocess.Popen[str]:
        """What `make run` starts; waits until it answers."""
        process = self.start([sys.executable, "-m", "olimpus.embedded"])
        self.wait_until_it_answers()
        return process

    def web(self) -> subprocess.Popen[str]:
        """The web process alone; waits until it answers."""
        process = self.start(web_command("127.0.0.1", str(self.port)))
        self.wait_until_it_answers()
        return process

    def worker(self) -> subprocess.Popen[str]:
        """The worker alone."""
        return self.start(worker_command())

    def wait_until_it_answers(self) -> None:
        assert until(lambda: answers(f"{self.address}/health"), 60), self.output()

    def output(self) -> str:
        """All that its processes have printed."""
        return (self.home / "output").read_text()

    def close(self) -> None:
        """End what was started, its children and grandchildren included."""
        family = [psutil.Process(process.pid) for process in self._processes if process.poll() is None]
        family += [child for process in family for child in process.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        self._database.close()

    # -- inside --------------------------------------------------------------------------------------------------------
    def manage(self, *arguments: str) -> str:
        """Run a management command; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, code: str) -> Any:
        """Run code in this installation; returns what it says."""
        done = subprocess.run(
            [sys.executable, "-c", PREAMBLE + code], env=self.environment, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        answers = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
        return json.loads(answers[-1].removeprefix("ANSWER ")) if answers else None

    def load(self, **settings: Any) -> None:
        """Tables and demo: the course of 120 × 3 machines, not yet on the mock, which gets these settings."""
        if self._template.exists():
            shutil.copytree(self._template, self.home)
            self._database.read(self.home / DUMP)
        else:
            self.manage("migrate", "--verbosity", "0")
            self.manage("load_demo")
            self._database.write(self.home / DUMP)
            shutil.copytree(self.home, self._template)
        if settings:
            self.tune(**settings)

    def tune(self, **settings: Any) -> None:
        """Change settings of the mock hypervisor."""
        self.run(
            f"mock = Hypervisor.objects.get(name='mock')\n"
            f"hypervisor_actions.update(mock, {{'settings': mock.settings | {settings!r}}}, actor=admin)"
        )

    def audit(self) -> dict[str, Any]:
        """States, operations and whether the counts of the parents add up."""
        return dict(self.run(AUDIT))

    # -- by HTTP -------------------------------------------------------------------------------------------------------
    def api(self) -> httpx.Client:
        """A client of the API, as the superuser."""
        return httpx.Client(base_url=f"{self.address}/api", auth=("admin", PASSWORD), timeout=60)

    def do(self, verb: str, path: str = COURSE) -> str:
        """Ask for a verb on everything below a folder; returns the id of the operation."""
        with self.api() as api:
            node = api.get("/nodes", params={"path": str(Path(path).parent)}).json()["results"]
            pk = next(row["id"] for row in node if row["path"] == path)
            answer = api.post(f"/nodes/{pk}/do/{verb}")
            assert answer.status_code == 202, answer.text
            return str(answer.json()["id"])

    def operation(self, pk: str) -> dict[str, Any]:
        with self.api() as api:
            return dict(api.get(f"/operations/{pk}").json())

    def wait_for(self, pk: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for the end of an operation; returns it."""
        assert until(lambda: self.operation(pk)["finished_at"], seconds, 0.2), self.output()
        return self.operation(pk)

    def sign_in(self) -> str:
        """The cookies of a browser in which the superuser is signed in."""
        with httpx.Client(base_url=self.address, timeout=60) as browser:
            browser.get("/accounts/login/")
            form = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            assert browser.post("/accounts/login/", data=form).status_code == 302
            return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())

    # -- on the hypervisor ---------------------------------------------------------------------------------------------
    def effects(self, verb: str) -> Counter[str]:
        """How often each VM really met with this."""
        return Counter(event.uid for event in mock.events(self.home, "mock") if event.verb == verb)

    def each(self, verb: str) -> Counter[int]:
        """{times: number of VMs}: {1: 360} says that nothing was doubled."""
        return Counter(self.effects(verb).values())


class Database:
    """SQLite in the data folder, or a database of its own on the MariaDB that `DATABASE_URL` names."""

    def __init__(self) -> None:
        url = os.environ.get("DATABASE_URL", "")
        self._mysql = url.startswith("mysql")
        self.environment: dict[str, str] = {}
        if self._mysql:
            self._name, self._config = f"olimpus_{uuid.uuid4().hex[:12]}", environ.Env.db_url_config(url)
            self._execute(f"CREATE DATABASE {self._name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
            self.environment = {"DATABASE_URL": f"{url.rpartition('/')[0]}/{self._name}"}

    def close(self) -> None:
        if self._mysql:
            self._execute(f"DROP DATABASE {self._name}")

    def write(self, file: Path) -> None:
        """All that is in it, for `read`; nothing where it is a file of the data folder."""
        if self._mysql:
            with file.open("wb") as out:
                self._client("mariadb-dump", "--single-transaction", stdout=out)

    def read(self, file: Path) -> None:
        """What `write` wrote, several times faster than the migrations."""
        if self._mysql:
            with file.open("rb") as found:
                self._client("mariadb", stdin=found)

    def _client(self, program: str, *options: str, **streams: Any) -> None:
        config = self._config
        where = [f"--host={config['HOST']}", f"--port={config['PORT']}", f"--user={config['USER']}"]
        secret = os.environ | {"MYSQL_PWD": config["PASSWORD"]}
        subprocess.run([program, "--no-defaults", *where, *options, self._name], env=secret, check=True, **streams)

    def _execute(self, statement: str) -> None:
        import MySQLdb

        config = self._config
        connection = MySQLdb.connect(
            host=config["HOST"], port=int(config["PORT"]), user=config["USER"], password=config["PASSWORD"]
        )
        connection.cursor().execute(statement)
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], seconds: float = 30.0, pause: float = 0.05) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return False


def kill(process: subprocess.Popen[str]) -> None:
    """With -9, and wait until it is gone."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
