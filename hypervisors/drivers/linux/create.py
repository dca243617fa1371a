"""Making a machine on a worker: its disks, its seed, its place in the networks, its definition; whole, or not at all."""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any, Final

import libvirt

from hypervisors.drivers.base import NicSpec, Power, VmInfo, VmSpec
from hypervisors.drivers.linux import seed
from hypervisors.drivers.linux.domain import LETTERS, Card, Disk, Hardware, domain_xml, name_of
from hypervisors.drivers.linux.facts import Facts, volume_of
from hypervisors.drivers.linux.gateway.client import Entered, Gateway
from hypervisors.drivers.linux.guestdisk.client import write_network
from hypervisors.drivers.linux.guestdisk.files import files_for
from hypervisors.drivers.linux.images import ImageStore
from hypervisors.drivers.linux.machines import Machines
from hypervisors.drivers.linux.marks import mark_of
from hypervisors.drivers.linux.pool import Pool
from hypervisors.drivers.linux.sheets import GIB, PREFIX
from hypervisors.drivers.ways import first_floating
from olimpus.errors import HypervisorError, Rejected, VMNotFound
from olimpus.words import gettext as _

log = logging.getLogger(__name__)

#: The format of images that are CDs.
CD: Final = "iso"
#: VNC takes no longer passwords.
PASSWORD_BYTES: Final = 6
MODELS: Final = frozenset({"virtio", "e1000", "e1000e", "rtl8139", "pcnet", "vmxnet3"})
#: What a domain's removal takes along.
UNDEFINE: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
)


@dataclass(frozen=True)
class Site:
    """One worker with all that machines are made of there."""

    machines: Machines
    pool: Pool
    virt_type: Callable[[], str]

    @property
    def name(self) -> str:
        return self.machines.worker.name

    @property
    def where(self) -> str:
        return self.machines.worker.where


