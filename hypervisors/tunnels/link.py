"""The SSH connection to the last hop, made step by step."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Final

import paramiko

from hypervisors.tunnels import commands, wire
from hypervisors.tunnels.hops import Hop, private_keys
from hypervisors.tunnels.transport import Transport
from hypervisors.tunnels.trust import Trust, fingerprint
from olimpus.errors import HypervisorError, Misconfigured, Transient, Unreachable
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

STEP_SECONDS: Final = 10.0
WINDOW: Final = 4 * 1024 * 1024  # bytes that may come before we say that we have read them, per channel
PACKET: Final = 64 * 1024  # the largest we accept
CIPHERS: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS: Final = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
REFUSED, NOT_REACHED, SHORT = 1, 2, 4  # reasons of a channel that was not opened (RFC 4254)
REMEMBERED: Final = 5_000  # channels

#: (code, label) of the steps to each hop.
LABELS: Final = {
    "bastion_name": gettext_noop("Find the name of the bastion"),
    "bastion_port": gettext_noop("Connect to the bastion"),
    "bastion_key": gettext_noop("Host key of the bastion"),
    "bastion_login": gettext_noop("Sign in at the bastion"),
    "headnode_name": gettext_noop("Address of the head node"),
    "headnode_port": gettext_noop("Connect to the head node through the bastion"),
    "headnode_key": gettext_noop("Host key of the head node"),
    "headnode_login": gettext_noop("Sign in at the head node"),
    "worker_name": gettext_noop("Address of the worker"),
    "worker_port": gettext_noop("Connect to the worker"),
    "worker_key": gettext_noop("Host key of the worker"),
    "worker_login": gettext_noop("Sign in at the worker"),
}

# What paramiko has to say (with tracebacks) about a connection that ended is said by us, in one sentence.
logging.getLogger("hypervisors.tunnels.ssh").setLevel(logging.CRITICAL + 1)


class Link:
    """SSH connections to one hop after the other, each through the one before it."""

    def __init__(self, hops: tuple[Hop, ...], trust: Trust):
        self._hops = hops
        self._trust = trust
        self._addresses: list[tuple[int, tuple[object, ...]]] = []
        self._stream: wire.Stream | None = None
        self._over = False
        self._made: list[tuple[paramiko.Transport, wire.Wire]] = []
        #: Fingerprints of the hops' host keys.
        self.host_keys: list[str] = []

    # -- making it --------------------------------------------------------------------------------------------------

    def steps(self, *, keep: bool) -> Iterator[tuple[str, Callable[[], str]]]:
        """(code, what to call) of each step; a call returns what to say, or raises `HypervisorError`.

        `keep` a host key that is accepted as a new one.
        """
        for at, role in enumerate(hop.role for hop in self._hops):
            way = self._hops[: at + 1]
            yield f"{role}_name", lambda hop=way[-1]: self._find(hop)
            yield f"{role}_port", lambda hop=way[-1]: self._reach(hop)
            yield f"{role}_key", lambda way=way: self._agree(way, keep=keep)
            yield f"{role}_login", lambda hop=way[-1]: self._sign_in(hop)

    def make(self) -> None:
        """All steps. `Unreachable`, or `Misconfigured` for a key, a host key or an account; nothing stays open then."""
        try:
            for _code, step in self.steps(keep=True):
                if self._over:
                    raise Unreachable(_("The tunnel is closed."))
                step()
        except HypervisorError:
            self.close()
            raise

    def _find(self, hop: Hop) -> str:
        if self._made:
            return _("%(host)s, found by the bastion.") % {"host": hop.host}
        try:
            found = socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            message = _("The host name %(host)s is not known.") % {"host": hop.host}
            raise Unreachable(message) from None
        self._addresses = [(each[0], each[4]) for each in found]
        return ", ".join(dict.fromkeys(str(address[0]) for _family, address in self._addresses))

    def _reach(self, hop: Hop) -> str:
        begun = time.perf_counter()
        if self._made:
            self._stream = self.open(hop.host, hop.port)
        else:
            try:
                self._stream = wire.connected(self._addresses, STEP_SECONDS)
            except OSError as error:
                told = {"host": hop.address, "reason": error.strerror or _("no answer")}
                raise Unreachable(_("%(host)s is not reached: %(reason)s.") % told) from None
        return f"{hop.address}, {(time.perf_counter() - begun) * 1000:.1f} ms"

    def _agree(self, way: tuple[Hop, ...], *, keep: bool) -> str:
        known = self._trust.known(way)
        types = _preferred(each.type for each in known)
        key = self._handshake(way[-1], types)
        # A fingerprint does not say its type: the host may have shown another of its keys first.
        told = {each.fingerprint for each in known}
        while not all(each.type for each in known) and fingerprint(key.asbytes()) not in told:
            types = [each for each in types if _family(each) != _family(key.get_name())]
            try:
                key = self._handshake_again(way[-1], types)
            except Unreachable:
                break  # it has no key of another type
        self.host_keys.append(fingerprint(key.asbytes()))
        return self._trust.verify(way, key, keep=keep)

    def _handshake(self, hop: Hop, types: list[str]) -> paramiko.PKey:
        """Speak SSH over the stream; the host's key, which signed what was agreed upon."""
        if self._stream is None:
            raise Unreachable(_("%(host)s closed the connection.") % {"host": hop.address})
        below = wire.Wire(self._stream)
        transport = Transport(below, default_window_size=WINDOW, default_max_packet_size=PACKET)
        self._stream = None
        self._made.append((transport, below))
        transport.set_log_channel("hypervisors.tunnels.ssh")
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = STEP_SECONDS
        options = transport.get_security_options()
        options.ciphers, options.digests, options.key_types = CIPHERS, MACS, types
        try:
            transport.start_client(timeout=STEP_SECONDS)
            return transport.get_remote_server_key()
        except (paramiko.SSHException, EOFError, OSError):
            message = _("%(host)s does not speak SSH as we do, or is too busy.") % {"host": hop.address}
            raise Unreachable(message, hint=_("Is this the port of its SSH server?")) from None

    def _handshake_again(self, hop: Hop, types: list[str]) -> paramiko.PKey:
        if not types:
            raise Unreachable(_("%(host)s has no other host key.") % {"host": hop.address})
        _release(*self._made.pop())
        self._reach(hop)
        return self._handshake(hop, types)

    def _sign_in(self, hop: Hop) -> str:
        transport = self._made[-1][0]
        for key in private_keys(hop):
            try:
                if not transport.auth_publickey(hop.user, key):
                    return _("as %(user)s, key %(key)s") % {"user": hop.user, "key": fingerprint(key.asbytes())}
            except paramiko.AuthenticationException:
                if not transport.is_active():
                    break  # it has heard enough
            except (paramiko.SSHException, EOFError, OSError):
                message = _("%(host)s closed the connection while we signed in.") % {"host": hop.address}
                raise Unreachable(message) from None
        message = _("%(host)s refuses the key of “%(user)s”.") % {"host": hop.address, "user": hop.user}
        hint = _("Is the public key among the authorized keys of that account?")
        raise Misconfigured(message, hint=hint)

    # -- using it ---------------------------------------------------------------------------------------------------

    def open(self, host: str, port: int, timeout: float = STEP_SECONDS) -> paramiko.Channel:
        """A TCP connection from the last host made so far.

        `Unreachable` when the target does not answer, `Misconfigured` when that host does not forward, `Transient` when it
        has no room.
        """
        transport, name = self._made[-1][0], f"{host}:{port}"
        with self._opening(name):
            return transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout)

    def session(self, argv: Sequence[str], timeout: float = STEP_SECONDS) -> paramiko.Channel:
        """A program started on the last host. Errors as of `open`; `Transient` when it takes no other session now."""
        with self._opening(argv[0]):
            try:
                return commands.begin(self._made[-1][0], argv, timeout)
            except paramiko.ChannelException:
                raise _not_opened(argv[0], SHORT) from None

    @contextmanager
    def _opening(self, target: str) -> Iterator[None]:
        """What the SSH library says when a channel is not opened, in our words."""
        try:
            yield
        except paramiko.ChannelException as error:
            raise _not_opened(target, error.code) from None
        except (paramiko.SSHException, EOFError, OSError):
            lost = not self._made[-1][0].is_active()
            message = _("The SSH connection was lost.") if lost else _("%(target)s is not reached through the tunnel.")
            raise Unreachable(message % {"target": target}) from None

    @property
    def heard(self) -> Callable[[], None] | None:
        """What to do when data has come, so that the next small packet is not held back.

        The headnode's sshd has Nagle's algorithm on and waits for the bastion's acknowledgement, which the bastion delays
        by 40 ms unless it has something to send: it gets a packet that means nothing. (Towards the bastion itself the
        kernel acknowledges at once: see `Wire`.)
        """
        return partial(self._made[-1][0].send_ignore, 1) if len(self._made) > 1 else None

    def ping(self) -> float:
        """Seconds of a round trip to the last hop. `Unreachable` when the connection is lost."""
        transport = self._made[-1][0]
        begun = time.perf_counter()
        try:
            transport.global_request("keepalive@openssh.com", wait=True)
        except (paramiko.SSHException, EOFError, OSError):
            self.cut()
        if not self.alive:
            raise Unreachable(_("The SSH connection was lost."))
        for transport, _below in self._made:
            _forget_old_channels(transport)
        return time.perf_counter() - begun

    @property
    def alive(self) -> bool:
        return bool(self._made) and all(transport.is_active() for transport, _below in self._made)

    def wait(self, seconds: float) -> bool:
        """Whether the connection still stands after this time; false as soon as it is lost."""
        self._made[-1][0].join(seconds)
        return self.alive

    def cut(self) -> None:
        """End the traffic at once. By any thread; whoever made the link closes it."""
        self._over = True
        for transport, below in list(self._made):
            transport.close()
            below.close()

    def close(self) -> None:
        """End it, and whatever goes through it, and let go of everything. May be repeated."""
        self.cut()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        for transport, below in self._made:
            _release(transport, below)


