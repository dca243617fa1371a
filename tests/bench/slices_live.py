"""The live status of a slice of 500 nodes: what one change of a node costs a page that watches it, and how soon it is told.

Measured: a real daphne, a real worker, one WebSocket that listens to the slice. 50 machines are started one after the other;
each start is two changes (asked for, done), and each change one message. The latency of a message is the time of its arrival
less the time `at` of the journal entry, which is set just before the commit. Beside the size of a message stands the whole
status as the API tells it, which a page reads once and would have to read again without the message.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from websockets.sync.client import ClientConnection, connect

from accounts.models import User
from descriptors import actions
from descriptors.models import Node
from descriptors.worker.engine import Engine
from hypervisors import actions as hypervisors
from tests.bench.figures import Figure, percentile, say
from tests.bench.servers import web, worker
from tests.bench.world import folder, machines, session_of, superuser

NODES, CHANGED, MOST_MS, PATIENCE = 500, 50, 300.0, 60.0
DONE = "vm.start.succeeded"
Heard = tuple[float, str, list[dict[str, Any]]]


def run() -> list[Figure]:
    """Messages for each change, their size, their latency."""
    root = superuser()
    place, rows = build(root)
    with web() as address, worker():
        cookie = f"{settings.SESSION_COOKIE_NAME}={session_of(root)}"
        whole = status(f"{address}/api/slices/{place.pk}/status", cookie)
        socket = f"{address.replace('http', 'ws')}/ws/feed"
        with connect(socket, additional_headers={"Cookie": cookie}, compression=None) as browser:
            browser.send(json.dumps({"subscribe": [place.path], "since": None}))
            assert "settled" in json.loads(browser.recv(10))
            heard = [message for row in rows[:CHANGED] for message in started(row, root, browser)]
    return figures(heard, whole)


def build(root: User) -> tuple[Node, list[Node]]:
    """A slice whose machines exist and are off."""
    mock = hypervisors.create({"name": "mock", "driver": "mock", "settings": {"latency": 0.0}}, actor=root)
    common = {"hypervisor": "mock", "image": "debian-12", "flavor": "nano", "slice": {"description": "live"}}
    place = folder("/slice", common)
    rows = machines(place, {f"n{number:03}": {} for number in range(NODES)})
    actions.request("create", Node.objects.get(pk=place.pk), actor=root)
    Engine().drain([mock.pk])
    return place, rows


def status(address: str, cookie: str) -> int:
    """Bytes of the whole status."""
    asked = urllib.request.Request(address, headers={"Cookie": cookie})
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
        text = answer.read()
    assert len(json.loads(text)["nodes"]) == NODES
    return len(text)


def started(row: Node, root: User, browser: ClientConnection) -> list[Heard]:
    """What is heard until this machine runs; nothing of any other."""
    actions.request("start", Node.objects.get(pk=row.pk), actor=root)
    found: list[Heard] = []
    while not any(event["verb"] == DONE for _at, _text, events in found for event in events):
        text = str(browser.recv(PATIENCE))
        found.append((time.time(), text, json.loads(text)["events"]))
    assert {event["node"] for _at, _text, events in found for event in events} == {row.pk}
    return found


def figures(heard: Sequence[Heard], whole: int) -> list[Figure]:
    """The lines of the table."""
    events = [(at, event) for at, _text, told in heard for event in told]
    late = [(at - datetime.fromisoformat(event["at"]).timestamp()) * 1000 for at, event in events]
    each, p95 = len(heard) / len(events), percentile(late, 95)
    size = max(len(text) / len(told) for _at, text, told in heard)
    say(f"{len(heard)} messages of {len(events)} changes, at most {size:.0f} bytes each, p95 {p95:.0f} ms")
    work = f"slice of {NODES} nodes, one changes"
    return [
        Figure(f"{work}: messages for each change", each, "messages", "≤ 1", each <= 1),
        Figure(f"{work}: largest message, beside the whole status", size / 1000, "kB", "–", True, whole / 1000),
        Figure(
            f"{work}: change → message, p95", p95, "ms", f"p95 < {MOST_MS:g} ms", p95 < MOST_MS, details={"ms": late}
        ),
    ]
