"""One worker: libvirt over its SSH connection, kept and made again, and commands beside it."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
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
        self._connection: libvirt.virConnect | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # ends with the process, too
        self._on_connect: list[Callable[[libvirt.virConnect], None]] = []

    def __repr__(self) -> str:
        return f"<Worker {self.where}>"

    def on_connect(self, tell: Callable[[libvirt.virConnect], None]) -> None:
        """Call `tell` with every new connection, the first one included: to forget what was known, to listen anew."""
        self._on_connect.append(tell)

    def ask(self, call: Ask[T]) -> T:
        """What `call` gets from libvirt; once more over a new connection when the old one was lost.

        For what may be repeated. libvirt's errors leave as ours.
        """
        try:
            return self.do(call, again=True)
        except libvirt.libvirtError:
            return self.do(call)

    def do(self, call: Ask[T], *, again: bool = False) -> T:
        """What `call` gets from libvirt. With `again`, a lost connection leaves as libvirt's own error."""
        connection = self.connect()
        try:
            return call(connection)
        except libvirt.libvirtError as error:
            if not is_lost(error):
                raise translate(error, self.where) from None
            self._drop(connection)
            if again:
                raise
            raise translate(error, self.where) from None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60.0) -> Ended:
        """A program on the worker, run to its end; see `Tunnels.run`."""
        with self._named():
            return self.tunnels.run(argv, stdin, timeout)

    def dial(self, port: int, service: str) -> socket.socket:
        """A TCP connection to a port of the worker's own loopback."""
        with self._named():
            return self.tunnels.dial("127.0.0.1", port, service)

    def connect(self) -> libvirt.virConnect:
        """The connection that stands, or a new one. `Unreachable`, `Rejected` as of `Tunnels`."""
        with self._lock:
            known = self._connection
            if known is not None and self._is_alive(known):
                return known
            self._connection = None
            if known is not None:
                _close(known)  # what is lost keeps its socket until then
            self._connection = self._opened()
            return self._connection

    def close(self) -> None:
        """Let go of everything; a later call connects again."""
        with self._lock:
            connection, self._connection = self._connection, None
            folder, self._folder = self._folder, None
        if connection is not None:
            _close(connection)
        self.tunnels.close()
        if folder:
            folder.cleanup()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _opened(self) -> libvirt.virConnect:
        _start_loop()
        with self._named():
            self.tunnels.connect()  # what is wrong with SSH is said by the tunnel, better than libvirt could
            path = self._socket()
        with translated(self.where):
            connection = libvirt.open(f"qemu+unix:///system?socket={path}")
            connection.setKeepAlive(*KEEPALIVE)
            for tell in self._on_connect:
                tell(connection)
        return connection

    def _socket(self) -> Path:
        """Where libvirt's library connects to; short, as paths of sockets must be."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="olimpus-", ignore_cleanup_errors=True)
            self.tunnels.local_program(Path(self._folder.name, "libvirt"), HELPER, "libvirt")
        return Path(self._folder.name, "libvirt")

    def _drop(self, connection: libvirt.virConnect) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None
        _close(connection)

    def _is_alive(self, connection: libvirt.virConnect) -> bool:
        with contextlib.suppress(libvirt.libvirtError):
            return bool(connection.isAlive())
        return False

    @contextlib.contextmanager
    def _named(self) -> Any:
        """Errors inside say which worker they are about."""
        try:
            yield
        except HypervisorError as error:
            error.where = self.where
            raise


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