class Maker:
    """Builds, rebuilds and removes machines. May be repeated; `gateway` None: the cluster has none."""

    def __init__(self, images: ImageStore, gateway: Gateway | None, bridge: str):
        self.images = images
        self.gateway = gateway
        self.bridge = bridge

    def create(self, site: Site, spec: VmSpec) -> VmInfo:
        """The machine, off; the one that is there, as it is. Whoever calls sees to it that nobody else makes it meanwhile.

        `Rejected`, `CapacityExceeded`; nothing is left behind then.
        """
        if known := site.machines.find(spec.uid):
            return known
        _check(spec)
        with ExitStack() as undo:
            undo.callback(self._leave_nothing, site, spec.uid)
            with ThreadPoolExecutor(1, "enter") as side:  # the way to the gateway and back takes as long as the disks
                entering = side.submit(copy_context().run, self._enter, spec)
                disks = self._disks(site, spec)
            entered = entering.result()
            self._write_addresses(site, spec, entered, disks[0].path)
            cdroms = [*self._seed(site, spec, entered), *self._cdroms(site, spec)]
            info = site.machines.define(self._xml(site, spec, entered, disks, cdroms))
            undo.pop_all()
        return info

    def reconfigure(self, site: Site, uuid: str, spec: VmSpec) -> VmInfo:
        """Write the run parameters of a machine that is off; nothing is written where nothing differs."""
        info, facts = site.machines.get(uuid), site.machines.facts(uuid)
        if info.power is not Power.OFF:
            raise Rejected(_("The machine is on: stop it first."), where=site.where)
        if not any(volume_of(path).startswith(prefix_of(info.uid)) for path in facts.disks[:1]):
            hint = _("Change it with virsh, or destroy it and create it from its definition.")
            raise Rejected(_("The hardware of an adopted machine is not rewritten."), where=site.where, hint=hint)
        spec = replace(spec, uid=info.uid or spec.uid, name=info.name, image=info.image, disk_gib=info.disk_gib)
        _check(spec)
        entered = self._enter(spec)
        system = [Disk(path) for path in facts.disks[:1]]
        if system and facts.nics != _addressed(spec, entered):
            self._write_addresses(site, spec, entered, system[0].path, facts.nics)
        disks = [*system, *self._extra_disks(site, spec)]
        seeds = [Disk(path, "raw") for path in facts.cdroms if volume_of(path) == _seed_name(spec.uid)]
        wanted = self._xml(site, spec, entered, disks, [*seeds, *self._cdroms(site, spec)], facts)
        info = site.machines.define(wanted)
        self._drop_disks(site, facts, disks)
        return info

    def destroy(self, site: Site, uuid: str, *, spare_held: bool = False) -> None:
        """The machine, whatever its power, its disks, and its place in the networks; what is gone already is fine."""
        try:
            facts = site.machines.facts(uuid)
        except VMNotFound:
            facts = None
        if facts:
            with contextlib.suppress(VMNotFound):  # somebody else was faster
                site.machines.worker.work(lambda connection: _undefine(connection, uuid))
            site.machines.forget(uuid)
            site.pool.remove_all(_own_volumes(site, facts))
        self._remove_volumes(site, uuid)
        self.leave(facts.uid if facts and facts.uid else uuid, spare_held=spare_held)

    def tidy(self, site: Site, uid: str) -> None:
        """Remove the volumes of a machine that is gone. (The gateway is asked once, not for each worker.)"""
        self._remove_volumes(site, uid)

    def outside(self, spec: VmSpec) -> str:
        """The floating address of a machine that is not made yet, which `create` keeps even when it fails."""
        first_floating(spec)
        return self._known_gateway().hold(spec)

    def leave(self, uid: str, *, spare_held: bool = False) -> None:
        """Take a machine that is gone out of the networks, unless it is held and such ones are spared."""
        if self.gateway:
            self.gateway.leave(uid, spare_held=spare_held)

    # -- its parts --------------------------------------------------------------------------------------------------

    def _disks(self, site: Site, spec: VmSpec) -> list[Disk]:
        """The system disk upon its image, and the extra ones."""
        if not spec.image:
            raise Rejected(_("The definition names no image."), where="image")
        base = self.images.ensure(site.name, spec.image)
        if base.format == CD:
            message, hint = _("The image “%(name)s” is a CD, not a disk."), _("Put it under “cdroms”.")
            raise Rejected(message % {"name": spec.image}, where="image", hint=hint)
        size = round(spec.disk_gib * GIB)
        if size < base.virtual_bytes:
            told = {"image": spec.image, "needed": math.ceil(base.virtual_bytes / GIB), "disk": f"{spec.disk_gib:g}"}
            message = _("The image “%(image)s” needs a disk of %(needed)s GiB; there are %(disk)s.") % told
            raise Rejected(message, where="disk_gib")
        name = f"{prefix_of(spec.uid)}.qcow2"
        site.pool.remove(name)  # of a create that was killed: the image may have been another one
        site.pool.make(name, size, backing=base.volume, backing_format=base.format)
        return [Disk(site.pool.path_of(name)), *self._extra_disks(site, spec)]

    def _extra_disks(self, site: Site, spec: VmSpec) -> list[Disk]:
        found = []
        for disk in spec.disks:
            name = f"{prefix_of(spec.uid)}-disk-{disk['name']}.qcow2"
            size = round(float(disk["size_gib"]) * GIB)
            site.pool.make(name, size)
            site.pool.grow(name, size)
            found.append(Disk(site.pool.path_of(name)))
        return found

    def _drop_disks(self, site: Site, facts: Facts, kept: Sequence[Disk]) -> None:
        """Extra disks of ours that are not wanted any more."""
        paths = {disk.path for disk in kept}
        mine = f"{site.pool.path}/{prefix_of(facts.uid)}-disk-"
        site.pool.remove_all(volume_of(path) for path in facts.disks if path not in paths and path.startswith(mine))

    def _seed(self, site: Site, spec: VmSpec, entered: Entered) -> Iterator[Disk]:
        wanted, name = spec.parameters, _seed_name(spec.uid)
        written = seed.iso(
            seed.files(
                spec.uid,
                spec.name,
                _addressed(spec, entered),
                _networks(spec, entered),
                str(wanted.get("user_data") or ""),
                [str(key) for key in wanted.get("ssh_keys") or ()],
            )
        )
        site.pool.write(name, written, len(written))
        yield Disk(site.pool.path_of(name), "raw")

    def _write_addresses(
        self, site: Site, spec: VmSpec, entered: Entered, path: str, before: Sequence[NicSpec] = ()
    ) -> None:
        """Into the system disk, when a card wants its address there; or wanted it `before`, and what is there must go."""
        nics = _addressed(spec, entered)
        if any(nic.ip_mode == "disk" for nic in (*nics, *before)):
            write_network(site.machines.worker, path, files_for(nics, _networks(spec, entered)))

    def _cdroms(self, site: Site, spec: VmSpec) -> list[Disk]:
        return [Disk(site.pool.path_of(self._cd(site, str(cdrom["image"]))), "raw") for cdrom in spec.cdroms]

    def _cd(self, site: Site, name: str) -> str:
        base = self.images.ensure(site.name, name)
        if base.format != CD:
            raise Rejected(_("The image “%(name)s” is a disk, not a CD.") % {"name": name}, where="cdroms")
        return base.volume

    def _enter(self, spec: VmSpec) -> Entered:
        if not self.gateway and not spec.nics:
            return Entered((), ())
        return self._known_gateway().enter(spec)

    def _known_gateway(self) -> Gateway:
        if self.gateway:
            return self.gateway
        hint = _("Give the head node of the cluster in its settings.")
        raise Rejected(_("This cluster has no gateway: it cannot make networks."), where="nics", hint=hint)

    def _xml(
        self,
        site: Site,
        spec: VmSpec,
        entered: Entered,
        disks: Sequence[Disk],
        cdroms: Sequence[Disk],
        known: Facts | None = None,
    ) -> str:
        mark = mark_of(spec, _addressed(spec, entered), tuple(vars(way) for way in entered.ways))
        models = {nic.mac.lower(): nic.model for nic in spec.nics}
        return domain_xml(
            Hardware(
                uuid=known.uuid if known else spec.uid,
                name=known.domain if known else name_of(spec.name, spec.uid),
                mark=mark,
                cpus=spec.cpus,
                memory_mib=spec.memory_mib,
                disks=disks,
                cdroms=cdroms,
                cards=[Card(seat.mac, seat.tag, models[seat.mac.lower()]) for seat in entered.seats],
                boot_order=spec.boot_order,
                virt_type=site.virt_type(),
                firmware=str(spec.parameters.get("firmware") or "bios"),
                bridge=self.bridge,
                password=secrets.token_urlsafe(PASSWORD_BYTES),
                description=str(spec.parameters.get("description") or ""),
            )
        )

    # -- taking back ------------------------------------------------------------------------------------------------

    def _leave_nothing(self, site: Site, uid: str) -> None:
        """After a failed create. What cannot be removed now is told to the log, and by `tidy` later."""
        for step in (lambda: self._remove_volumes(site, uid), lambda: self.leave(uid, spare_held=True)):
            try:
                step()
            except HypervisorError as error:
                log.warning("%s: something of %s is left: %s", site.where, uid, error)

    def _remove_volumes(self, site: Site, uid: str) -> None:
        mine = prefix_of(uid)
        site.pool.remove_all(name for name in site.pool.names() if name.startswith(mine))


