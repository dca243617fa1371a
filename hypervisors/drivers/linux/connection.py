"""One worker: libvirt over its SSH connection, its connections kept and made again, and commands beside it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import libvirt

from hypervisors.drivers.linux.errors import is_lost, translate, translated
from hypervisors.drivers.linux.workers import WorkerLine, hops_to
from hypervisors.tunnels import Ended, Tunnels
from olimpus.errors import HypervisorError

T = TypeVar("T")
Ask = Callable[[libvirt.virConnect], T]

#: What carries libvirt's protocol from the SSH session to its daemon; comes with libvirt.
HELPER: Final = ("virt-ssh-helper", "qemu:///system")
#: Connections for what takes long (libvirt works on five calls of a connection at once), beside the one that looks.
HANDS: Final = 2
#: Seconds between two signs of life, and how many may be missed.
KEEPALIVE: Final = (5, 3)

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
        self._eyes = Wire(self)
        self._hands = tuple(Wire(self) for _number in range(HANDS))
        self._turns = itertools.cycle(self._hands)

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
        return next(self._turns).do(call)

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

    def socket(self) -> Path:
        """Where libvirt's library connects to; short, as paths of sockets must be. What is wrong with SSH is said here,
        better than libvirt could.
        """
        with self.named(), self._lock:
            self.tunnels.connect()
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="olimpus-", ignore_cleanup_errors=True)
                self.tunnels.local_program(Path(self._folder.name, "libvirt"), HELPER, "libvirt")
            return Path(self._folder.name, "libvirt")

    def close(self) -> None:
        """Let go of everything; a later call connects again."""
        for wire in (self._eyes, *self._hands):
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

    def __init__(self, worker: Worker):
        self.worker = worker
        self.on_connect: list[Callable[[libvirt.virConnect], None]] = []
        self._lock = threading.Lock()
        self._connection: libvirt.virConnect | None = None

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
        """The connection that stands, or a new one."""
        with self._lock:
            known = self._connection
            if known is not None and _is_alive(known):
                return known
            self._connection = None
            if known is not None:
                _close(known)  # what is lost keeps its socket until then
            self._connection = self._opened()
            return self._connection

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            _close(connection)

    def _opened(self) -> libvirt.virConnect:
        _start_loop()
        path = self.worker.socket()
        with translated(self.worker.where):
            connection = libvirt.open(f"qemu+unix:///system?socket={path}")
            connection.setKeepAlive(*KEEPALIVE)
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
