"""Nova's consoles as streams: its proxies speak WebSocket, at an address that carries a token and never leaves this server.

The address is the cloud's word, so it is followed only to where the cloud is known to be: a host of its catalog, one of the
same domain, or one that the setting `console_hosts` names. Anything else could be a way into our own network.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from hypervisors.drivers.openstack.rest import at
from hypervisors.drivers.openstack.servers import Servers
from hypervisors.drivers.openstack.session import Session, place_of
from olimpus.errors import Rejected, Unreachable, VMNotFound
from olimpus.words import gettext as _

#: Protocol and type of a console, as Nova names them.
KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "vnc": {"protocol": "vnc", "type": "novnc"},
    "serial": {"protocol": "serial", "type": "serial"},
}
SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
CONNECT_SECONDS: Final = 10.0
PIECE: Final = 65536


class Consoles:
    """Opens consoles of one cloud's servers, through its tunnels where there are any."""

    def __init__(self, session: Session, servers: Servers):
        self._session = session
        self._servers = servers

    def connect(self, ref: str, kind: str) -> socket.socket:
        """A connected stream. `Rejected` when the cloud names a place that is not its own; `Unreachable`, `VMNotFound`."""
        body = {"remote_console": dict(KINDS[kind])}
        answer = self._servers.rest.post("compute", at("/servers", ref) + "/remote-consoles", body, missing=VMNotFound)
        address = address_of(str(answer["remote_console"]["url"]))
        if not address:
            raise self._refused(_("The cloud names no console that can be followed."))
        host = place_of(address)[0]
        if not is_kin(host, self._hosts()):
            raise self._refused(
                _("The cloud names a console at “%(host)s”, which is no host of its catalog.") % {"host": host},
                _("If it is right, add it to the setting “console_hosts”."),
            )
        return piped(self._open(address))

    def _hosts(self) -> set[str]:
        """Where the cloud is known to be, and what the settings add."""
        named = str(self._session.values.get("console_hosts") or "").replace(",", " ").split()
        places = self._session.places(self._session.access()).values()
        return {host for host, _port in places} | {self._session.entrance()[0], *named}

    def _open(self, address: str) -> ClientConnection:
        host, port = place_of(address)
        try:
            sock = self._dial(host, port)
            # No Origin: Nova compares one with its own name, and takes whoever has none for no browser.
            return connect(
                address,
                sock=sock,
                ssl=self._tls() if address.startswith("wss:") else None,
                subprotocols=["binary"],  # type: ignore[list-item]
                open_timeout=CONNECT_SECONDS,
                close_timeout=1,
                proxy=None,
                max_size=None,
                compression=None,
            )
        except (OSError, WebSocketException, EOFError) as error:
            why = _("The console at %(host)s:%(port)d does not open: %(error)s.")
            told = {"host": host, "port": port, "error": type(error).__name__}
            raise Unreachable(why % told, where=self._session.hypervisor) from None  # its text may hold the token

    def _dial(self, host: str, port: int) -> socket.socket:
        tunnels = self._session.tunnels()
        if tunnels:
            return tunnels.dial(host, port, "console", CONNECT_SECONDS)
        return socket.create_connection((host, port), CONNECT_SECONDS)

    def _tls(self) -> ssl.SSLContext:
        told = self._session.account()
        context = ssl.create_default_context(cafile=told["ca_cert"] or None)
        if not told["verify"]:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def _refused(self, message: str, hint: str = "") -> Rejected:
        return Rejected(message, where=self._session.hypervisor, hint=hint)


def address_of(url: str) -> str:
    """Where the WebSocket behind a console's URL is; "" when the URL is none of a browser's console.

    For VNC Nova names a page, which finds the socket in its own argument `path`, as in `vnc_lite.html?path=%3Ftoken%3D…`.
    """
    parts = urlsplit(url)
    scheme = SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        return ""
    if parts.scheme in ("ws", "wss"):
        return parts._replace(fragment="").geturl()
    query = parse_qs(parts.query)
    path = query["path"][0] if "path" in query else f"websockify?token={query['token'][0]}" if "token" in query else ""
    return f"{scheme}://{parts.netloc}/{path.lstrip('/')}" if path else ""


def is_kin(host: str, known: Collection[str]) -> bool:
    """Whether a host is one of these, or has a name in the same domain as one of them (of two labels at least)."""
    host = host.lower()
    names = {name.lower() for name in known}
    if host in names:
        return True
    domain = _domain(host)
    return bool(domain) and domain in {_domain(name) for name in names}


def _domain(host: str) -> str:
    """What follows the first label of a name, where that is a domain; "" for addresses and short names."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        domain = host.partition(".")[2]
        return domain if "." in domain else ""
    return ""


def piped(connection: ClientConnection) -> socket.socket:
    """Our end of a socket pair whose other end two threads keep in step with the WebSocket, until either side closes."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_outward, args=(theirs, connection), name="console-out", daemon=True).start()
    return ours


def _outward(sock: socket.socket, connection: ClientConnection) -> None:
    inward = threading.Thread(target=_inward, args=(connection, sock), name="console-in", daemon=True)
    inward.start()
    with sock:
        with contextlib.suppress(OSError, WebSocketException):  # one side has gone: so does the other
            while data := sock.recv(PIECE):
                connection.send(data)
        connection.close()
        inward.join()


def _inward(connection: ClientConnection, sock: socket.socket) -> None:
    with contextlib.suppress(OSError, WebSocketException):
        for message in connection:
            sock.sendall(message.encode() if isinstance(message, str) else message)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
