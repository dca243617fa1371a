"""Connections: patience with a service that is busy, none with an answer that was lost after a change was asked for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from hypervisors.drivers.openstack.transport import BUSY_RETRIES, requests_session


class Server(ThreadingHTTPServer):
    """Answers with the next status of its script; 0 hangs up without a word."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[tuple[int, dict[str, str]]] = []
        self.asked: list[tuple[str, bytes]] = []
        self.peers: set[int] = set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, body))
        self.server.peers.add(self.client_address[1])
        status, headers = self.server.script.pop(0) if self.server.script else (200, {})
        if not status:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    made = requests_session()
    made.trust_env = False
    yield made
    made.close()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_busy_service_is_asked_again_with_the_same_body(server, session, status, method):
    server.script = [(status, {})]
    assert session.request(method, server.url, data=b"{}").status_code == 200
    assert server.asked == [(method, b"{}")] * 2


def test_retry_after_is_respected(server, session):
    server.script = [(429, {"Retry-After": "1"})]
    begun = time.monotonic()
    assert session.get(server.url).status_code == 200
    assert time.monotonic() - begun >= 1


def test_a_service_that_stays_busy_is_given_up(server, session, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    server.script = [(503, {})] * 20
    assert session.get(server.url).status_code == 503
    assert len(server.asked) == BUSY_RETRIES + 1


@pytest.mark.parametrize("status", [400, 404, 409, 500, 502])
def test_every_other_answer_comes_as_it_is(server, session, status):
    server.script = [(status, {})]
    assert session.post(server.url).status_code == status
    assert len(server.asked) == 1


def test_a_read_whose_answer_was_lost_is_asked_again(server, session):
    server.script = [(0, {})]
    assert session.get(server.url).status_code == 200


def test_a_change_whose_answer_was_lost_is_not(server, session):
    server.script = [(0, {})]
    with pytest.raises(requests.ConnectionError):
        session.post(server.url)
    assert len(server.asked) == 1


def test_connections_are_kept(server, session):
    for _ in range(5):
        session.get(server.url)
    assert len(server.peers) == 1


def test_the_connections_of_a_tunnel_are_made_by_it(server):
    dialled = []

    def dial(host: str, port: int, seconds: float) -> socket.socket:
        dialled.append((host, port))
        return socket.create_connection(("127.0.0.1", server.server_port), seconds)

    with requests_session(dial) as session:
        assert session.get("http://cloud.invalid:8774/v2.1").status_code == 200
    assert dialled == [("cloud.invalid", 8774)]
