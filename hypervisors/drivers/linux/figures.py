"""Room and use of the workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import libvirt

from hypervisors.drivers.base import Capacity, VmInfo
from hypervisors.drivers.cloud import Host
from hypervisors.drivers.linux.cluster import Cluster, Member
from hypervisors.drivers.linux.facts import Facts
from hypervisors.drivers.linux.sheets import GIB
from olimpus.errors import HypervisorError
from olimpus.words import gettext as _

#: Disk and memory that stay with the worker itself.
OWN_MEMORY_MIB: Final = 512
BUSY: Final = ("kernel", "user", "iowait")


@dataclass(frozen=True)
class Ratios:
    """How much is given for each real CPU, MiB and GiB."""

    cpus: float
    memory: float
    disk: float


class Figures:
    """Asks the workers; between two questions the CPU's use is counted."""

    def __init__(self, cluster: Cluster, values: Mapping[str, Any]):
        self.cluster = cluster
        self.ratios = Ratios(*(float(values[f"{name}_ratio"]) for name in ("cpu", "memory", "disk")))
        self._clocks: dict[str, Mapping[str, int]] = {}

    def hosts(self) -> list[Host]:
        """Each worker with its room, those that do not answer too."""
        answers, faults = self.cluster.each(lambda member: self._host(member, member.machines.all_facts()))
        down = {name: self._down(name, fault) for name, fault in faults.items()}
        return [(answers | down)[name] for name in self.cluster.members]

    def capacity(self) -> Capacity:
        """Of all workers that answer, together; right after a listing, of what that has found. Raises when none does."""
        answers, faults = self.cluster.each(lambda member: self._host(member, member.machines.recent()))
        if not answers:
            raise next(iter(faults.values()))
        return total(answers.values())

    def _down(self, name: str, fault: HypervisorError) -> Host:
        line = self.cluster.members[name].line
        return Host(name, name, up=False, enabled=not line.maintenance, detail=str(fault.message))

    def _host(self, member: Member, machines: Sequence[Facts | VmInfo]) -> Host:
        cpus, memory_mib, disk_gib = self._real(member)
        line = member.line
        return Host(
            name=member.name,
            zone=member.name,
            enabled=not line.maintenance,
            cpus_total=int(cpus * self.ratios.cpus),
            cpus_used=sum(int(each.cpus) for each in machines),
            memory_mib_total=int(memory_mib * self.ratios.memory),
            memory_mib_used=sum(int(each.memory_mib) for each in machines),
            disk_gib_total=round(disk_gib * self.ratios.disk, 1),
            disk_gib_used=sum(each.room_gib for each in machines),
            vms=len(machines),
            cpu_percent=self._cpu_percent(member),
            detail=_("It takes no new machines.") if line.maintenance else "",
        )

    def _real(self, member: Member) -> tuple[float, float, float]:
        """CPUs, memory (MiB) and disk (GiB) that the worker has for machines; what the settings say wins."""
        line = member.line
        info = member.worker.ask(libvirt.virConnect.getInfo)
        disk = line.disk if line.disk is not None else member.pool.room()[0] / GIB
        memory = line.memory if line.memory is not None else max(0, info[1] - OWN_MEMORY_MIB)
        return line.cpus or info[2], memory, disk

    def _cpu_percent(self, member: Member) -> float | None:
        """How busy the worker was since it was asked before; None the first time."""
        now = member.worker.ask(lambda connection: connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS))
        before, self._clocks[member.name] = self._clocks.get(member.name), now
        if before is None:
            return None
        spent = {name: now.get(name, 0) - before.get(name, 0) for name in now}
        whole = sum(spent.values())
        return round(100 * sum(spent.get(name, 0) for name in BUSY) / whole, 1) if whole > 0 else None


def total(hosts: Iterable[Host]) -> Capacity:
    """What they have together."""
    summed = Capacity(cpus_total=0, memory_mib_total=0, disk_gib_total=0.0)
    for host in hosts:
        summed = replace(
            summed,
            cpus_total=(summed.cpus_total or 0) + (host.cpus_total or 0),
            cpus_used=summed.cpus_used + host.cpus_used,
            memory_mib_total=(summed.memory_mib_total or 0) + (host.memory_mib_total or 0),
            memory_mib_used=summed.memory_mib_used + host.memory_mib_used,
            disk_gib_total=(summed.disk_gib_total or 0) + (host.disk_gib_total or 0),
            disk_gib_used=summed.disk_gib_used + host.disk_gib_used,
            vms=summed.vms + host.vms,
        )
    return summed
