"""Nova's console proxies, which the lab does not have, pretended where its Nova says that they are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from websockets.sync.server import ServerConnection, serve

#: Port → what this kind of console says first.
PROXIES: Final = {6080: b"RFB 003.008\n", 6083: b"login: "}


@contextmanager
def proxy(port: int) -> Iterator[None]:
    """Whoever comes with a token is greeted. Several processes may pretend the same proxy at once."""

    def greet(connection: ServerConnection) -> None:
        assert connection.request is not None
        if "token=" in connection.request.path:
            connection.send(PROXIES[port])
        for _typed in connection:
            continue

    listener = socket.create_server(("127.0.0.1", port), reuse_port=True)
    with serve(greet, sock=listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
