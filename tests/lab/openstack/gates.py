"""A second region of the lab's cloud whose services are reached through gates: each can be shut, can hang, can fail.

The services behind are the real ones, and so is everything that passes; a gate that fails answers as a service does whose
process has died under a load balancer (500). Others on the same cloud notice nothing.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from hypervisors.drivers.openstack.session import place_of
from tests.lab.cloud import Cloud

State = Literal["open", "shut", "hanging", "failing"]
FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
BODY = b'{"computeFault": {"code": 500, "message": "The server is out of order."}}'
CHUNK = 64 * 1024


class Gate:
    """A port on loopback that leads to another one. Whoever is connected when its state changes is cut off."""

    def __init__(self, target: int):
        self.target = target
        self.state: State = "open"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    def turn(self, state: State) -> None:
        """From now on it is so. One that begins to hang lets go of nobody: they wait in vain."""
        self.state = state
        if state != "hanging":
            self._cut()

    def close(self) -> None:
        """Nobody listens there any more."""
        self._closed = True
        self._listener.close()
        self._cut()

    def _cut(self) -> None:
        for sock in list(self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self._closed:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(sock,), daemon=True).start()

    def _lead(self, sock: socket.socket) -> None:
        self._sockets.add(sock)
        with sock, suppress(OSError):
            if self.state == "open":
                with socket.create_connection(("127.0.0.1", self.target)) as other:
                    self._sockets.add(other)
                    back = threading.Thread(target=self._carry, args=(other, sock), daemon=True)
                    back.start()
                    self._carry(sock, other)
                    back.join()
                    self._sockets.discard(other)
            elif self.state == "failing":
                sock.recv(CHUNK)
                sock.sendall(FAILURE % (len(BODY), BODY))
            elif self.state == "hanging":
                while sock.recv(CHUNK):
                    pass
        self._sockets.discard(sock)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(CHUNK)) and self.state != "hanging":
                target.sendall(data)
            while data and source.recv(CHUNK):
                pass  # what comes to a gate that hangs stays there
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def gated(cloud: Cloud) -> Iterator[tuple[str, dict[str, Gate]]]:
    """The name of the region, and the gate to each type of service; both are gone afterwards."""
    identity, name = cloud.sdk().identity, f"gated-{uuid.uuid4().hex[:6]}"
    region = identity.create_region(id=name)
    gates = {kind: Gate(port) for kind, port in cloud.ports().items()}
    by_port = {gate.target: gate for gate in gates.values()}
    # Endpoints of a region that a killed test left behind are nobody's.
    public = [one for one in identity.endpoints(interface="public") if place_of(one.url)[1] in by_port]
    made = []
    try:
        for one in public:
            gate = by_port[place_of(one.url)[1]]
            url = one.url.replace(f":{gate.target}", f":{gate.port}")
            made.append(
                identity.create_endpoint(service_id=one.service_id, interface="public", url=url, region_id=region.id)
            )
        yield name, gates
    finally:
        for endpoint in made:
            identity.delete_endpoint(endpoint)
        identity.delete_region(region)
        for gate in gates.values():
            gate.close()
