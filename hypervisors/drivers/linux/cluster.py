"""The workers together: asked side by side, and told apart when some do not answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from xml.etree import ElementTree as ET

import libvirt
from defusedxml.ElementTree import fromstring

from hypervisors.drivers.base import Listing, VmInfo
from hypervisors.drivers.linux.connection import Worker
from hypervisors.drivers.linux.create import Site
from hypervisors.drivers.linux.guests import Guests
from hypervisors.drivers.linux.machines import Machines, WaysOf
from hypervisors.drivers.linux.pool import Pool
from hypervisors.drivers.linux.snapshots import SnapshotService
from hypervisors.drivers.linux.starts import Starts
from hypervisors.drivers.linux.workers import WorkerLine
from olimpus.errors import HypervisorError, Rejected, Unreachable, VMNotFound
from olimpus.words import gettext as _

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_THREADS: Final = 16


class Member:
    """One worker with everything that is done on it."""

    def __init__(self, hypervisor: str, line: WorkerLine, values: Mapping[str, Any], home: Path, ways_of: WaysOf):
        self.line = line
        self.name = line.name
        self.worker = Worker(hypervisor, line, values, home)
        self.pool = Pool(self.worker, str(values["pool_path"]).rstrip("/"))
        self.machines = Machines(self.worker, ways_of)
        self.snapshots = SnapshotService(self.machines)
        self.guests = Guests(self.worker, self.machines)
        self._virt_type = "" if values["virt_type"] == "auto" else str(values["virt_type"])
        self.site = Site(self.machines, self.pool, self.virt_type)

    def virt_type(self) -> str:
        """kvm where the worker has it, else qemu; asked once."""
        if not self._virt_type:
            told = fromstring(self.worker.ask(libvirt.virConnect.getCapabilities))
            self._virt_type = "kvm" if _offers_kvm(told) else "qemu"
        return self._virt_type


def _offers_kvm(capabilities: ET.Element) -> bool:
    return any(domain.get("type") == "kvm" for domain in capabilities.iterfind("guest/arch[@name='x86_64']/domain"))


class Cluster:
    """All workers by name; `ways_of` tells the ways into a machine."""

    def __init__(
        self, hypervisor: str, lines: Iterable[WorkerLine], values: Mapping[str, Any], home: Path, ways_of: WaysOf
    ):
        self.hypervisor = hypervisor
        self.members = {line.name: Member(hypervisor, line, values, home, ways_of) for line in lines}
        self.starts = Starts()
        self._threads = ThreadPoolExecutor(min(MOST_THREADS, len(self.members)), thread_name_prefix="worker")

    def of(self, ref: str) -> tuple[Member, str]:
        """The worker and the domain's UUID that a reference names. `VMNotFound`."""
        name, _slash, uuid = ref.partition("/")
        if name not in self.members or not uuid:
            raise VMNotFound(_("No VM has the reference “%(ref)s”.") % {"ref": ref}, where=self.hypervisor)
        return self.members[name], uuid

    def named(self, name: str) -> Member:
        """The worker of this name. `Rejected`."""
        if name not in self.members:
            hint = _("There are: %(names)s.") % {"names": ", ".join(self.members)}
            raise Rejected(_("There is no worker “%(name)s”.") % {"name": name}, where="host", hint=hint)
        return self.members[name]

    def each(self, ask: Callable[[Member], T]) -> tuple[dict[str, T], dict[str, HypervisorError]]:
        """What each worker answers, and why others did not."""
        futures = {name: self._threads.submit(ask, member) for name, member in self.members.items()}
        answers: dict[str, T] = {}
        faults: dict[str, HypervisorError] = {}
        for name, future in futures.items():
            try:
                answers[name] = future.result()
            except HypervisorError as error:
                faults[name] = error
        return answers, faults

    def answers(self) -> bool:
        """Whether a worker is connected."""
        return any(member.worker.is_connected for member in self.members.values())

    def list(self) -> Listing:
        """All machines; those on workers that do not answer are missing, and told so. `Unreachable`: none does."""
        answers, faults = self.each(lambda member: member.machines.all())
        if not answers:
            raise next(iter(faults.values()))
        for name, fault in faults.items():
            log.warning("%s/%s does not answer: %s", self.hypervisor, name, fault)
        return Listing((info for infos in answers.values() for info in infos), (f"{name}/" for name in faults))

    def find(self, uid: str) -> VmInfo | None:
        """The machine with this uid. `Unreachable` when it is not found and a worker, which may have it, is silent."""
        answers, faults = self.each(lambda member: member.machines.find(uid))
        found = next((info for info in answers.values() if info), None)
        if found is None and faults and uid:
            name, fault = next(iter(faults.items()))
            message = _("The machine may be on %(worker)s, which does not answer: %(reason)s")
            raise Unreachable(message % {"worker": name, "reason": fault.message}, where=self.hypervisor)
        return found

    def close(self) -> None:
        """Let go of all connections; a later call connects again."""
        for member in self.members.values():
            member.worker.close()