def _own_volumes(site: Site, facts: Facts) -> list[str]:
    """The disks of a machine in the pool: not an image that somebody put into it by hand, nor what another machine has."""
    others = {path for other in site.machines.all_facts() if other.uuid != facts.uuid for path in other.disks}
    mine = [path for path in facts.disks if path == site.pool.path_of(volume_of(path)) and path not in others]
    return [volume_of(path) for path in mine if not volume_of(path).startswith(PREFIX)]


def prefix_of(uid: str) -> str:
    """What the names of a machine's volumes begin with."""
    return f"vm-{uid}"


def _seed_name(uid: str) -> str:
    return f"{prefix_of(uid)}-seed.iso"


def _check(spec: VmSpec) -> None:
    """`Rejected` for what no worker can do."""
    for nic in spec.nics:
        if nic.model not in MODELS:
            raise Rejected(_("There is no network card “%(model)s” here.") % {"model": nic.model}, where="nics")
    most = len(LETTERS) - 1
    if len(spec.disks) > most or len({disk["name"] for disk in spec.disks}) < len(spec.disks):
        message = _("A machine has at most %(most)d extra disks here, each with a name of its own.")
        raise Rejected(message % {"most": most}, where="disks")


def _addressed(spec: VmSpec, entered: Entered) -> tuple[NicSpec, ...]:
    """The cards with the addresses that the gateway gave them."""
    given = {seat.mac.lower(): seat.ip for seat in entered.seats}
    return tuple(replace(nic, ip=given.get(nic.mac.lower()) or nic.ip) for nic in spec.nics)


def _networks(spec: VmSpec, entered: Entered) -> Mapping[str, Any]:
    """What a guest without DHCP must know of each network, by the name that its cards use."""
    seats = {seat.mac.lower(): seat for seat in entered.seats}
    found = {nic.network: seats[nic.mac.lower()] for nic in spec.nics if nic.mac.lower() in seats}
    return {
        name: {"cidr": seat.cidr, "gateway": seat.gateway, "dns": seat.dns, "mtu": seat.mtu}
        for name, seat in found.items()
    }


def _undefine(connection: libvirt.virConnect, uuid: str) -> None:
    domain = connection.lookupByUUIDString(uuid)
    if domain.isActive():
        with contextlib.suppress(libvirt.libvirtError):  # it stops by itself just now; what matters is the next call
            domain.destroy()
    domain.undefineFlags(UNDEFINE)
