"""The story that everything stands on: a course file and a roster become 360 running machines, and survive a kill -9."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from tests.processes.installation import COURSE, FILES, ROOT, kill, until

MACHINES = 360


def test_without_a_database_it_says_so_in_one_line(tmp_path):
    command = [sys.executable, "manage.py", "import_course", str(FILES / "course.yaml")]
    told = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OLIMPUS_HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert "OLIMPUS_HOME" in told.stderr
    assert "Traceback" not in told.stderr


def test_from_files_to_machines_and_a_worker_killed_while_they_stop(installation):
    installation.load(latency=0.2)
    assert installation.effects("create") == {}
    installation.web()
    worker = installation.worker()

    installation.manage(
        "import_course", str(FILES / "course.yaml"), "--roster", str(FILES / "roster.csv"),
        "--apply", "--create", "--start",
    )  # fmt: skip
    audit = installation.audit()
    assert audit["states"] == {"running": MACHINES}
    assert installation.each("create") == installation.each("power_on") == {1: MACHINES}

    operation = installation.do("stop")
    assert until(lambda: installation.effects("shutdown").total() > 100, 30, 0.01)
    kill(worker)
    stopped = installation.effects("shutdown").total()
    assert 100 < stopped < MACHINES
    middle = installation.audit()
    assert middle["open"] > 1
    assert middle["states"]["stopping"] > 0

    installation.worker()
    ended = installation.wait_for(operation)
    assert (ended["status"], ended["counts"]["succeeded"], ended["counts"]["total"]) == (
        "succeeded",
        MACHINES,
        MACHINES,
    )
    audit = installation.audit()
    assert audit == {
        "states": {"stopped": MACHINES},
        "statuses": {"succeeded": 3 * MACHINES},
        "parents": {"succeeded": 3},
        "open": 0,
        "locks": 0,
        "crooked": [],
    }
    assert installation.each("shutdown") == {1: MACHINES}
    assert installation.effects("power_off") == {}


def test_the_worker_of_make_run_is_started_again_by_itself(installation):
    installation.load(latency=0.2)
    process = installation.embedded()
    assert installation.wait_for(installation.do("create"))["counts"]["succeeded"] == MACHINES
    operation = installation.do("start", COURSE)
    assert until(lambda: installation.effects("power_on").total() > 50, 30, 0.01)
    worker = next(one for one in psutil.Process(process.pid).children() if "celery" in one.cmdline())
    worker.kill()
    assert installation.wait_for(operation)["status"] == "succeeded"
    assert installation.each("create") == installation.each("power_on") == {1: MACHINES}
    assert installation.audit()["states"] == {"running": MACHINES}
