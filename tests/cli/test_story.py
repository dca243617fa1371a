"""The core story of the README by the command line alone, as processes against a running server of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.acting import editor
from tests.cli.terminal import Terminal
from tests.processes.installation import COURSE, FILES, PASSWORD, Installation, kill, until

MACHINES = 360
ONE = f"{COURSE}/20260001"
WEB = f"{ONE}/web"


@pytest.fixture
def campus(tmp_path: Path) -> Iterator[Installation]:
    """The demo, web process and worker apart, so that one of them can be killed."""
    made = Installation(tmp_path / "home", tmp_path / "template")
    made.load(latency=0.05)
    made.web()
    made.worker()
    yield made
    made.close()


def person(name: str, campus: Installation, folder: Path) -> Terminal:
    """Somebody who signs in with name and password, and whose computer remembers the server."""
    home = folder / name
    home.mkdir()
    terminal = Terminal(home, campus.address)
    terminal.cold = True
    del terminal.environment["OLIMPUS_SERVER"]
    terminal("login", campus.address, "--user", name, "--password-stdin", typed=f"{PASSWORD}\n")
    return terminal


def counts(terminal: Terminal) -> dict[str, int]:
    """Machines of the course by state, where there are any."""
    found = terminal("show", COURSE, "-o", "json").data["counts"]
    return {state: number for state, number in found.items() if number}


def test_the_core_story(campus: Installation, tmp_path: Path) -> None:
    manager, admin = person("manager", campus, tmp_path), person("admin", campus, tmp_path)
    files = ("import_course", str(FILES / "course.yaml"), "--roster", str(FILES / "roster.csv"))
    campus.manage(*files)
    assert counts(manager) == {"provisioned": MACHINES}
    assert f"{ONE}/" in [line[0] for line in manager("ls", f"{COURSE}/*").table]
    assert manager("find", COURSE, "--kind", "machine", "--quiet").out.count("\n") == MACHINES

    assert f"{MACHINES} succeeded" in manager("create", COURSE, "--recursive", "--wait").out
    watching = _start_everything(campus, manager)
    assert counts(manager) == {"running": MACHINES}
    _the_watch_was_right(watching, campus.home / "watched")

    _break_and_repair(manager, admin)
    _edit_with_a_plan(manager, tmp_path)
    _share_with_a_student(campus, manager, tmp_path)
    _stop_and_delete(manager)


def _start_everything(campus: Installation, manager: Terminal) -> subprocess.Popen[str]:
    """With somebody watching, somebody waiting, and the web process killed and started again meanwhile."""
    watching = manager.begin("watch", COURSE, "-o", "json", stdout=(campus.home / "watched").open("w"))
    assert watching.stderr is not None
    assert str(MACHINES) in watching.stderr.readline()
    starting = manager.begin("start", COURSE, "--recursive", "--wait")
    assert until(lambda: campus.effects("power_on").total() > 60, 30, 0.01)
    web = next(process for process in campus._processes if process.poll() is None)
    kill(web)
    campus.web()
    out, err = starting.communicate(timeout=90)
    assert (starting.returncode, out) == (0, f"start {COURSE}: {MACHINES} succeeded\n"), err
    assert err.count("succeeded  start ") == MACHINES
    assert until(lambda: (campus.home / "watched").read_text().count('"running"') >= MACHINES, 20)
    watching.send_signal(signal.SIGINT)
    return watching


def _the_watch_was_right(watching: subprocess.Popen[str], watched: Path) -> None:
    """It said that the connection was lost and came back, and told every change of every machine exactly once."""
    err = watching.communicate(timeout=20)[1]
    assert watching.returncode == 130
    assert "Connection lost" in err
    assert "Connected again." in err
    assert "Traceback" not in err
    events = [json.loads(line) for line in watched.read_text().splitlines()]
    assert len({event["id"] for event in events}) == len(events) == 2 * MACHINES
    assert Counter(event["state"] for event in events) == {"starting": MACHINES, "running": MACHINES}


def _break_and_repair(manager: Terminal, admin: Terminal) -> None:
    """The hypervisor fails for a while; what it broke is found, and set right by the verb for it."""
    admin("hypervisor", "update", "mock", "failure_rate=1", "failure_kind=fatal")
    told = manager("stop", WEB, "--wait", code=1)
    assert told.out.startswith(f"failed  stop {WEB}: ")
    admin("hypervisor", "update", "mock", "failure_rate=0")
    assert manager("find", COURSE, "--state", "failed", "--quiet").out == f"{WEB}\n"
    shown = manager("show", WEB, "-o", "json").data
    assert (shown["state"], bool(shown["reason"])) == ("failed", True)
    manager("recover", WEB, "--wait")
    assert manager("find", COURSE, "--state", "failed", "--quiet").out == ""


def _edit_with_a_plan(manager: Terminal, folder: Path) -> None:
    """More memory for one machine: refused while it runs, planned and applied when it is off."""
    bigger = editor(folder, 'echo "memory_mib: 2048" >> "$1"')
    manager("stop", WEB, "--wait", code=None)
    told = manager("edit", WEB, "--yes", EDITOR=bigger)
    assert "1 machine changes at the next start" in told.err
    (pending,) = manager("diff", WEB, "-o", "json").data
    assert (pending["name"], pending["wanted"]) == ("memory_mib", 2048)
    manager("start", WEB, "--wait")
    assert manager("diff", WEB, "-o", "json").data == []


def _share_with_a_student(campus: Installation, manager: Terminal, folder: Path) -> None:
    """A student uses the machine that he was given, and nothing else."""
    student = person("student", campus, folder)
    other = f"{COURSE}/20260002/web"
    student("show", other, code=6)
    manager("grants", "add", ONE, "--user", "student", "--role", "user")
    assert json.loads(manager("grants", "why", "student", WEB, "-o", "json").out)[0]["granted_at"] == ONE
    assert f"{WEB}\n" in student("find", "/", "--kind", "machine", "--quiet").out
    student("restart", WEB, "--yes", "--wait")
    for refused, code in (
        (("stop", other), 6),
        (("set", WEB, "memory_mib=4096"), 5),
        (("rm", WEB, "--yes"), 5),
        (("grants", "list", ONE), 5),
        (("hypervisor", "test", "mock"), 5),
    ):
        told = student(*refused, code=code)
        assert told.err.startswith("olimpus: ")
    manager("grants", "remove", ONE, "--user", "student")
    student("start", WEB, code=6)


def _stop_and_delete(manager: Terminal) -> None:
    manager("rm", "-r", ONE, "--yes", code=7)
    assert "succeeded" in manager("stop", ONE, "-r", "--wait").out
    manager("destroy", ONE, "-r", "--yes", "--wait")
    manager("rm", "-r", ONE, "--yes")
    manager("show", ONE, code=6)
    assert counts(manager) == {"running": MACHINES - 3}
    verbs = [row["verb"] for row in manager("journal", ONE, "--limit", "500", "-o", "json").data]
    assert verbs[0] == "folder.delete"
