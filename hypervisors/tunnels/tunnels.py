"""The tunnel of one hypervisor in this process, shared by all its threads."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import math
import selectors
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import paramiko

from hypervisors.drivers.checks import Checklist, Checks
from hypervisors.tunnels import board, commands, wire
from hypervisors.tunnels.commands import Ended
from hypervisors.tunnels.hops import ROLES, Hop
from hypervisors.tunnels.keeper import PATIENCE, Keeper
from hypervisors.tunnels.link import LABELS, STEP_SECONDS, Link
from hypervisors.tunnels.passage import Passage
from hypervisors.tunnels.targets import Target
from hypervisors.tunnels.trust import Trust
from olimpus.errors import HypervisorError, Misconfigured, Transient
from olimpus.words import gettext as _

MAX_CONNECTIONS: Final = 256
PUBLISH_EVERY: Final = 2.0
TICK: Final = 0.5
BREATH: Final = 0.02  # until the next look whether a connection has ended, when all are taken
RESTING: Final = 10.0  # seconds after which a connection that a client keeps for later may be ended for another
#: Programs at once on the last hop: sshd lets ten sessions through one connection, and some stay open for long.
PROGRAMS: Final = 6
HALF_CLOSED_LIMIT: Final = 30.0  # seconds that a client may keep a connection which its server has ended

_numbers = itertools.count(1)
_in_use: weakref.WeakSet[Tunnels] = weakref.WeakSet()


def steps(roles: Iterable[str] = ROLES) -> tuple[tuple[str, str], ...]:
    """(code, label) of what `Tunnels.check` tries, for hops of these roles."""
    codes = (f"{role}_{step}" for role in roles for step in ("name", "port", "key", "login"))
    return tuple((code, LABELS[code]) for code in codes)


class Opened(NamedTuple):
    """A channel that was just opened."""

    channel: paramiko.Channel
    seconds: float
    heard: Callable[[], None] | None


class Tunnels:
    """TCP connections from the last of the hops, over one SSH connection. Cheap to make: the first use connects.

    `name` is the hypervisor's; `home` is where accepted host keys and the state are kept. Each process has its own.
    """

    def __init__(self, name: str, hops: Sequence[Hop], home: Path, max_connections: int = MAX_CONNECTIONS):
        if not 1 <= len(hops) <= len(ROLES):
            raise ValueError("a tunnel has one or two hops")
        self.name = name
        self.hops = tuple(hops)
        self.max_connections = max_connections
        self._home = Path(home)
        self._trust = Trust(self._home / "tunnels")
        self._keeper = Keeper(self.hops, self._trust, self._wake)
        self._notice = board.Notice(self._home, name, next(_numbers))
        self._slots = threading.BoundedSemaphore(max_connections)
        self._programs = threading.BoundedSemaphore(PROGRAMS)
        self._lock = threading.RLock()
        self._targets: dict[tuple[str, int], Target] = {}
        self._clerk: Clerk | None = None

    def __repr__(self) -> str:
        return f"<Tunnels {self.name} {' '.join(hop.address for hop in self.hops)}>"

    # -- using it ---------------------------------------------------------------------------------------------------

    def dial(self, host: str, port: int, service: str = "", timeout: float = STEP_SECONDS) -> socket.socket:
        """A connected TCP socket to the target, without delay (Nagle), in blocking mode; the caller closes it.

        Waits while the tunnel is being made. `Unreachable` when the tunnel or the target cannot be reached, `Misconfigured`
        when a host refuses us, `Transient` when all connections are taken. Then nothing was sent: it may be repeated.
        """
        target = self._target(host, port, service)
        self._take_slot(timeout)
        try:
            opened = self._opened(target, timeout)
            try:
                ours, theirs = wire.pair()
            except OSError:
                opened.channel.close()
                raise self._crowded() from None
        except BaseException:
            self._slots.release()
            raise
        self._begin(target, theirs, opened)
        return ours

    def local(self, host: str, port: int, service: str = "", local_port: int = 0) -> tuple[str, int]:
        """The address on loopback where this target answers, for other programs; opened once, until `close`.

        With `local_port` it has that number: `Misconfigured` when another program has it. A connection whose target cannot
        be reached is reset.
        """
        target = self._target(host, port, service)
        with self._lock:
            if not target.local_port:
                try:
                    listener = socket.create_server(("127.0.0.1", local_port), backlog=128)
                except OSError as error:
                    message = _("Port %(port)s of this machine is not free.") % {"port": local_port}
                    raise Misconfigured(message, hint=error.strerror or "") from None
                target.local_port = listener.getsockname()[1]
                self._started().listen(listener, target)
            return "127.0.0.1", target.local_port

    def local_program(self, path: Path, argv: Sequence[str], service: str = "", patience: float = math.inf) -> None:
        """Let each connection to the Unix socket `path` be the input and output of a program of its own on the last hop.

        The socket is there, for this account only, until `close`; one that was there is replaced. A connection in which
        nothing moves for longer than `patience` seconds, from its beginning or since something was asked, is cut off.
        """
        target = self._target(argv[0], 0, service, argv)
        target.patience = patience
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(128)
        with self._lock:
            self._started().listen(listener, target)

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60.0) -> Ended:
        """Run a program on the last hop to its end; its words reach it as they are. Raises as `dial` does, and `TimedOut`.

        When the connection is lost meanwhile (`Unreachable`) nobody knows whether it ran: only what may be repeated
        should be run.
        """
        deadline = time.monotonic() + timeout
        if not self._programs.acquire(timeout=timeout):
            raise self._crowded()
        try:
            opened = self._session(Target(argv[0], 0, argv=argv), deadline)
            if opened.heard:
                opened.heard()
            return commands.finish(opened.channel, stdin, deadline - time.monotonic(), opened.heard)
        finally:
            self._programs.release()

    def connect(self) -> None:
        """Make the SSH connection now. Raises as `dial` does."""
        self._started()
        self._keeper.link()

    def check(self) -> Checks:
        """Try a new connection step by step; the first failure ends it. A tunnel that stands is left alone.

        A host key that would be accepted as a new one is told, but not kept.
        """
        checks, link, labels = Checklist(), Link(self.hops, self._trust), dict(LABELS)
        try:
            for code, step in link.steps(keep=False):
                with checks.step(code, labels[code]) as detail:
                    detail.append(step())
                if checks.failed:
                    break
        finally:
            link.close()
        if not checks.failed and self._keeper.state == "down":
            self._keeper.reconnect()  # it need not wait for its next attempt
        return checks.checks

    def status(self) -> board.Status:
        """How it is now."""
        keeper = self._keeper
        with self._lock:
            targets = list(self._targets.values())
        services = tuple(target.status(keeper.state, keeper.since, keeper.reconnects) for target in targets)
        return board.Status(
            name=self.name,
            hops=tuple(hop.address for hop in self.hops),
            state=keeper.state,
            since=keeper.since,
            reconnects=keeper.reconnects,
            latency_ms=None if keeper.latency is None else round(keeper.latency * 1000, 2),
            bytes_in=sum(service.bytes_in for service in services),
            bytes_out=sum(service.bytes_out for service in services),
            connections=sum(service.connections for service in services),
            connections_max=self.max_connections,
            last_error=keeper.last_error,
            last_error_at=keeper.last_error_at,
            host_keys=keeper.host_keys,
            services=services,
        )

    def reconnect(self) -> None:
        """Connect anew, now. Connections that are open are cut off."""
        self._keeper.reconnect()

    def close(self) -> None:
        """End everything: connections, listeners, threads, the state's file. A later use begins anew."""
        self.retire()
        for passage in self._passages():
            passage.cut()
        self._keeper.close()
        with self._lock:
            self._targets.clear()

    def retire(self) -> None:
        """Take no more local clients and tell other processes nothing more."""
        with self._lock:
            clerk, self._clerk = self._clerk, None
        if clerk:
            clerk.close()
        self._notice.withdraw()

    # -- for the clerk ----------------------------------------------------------------------------------------------

    def admit(self, listener: socket.socket, target: Target) -> bool:
        """Take one connection of a local client; False when all are taken: it waits in the listener's queue."""
        if not self._slots.acquire(blocking=False):
            self._make_room()
            return False
        try:
            sock, _peer = listener.accept()
        except OSError:
            self._slots.release()  # the client was gone already, or the listener is
            return True
        sock.setblocking(True)
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._lead, args=(sock, target), name="tunnel-open", daemon=True).start()
        return True

    def keep_house(self) -> None:
        """What is due now and then."""
        self._keeper.watch_over_ping()
        for passage in self._passages():
            if passage.half_closed_for > HALF_CLOSED_LIMIT:
                passage.finish()
            elif passage.hangs:
                passage.cut()

    def publish(self) -> None:
        """Write the state for other processes."""
        self._notice.publish(self.status())

    def reconnect_asked(self) -> float:
        return board.reconnect_asked(self._home, self.name)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _passages(self) -> list[Passage]:
        with self._lock:
            targets = list(self._targets.values())
        return [passage for target in targets for passage in target.passages()]

    def _take_slot(self, timeout: float) -> None:
        """`Transient` when none gets free in time."""
        deadline = time.monotonic() + timeout
        while not self._slots.acquire(timeout=BREATH):
            if time.monotonic() > deadline:
                raise self._crowded()
            self._make_room()

    def _make_room(self) -> None:
        """End the connection that rests longest. (Pools of HTTP clients keep more of them than they use.)"""
        longest = max(self._passages(), key=lambda passage: passage.resting_for, default=None)
        if longest and longest.resting_for > RESTING:
            longest.finish()

    def _lead(self, sock: socket.socket, target: Target) -> None:
        """Connect a local client to its target, or reset it."""
        try:
            opened = self._opened(target, STEP_SECONDS)
        except HypervisorError:
            self._slots.release()  # the target's state tells why
            wire.cut(sock)
            sock.close()
            return
        self._begin(target, sock, opened)

    def _begin(self, target: Target, sock: socket.socket, opened: Opened) -> None:
        def done(passage: Passage) -> None:
            target.ended(passage)
            self._slots.release()

        passage = Passage(sock, opened.channel, done, opened.heard, target.patience)
        target.opened(passage, opened.seconds)
        passage.start()

    def _session(self, target: Target, deadline: float) -> Opened:
        """A program as a channel. sshd frees a session a moment after its end: a refusal may be over at once."""
        while True:
            try:
                return self._opened(target, min(STEP_SECONDS, deadline - time.monotonic()))
            except Transient:
                if time.monotonic() > deadline:
                    raise
                time.sleep(BREATH)

    def _opened(self, target: Target, timeout: float) -> Opened:
        """A channel to the target; over the next link, when this one is lost meanwhile."""
        self._started()
        deadline = time.monotonic() + timeout
        while True:
            try:
                link = self._keeper.link(min(PATIENCE, max(0.0, deadline - time.monotonic())))
            except HypervisorError as error:
                target.failed(error)
                raise
            begun = time.monotonic()
            try:
                channel = target.open(link, max(1.0, deadline - begun))
                return Opened(channel, time.monotonic() - begun, link.heard)
            except HypervisorError as error:
                if link.alive or time.monotonic() > deadline:
                    target.failed(error)
                    raise

    def _target(self, host: str, port: int, service: str, argv: Sequence[str] = ()) -> Target:
        with self._lock:
            fresh = Target(host, port, service, self._keeper.reconnects, argv)
            target = self._targets.setdefault((host, port), fresh)
            target.service = target.service or service
            return target

    def _started(self) -> Clerk:
        with self._lock:
            if self._clerk is None:
                self._clerk = Clerk(self)
                _in_use.add(self)
            return self._clerk

    def _wake(self) -> None:
        if clerk := self._clerk:
            clerk.wake()

    def _crowded(self) -> Transient:
        message = _("All %(count)s connections of the tunnel are in use.") % {"count": self.max_connections}
        return Transient(message, where=self.name)


