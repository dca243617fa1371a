"""From a state change in the worker to the browser, with 200 sockets open.

Measured: a real daphne, a real worker, and 200 WebSocket clients of 200 different students in a process of their own, all
watching the same course. The latency of one message is the time at which its client has received it less the time `at` of
the journal entry, which the worker sets just before it commits. 100 machines are started one by one, seven a second
(20,000 messages), and then stopped all at once by a verb on the folder (20,000 messages in a burst). Nobody may miss one.
There is no floor: the web process looks at the journal ten times a second, which is 50 ms on average by itself.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from django.conf import settings

from accounts.models import User
from descriptors import actions
from descriptors.actions import grant_many
from descriptors.models import Node, Operation
from descriptors.worker.engine import Engine
from hypervisors import actions as hypervisors
from tests.bench.figures import Figure, percentile, say
from tests.bench.servers import process, until, web, worker
from tests.bench.world import folder, machines, people, session_of, superuser

SOCKETS, MACHINES, LATENCY, EVERY, MOST_MS = 200, 100, 0.05, 0.15, 300.0


def run() -> list[Figure]:
    """One by one, then all at once."""
    root = superuser()
    course, rows = build(root)
    sessions = [session_of(user) for user in User.objects.filter(is_superuser=False)]
    with web() as address, worker():
        with clients(address, course.path, sessions, "vm.start.succeeded", MACHINES) as one_by_one:
            for machine in rows:
                actions.request("start", machine, actor=root)
                time.sleep(EVERY)
        # The folder's own operation ends with an event of the same verb.
        with clients(address, course.path, sessions, "vm.stop.succeeded", MACHINES + 1) as burst:
            operation = actions.request("stop", course, actor=root)
            until(lambda: not Operation.objects.get(pk=operation.pk).is_open)
    return [
        figure("one by one", one_by_one),
        figure(f"{MACHINES} at once", burst),
    ]


def build(root: User) -> tuple[Node, list[Node]]:
    """A course of machines that exist, and its students."""
    fields = {"name": "mock", "driver": "mock", "settings": {"latency": LATENCY}}
    mock = hypervisors.create(fields, actor=root)
    course = folder("/course", {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    rows = machines(course, {f"vm-{number:03}": {} for number in range(MACHINES)})
    students = people(f"s{number:03}" for number in range(SOCKETS))
    grant_many([(course.pk, "user", student.pk) for student in students], actor=root)
    course = Node.objects.get(pk=course.pk)
    actions.request("create", course, actor=root)
    Engine().drain([mock.pk])
    return course, rows


@contextmanager
def clients(address: str, path: str, sessions: Sequence[str], verb: str, events: int) -> Iterator[list[float]]:
    """All sockets open, watching `path`, while the block runs; afterwards the milliseconds of every message.

    After the block it waits until each of them has had all `events` of the verb.
    """
    latencies: list[float] = []
    wish = {
        "url": address.replace("http", "ws") + "/ws/feed",
        "cookies": [f"{settings.SESSION_COOKIE_NAME}={session}" for session in sessions],
        "path": path,
        "verb": verb,
        "events": events,
    }
    with tempfile.NamedTemporaryFile("w+", suffix=".json") as file:
        json.dump(wish, file)
        file.flush()
        with process([sys.executable, "-m", "tests.bench.sockets", file.name], stdout=-1) as child:
            assert told(child.stdout) == "open"
            yield latencies
            latencies += told(child.stdout)
    assert len(latencies) == len(sessions) * events, len(latencies)


def told(stream: IO[bytes] | None) -> Any:
    """One line of JSON from the clients."""
    assert stream is not None
    line = stream.readline()
    assert line, "the clients ended without a word"
    return json.loads(line)


def figure(label: str, latencies: Sequence[float]) -> Figure:
    """95th percentile over all messages to all sockets."""
    p95 = percentile(latencies, 95)
    details = {"p50": statistics.median(latencies), "worst": max(latencies), "messages": len(latencies)}
    say(f"{label}: p50 {details['p50']:.0f} ms, p95 {p95:.0f} ms, worst {details['worst']:.0f} ms")
    work = f"state change → {SOCKETS} sockets, {label}: p95"
    return Figure(work, p95, "ms", f"p95 < {MOST_MS:g} ms", p95 < MOST_MS, details=details)
