"""Consoles of Nova: where they are followed to, and the bytes that pass."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.server import serve

from hypervisors.drivers.openstack import consoles
from hypervisors.drivers.openstack.consoles import Consoles, address_of, is_kin
from olimpus.errors import Rejected, Unreachable

KNOWN = {"cloud.example.org", "10.0.0.5", "controller"}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://c:6080/vnc_lite.html?path=%3Ftoken%3Dabc", "ws://c:6080/?token=abc"),
        ("https://c/vnc/vnc_auto.html?path=%3Ftoken%3Dabc&title=x", "wss://c/?token=abc"),
        ("http://c:6080/vnc_auto.html?token=abc", "ws://c:6080/websockify?token=abc"),
        ("ws://c:6083/?token=abc", "ws://c:6083/?token=abc"),
        ("wss://c:6083/?token=abc", "wss://c:6083/?token=abc"),
        ("file:///etc/passwd", ""),
        ("http://c:6080/", ""),
        ("gopher://c/?path=x", ""),
        ("", ""),
    ],
)
def test_where_the_socket_is(url, address):
    assert address_of(url) == address


@pytest.mark.parametrize(
    ("host", "kin"),
    [
        ("cloud.example.org", True),
        ("Cloud.Example.ORG", True),
        ("consoles.example.org", True),
        ("10.0.0.5", True),
        ("controller", True),
        ("10.0.0.6", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("localhost", False),
        ("example.org", False),
        ("cloud.example.org.evil.net", False),
        ("other.org", False),
        ("x.org", False),
        ("::1", False),
    ],
)
def test_only_hosts_of_the_cloud_are_followed(host, kin):
    assert is_kin(host, KNOWN) is kin


class Cloud:
    """As much of a session and of Nova as a console asks for; the proxy is a WebSocket server here."""

    hypervisor = "lab"

    def __init__(self, url: str, **values: Any):
        self.url, self.values = url, values
        self.rest = self

    def post(self, *_args: Any, **_more: Any) -> Any:
        return {"remote_console": {"url": self.url}}

    def access(self) -> Any:
        return None

    def places(self, _access: Any) -> dict[str, tuple[str, int]]:
        return {"compute": ("nova.example.org", 8774)}

    def entrance(self) -> tuple[str, int]:
        return ("keystone.example.org", 5000)

    def tunnels(self) -> None:
        return None

    def connect(self) -> socket.socket:
        return Consoles(self, self).connect("ref", "vnc")  # type: ignore[arg-type]


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[str]]]:
    """Says a version, gives back what it hears in capitals, ends at "bye"; the port, and the paths asked for."""
    paths: list[str] = []

    def talk(connection: Any) -> None:
        paths.append(connection.request.path)
        connection.send(b"RFB 003.008\n")
        for message in connection:
            if message == b"bye":
                return
            connection.send(message.upper())

    with serve(talk, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.socket.getsockname()[1], paths


def test_bytes_pass_both_ways_until_either_ends(proxy):
    port, paths = proxy
    cloud = Cloud(f"http://127.0.0.1:{port}/vnc_lite.html?path=%3Ftoken%3Dabc", console_hosts="127.0.0.1, other")
    for last in (b"bye", b""):
        with cloud.connect() as console:
            console.settimeout(10)
            assert console.recv(12, socket.MSG_WAITALL) == b"RFB 003.008\n"
            console.sendall(b"hello")
            assert console.recv(5, socket.MSG_WAITALL) == b"HELLO"
            if last:
                console.sendall(last)
                assert console.recv(1) == b""
    assert paths == ["/?token=abc"] * 2


def test_another_host_is_refused_and_the_setting_named():
    with pytest.raises(Rejected) as caught:
        Cloud("http://169.254.169.254/vnc_lite.html?path=%3Ftoken%3Dsecret").connect()
    assert "console_hosts" in caught.value.hint
    assert "secret" not in str(caught.value)


def test_nobody_there_is_told_without_the_token(monkeypatch):
    monkeypatch.setattr(consoles, "CONNECT_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable) as caught:
            Cloud(f"ws://127.0.0.1:{port}/?token=secret", console_hosts="127.0.0.1").connect()
    assert "secret" not in str(caught.value)
