"""What every hypervisor driver promises, in plain dataclasses: no Django, no tree, no HTTP.

The contract, which `tests/contract/` holds every driver to:

* Workers retry after crashes, so **every call is safe to repeat**: a VM that is already on is quietly "started", a
  missing one quietly "destroyed", the same `uid` never creates a second VM.
* A verb returns the `VmInfo` seen *after* the action. `stop` only asks the guest: its answer may still say `ON`.
* A failed `create` leaves nothing behind.
* Only subclasses of `HypervisorError` leave a driver, and no message carries a secret.
* One driver object serves many threads at once. It is cheap to make: nothing is contacted before the first call.
* Memory is MiB, disk is GiB, times are aware and in UTC.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from hypervisors.drivers.checks import Checks
from hypervisors.drivers.cloud import Cloud, Host, Image
from olimpus.errors import Unsupported
from olimpus.words import gettext as _
from olimpus.words import gettext_noop


class Power(StrEnum):
    """What a hypervisor says about a VM; lifecycle states are the tree's business."""

    ON = "on"
    OFF = "off"
    PAUSED = "paused"  # suspended, memory kept
    ABSENT = "absent"  # the hypervisor answered: it knows no such VM
    UNKNOWN = "unknown"  # the hypervisor did not answer, or in words we do not know


#: How a person says it, to be translated.
POWER_WORDS: dict[Power, str] = {
    Power.ON: gettext_noop("on"),
    Power.OFF: gettext_noop("off"),
    Power.PAUSED: gettext_noop("paused"),
    Power.ABSENT: gettext_noop("absent"),
    Power.UNKNOWN: gettext_noop("unknown"),
}


class Capability(StrEnum):
    """What a technology can do beyond create, start, force off and destroy."""

    PAUSE = "pause"  # pause and resume
    SNAPSHOT = "snapshot"  # snapshot, snapshots, delete_snapshot
    REVERT = "revert"
    CONSOLE_TEXT = "console_text"
    SCREENSHOT = "screenshot"
    METRICS = "metrics"
    RECONFIGURE = "reconfigure"
    ADOPT = "adopt"
    PUBLISH = "publish"  # make an image of a machine that is off
    GRACEFUL_STOP = "graceful_stop"  # `stop` asks the guest; without it `stop` is `force_off`
    EVENTS = "events"  # it says by itself that a machine has changed


#: How a person says it, to be translated.
CAPABILITY_WORDS: dict[Capability, str] = {
    Capability.PAUSE: gettext_noop("pause and resume"),
    Capability.SNAPSHOT: gettext_noop("snapshots"),
    Capability.REVERT: gettext_noop("revert to a snapshot"),
    Capability.CONSOLE_TEXT: gettext_noop("text console"),
    Capability.SCREENSHOT: gettext_noop("picture of the screen"),
    Capability.METRICS: gettext_noop("metrics"),
    Capability.RECONFIGURE: gettext_noop("change run parameters"),
    Capability.ADOPT: gettext_noop("adopt machines"),
    Capability.PUBLISH: gettext_noop("publish as an image"),
    Capability.GRACEFUL_STOP: gettext_noop("graceful stop"),
    Capability.EVENTS: gettext_noop("tell changes at once"),
}


@dataclass(frozen=True)
class Setting:
    """One setting of a driver: forms, validation and the splitting of secrets come from these."""

    name: str
    label: str
    type: str = "text"  # text | lines | int | float | bool | choice
    default: Any = None
    required: bool = False
    secret: bool = False
    help: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    example: str = ""
    group: str = ""  # heading under which forms show it


@dataclass(frozen=True)
class NicSpec:
    """A network card, as wanted (`VmSpec`) and as seen (`VmInfo`)."""

    network: str
    mac: str
    ip: str = ""
    ip_mode: str = "dhcp"
    model: str = "virtio"


@dataclass(frozen=True)
class VmSpec:
    """What to build. `uid` is our VM's UUID: the idempotency token, the same for ever."""

    uid: str
    name: str
    cpus: int
    memory_mib: int
    disk_gib: float
    image: str = ""
    nics: tuple[NicSpec, ...] = ()
    disks: tuple[Any, ...] = ()  # extra disks, as the definition writes them
    cdroms: tuple[Any, ...] = ()
    boot_order: tuple[str, ...] = ()
    #: The host that placement chose for it, where the driver `places`; "" leaves the choice to the driver.
    host: str = ""
    #: It is wanted on: where the hypervisor boots what it builds, it need not be switched off. No duty to start it.
    start: bool = False
    #: The whole computed definition, for whatever else a driver reads.
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def room_gib(self) -> float:
        """What all of its disks take up at most."""
        return self.disk_gib + extra_gib(self.disks)