class Clerk:
    """One thread: takes the connections of local clients, publishes the state, looks after what is due."""

    def __init__(self, tunnels: Tunnels):
        self._tunnels = tunnels
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_out, selectors.EVENT_READ)
        self._new: list[tuple[socket.socket, Target]] = []
        self._listeners: list[socket.socket] = []
        self._closing = False
        self._asked = tunnels.reconnect_asked()
        self._published = 0.0
        self._thread = threading.Thread(target=self._run, name="tunnel-clerk", daemon=True)
        self._thread.start()

    def listen(self, listener: socket.socket, target: Target) -> None:
        listener.setblocking(False)
        self._new.append((listener, target))
        self.wake()

    def wake(self) -> None:
        """Something has changed."""
        with contextlib.suppress(OSError):  # it is awake, or gone
            self._wake_in.send(b".")

    def close(self) -> None:
        self._closing = True
        self.wake()
        if self._thread is not threading.current_thread():
            self._thread.join(STEP_SECONDS)

    def _run(self) -> None:
        try:
            while not self._closing:
                self._watch_new()
                changed = self._serve()
                self._tunnels.keep_house()
                self._see_requests()
                if changed or time.monotonic() - self._published > PUBLISH_EVERY:
                    self._tunnels.publish()
                    self._published = time.monotonic()
        finally:
            for each in (
                *self._listeners,
                *(listener for listener, _target in self._new),
                self._wake_in,
                self._wake_out,
            ):
                each.close()
            self._selector.close()

    def _watch_new(self) -> None:
        while self._new:
            listener, target = self._new.pop()
            self._listeners.append(listener)
            self._selector.register(listener, selectors.EVENT_READ, target)

    def _serve(self) -> bool:
        """Take what has come; whether somebody said that the state has changed."""
        changed = False
        for key, _events in self._selector.select(TICK):
            if key.data is None:
                with contextlib.suppress(OSError):
                    changed = bool(self._wake_out.recv(4096))
            elif not self._tunnels.admit(key.fileobj, key.data):  # type: ignore[arg-type]
                time.sleep(BREATH)
        return changed

    def _see_requests(self) -> None:
        asked = self._tunnels.reconnect_asked()
        if asked > self._asked:
            self._asked = asked
            self._tunnels.reconnect()


@atexit.register
def _retire_all() -> None:
    """So that no file says that a tunnel stands which ended with its process; the rest ends with it by itself."""
    for tunnels in list(_in_use):
        tunnels.retire()
