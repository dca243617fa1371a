"""Servers that are no Olimpus, or one in a bad mood, on a port of their own."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Pretender:
    """Its address, and what it was asked."""

    address: str = ""
    #: (method, path, headers) of each request.
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler, Pretender], None]


@contextlib.contextmanager
def pretender(answer: Answer) -> Iterator[Pretender]:
    """Answers every request in this way until the block ends."""
    record = Pretender()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_given: object) -> None:
            """Silent."""

        def handle_one(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            record.asked.append((self.command, self.path, dict(self.headers)))
            answer(self, record)

        do_GET = do_POST = do_DELETE = do_PATCH = handle_one

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    record.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def send(
    handler: BaseHTTPRequestHandler, status: int, body: object, kind: str = "application/json", **more: str
) -> None:
    """Send an answer; a body that is no text as JSON. Headers by name with `_` for `-`."""
    raw = (body if isinstance(body, str) else json.dumps(body)).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(raw)))
    for name, value in more.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(raw)


def problem(
    handler: BaseHTTPRequestHandler, status: int, title: str, headers: dict[str, str] | None = None, **more: object
):
    """Send a problem as Olimpus does."""
    body = {"type": "some:problem", "title": title, "status": status, **more}
    send(handler, status, body, "application/problem+json", **(headers or {}))