def extra_gib(disks: Iterable[Any]) -> float:
    """What extra disks, as a definition writes them, take up at most."""
    return sum(float(disk["size_gib"]) for disk in disks)


def network_name(spec: VmSpec, name: str, hypervisor: str) -> str:
    """What the hypervisor calls a network of the definition: under `aliases` there, else as the definition does."""
    definition = (spec.parameters.get("networks") or {}).get(name) or {}
    return str((definition.get("aliases") or {}).get(hypervisor) or name)


@dataclass(frozen=True)
class VmInfo:
    """What the hypervisor says about one VM."""

    ref: str  # the hypervisor's own id
    uid: str  # ours, or "" when the VM is not ours
    name: str
    power: Power
    cpus: int
    memory_mib: int
    disk_gib: float
    nics: tuple[NicSpec, ...] = ()
    image: str = ""
    since: datetime | None = None  # UTC, when it was last powered on; None while off
    host: str = ""  # the one it is on, where the hypervisor is made of several and says so
    extra: Mapping[str, Any] = field(default_factory=dict)
    extra_gib: float = 0.0  # of its extra disks, where the hypervisor says so

    @property
    def room_gib(self) -> float:
        """What all of its disks take up at most."""
        return self.disk_gib + self.extra_gib


@dataclass(frozen=True)
class Snapshot:
    """A named snapshot of one VM."""

    name: str
    created_at: datetime
    description: str = ""


@dataclass(frozen=True)
class Capacity:
    """Totals and use of a hypervisor; a total of None is unbounded or unknown."""

    cpus_total: int | None = None
    cpus_used: int = 0
    memory_mib_total: int | None = None
    memory_mib_used: int = 0
    disk_gib_total: float | None = None
    disk_gib_used: float = 0.0
    vms: int = 0
    vms_max: int | None = None


class Listing(list[VmInfo]):
    """A list of VMs from which some may be missing: those on parts of the hypervisor that did not answer.

    What begins with one of `unheard` is the `ref` of a VM that nothing is known about now.
    """

    def __init__(self, infos: Iterable[VmInfo] = (), unheard: Iterable[str] = ()):
        super().__init__(infos)
        self.unheard = tuple(unheard)


@dataclass(frozen=True)
class Console:
    """A connected console: `sock` is in blocking mode and carries the raw bytes of RFB (vnc) or of the serial line.

    Whoever asked for it closes it. `password` is what RFB asks for, "" when it asks for none.
    """

    sock: socket.socket
    password: str = field(default="", repr=False)


# `Driver.list` hides the builtin inside the class, so its answers get names of their own.
VmInfos = list[VmInfo]
Snapshots = list[Snapshot]
Hosts = list[Host]


