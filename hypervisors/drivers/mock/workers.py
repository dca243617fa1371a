"""The workers that a mock hypervisor pretends to be made of: what its setting says, and what VMs take up on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from hypervisors.drivers.base import Listing, VmInfo, VmSpec
from hypervisors.drivers.cloud import Host
from hypervisors.drivers.mock import store
from olimpus.errors import CapacityExceeded, Rejected, Unreachable
from olimpus.words import gettext as _

#: Words that may follow the sizes in a line.
DOWN, MAINTENANCE = "down", "maintenance"
WORDS: Final = frozenset({DOWN, MAINTENANCE})
#: CPUs, MiB, GiB.
Sizes = Sequence[float]


@dataclass(frozen=True)
class Worker:
    """One worker, as a line of the setting says."""

    name: str
    sizes: tuple[int, int, int]
    words: frozenset[str] = frozenset()

    @property
    def up(self) -> bool:
        return DOWN not in self.words

    def host(self, used: Sizes, vms: int) -> Host:
        """As a host with so much in use; of one that is down nobody knows how much."""
        cpus, memory_mib, disk_gib = self.sizes
        taken, number = (used, vms) if self.up else ((0, 0, 0), 0)
        return Host(
            self.name,
            self.name,
            self.up,
            MAINTENANCE not in self.words,
            cpus,
            int(taken[0]),
            memory_mib,
            int(taken[1]),
            disk_gib,
            float(taken[2]),
            number,
            cpu_percent=round(100 * min(1.0, taken[0] / cpus), 1) if self.up and cpus else None,
        )


class Crew:
    """All workers of one mock hypervisor; none: it is one host, and everything is as if this were not there."""

    def __init__(self, hypervisor: str, lines: str):
        self.hypervisor = hypervisor
        self._lines = lines

    @cached_property
    def workers(self) -> dict[str, Worker]:
        """Name → worker; `Rejected` names the line that cannot be read."""
        lines = enumerate(self._lines.splitlines(), 1)
        found = [self._worker(line.split(), number) for number, line in lines if line.strip()]
        return {worker.name: worker for worker in found}

    def hosts(self, db: sqlite3.Connection) -> list[Host]:
        """Each with what is in use there."""
        used = {host: (vms, sizes) for host, vms, *sizes in store.usage_by_host(db)}
        counted = ((worker, *used.get(worker.name, (0, (0, 0, 0.0)))) for worker in self.workers.values())
        return [worker.host(sizes, vms) for worker, vms, sizes in counted]

    def listing(self, vms: Sequence[VmInfo]) -> Listing:
        """What is heard of these VMs; `Unreachable` when no worker answers."""
        down = [worker.name for worker in self.workers.values() if not worker.up]
        if down and len(down) == len(self.workers):
            raise self._silent(", ".join(down))
        return Listing((vm for vm in vms if vm.host not in down), [f"{name}/" for name in down])

    def found(self, vm: VmInfo | None, host: str) -> VmInfo | None:
        """What those who are asked (`host`, or all) say that they have; `Unreachable` when one of them might have it."""
        if vm is not None and self._answers(vm.host):
            return vm
        if down := [name for name in ([host] if host else self.workers) if not self._answers(name)]:
            raise self._silent(", ".join(down))
        return None

    def heard(self, vm: VmInfo) -> VmInfo:
        """The VM, unless its worker does not answer."""
        if not self._answers(vm.host):
            raise self._silent(vm.host)
        return vm

    def host_for(self, db: sqlite3.Connection, spec: VmSpec) -> str:
        """The worker that was chosen, or the first with room; "" where there are none."""
        needs = (spec.cpus, spec.memory_mib, spec.room_gib)
        if spec.host:
            self.check_room(db, spec.host, needs)
        if spec.host or not self.workers:
            return spec.host
        for host in self.hosts(db):
            if host.up and host.enabled and _fits(needs, host):
                return host.name
        raise CapacityExceeded(_("No worker has room for it."), where=self.hypervisor)

    def check_room(self, db: sqlite3.Connection, name: str, more: Sizes) -> None:
        """Raise unless this worker is there, answers and has room for so much more; nothing to check without a name."""
        if not name or not self.workers:
            return
        if name not in self.workers:
            raise Rejected(_("There is no worker “%(name)s”.") % {"name": name}, where=self.hypervisor)
        if not self._answers(name):
            raise self._silent(name)
        host = next(host for host in self.hosts(db) if host.name == name)
        if not _fits(more, host):
            raise CapacityExceeded(_("%(host)s has no room for it.") % {"host": name}, where=self.hypervisor)

    def _answers(self, name: str) -> bool:
        return name not in self.workers or self.workers[name].up

    def _silent(self, name: str) -> Unreachable:
        return Unreachable(_("%(host)s does not answer.") % {"host": name}, where=self.hypervisor)

    def _worker(self, words: list[str], number: int) -> Worker:
        name, sizes, rest = words[0], words[1:4], frozenset(words[4:])
        try:
            cpus, memory_mib, disk_gib = (int(size) for size in sizes)
        except ValueError:
            raise self._unreadable(number) from None
        if rest - WORDS or "/" in name or min(cpus, memory_mib, disk_gib) < 0:
            raise self._unreadable(number)
        return Worker(name, (cpus, memory_mib, disk_gib), rest)

    def _unreadable(self, number: int) -> Rejected:
        message = _("Line %(number)d of the workers cannot be read.") % {"number": number}
        hint = _("For example: worker-1 8 16384 200, then perhaps: maintenance.")
        return Rejected(message, where=self.hypervisor, hint=hint)


def _fits(more: Sizes, host: Host) -> bool:
    """Whether so much more is left; what is not asked for need not be."""
    left = (
        (host.cpus_total or 0) - host.cpus_used,
        (host.memory_mib_total or 0) - host.memory_mib_used,
        (host.disk_gib_total or 0) - host.disk_gib_used,
    )
    return all(size <= 0 or size <= free for size, free in zip(more, left, strict=True))