def _release(transport: paramiko.Transport, below: wire.Wire) -> None:
    transport.packetizer.complete_handshake()  # ends its timer
    transport.close()
    below.close()
    if transport.is_alive():
        transport.join(STEP_SECONDS)
    below.release()


def _preferred(known: Iterable[str]) -> list[str]:
    """Types of host keys to ask for: those known, then ours."""
    ours = paramiko.Transport._preferred_keys
    families = {_family(each) for each in known if each}
    return sorted(ours, key=lambda each: _family(each) not in families)


def _family(key_type: str) -> str:
    """An RSA key signs in several ways."""
    return "rsa" if "rsa" in key_type.split("-", 2)[:2] else key_type


def _not_opened(target: str, reason: int) -> HypervisorError:
    if reason == REFUSED:
        hint = _("Its SSH server must allow TCP forwarding (AllowTcpForwarding, PermitOpen).")
        return Misconfigured(_("The SSH host does not forward to %(target)s.") % {"target": target}, hint=hint)
    if reason == SHORT:
        return Transient(_("The SSH host has no room for another connection."))
    message = _("%(target)s is not reached through the tunnel.") % {"target": target}
    return Unreachable(message, hint=_("Is the service running, and may the SSH host connect to it?"))


def _forget_old_channels(transport: paramiko.Transport) -> None:
    """paramiko remembers the number of every channel there ever was; those of long ago will not be heard of again."""
    seen = transport.channels_seen
    for number in list(islice(seen, max(0, len(seen) - REMEMBERED))):
        if transport._channels.get(number) is None:
            seen.pop(number, None)
