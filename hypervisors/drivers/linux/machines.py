"""The machines of one worker: what they are and do, all of them in one call to libvirt.

How a machine is, is asked every time. What is defined is read once and kept until libvirt says that it has changed, until
its CPUs or memory are others than we know, or for some minutes: of a few changes by hand libvirt tells nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from xml.etree import ElementTree as ET

import libvirt

from hypervisors.drivers.base import Power, VmInfo
from hypervisors.drivers.linux.connection import Worker
from hypervisors.drivers.linux.facts import Facts, facts_of
from hypervisors.drivers.linux.gateway.client import Way
from hypervisors.drivers.linux.marks import NAMESPACE, Mark
from hypervisors.drivers.linux.post import Post
from olimpus.errors import HypervisorError, VMNotFound
from olimpus.words import gettext as _

POWERS: Final = {
    libvirt.VIR_DOMAIN_RUNNING: Power.ON,
    libvirt.VIR_DOMAIN_BLOCKED: Power.ON,
    libvirt.VIR_DOMAIN_SHUTDOWN: Power.ON,  # it is being shut down
    libvirt.VIR_DOMAIN_PAUSED: Power.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: Power.PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: Power.OFF,
    libvirt.VIR_DOMAIN_CRASHED: Power.OFF,
}
#: After which events a machine's definition is read again.
EVENTS: Final = (
    libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
    libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
)
#: When each machine was powered on: the time of the file in which libvirt keeps its process' number.
PID_FILES: Final = ("find", "/run/libvirt/qemu", "-maxdepth", "1", "-name", "*.pid", "-printf", "%T@ %f\\n")

#: What is asked of all machines at once.
STATS: Final = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON
#: Seconds for which a definition is believed.
BELIEVED: Final = 300.0
#: Seconds for which a listing is recent: what follows it asks no second time.
RECENT: Final = 1.0
KIB_IN_MIB: Final = 1024

T = TypeVar("T")
Stats = Mapping[str, Any]
#: No listing: when it was, and what was found.
NEVER: Final[tuple[float, list[VmInfo]]] = (float("-inf"), [])
Changed = Callable[[str], None]
#: The ways into the machine with this uid as they are now; None: nobody knows.
WaysOf = Callable[[str], Iterable[Way] | None]


class Machines:
    """Domains by their UUID. Thread-safe."""

    def __init__(self, worker: Worker, ways_of: WaysOf = lambda _uid: None):
        self.worker = worker
        self._ways_of = ways_of
        self._lock = threading.Lock()
        self._facts: dict[str, tuple[float, Facts]] = {}  # when they were read, and what they said
        self._changes: dict[str, int] = {}  # how often each was forgotten: what was read meanwhile is not kept
        self._since: dict[tuple[str, int], datetime] = {}
        self._watchers: list[Changed] = []
        self._listed = NEVER
        self._power_ons: Post[None, dict[str, datetime]] = Post(self._asked_power_ons)
        worker.on_connect(self._listen)

    # -- looking ----------------------------------------------------------------------------------------------------

    def all(self) -> list[VmInfo]:
        """Every machine of the worker, ours or not."""

        def ask(connection: libvirt.virConnect) -> list[VmInfo]:
            found = connection.getAllDomainStats(STATS, 0)
            self._learn_since(domain for domain, _stats in found)
            return [*_of_those_there(self._info, found)]

        infos = self.worker.ask(ask)
        self._listed = (time.monotonic(), infos)
        return infos

    def recent(self) -> list[VmInfo]:
        """As `all`, or as that was a moment ago when nothing has changed since. For figures that are only looked at."""
        listed_at, infos = self._listed
        return infos if time.monotonic() - listed_at < RECENT else self.all()

    def get(self, uuid: str) -> VmInfo:
        """One of them. `VMNotFound`."""
        return self.worker.ask(lambda connection: self._of(self._domain(connection, uuid)))

    def facts(self, uuid: str) -> Facts:
        """What is defined. `VMNotFound`."""
        return self.worker.ask(lambda connection: self._facts_of(self._domain(connection, uuid)))

    def all_facts(self) -> list[Facts]:
        """What is defined of every machine."""

        def ask(connection: libvirt.virConnect) -> list[Facts]:
            return [*_of_those_there(self._facts_of, ((domain,) for domain in connection.listAllDomains()))]

        return self.worker.ask(ask)

    def find(self, uid: str) -> VmInfo | None:
        """The machine with this uid of ours: built here under this UUID, or adopted."""
        if not uid:
            return None
        try:
            info = self.get(uid)
        except VMNotFound:
            info = None
        if info and info.uid == uid:
            return info
        return next((info for info in self.all() if info.uid == uid), None)

    # -- changing ---------------------------------------------------------------------------------------------------

    def act(self, uuid: str, act: Callable[[libvirt.virDomain], object]) -> VmInfo:
        """Do something with the domain; the machine as it is then. `VMNotFound`, and what libvirt says."""

        def ask(connection: libvirt.virConnect) -> VmInfo:
            domain = self._domain(connection, uuid)
            act(domain)
            self.forget(uuid)
            return self._of(self._domain(connection, uuid))  # what is held keeps its number, the machine may not

        return self.worker.work(ask)

    def define(self, xml: str) -> VmInfo:
        """Define a machine, or define it anew; the machine as it is then."""

        def ask(connection: libvirt.virConnect) -> VmInfo:
            domain = connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
            self.forget(domain.UUIDString())
            return self._of(domain)

        return self.worker.do(ask)

    def mark(self, uuid: str, uid: str) -> VmInfo:
        """Let a machine that nobody owns carry our uid, on or off."""

        def ask(domain: libvirt.virDomain) -> None:
            facts = self._facts_of(domain)
            element = ET.tostring(Mark(uid, facts.name, nics=facts.nics).element("machine"), encoding="unicode")
            kinds = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0)
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, element, "olimpus", NAMESPACE, kinds)

        return self.act(uuid, ask)

    def forget(self, uuid: str) -> None:
        """Read its definition again the next time."""
        self._listed = NEVER
        with self._lock:
            self._facts.pop(uuid, None)
            self._changes[uuid] = self._changes.get(uuid, 0) + 1

    # -- listening --------------------------------------------------------------------------------------------------

    def watch(self, changed: Changed) -> Callable[[], None]:
        """Tell the UUID of each machine that changes, "" after a new connection; returns what ends it."""
        self._watchers.append(changed)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._watchers.remove(changed)

        return stop

    def _listen(self, connection: libvirt.virConnect) -> None:
        """What is known is of the connection before: libvirt may have forgotten to tell us."""
        with self._lock:
            self._facts.clear()
            self._since.clear()
        for event in EVENTS:
            connection.domainEventRegisterAny(None, event, self._heard, None)
        self._tell("")

    def _heard(self, _connection: libvirt.virConnect, domain: libvirt.virDomain, *_details: object) -> None:
        uuid = domain.UUIDString()
        self.forget(uuid)
        self._tell(uuid)

    def _tell(self, uuid: str) -> None:
        for changed in tuple(self._watchers):
            changed(uuid)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _domain(self, connection: libvirt.virConnect, uuid: str) -> libvirt.virDomain:
        try:
            return connection.lookupByUUIDString(uuid)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_INVALID_ARG):
                raise
            message = _("No VM has the reference “%(ref)s”.") % {"ref": uuid}
            raise VMNotFound(message, where=self.worker.where) from None

    def _of(self, domain: libvirt.virDomain) -> VmInfo:
        state, reason = domain.state()
        self._learn_since((domain,))
        return self._info(domain, {"state.state": state, "state.reason": reason})

    def _info(self, domain: libvirt.virDomain, stats: Stats) -> VmInfo:
        facts = self._facts_of(domain)
        if _differ(facts, stats):
            self.forget(facts.uuid)
            facts = self._facts_of(domain)
        power = POWERS.get(stats["state.state"], Power.UNKNOWN)
        mark = facts.mark
        extra: dict[str, Any] = {"domain": facts.domain}
        if mark and (ways := self._ways(mark)):
            extra["ways"] = ways
        if power is Power.PAUSED and stats.get("state.reason") == libvirt.VIR_DOMAIN_PAUSED_IOERROR:
            extra["reason"] = _("Its disk cannot be written: is the worker's disk full?")
        return VmInfo(
            ref=f"{self.worker.name}/{facts.uuid}",
            uid=facts.uid,
            name=facts.name,
            power=power,
            cpus=facts.cpus,
            memory_mib=facts.memory_mib,
            disk_gib=facts.disk_gib,
            nics=facts.nics,
            image=mark.image if mark else "",
            since=None if power is Power.OFF else self._since.get(_run_of(domain)),
            host=self.worker.name,
            extra=extra,
            extra_gib=facts.room_gib - facts.disk_gib,
        )

    def _ways(self, mark: Mark) -> list[dict[str, Any]]:
        """As they are now; while nobody knows, as they were when the machine was written."""
        now = self._ways_of(mark.uid)
        return [dict(way) for way in mark.ways] if now is None else [dict(vars(way)) for way in now]

    def _facts_of(self, domain: libvirt.virDomain) -> Facts:
        uuid = domain.UUIDString()
        with self._lock:
            (read_at, known), changes = self._facts.get(uuid, (0.0, None)), self._changes.get(uuid, 0)
        if known is None or time.monotonic() - read_at > BELIEVED:
            known = replace(facts_of(domain.XMLDesc(0)), uuid=uuid)
            with self._lock:
                if self._changes.get(uuid, 0) == changes:
                    self._facts[uuid] = (time.monotonic(), known)
        return known

    def _learn_since(self, domains: Iterable[libvirt.virDomain]) -> None:
        """When those that are on were powered on, all in one command; nobody knows where the worker does not tell."""
        runs = {domain.name(): run for domain in domains if (run := _run_of(domain))[1] > 0}
        wanted = {name: run for name, run in runs.items() if run not in self._since}
        if not wanted:
            return
        with contextlib.suppress(HypervisorError):  # the machines themselves are known
            told = self._power_ons.ask(None)
            self._since.update({run: told[name] for name, run in wanted.items() if name in told})

    def _asked_power_ons(self, asking: Sequence[None]) -> list[dict[str, datetime]]:
        """One answer for all who ask."""
        told = dict(_power_ons(self.worker.run(PID_FILES).out.decode(errors="replace")))
        return [told] * len(asking)


def _run_of(domain: libvirt.virDomain) -> tuple[str, int]:
    """A name for the time that a machine is on: libvirt counts them; below 1 while it is off."""
    return domain.name(), domain.ID()


def _power_ons(lines: str) -> Iterator[tuple[str, datetime]]:
    for line in lines.splitlines():
        stamp, _space, file = line.partition(" ")
        yield file.removesuffix(".pid"), datetime.fromtimestamp(float(stamp), UTC)


def _of_those_there(look: Callable[..., T], found: Iterable[tuple[Any, ...]]) -> Iterator[T]:
    """What `look` says of each domain; those that are gone since they were found are left out."""
    for domain_and_more in found:
        try:
            yield look(*domain_and_more)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise


def _differ(facts: Facts, stats: Stats) -> bool:
    """Whether CPUs or memory are others than the definition that we know has; where nothing is told, they are not."""
    memory_mib = round(stats.get("balloon.maximum", facts.memory_mib * KIB_IN_MIB) / KIB_IN_MIB)
    return (stats.get("vcpu.current", facts.cpus), memory_mib) != (facts.cpus, facts.memory_mib)