class Driver(ABC):
    """Translates Olimpus' verbs for one technology. See the module's docstring for the contract."""

    name: ClassVar[str]
    label: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    #: Flavors, images, networks, volumes, projects: as much of it as the technology `offers`.
    cloud: Cloud | None = None
    #: What `cloud` has of `hypervisors.drivers.cloud.KINDS`, known before anybody connects.
    offers: ClassVar[frozenset[str]] = frozenset()
    #: Headings of settings that many leave empty: forms fold them until one of theirs is filled in.
    folded: ClassVar[frozenset[str]] = frozenset()
    #: Whether Olimpus chooses the host of each machine (`VmSpec.host`) among `hosts`.
    places: bool = False
    #: The kinds of console that `console` opens: vnc, serial.
    consoles: ClassVar[tuple[str, ...]] = ()
    #: Whether cards may have floating addresses here (`floating` in a definition), as far as the settings say.
    floats: bool = False
    #: (code, label) of what `check` tries, in its order: pages show what is still to come.
    steps: ClassVar[tuple[tuple[str, str], ...]] = ()

    def __init__(self, hypervisor: str, settings: Mapping[str, Any], home: Path):
        """`hypervisor` is the record's name, `settings` are clear, with secrets; `home` is a folder for local data."""
        self.hypervisor = hypervisor
        self.values = {setting.name: setting.default for setting in self.settings} | dict(settings)
        self.home = home

    def __repr__(self) -> str:
        # Never the settings: they carry secrets.
        return f"<{type(self).__name__} {self.hypervisor}>"

    @classmethod
    def workers_of(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """The names of the hosts that the setting `workers` lists, where the driver `places`; nobody is asked.

        `Rejected` names the line that cannot be read.
        """
        return frozenset()

    @classmethod
    def serves(cls, values: Mapping[str, Any], network: Mapping[str, Any], taken: Collection[str] = ()) -> bool:
        """Whether a network can be as defined, and, given addresses of cards, ways in lead there. Nobody is asked."""
        return True

    def require(self, capability: Capability) -> None:
        """Raise `Unsupported` unless this technology declares the capability."""
        if capability not in self.capabilities:
            raise self._unsupported(capability)

    # -- looking ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def check(self) -> Checks:
        """Test the connection step by step. Reports a `HypervisorError` as a failed step, never raises it."""

    @abstractmethod
    def list(self) -> VmInfos:
        """All VMs of the hypervisor, ours or not, with their NICs, in one call.

        Where parts of it do not answer it is a `Listing` that names them; `Unreachable` when none does.
        """

    @abstractmethod
    def get(self, ref: str) -> VmInfo:
        """The VM now; `VMNotFound` when the hypervisor knows no such VM."""

    @abstractmethod
    def find(self, uid: str, host: str = "") -> VmInfo | None:
        """The VM that was created or adopted with this `uid`, or None.

        With `host` only that one is asked; else `Unreachable` when a host does not answer and no other has the VM.
        """

    @abstractmethod
    def capacity(self) -> Capacity:
        """Totals and use now."""

    def hosts(self) -> Hosts:
        """The hosts that machines are put on, with their room; empty where the hypervisor is one host or a cloud.

        One that does not answer is in the list, and not `up`.
        """
        return []

    # -- life cycle -------------------------------------------------------------------------------------------------

    @abstractmethod
    def create(self, spec: VmSpec) -> VmInfo:
        """Build the VM, powered off unless the hypervisor is set to boot what it builds: the answer says which.

        Repeated with the same `uid` it returns the VM that is there, unchanged.

        Raises `Rejected` (image, parameter), `CapacityExceeded`; nothing is left behind then.
        """

    def outside(self, spec: VmSpec) -> str:
        """The floating address of the first card that asks for one, reserved before the VM is there. Repeatable by `uid`.

        `create` uses the same one, and it stays until `destroy` or `tidy`, unless these are told to spare it: then the VM
        is made anew, and who knows it finds it there again. `Rejected` when no card asks for one,
        `CapacityExceeded` when none is left; `Unsupported` by a technology that has none.
        """
        message = _("%(driver)s gives machines no floating addresses.") % {"driver": _(self.label)}
        raise Unsupported(message, where=self.hypervisor)

    def tidy(self, spec: VmSpec, *, spare_held: bool = False) -> None:  # noqa: B027 - most make nothing beside the VM
        """Remove what `create` made beside the VM, for it (cards, disks) or with others (networks), unless it is in use.

        With `spare_held` the address that `outside` has reserved stays.

        Called when the VM is gone: after `destroy`, or when somebody else removed it; may be repeated.
        """

    @abstractmethod
    def start(self, ref: str) -> VmInfo:
        """Power on; a paused VM is resumed, a running one left alone. `VMNotFound`."""

    @abstractmethod
    def stop(self, ref: str) -> VmInfo:
        """Ask the guest to shut down and return what is seen then: it may still be `ON`. `VMNotFound`."""

    @abstractmethod
    def force_off(self, ref: str) -> VmInfo:
        """Cut the power; fine when already off. `VMNotFound`."""

    @abstractmethod
    def destroy(self, ref: str, *, spare_held: bool = False) -> None:
        """Remove the VM, its disks and snapshots, whatever its power. A missing VM succeeds quietly.

        With `spare_held` the address that `outside` has reserved stays.
        """

    # -- what only some technologies can do: overridden together with the capability ---------------------------------

    def pause(self, ref: str) -> VmInfo:
        """Suspend in memory; fine when already paused. `Rejected` when off, `VMNotFound`. Needs `PAUSE`."""
        raise self._unsupported(Capability.PAUSE)

    def resume(self, ref: str) -> VmInfo:
        """Continue a paused VM; fine when running. `Rejected` when off, `VMNotFound`. Needs `PAUSE`."""
        raise self._unsupported(Capability.PAUSE)

    def reconfigure(self, ref: str, spec: VmSpec) -> VmInfo:
        """Write the run parameters (cpus, memory, NICs, extra disks, CDs, boot order) of a VM that is off.

        `Rejected` when it is not off, `CapacityExceeded`, `VMNotFound`; nothing changes then. Needs `RECONFIGURE`.
        """
        raise self._unsupported(Capability.RECONFIGURE)

    def adopt(self, ref: str, uid: str) -> VmInfo:
        """Mark a VM that is not ours with our `uid`. `Rejected` when it, or another VM, has one. Needs `ADOPT`."""
        raise self._unsupported(Capability.ADOPT)

    def snapshot(self, ref: str, name: str, description: str = "") -> Snapshot:
        """Take a snapshot; one that exists under this name is returned as it is. `VMNotFound`. Needs `SNAPSHOT`."""
        raise self._unsupported(Capability.SNAPSHOT)

    def snapshots(self, ref: str) -> Snapshots:
        """The VM's snapshots, oldest first. `VMNotFound`. Needs `SNAPSHOT`."""
        raise self._unsupported(Capability.SNAPSHOT)

    def delete_snapshot(self, ref: str, name: str) -> None:
        """Remove a snapshot; a missing one (or VM) succeeds quietly. Needs `SNAPSHOT`."""
        raise self._unsupported(Capability.SNAPSHOT)

    def revert(self, ref: str, name: str) -> VmInfo:
        """Bring the disks back to a snapshot; read the power from the answer. `Rejected` without such a snapshot.

        `VMNotFound`. Needs `REVERT`.
        """
        raise self._unsupported(Capability.REVERT)

    def publish(self, ref: str, name: str) -> Image:
        """Make an image of a VM that is off and wait until it can be used. Repeated, the same image. Needs `PUBLISH`.

        `Rejected` when it is not off, or another image has this name. `VMNotFound`.
        """
        if self.cloud is None:
            raise self._unsupported(Capability.PUBLISH)
        return self.cloud.publish(ref, name)

    def console_text(self, ref: str) -> str:
        """What the serial console said since power-on; "" while off. `VMNotFound`. Needs `CONSOLE_TEXT`."""
        raise self._unsupported(Capability.CONSOLE_TEXT)

    def console(self, ref: str, kind: str) -> Console:
        """Connect to the screen (`vnc`) or the serial line (`serial`) of a running VM.

        `Rejected` when it is off, or does not have this kind; `VMNotFound`. Needs a kind among `consoles`.
        """
        message = _("%(driver)s has no console of kind “%(kind)s”.") % {"driver": _(self.label), "kind": kind}
        raise Unsupported(message, where=self.hypervisor)

    def screenshot(self, ref: str) -> bytes:
        """What the screen of a running VM shows now, as PNG. `Rejected` when off, `VMNotFound`. Needs `SCREENSHOT`."""
        raise self._unsupported(Capability.SCREENSHOT)

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call `changed` with the `ref` of each VM that changes, from now on, until the returned function is called.

        From a thread of the driver's own; "" means that anything may have changed, as after a lost connection, which is
        made again by itself. Needs `EVENTS`.
        """
        raise self._unsupported(Capability.EVENTS)

    def metrics(self, ref: str) -> dict[str, float]:
        """Figures now: `cpu_percent`, `memory_used_mib`, …; all zero while off. `VMNotFound`. Needs `METRICS`."""
        raise self._unsupported(Capability.METRICS)

    def answers(self) -> bool:
        """Whether some part of it is known to answer, asked when a call met silence: then it was a part that was silent, and
        those who ask others need not wait. Never raises, contacts nobody.
        """
        return False

    def close(self) -> None:  # noqa: B027 - most drivers hold no connection
        """Let go of connections. May be repeated; a later call connects again."""

    def _unsupported(self, capability: Capability) -> Unsupported:
        told = {"driver": _(self.label), "capability": _(CAPABILITY_WORDS[capability])}
        return Unsupported(_("%(driver)s cannot do this: %(capability)s.") % told, where=self.hypervisor)
