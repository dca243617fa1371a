"""The guest's side of a machine: what its serial console said, its screen, its serial line, its figures."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import libvirt

from hypervisors.drivers.base import Console, Power
from hypervisors.drivers.linux.connection import Worker
from hypervisors.drivers.linux.domain import log_of
from hypervisors.drivers.linux.facts import screen_of
from hypervisors.drivers.linux.machines import KIB_IN_MIB, Machines
from olimpus.errors import Rejected
from olimpus.words import gettext as _

LOG_BYTES: Final = 64 * 1024
CHUNK: Final = 4096
TAKE: Final = 256 * 1024
#: Seconds between two looks at the CPU, where there was none before.
MOMENT: Final = 0.2
#: Seconds for which a look at the CPU is kept for the next one to count from.
KEPT: Final = 900.0
STATS: Final = libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_BALLOON


class Guests:
    """Consoles and figures of one worker's machines."""

    def __init__(self, worker: Worker, machines: Machines):
        self.worker = worker
        self.machines = machines
        self._looks: dict[str, tuple[float, int]] = {}  # when the CPU was looked at, and its nanoseconds then

    def console_text(self, uuid: str) -> str:
        """What the serial line said since power-on; "" while off. Only root may read it there."""
        info = self.machines.get(uuid)
        if info.power is Power.OFF:
            return ""
        path = log_of(info.extra["domain"])
        ended = self.worker.run(("sudo", "-n", "tail", "-c", str(LOG_BYTES), path))
        if ended.code:
            hint = _("The account on the worker needs sudo without a password.")
            raise Rejected(ended.err.decode(errors="replace").strip(), where=self.worker.where, hint=hint)
        return ended.out.decode(errors="replace")

    def screen(self, uuid: str) -> Console:
        """The screen, by RFB. `Rejected` while off."""
        secure = libvirt.VIR_DOMAIN_XML_SECURE
        found = self.worker.ask(lambda connection: screen_of(connection.lookupByUUIDString(uuid).XMLDesc(secure)))
        if not found:
            raise self._off()
        port, password = found
        return Console(self.worker.dial(port, "vnc"), password)

    def serial(self, uuid: str) -> Console:
        """The serial line. `Rejected` while off, or when somebody else has it: it has one reader at a time."""

        def ask(connection: libvirt.virConnect) -> libvirt.virStream:
            domain = connection.lookupByUUIDString(uuid)
            if not domain.isActive():
                raise self._off()
            stream = connection.newStream()
            domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
            return stream

        return Console(_as_socket(self.worker.speak(ask)))

    def screenshot(self, uuid: str) -> bytes:
        """What the screen shows, as PNG; QEMU draws it since 7.1. `Rejected` while off."""

        def ask(connection: libvirt.virConnect) -> tuple[str, bytes]:
            domain = connection.lookupByUUIDString(uuid)
            if not domain.isActive():
                raise self._off()
            stream = connection.newStream()
            kind = domain.screenshot(stream, 0, 0)
            picture = b"".join(iter(lambda: stream.recv(TAKE), b""))
            stream.finish()
            return kind, picture

        kind, picture = self.worker.ask(ask)
        if kind != "image/png":
            hint = _("QEMU 7.1 or later is needed.")
            raise Rejected(_("The worker cannot take pictures of screens."), where=self.worker.where, hint=hint)
        return picture

    def figures(self, uuid: str) -> dict[str, float]:
        """CPU in percent of all of its CPUs, and memory in MiB; zero while off."""
        info = self.machines.get(uuid)
        if info.power is Power.OFF:
            return {"cpu_percent": 0.0, "memory_used_mib": 0.0}
        before = self._looks.get(uuid)
        if before is None:
            before, _stats = self._look(uuid)
            time.sleep(MOMENT)
        (now, spent), stats = self._look(uuid)
        share = (spent - before[1]) / max(1e-6, now - before[0]) / 1e9 / max(1, info.cpus)
        used = max(1.0, self._memory(stats) / KIB_IN_MIB)
        return {
            "cpu_percent": round(min(100.0, max(0.0, share * 100)), 2),
            "memory_used_mib": round(min(used, info.memory_mib), 1),
        }

    def _look(self, uuid: str) -> tuple[tuple[float, int], dict[str, int]]:
        def ask(connection: libvirt.virConnect) -> dict[str, int]:
            return connection.domainListGetStats([connection.lookupByUUIDString(uuid)], STATS, 0)[0][1]

        stats = self.worker.ask(ask)
        for known, (seen, _spent) in list(self._looks.items()):
            if time.monotonic() - seen > KEPT:
                self._looks.pop(known, None)  # that machine is gone, or nobody asks
        look = self._looks[uuid] = (time.monotonic(), int(stats.get("cpu.time", 0)))
        return look, stats

    def _memory(self, stats: dict[str, int]) -> float:
        """KiB that the guest uses, as it says; what its process takes, when it says nothing."""
        if "balloon.available" in stats and "balloon.unused" in stats:
            return stats["balloon.available"] - stats["balloon.unused"]
        return stats.get("balloon.rss", stats.get("balloon.current", 0))

    def _off(self) -> Rejected:
        return Rejected(_("The machine is off: it has no console."), where=self.worker.where)


def _as_socket(stream: libvirt.virStream) -> socket.socket:
    """Our end of a pair of sockets whose other end is pumped from and to the stream, until either side ends."""
    ours, theirs = socket.socketpair()
    lock, left = threading.Lock(), [2]

    def pump(carry: Callable[[], bool]) -> None:
        with contextlib.suppress(OSError, libvirt.libvirtError):  # the other side ended
            while carry():
                pass
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)
        with lock:
            left[0] -= 1
            if left[0]:
                with contextlib.suppress(libvirt.libvirtError):
                    stream.abort()  # wakes the one that waits for it
            else:
                theirs.close()

    def outwards() -> bool:
        data = theirs.recv(CHUNK)
        view = data
        while view:
            view = view[stream.send(view) :]
        return bool(data)

    def inwards() -> bool:
        data = stream.recv(CHUNK)
        theirs.sendall(data)
        return bool(data)

    for carry in (outwards, inwards):
        threading.Thread(target=pump, args=(carry,), name="serial-console", daemon=True).start()
    return ours
