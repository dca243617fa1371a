"""Olimpus' verbs on a rack of Linux hosts, through libvirt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from weakref import WeakSet

import libvirt

from hypervisors.drivers.base import (
    POWER_WORDS,
    Capability,
    Capacity,
    Console,
    Driver,
    Hosts,
    Power,
    Setting,
    Snapshot,
    Snapshots,
    VmInfo,
    VmInfos,
    VmSpec,
)
from hypervisors.drivers.checks import Checks
from hypervisors.drivers.hops import BASTION
from hypervisors.drivers.linux import check
from hypervisors.drivers.linux.cloud import LinuxCloud
from hypervisors.drivers.linux.cluster import Cluster, Member
from hypervisors.drivers.linux.create import Maker
from hypervisors.drivers.linux.figures import Figures
from hypervisors.drivers.linux.gateway.client import Gateway, Way
from hypervisors.drivers.linux.gateway.served import serves
from hypervisors.drivers.linux.gateway.settings import SETTINGS as GATEWAY_SETTINGS
from hypervisors.drivers.linux.images import ImageStore
from hypervisors.drivers.linux.settings import SETTINGS
from hypervisors.drivers.linux.starts import go_on
from hypervisors.drivers.linux.watch import Watch
from hypervisors.drivers.linux.workers import hops_to_gateway, parse
from hypervisors.drivers.locks import one_at_a_time
from hypervisors.tunnels import Tunnels
from olimpus.errors import Rejected, VMNotFound
from olimpus.words import gettext as _

T = TypeVar("T")


class part(cached_property[T]):
    """A `cached_property` that is made once, whoever asks first: Python 3.12 took its lock away."""

    def __get__(self, driver: Any, owner: type[Any] | None = None) -> Any:
        if driver is None:
            return self
        with driver.making:
            return super().__get__(driver, owner)


class LinuxDriver(Driver):
    """Machines on the workers of one cluster."""

    name: ClassVar[str] = "linux"
    label: ClassVar[str] = "Linux/KVM"
    settings: ClassVar[tuple[Setting, ...]] = (*SETTINGS, *GATEWAY_SETTINGS)
    folded: ClassVar[frozenset[str]] = frozenset({BASTION})
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    offers: ClassVar[frozenset[str]] = LinuxCloud.kinds
    places: bool = True
    consoles: ClassVar[tuple[str, ...]] = ("vnc", "serial")
    steps: ClassVar[tuple[tuple[str, str], ...]] = check.STEPS

    def __init__(self, hypervisor: str, settings: Mapping[str, Any], home: Path):
        super().__init__(hypervisor, settings, home)
        self.floats = bool(self.values["headnode_host"] and self.values["floating_pool"])
        self.making = threading.RLock()
        self._watches: WeakSet[Watch] = WeakSet()

    @classmethod
    def workers_of(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(line.name for line in parse(str(settings.get("workers") or "")))

    @classmethod
    def serves(cls, values: Mapping[str, Any], network: Mapping[str, Any], taken: Collection[str] = ()) -> bool:
        return serves(values, network, taken)

    # -- what it is made of: read from the settings at the first use, so that a fault of theirs is told then -----------

    @part
    def cluster(self) -> Cluster:
        lines = parse(str(self.values["workers"] or ""))
        return Cluster(self.hypervisor, lines, self.values, self.home, self._ways_of)

    @part
    def images(self) -> ImageStore:
        members = self.cluster.members
        workers = {name: member.worker for name, member in members.items()}
        return ImageStore(workers, {name: member.pool for name, member in members.items()}, self.hypervisor)

    @part
    def cloud(self) -> LinuxCloud:  # type: ignore[override]
        return LinuxCloud(self.cluster, self.images, self.gateway, self.hosts)

    @part
    def gateway_tunnels(self) -> Tunnels | None:
        hops = hops_to_gateway(self.values)
        return Tunnels(f"{self.hypervisor}.gateway", hops, self.home) if hops else None

    @part
    def gateway(self) -> Gateway | None:
        return Gateway(self.gateway_tunnels, self.values, self.hypervisor) if self.gateway_tunnels else None

    @part
    def maker(self) -> Maker:
        return Maker(self.images, self.gateway, str(self.values["bridge"]))

    @part
    def figures(self) -> Figures:
        return Figures(self.cluster, self.values)

    # -- looking ----------------------------------------------------------------------------------------------------

    def check(self) -> Checks:
        return check.run(lambda: self.cluster, lambda: self.gateway, self.gateway_tunnels)

    def list(self) -> VmInfos:
        if self.gateway:
            self.gateway.tend()
        return self.cluster.list()

    def get(self, ref: str) -> VmInfo:
        member, uuid = self.cluster.of(ref)
        return member.machines.get(uuid)

    def find(self, uid: str, host: str = "") -> VmInfo | None:
        if member := self.cluster.members.get(host):
            return member.machines.find(uid)
        return self.cluster.find(uid)

    def capacity(self) -> Capacity:
        return self.figures.capacity()

    def hosts(self) -> Hosts:
        return self.figures.hosts()

    # -- life cycle -------------------------------------------------------------------------------------------------

    def create(self, spec: VmSpec) -> VmInfo:
        """On `spec.host`, and there only; without one, on the worker that its uid falls to, unless it is on another."""
        with one_at_a_time(self.home, self.hypervisor, spec.uid):
            if not spec.host and (known := self.find(spec.uid)):
                return known
            member = self.cluster.named(spec.host) if spec.host else self._chosen(spec.uid)
            return self.maker.create(member.site, spec)

    def outside(self, spec: VmSpec) -> str:
        return self.maker.outside(spec)

    def tidy(self, spec: VmSpec, *, spare_held: bool = False) -> None:
        self.cluster.each(lambda member: self.maker.tidy(member.site, spec.uid))
        self.maker.leave(spec.uid, spare_held=spare_held)

    def start(self, ref: str) -> VmInfo:
        member, uuid = self.cluster.of(ref)
        return member.machines.act(uuid, self.cluster.starts.start)

    def stop(self, ref: str) -> VmInfo:
        return self._act(ref, _unless_off(libvirt.virDomain.shutdown))

    def force_off(self, ref: str) -> VmInfo:
        return self._act(ref, _unless_off(libvirt.virDomain.destroy))

    def destroy(self, ref: str, *, spare_held: bool = False) -> None:
        try:
            member, uuid = self.cluster.of(ref)
        except VMNotFound:
            return
        with one_at_a_time(self.home, self.hypervisor, uuid):
            self.maker.destroy(member.site, uuid, spare_held=spare_held)

    def pause(self, ref: str) -> VmInfo:
        return self._switch(ref, Power.PAUSED, Power.ON, libvirt.virDomain.suspend)

    def resume(self, ref: str) -> VmInfo:
        return self._switch(ref, Power.ON, Power.PAUSED, go_on)

    def reconfigure(self, ref: str, spec: VmSpec) -> VmInfo:
        member, uuid = self.cluster.of(ref)
        with one_at_a_time(self.home, self.hypervisor, uuid):
            return self.maker.reconfigure(member.site, uuid, spec)

    def adopt(self, ref: str, uid: str) -> VmInfo:
        member, uuid = self.cluster.of(ref)
        with one_at_a_time(self.home, self.hypervisor, uid):
            info = member.machines.get(uuid)
            if info.uid == uid:
                return info
            if info.uid or self.find(uid):
                message = _("This VM, or another with this uid, belongs to somebody already.")
                raise Rejected(message, where=self.hypervisor)
            return member.machines.mark(uuid, uid)

    # -- snapshots --------------------------------------------------------------------------------------------------

    def snapshot(self, ref: str, name: str, description: str = "") -> Snapshot:
        member, uuid = self.cluster.of(ref)
        return member.snapshots.take(uuid, name, description)

    def snapshots(self, ref: str) -> Snapshots:
        member, uuid = self.cluster.of(ref)
        return member.snapshots.all(uuid)

    def delete_snapshot(self, ref: str, name: str) -> None:
        try:
            member, uuid = self.cluster.of(ref)
            member.snapshots.remove(uuid, name)
        except VMNotFound:
            return

    def revert(self, ref: str, name: str) -> VmInfo:
        member, uuid = self.cluster.of(ref)
        return member.snapshots.revert(uuid, name)

    # -- the guest --------------------------------------------------------------------------------------------------

    def console_text(self, ref: str) -> str:
        member, uuid = self.cluster.of(ref)
        return member.guests.console_text(uuid)

    def console(self, ref: str, kind: str) -> Console:
        member, uuid = self.cluster.of(ref)
        member.machines.get(uuid)
        if kind not in self.consoles:
            return super().console(ref, kind)
        return member.guests.screen(uuid) if kind == "vnc" else member.guests.serial(uuid)

    def screenshot(self, ref: str) -> bytes:
        member, uuid = self.cluster.of(ref)
        member.machines.get(uuid)
        return member.guests.screenshot(uuid)

    def metrics(self, ref: str) -> dict[str, float]:
        member, uuid = self.cluster.of(ref)
        return member.guests.figures(uuid)

    # -- listening --------------------------------------------------------------------------------------------------

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        watch = Watch(self.cluster, changed)
        self._watches.add(watch)
        return watch.stop

    def answers(self) -> bool:
        return "cluster" in self.__dict__ and self.cluster.answers()

    def close(self) -> None:
        for watch in tuple(self._watches):
            watch.end()  # it would connect again
        for part in ("cluster", "gateway_tunnels"):
            if made := self.__dict__.get(part):
                made.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _ways_of(self, uid: str) -> tuple[Way, ...] | None:
        return self.gateway.ways(uid) if self.gateway else None

    def _act(self, ref: str, act: Callable[[libvirt.virDomain], object]) -> VmInfo:
        member, uuid = self.cluster.of(ref)
        return member.machines.act(uuid, act)

    def _switch(self, ref: str, to: Power, needed: Power, act: Callable[[libvirt.virDomain], object]) -> VmInfo:
        info = self.get(ref)
        if info.power is to:
            return info
        if info.power is not needed:
            told = {"name": info.name, "power": _(POWER_WORDS[info.power]), "wanted": _(POWER_WORDS[needed])}
            raise Rejected(_("“%(name)s” is %(power)s; it must be %(wanted)s.") % told, where=self.hypervisor)
        return self._act(ref, act)

    def _chosen(self, uid: str) -> Member:
        """The worker that this uid falls to, the same for ever; those in maintenance take part only when all are."""
        members = self.cluster.members.values()
        open_ones = [member for member in members if not member.line.maintenance] or list(members)
        return max(open_ones, key=lambda member: blake2b(f"{member.name} {uid}".encode()).digest())


def _unless_off(act: Callable[[libvirt.virDomain], object]) -> Callable[[libvirt.virDomain], None]:
    """Act on a domain that is on; one that goes off meanwhile has had its way."""

    def ask(domain: libvirt.virDomain) -> None:
        try:
            if domain.isActive():
                act(domain)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID or domain.isActive():
                raise

    return ask
