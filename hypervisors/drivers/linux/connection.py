"""One worker: libvirt over its SSH connection, its connections kept and made again, and commands beside it."""

from __future__ import annotations

import contextlib
import math
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import libvirt

from hypervisors.drivers.linux.errors import is_lost, translate, translated
from hypervisors.drivers.linux.workers import WorkerLine, hops_to
from hypervisors.tunnels import Ended, Tunnels
from olimpus.errors import HypervisorError, Unreachable
from olimpus.words import gettext as _

T = TypeVar("T")
Ask = Callable[[libvirt.virConnect], T]

#: What carries libvirt's protocol from the SSH session to its daemon; comes with libvirt.
HELPER: Final = ("virt-ssh-helper", "qemu:///system")
#: Connections for what takes long, beside the one that looks: libvirt works on so many calls of a connection at once, and
#: on twenty in all. The next one is opened when those before have no room.
HANDS: Final = 4
AT_ONCE: Final = 5
#: Seconds between two signs of life, and how many may be missed: of the one that looks, of those that work, which
#: carry images over slow lines. A daemon that hangs is known after one interval more than these.
LOOKING: Final = (5, 2)
WORKING: Final = (5, 5)
#: Of the one that carries serial lines: a guest that does not take what is typed keeps it waiting.
SPEAKING: Final = (5, 12)
#: Seconds for which a daemon may say nothing while libvirt's library connects to it, which has no bound of its own.
PATIENCE: Final = 10.0

_loop_lock = threading.Lock()
_loop: threading.Thread | None = None


