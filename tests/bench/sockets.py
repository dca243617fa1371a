"""`python -m tests.bench.sockets FILE`: the browsers of the benchmark `live`, in a process of their own.

Opens a WebSocket for each cookie of FILE, says "open" when all of them listen, collects messages until each socket has had
as many events of the verb as FILE says, and prints the milliseconds of each as JSON. Messages are only noted when they
arrive; they are read at the end, so that reading does not delay the receiving of others.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import websockets

#: Seconds to wait for the last message.
PATIENCE = 120.0


async def main(wish: dict[str, Any]) -> list[float]:
    """All sockets at once."""
    sockets = [await opened(wish["url"], cookie, wish["path"]) for cookie in wish["cookies"]]
    print(json.dumps("open"), flush=True)
    async with asyncio.timeout(PATIENCE):
        noted = await asyncio.gather(*(collect(socket, wish["verb"], wish["events"]) for socket in sockets))
    for socket in sockets:
        await socket.close()
    return [latency for messages in noted for latency in latencies(messages, wish["verb"])]


async def opened(url: str, cookie: str, path: str) -> websockets.ClientConnection:
    """A socket that listens to `path` from now on."""
    socket = await websockets.connect(url, additional_headers={"Cookie": cookie}, compression=None, max_queue=None)
    await socket.send(json.dumps({"subscribe": [path], "since": None}))
    answer = json.loads(await socket.recv())
    assert "settled" in answer, answer
    return socket


async def collect(socket: websockets.ClientConnection, verb: str, events: int) -> list[tuple[float, str]]:
    """Messages with the time of their arrival, until all events have come."""
    mark = json.dumps(verb)
    messages: list[tuple[float, str]] = []
    while events > 0:
        text = await socket.recv(decode=True)
        messages.append((time.time(), str(text)))
        events -= str(text).count(mark)
    return messages


def latencies(messages: list[tuple[float, str]], verb: str) -> Iterator[float]:
    """Milliseconds between the journal and the arrival of each event of the verb; every event counts once."""
    seen: set[int] = set()
    for arrived, text in messages:
        for event in json.loads(text).get("events", ()):
            if event["verb"] == verb and event["id"] not in seen:
                seen.add(event["id"])
                yield (arrived - datetime.fromisoformat(event["at"]).timestamp()) * 1000


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))), flush=True)
