"""Olimpus' verbs in the words of Nova, Neutron, Glance and Cinder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from hypervisors.drivers.base import (
    POWER_WORDS,
    Capability,
    Capacity,
    Console,
    Driver,
    Power,
    Setting,
    Snapshot,
    Snapshots,
    VmInfo,
    VmInfos,
    VmSpec,
)
from hypervisors.drivers.checks import Checks
from hypervisors.drivers.hops import BASTION, HEADNODE
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.check import STEPS, Checker
from hypervisors.drivers.openstack.cloud import OpenStackCloud
from hypervisors.drivers.openstack.consoles import KINDS, Consoles
from hypervisors.drivers.openstack.create import Creator
from hypervisors.drivers.openstack.disks import Disks
from hypervisors.drivers.openstack.figures import Figures
from hypervisors.drivers.openstack.plan import Images, Planner
from hypervisors.drivers.openstack.ports import Ports
from hypervisors.drivers.openstack.reconfigure import Reconfigurer
from hypervisors.drivers.openstack.rest import at
from hypervisors.drivers.openstack.servers import WAKE, Servers
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.settings import SETTINGS
from hypervisors.drivers.openstack.sizes import Sizes
from hypervisors.drivers.openstack.snapshots import SnapshotService
from hypervisors.drivers.openstack.view import info_of, power_of, since_of
from olimpus.errors import HypervisorError, Rejected, VMNotFound
from olimpus.words import gettext as _

Json = dict[str, Any]

POWER_SECONDS: Final = 115.0  # a little less than the gateway waits


class OpenStackDriver(Driver):
    """Machines of one OpenStack cloud. Needs Train (2019) or later."""

    name: ClassVar[str] = "openstack"
    label: ClassVar[str] = "OpenStack"
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    folded: ClassVar[frozenset[str]] = frozenset({BASTION, HEADNODE})
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {
        Capability.EVENTS,
        Capability.SCREENSHOT,
    }
    offers: ClassVar[frozenset[str]] = OpenStackCloud.kinds
    consoles: ClassVar[tuple[str, ...]] = tuple(KINDS)
    floats: bool = True
    steps: ClassVar[tuple[tuple[str, str], ...]] = STEPS

    def __init__(self, hypervisor: str, settings: Mapping[str, Any], home: Path):
        super().__init__(hypervisor, settings, home)
        self.session = Session(hypervisor, self.values, home)
        self.cloud = OpenStackCloud(self.session)
        self.servers = Servers(self.session)
        self._images = Images(self.servers.rest)
        self._ports = ports = Ports(self.session)
        disks = Disks(self.session)
        planner = Planner(ports, Sizes(self.servers.rest, self.values["flavor_policy"]), self._images)
        self._creator = Creator(self.servers, ports, disks, planner, self.values["created_power"])
        self._reconfigurer = Reconfigurer(self.servers, ports, disks, planner)
        self._snapshots = SnapshotService(self.session, self.servers)
        self._consoles = Consoles(self.session, self.servers)
        self._figures = Figures(self.servers, whole_cloud=self.values["scope"] == "cloud")

    # -- looking ----------------------------------------------------------------------------------------------------

    def check(self) -> Checks:
        return Checker(self.session, self.servers).run()

    def list(self) -> VmInfos:
        return [self._info(server) for server in self.servers.every()]

    def get(self, ref: str) -> VmInfo:
        return self._info(self.servers.get(ref))

    def find(self, uid: str, host: str = "") -> VmInfo | None:
        server = self.servers.by_uid(uid)
        return self._info(server) if server else None

    def capacity(self) -> Capacity:
        return self._figures.capacity()

    # -- life cycle -------------------------------------------------------------------------------------------------

    def create(self, spec: VmSpec) -> VmInfo:
        return self._info(self._creator.create(spec))

    def outside(self, spec: VmSpec) -> str:
        return self._creator.outside(spec)

    def start(self, ref: str) -> VmInfo:
        server = self._reconfigurer.settled(self.servers.get(ref))
        power, status = power_of(server), server["status"]
        if power is Power.ON:
            return self._info(server)
        if status in WAKE:
            return self._wake(server)
        if power is not Power.OFF:
            raise self._wrong_power(server, Power.OFF)
        self.servers.forget_since(server)
        action = "unshelve" if status.startswith("SHELVED") else "os-start"
        return self._info(self.servers.bring(ref, action, "ACTIVE", POWER_SECONDS))

    def stop(self, ref: str) -> VmInfo:
        """Nova asks the guest, and cuts its power when it does not listen within a minute or so."""
        server = self.servers.get(ref)
        if power_of(server) is Power.ON:
            self.servers.forget_since(server)
            self._ask_to_stop(ref)
            server = self.servers.get(ref)
        return self._info(server)

    def force_off(self, ref: str) -> VmInfo:
        """As `stop`, and waits: Nova has no way to cut the power at once."""
        server = self._reconfigurer.settled(self.servers.get(ref))
        return self._info(self.servers.power_off(server, POWER_SECONDS))

    def destroy(self, ref: str, *, spare_held: bool = False) -> None:
        self._snapshots.remove_all(ref)
        self._creator.destroy(ref, spare_held=spare_held)

    def tidy(self, spec: VmSpec, *, spare_held: bool = False) -> None:
        """What a server that was deleted on the cloud left; networks made for a branch go with the last machine on them."""
        self._creator.tidy(spec, spare_held=spare_held)
        self._ports.tidy(spec, {nic.network for nic in spec.nics})

    def pause(self, ref: str) -> VmInfo:
        server = self.servers.get(ref)
        if power_of(server) is Power.PAUSED:
            return self._info(server)
        self._require(server, Power.ON)
        if since := since_of(server):
            self.servers.note(ref, memory.of_since(since, ""))
        return self._info(self.servers.bring(ref, "pause", "PAUSED", POWER_SECONDS))

    def resume(self, ref: str) -> VmInfo:
        server = self.servers.get(ref)
        if power_of(server) is Power.ON:
            return self._info(server)
        self._require(server, Power.PAUSED)
        return self._wake(server)

    def reconfigure(self, ref: str, spec: VmSpec) -> VmInfo:
        return self._info(self._reconfigurer.write(ref, spec))

    def adopt(self, ref: str, uid: str) -> VmInfo:
        server = self.servers.get(ref)
        known = memory.uid_of(server)
        if known == uid:
            return self._info(server)
        if known or self.servers.by_uid(uid):
            message = _("This VM, or another with this uid, belongs to somebody already.")
            raise Rejected(message, where=self.hypervisor)
        path = at("/servers", ref) + at("/tags", memory.tag_of(uid))
        self.servers.rest.put("compute", path, missing=VMNotFound)
        return self._info(self.servers.get(ref))

    # -- snapshots --------------------------------------------------------------------------------------------------

    def snapshot(self, ref: str, name: str, description: str = "") -> Snapshot:
        return self._snapshots.take(ref, name, description)

    def snapshots(self, ref: str) -> Snapshots:
        self.servers.get(ref)
        return self._snapshots.all(ref)

    def delete_snapshot(self, ref: str, name: str) -> None:
        self._snapshots.remove(ref, name)

    def revert(self, ref: str, name: str) -> VmInfo:
        """The machine is off afterwards: a snapshot has the disk, not the memory."""
        return self._info(self._snapshots.revert(ref, name))

    # -- the guest --------------------------------------------------------------------------------------------------

    def console_text(self, ref: str) -> str:
        if power_of(self.servers.get(ref)) is not Power.ON:
            return ""
        return str(self.servers.act(ref, "os-getConsoleOutput", {})["output"])

    def console(self, ref: str, kind: str) -> Console:
        if kind not in self.consoles:
            return super().console(ref, kind)
        self._require(self.servers.get(ref), Power.ON)
        return Console(self._consoles.connect(ref, kind))

    def metrics(self, ref: str) -> dict[str, float]:
        return self._figures.of(self.servers.get(ref))

    def close(self) -> None:
        self.session.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _info(self, server: Json) -> VmInfo:
        return info_of(server, self._images.name_of)

    def _wake(self, server: Json) -> VmInfo:
        """On again; it counts as on since before it was paused."""
        ref, since = server["id"], since_of(server)
        awake = self.servers.bring(ref, WAKE[server["status"]], "ACTIVE", POWER_SECONDS)
        if since:
            noted = memory.of_since(since, awake["updated"])
            self.servers.note(ref, noted)
            awake["metadata"] |= noted
        return self._info(awake)

    def _ask_to_stop(self, ref: str) -> None:
        """It may be off, or on its way there, by now."""
        try:
            self.servers.act(ref, "os-stop")
        except HypervisorError:
            if not self._is_stopping(ref):
                raise

    def _is_stopping(self, ref: str) -> bool:
        server = self.servers.get(ref)
        return power_of(server) is Power.OFF or server.get("OS-EXT-STS:task_state") == "powering-off"

    def _require(self, server: Json, power: Power) -> None:
        if power_of(server) is not power:
            raise self._wrong_power(server, power)

    def _wrong_power(self, server: Json, wanted: Power) -> Rejected:
        power, fault = power_of(server), (server.get("fault") or {}).get("message", "")
        told = {"name": server["name"], "power": _(POWER_WORDS[power]), "wanted": _(POWER_WORDS[wanted])}
        message = _("“%(name)s” is %(power)s; it must be %(wanted)s.") % told
        return Rejected(message, where=self.hypervisor, hint=f"{server['status']}: {fault}" if fault else "")
