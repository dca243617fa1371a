"""What the worker does reaches the browser: in order, nothing lost, resumed after the web process was killed."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import Any

import httpx
import pytest
import websockets

from hypervisors.drivers.base import Power
from hypervisors.drivers.mock import MockDriver, tamper
from tests.processes.installation import COURSE, Installation, kill, until

MACHINES = 360


class Browser:
    """Keeps what the page's script keeps: the ids it has had and the settled cursor."""

    def __init__(self, installation: Installation):
        self.address = f"ws://127.0.0.1:{installation.port}/ws/feed"
        self.headers = {"Cookie": installation.sign_in(), "Origin": installation.address}
        self.since: int | None = None
        self.seen: set[int] = set()
        self.states: dict[int, list[str]] = defaultdict(list)
        self.ended: set[str] = set()
        self.repeated = self.resyncs = 0

    async def listen(self, done: str) -> None:
        """Until the operation has ended; comes back whenever the connection is lost."""
        while done not in self.ended:
            try:
                async with websockets.connect(self.address, additional_headers=self.headers) as socket:
                    await socket.send(json.dumps({"subscribe": [COURSE], "since": self.since}))
                    while done not in self.ended:
                        self.take(json.loads(await socket.recv()))
            except (OSError, websockets.WebSocketException):
                await asyncio.sleep(0.1)

    def take(self, message: dict[str, Any]) -> None:
        self.resyncs += bool(message.get("resync"))
        for event in message.get("events", []):
            if event["id"] in self.seen:
                self.repeated += 1
                continue
            self.seen.add(event["id"])
            operation = event["operation"] or {}
            if event["state"] and event["node"]:
                self.states[event["node"]].append(event["state"])
            if "progress" in operation and operation["status"] != "running":
                self.ended.add(operation["id"])
        self.since = max(message.get("settled") or 0, self.since or 0)


def ids_of(installation: Installation) -> set[int]:
    below = f"Entry.objects.filter(path__startswith={COURSE!r}, pk__gt=START)"
    return set(installation.run(f"START = 0\nsay(list({below}.values_list('pk', flat=True)))"))


async def test_every_change_arrives_in_order_and_across_a_killed_web_process(installation):
    installation.load(latency=0.2)
    web = installation.web()
    installation.worker()
    browser = Browser(installation)
    before = ids_of(installation)
    browser.since = max(before)

    operation = await asyncio.to_thread(installation.do, "create")
    await asyncio.wait_for(browser.listen(operation), 60)
    assert len(browser.states) == MACHINES
    assert {tuple(states) for states in browser.states.values()} == {("provisioned", "created")}
    assert browser.seen == ids_of(installation) - before

    operation = await asyncio.to_thread(installation.do, "start")
    listening = asyncio.create_task(browser.listen(operation))
    assert await asyncio.to_thread(until, lambda: installation.effects("power_on").total() > 60, 30, 0.01)
    await asyncio.to_thread(kill, web)
    await asyncio.to_thread(installation.web)
    await asyncio.wait_for(listening, 60)
    assert {tuple(states) for states in browser.states.values()} == {("provisioned", "created", "starting", "running")}
    assert browser.seen == ids_of(installation) - before
    assert browser.resyncs == 0


async def test_nobody_listens_without_signing_in(installation):
    installation.load()
    installation.web()
    address = f"ws://127.0.0.1:{installation.port}/ws/feed"
    async with websockets.connect(address) as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 4401
    cookie = await asyncio.to_thread(installation.sign_in)
    elsewhere = {"Cookie": cookie, "Origin": "http://evil.example"}
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(address, additional_headers=elsewhere)
    assert refused.value.response.status_code == 403
    assert httpx.get(f"{installation.address}/health").status_code == 200


async def test_a_change_made_by_hand_reaches_the_browser_within_two_seconds(installation):
    installation.load(latency=0)
    installation.web()
    installation.worker()
    with installation.api() as api:
        rows = api.get("/nodes", params={"path": COURSE}).json()["results"]
    student = next(row["path"] for row in rows if row["kind"] == "folder")
    done = await asyncio.to_thread(installation.do, "create", student)
    await asyncio.to_thread(installation.wait_for, done)
    locked = installation.home / "watching"
    assert await asyncio.to_thread(until, lambda: any(locked.glob("*")), 20)
    await asyncio.sleep(2)  # the first look at everything is over
    vm = MockDriver("mock", {"latency": 0}, installation.home).list()[0]
    address = f"ws://127.0.0.1:{installation.port}/ws/feed"
    headers = {"Cookie": await asyncio.to_thread(installation.sign_in), "Origin": installation.address}
    async with websockets.connect(address, additional_headers=headers) as socket:
        await socket.send(json.dumps({"subscribe": [COURSE], "since": None}))
        await socket.recv()
        begun = time.monotonic()
        await asyncio.to_thread(tamper, installation.home, "mock", vm.ref, power=Power.ON)
        verbs: set[str] = set()
        while "vm.drift" not in verbs:
            message = json.loads(await asyncio.wait_for(socket.recv(), 10))
            verbs |= {event["verb"] for event in message.get("events", [])}
    assert time.monotonic() - begun < 2