class Worker:
    """A host that carries machines. Nothing is contacted before the first call. Thread-safe."""

    def __init__(self, hypervisor: str, line: WorkerLine, values: Mapping[str, Any], home: Path):
        self.line = line
        self.name = line.name
        self.where = f"{hypervisor}/{line.name}"
        self.tunnels = Tunnels(self.where.replace("/", "."), hops_to(values, line), home)
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # ends with the process, too
        self._eyes = Wire(self, LOOKING)
        self._hands = tuple(Wire(self, WORKING) for _number in range(HANDS))
        self._choosing = threading.Lock()
        self._voice = Wire(self, SPEAKING)

    def __repr__(self) -> str:
        return f"<Worker {self.where}>"

    def on_connect(self, tell: Callable[[libvirt.virConnect], None]) -> None:
        """Call `tell` with every new connection that looks, the first one included: to forget what was known, to listen
        anew.
        """
        self._eyes.on_connect.append(tell)

    def ask(self, call: Ask[T]) -> T:
        """What `call` gets from libvirt; once more over a new connection when the old one was lost.

        For what may be repeated. libvirt's errors leave as ours.
        """
        try:
            return self._eyes.do(call, again=True)
        except libvirt.libvirtError:
            return self._eyes.do(call)

    def do(self, call: Ask[T]) -> T:
        """What `call` gets from libvirt."""
        return self._eyes.do(call)

    def work(self, call: Ask[T]) -> T:
        """What `call` gets from libvirt, which may take its time: those who look do not wait for it."""
        with self._choosing:
            wire = min(self._hands, key=lambda one: one.calls // AT_ONCE)
            wire.calls += 1
        try:
            return wire.do(call)
        finally:
            with self._choosing:
                wire.calls -= 1

    def speak(self, call: Ask[T]) -> T:
        """What `call` gets from libvirt, over the connection of serial lines: only they wait for a guest that does not take
        what is typed.
        """
        return self._voice.do(call)

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60.0) -> Ended:
        """A program on the worker, run to its end; see `Tunnels.run`."""
        with self.named():
            return self.tunnels.run(argv, stdin, timeout)

    def dial(self, port: int, service: str) -> socket.socket:
        """A TCP connection to a port of the worker's own loopback."""
        with self.named():
            return self.tunnels.dial("127.0.0.1", port, service)

    def connect(self) -> libvirt.virConnect:
        """The connection that looks: the one that stands, or a new one. `Unreachable`, `Rejected` as of `Tunnels`."""
        return self._eyes.connect()

    @property
    def is_connected(self) -> bool:
        """Whether the connection that looks stands; nobody waits for one that is being made."""
        return self._eyes.stands

    def socket(self) -> Path:
        """Where libvirt's library connects to; short, as paths of sockets must be. What is wrong with SSH is said here,
        better than libvirt could.
        """
        with self.named(), self._lock:
            self.tunnels.connect()
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="olimpus-", ignore_cleanup_errors=True)
                self.tunnels.local_program(Path(self._folder.name, "libvirt"), HELPER, "libvirt", PATIENCE)
            return Path(self._folder.name, "libvirt")

    def close(self) -> None:
        """Let go of everything; a later call connects again."""
        for wire in (self._eyes, *self._hands, self._voice):
            wire.close()
        with self._lock:
            folder, self._folder = self._folder, None
        self.tunnels.close()
        if folder:
            folder.cleanup()

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Errors inside say which worker they are about."""
        try:
            yield
        except HypervisorError as error:
            error.where = self.where
            raise


class Wire:
    """One connection to a worker's libvirt, made again when it is lost. Thread-safe."""

    def __init__(self, worker: Worker, keepalive: tuple[int, int]):
        self.worker = worker
        self._keepalive = keepalive
        self.on_connect: list[Callable[[libvirt.virConnect], None]] = []
        self.calls = 0  # of those who work, under way now
        self._lock = threading.Lock()
        self._connection: libvirt.virConnect | None = None
        self._fault: HypervisorError = Unreachable("")  # of the last attempt to connect that failed, and when it did
        self._failed_at = -math.inf
        self._hangs = False  # so the last attempt found

    def do(self, call: Ask[T], *, again: bool = False) -> T:
        """What `call` gets from libvirt. With `again`, a lost connection leaves as libvirt's own error."""
        connection = self.connect()
        try:
            return call(connection)
        except libvirt.libvirtError as error:
            if not is_lost(error):
                raise translate(error, self.worker.where) from None
            self._drop(connection)
            if again:
                raise
            raise translate(error, self.worker.where) from None

    def connect(self) -> libvirt.virConnect:
        """The connection that stands, or a new one.

        Who waits for another's attempt shares its fault, and nobody waits when the one before found a daemon that hangs.
        """
        came = time.monotonic()
        if not self._lock.acquire(blocking=not self._hangs):
            raise self._excuse()
        try:
            known = self._connection
            if known is not None and _is_alive(known):
                return known
            self._connection = None
            if known is not None:
                _close(known)  # what is lost keeps its socket until then
            if self._failed_at > came:
                raise self._excuse()
            self._connection = self._tried()
            return self._connection
        finally:
            self._lock.release()

    @property
    def stands(self) -> bool:
        """Whether it is there now."""
        known = self._connection
        return known is not None and _is_alive(known)

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            _close(connection)

    def _tried(self) -> libvirt.virConnect:
        began = time.monotonic()
        try:
            connection = self._opened()
        except HypervisorError as error:
            self._fault, self._failed_at = error, time.monotonic()
            self._hangs = self._failed_at - began >= PATIENCE
            if self._hangs:
                hint = _("It hangs, or the worker is overloaded: look there.")
                self._fault = Unreachable(_("libvirt does not answer."), where=self.worker.where, hint=hint)
            raise self._excuse() from None
        self._hangs = False
        return connection

    def _excuse(self) -> HypervisorError:
        """The fault as a new exception: many threads raise it."""
        return type(self._fault)(self._fault.message, where=self._fault.where, hint=self._fault.hint)

    def _opened(self) -> libvirt.virConnect:
        _start_loop()
        path = self.worker.socket()
        with translated(self.worker.where):
            connection = libvirt.open(f"qemu+unix:///system?socket={path}")
            connection.setKeepAlive(*self._keepalive)
            for tell in self.on_connect:
                tell(connection)
        return connection

    def _drop(self, connection: libvirt.virConnect) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None
        _close(connection)


def _is_alive(connection: libvirt.virConnect) -> bool:
    with contextlib.suppress(libvirt.libvirtError):
        return bool(connection.isAlive())
    return False


def _close(connection: libvirt.virConnect) -> None:
    """Whoever listens keeps it open, with its socket: they go first."""
    for listener in tuple(getattr(connection, "domainEventCallbackID", ())):
        with contextlib.suppress(libvirt.libvirtError):
            connection.domainEventDeregisterAny(listener)
    with contextlib.suppress(libvirt.libvirtError):  # it is lost already
        connection.close()


def _start_loop() -> None:
    """libvirt's event loop, one a process: without it there are neither events nor signs of life."""
    global _loop
    with _loop_lock:
        if _loop is None:
            libvirt.virEventRegisterDefaultImpl()
            _loop = threading.Thread(target=_run_loop, name="libvirt-events", daemon=True)
            _loop.start()


def _run_loop() -> None:
    while True:
        with contextlib.suppress(libvirt.libvirtError):
            libvirt.virEventRunDefaultImpl()
