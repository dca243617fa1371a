"""`python -m olimpus.embedded`, which is what `make run` starts."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from olimpus.embedded import answers
from tests.processes.installation import PASSWORD, ROOT, until


def children(process):
    found = psutil.Process(process.pid).children(recursive=True)
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


def child(process, word):
    """The child whose command line has this word."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # it ends while we look
        return next((one for one in children(process) if word in one.cmdline()), None)
    return None


def test_it_answers_restarts_what_dies_and_leaves_nothing_behind(installation):
    process = installation.embedded()
    assert until(lambda: "Olimpus answers at" in installation.output())
    assert PASSWORD in installation.output()
    assert until(lambda: len(children(process)) == 2)

    for word in ("daphne", "celery"):
        victim = child(process, word)
        victim.kill()
        assert until(lambda word=word, pid=victim.pid: (new := child(process, word)) and new.pid != pid, 15)
    installation.wait_until_it_answers()
    assert "[web] ended with -9; starting it again" in installation.output()

    family = children(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not any(one.is_running() for one in family)
    assert not answers(f"{installation.address}/health")
    assert "Traceback" not in installation.output()

    begun = time.monotonic()
    process = installation.embedded()
    warm = time.monotonic() - begun
    print(f"\nwarm start: {warm:.1f} s")
    assert warm < 10
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_when_it_is_killed_itself_its_children_end(installation):
    installation.load()
    process = installation.embedded()
    assert until(lambda: child(process, "celery"))
    family = children(process)
    process.kill()
    process.wait()
    gone, alive = psutil.wait_procs(family, timeout=20)
    assert (len(gone), alive) == (2, [])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"PORT": "eighty"}, "PORT=eighty is no port number"),
        ({"PORT": "70000"}, "PORT=70000 is no port number"),
        ({"OLIMPUS_HOME": "/dev/null/here"}, "/dev/null/here cannot be written"),
        ({"HOST": "192.0.2.1"}, "192.0.2.1"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(installation, change, told):
    environment = installation.environment | change
    done = subprocess.run(
        [sys.executable, "-m", "olimpus.embedded"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_said_at_once(installation):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", installation.port))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-m", "olimpus.embedded"],
            env=installation.environment, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"127.0.0.1:{installation.port} cannot be served: Address already in use" in done.stderr


def test_the_queue_stays_small_and_idle_processes_are_quiet(installation):
    installation.load()
    process = installation.embedded()
    assert until(lambda: child(process, "celery"))
    queue = installation.home / "queue"
    for _look in range(10):
        time.sleep(0.5)
        assert len(list(queue.iterdir())) < 10
    worker = child(process, "celery")
    before, begun = sum(worker.cpu_times()[:2]), time.monotonic()
    time.sleep(3)
    assert (sum(worker.cpu_times()[:2]) - before) / (time.monotonic() - begun) < 0.25
    lines = installation.output().strip().splitlines()
    assert len(lines) < 15, lines
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(20) == 0
