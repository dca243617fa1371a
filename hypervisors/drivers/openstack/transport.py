"""The HTTP connections to a cloud: pooled, patient with a busy cloud, and led through a tunnel when there is one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.retry import Retry

#: (host, port, seconds) → a socket that is connected there; its `HypervisorError` reaches whoever called.
Dial = Callable[[str, int, float], socket.socket]

POOL_SIZE: Final = 64  # connections kept to each service: as many as a worker has threads
CONNECT_SECONDS: Final = 10.0
BUSY: Final = frozenset({429, 503})
BUSY_RETRIES: Final = 4
READS: Final = frozenset({"GET", "HEAD"})
LONGEST_PAUSE: Final = 30  # seconds, whatever Retry-After says: the worker comes again later


class Patience(Retry):
    """Comes again when a service says that it is busy; then nothing was done, so that a POST may be repeated, too.

    A connection that broke is another matter: what was asked for may have happened, so only reads come again.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        return bool(self.total) and status_code in BUSY


def patience() -> Patience:
    return Patience(
        total=BUSY_RETRIES,
        connect=1,
        read=1,
        allowed_methods=READS,
        backoff_factor=0.5,
        backoff_max=LONGEST_PAUSE,
        backoff_jitter=0.5,
        raise_on_status=False,
        retry_after_max=LONGEST_PAUSE,
    )


class Adapter(HTTPAdapter):
    """Connects within seconds however long an answer may take; `dial` makes the connections when it is given."""

    def __init__(self, dial: Dial | None = None):
        self._dial = dial
        super().__init__(pool_connections=POOL_SIZE, pool_maxsize=POOL_SIZE, max_retries=patience())

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        super().init_poolmanager(*args, **kwargs, socket_options=options)
        if self._dial:
            self.poolmanager.pool_classes_by_scheme = _pools(self._dial)

    def send(self, request: requests.PreparedRequest, *args: Any, timeout: Any = None, **kwargs: Any) -> Any:
        if isinstance(timeout, int | float):
            timeout = (min(CONNECT_SECONDS, timeout), timeout)
        return super().send(request, *args, timeout=timeout, **kwargs)


def _pools(dial: Dial) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections `dial` makes; host name, port and certificate stay those of the URL."""

    def connect(connection: HTTPConnection) -> socket.socket:
        seconds = connection.timeout if isinstance(connection.timeout, int | float) else CONNECT_SECONDS
        made = dial(connection.host, connection.port, seconds)
        made.settimeout(seconds)
        return made

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def requests_session(dial: Dial | None = None) -> requests.Session:
    """A session for all services of one cloud, to be shared by all threads."""
    session = requests.Session()
    session.trust_env = dial is None  # a proxy of the environment has no part in a tunnel
    adapter = Adapter(dial)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
