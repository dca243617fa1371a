"""What a technology offers beside machines when it is a cloud: flavors, images, zones, networks, volumes, quotas, projects.

Plain dataclasses and one interface, as in `base`: no Django, no tree, no HTTP. The promises of a driver hold here, too: every
call is safe to repeat, only subclasses of `HypervisorError` leave, no message carries a secret, one object serves many
threads. Memory is MiB, disks and volumes are GiB, times are aware and in UTC. `project` is a name; "" is the project of the
account itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, ClassVar, Final

from olimpus.errors import Unsupported
from olimpus.words import gettext as _
from olimpus.words import gettext_noop


@dataclass(frozen=True)
class CloudFlavor:
    """A named size of machine, as the cloud has it."""

    id: str
    name: str
    cpus: int
    memory_mib: int
    disk_gib: float
    public: bool = True


@dataclass(frozen=True)
class Image:
    """What a system disk is made from."""

    id: str
    name: str
    status: str  # the cloud's own word: active, queued, saving…
    format: str = ""  # qcow2, raw, iso…
    size_bytes: int = 0
    min_disk_gib: int = 0
    min_memory_mib: int = 0
    visibility: str = ""  # public, private, shared, community
    created_at: datetime | None = None
    hosts: tuple[str, ...] = ()  # which have a copy, where copies are kept beside machines
    sha256: str = ""


@dataclass(frozen=True)
class Cleared:
    """A copy of an image, or half of one, that was removed from a host since nobody needs it there."""

    name: str
    host: str
    size_bytes: int


@dataclass(frozen=True)
class Host:
    """A compute host with its room; None where the cloud does not say. `*_total` count the overcommit ratios in."""

    name: str
    zone: str
    up: bool = True
    enabled: bool = True
    cpus_total: int | None = None
    cpus_used: int = 0
    memory_mib_total: int | None = None
    memory_mib_used: int = 0
    disk_gib_total: float | None = None
    disk_gib_used: float = 0.0
    vms: int = 0
    cpu_percent: float | None = None  # how busy it is now, 0 to 100; None where it does not say
    detail: str = ""  # why it is down, or in maintenance


@dataclass(frozen=True)
class Zone:
    """An availability zone and the hosts in it."""

    name: str
    available: bool = True
    hosts: tuple[Host, ...] = ()


@dataclass(frozen=True)
class Subnet:
    """Addresses of a network."""

    id: str
    name: str
    network_id: str
    cidr: str
    gateway: str = ""
    dhcp: bool = True
    dns: tuple[str, ...] = ()
    pools: tuple[tuple[str, str], ...] = ()  # first and last address of each


@dataclass(frozen=True)
class Network:
    """A layer-2 network."""

    id: str
    name: str
    status: str = ""
    shared: bool = False
    external: bool = False
    mtu: int = 0
    project_id: str = ""
    subnets: tuple[Subnet, ...] = ()


@dataclass(frozen=True)
class Router:
    """What joins subnets, and them to the outside when it has an external network."""

    id: str
    name: str
    status: str = ""
    external_network_id: str = ""
    subnet_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attachment:
    """A volume in a machine."""

    vm_ref: str
    device: str


@dataclass(frozen=True)
class Volume:
    """A disk that lives on its own."""

    id: str
    name: str
    status: str
    size_gib: int
    type: str = ""
    bootable: bool = False
    attachments: tuple[Attachment, ...] = ()
    created_at: datetime | None = None


@dataclass(frozen=True)
class VolumeSnapshot:
    """A moment of a volume."""

    id: str
    name: str
    volume_id: str
    status: str
    size_gib: int
    created_at: datetime | None = None


@dataclass(frozen=True)
class Quota:
    """How much of one resource a project may use; `limit` None is unbounded."""

    service: str  # compute, network, volume
    resource: str  # instances, cores, ram, networks, volumes, gigabytes…
    limit: int | None
    used: int = 0


@dataclass(frozen=True)
class Keypair:
    """A public key that the cloud puts into machines."""

    name: str
    fingerprint: str
    type: str = "ssh"


@dataclass(frozen=True)
class Project:
    """Owner of machines, networks and volumes, with quotas of its own."""

    id: str
    name: str
    description: str = ""
    enabled: bool = True


@dataclass(frozen=True)
class ServiceHealth:
    """One service of the cloud, asked just now."""

    name: str  # keystone, nova, neutron, glance, cinder
    ok: bool
    version: str = ""
    seconds: float = 0.0
    detail: str = ""


Flavors, Images, Zones, Networks, Routers = (
    list[CloudFlavor],
    list[Image],
    list[Zone],
    list[Network],
    list[Router],
)
Volumes, VolumeSnapshots, Quotas = list[Volume], list[VolumeSnapshot], list[Quota]
Keypairs, Projects, Services = list[Keypair], list[Project], list[ServiceHealth]


#: What a technology may have beside machines, and how a person says it, to be translated.
KINDS: Final[Mapping[str, str]] = {
    "flavors": gettext_noop("sizes of machines (flavors)"),
    "images": gettext_noop("images"),
    "copies": gettext_noop("copies of images on hosts"),
    "zones": gettext_noop("availability zones"),
    "networks": gettext_noop("networks"),
    "routers": gettext_noop("routers"),
    "volumes": gettext_noop("volumes"),
    "volume_snapshots": gettext_noop("snapshots of volumes"),
    "quotas": gettext_noop("quotas"),
    "keypairs": gettext_noop("key pairs"),
    "projects": gettext_noop("projects"),
}


class Cloud:
    """Everything of a hypervisor that is not one machine. Errors: `Rejected`, `CapacityExceeded`, `Unreachable`…

    A technology may have only some of it: `kinds` tells of what, and calls about the others raise `Unsupported`. What is
    asked for by id or name and is not there raises `Missing`; deleting it again succeeds quietly.
    """

    #: What the technology has, of `KINDS`.
    kinds: ClassVar[frozenset[str]] = frozenset()
    #: How people call the technology, and the name of the hypervisor.
    label: ClassVar[str] = ""
    where: str = ""

    # -- looking ----------------------------------------------------------------------------------------------------

    def services(self) -> Services:
        """Each service with version and latency. Never raises: a service that is down says so in its row."""
        return []

    def places(self) -> dict[str, tuple[str, int]]:
        """Host and port where each service is called, by its name in the catalog; empty when there is no catalog."""
        return {}

    def flavors(self) -> Flavors:
        """All flavors that the account may see, smallest first."""
        raise self._lacks("flavors")

    def flavor_use(self) -> dict[str, int]:
        """Name of a flavor → how many machines have it, over all projects when the account may see them."""
        raise self._lacks("flavors")

    def images(self) -> Images:
        """All images that the account may see, by name."""
        raise self._lacks("images")

    def zones(self, *, capacity: bool = False) -> Zones:
        """Availability zones with their hosts; with `capacity` also the room of each host."""
        raise self._lacks("zones")

    def networks(self, project: str = "") -> Networks:
        """Networks with their subnets: all that the account may see, or those of a project and the shared ones."""
        raise self._lacks("networks")

    def routers(self, project: str = "") -> Routers:
        """Routers with the subnets that they join."""
        raise self._lacks("routers")

    def volumes(self, project: str = "") -> Volumes:
        """Volumes; over all projects when `project` is "" and the account may see them."""
        raise self._lacks("volumes")

    def volume_snapshots(self, project: str = "") -> VolumeSnapshots:
        """Snapshots of volumes."""
        raise self._lacks("volume_snapshots")

    def quotas(self, project: str) -> Quotas:
        """Limits and use of a project, given by name or id ("": the account's own)."""
        raise self._lacks("quotas")

    def keypairs(self) -> Keypairs:
        """Key pairs of the account."""
        raise self._lacks("keypairs")

    def projects(self) -> Projects:
        """Projects that the account may see."""
        raise self._lacks("projects")

    # -- changing ---------------------------------------------------------------------------------------------------

    def create_flavor(self, name: str, cpus: int, memory_mib: int, disk_gib: float) -> CloudFlavor:
        """A public flavor; the one of this name when its sizes are the same. `Rejected` when they differ."""
        raise self._lacks("flavors")

    def delete_flavor(self, name: str) -> None:
        """Forget a flavor by its name, else its id; machines that have it keep it."""
        raise self._lacks("flavors")

    def upload_image(self, name: str, data: BinaryIO, format: str, *, public: bool = False) -> Image:
        """Send an image, streamed. Nothing is left behind when it fails. `Rejected` (format, name taken)."""
        raise self._lacks("images")

    def delete_image(self, image: str) -> None:
        """Remove an image by id."""
        raise self._lacks("images")

    def tidy_images(self, days: float = 0.0) -> list[Cleared]:
        """Remove copies of images that nobody needs where they are, and that are older than this; every image stays.

        `Unsupported` where images are not copied to hosts.
        """
        raise self._lacks("copies")

    def publish(self, ref: str, name: str) -> Image:
        """Make an image of a machine that is off and wait until it is active. Repeated, the same image. `Rejected`."""
        raise self._lacks("images")

    def create_network(self, name: str, *, project: str = "", mtu: int | None = None) -> Network:
        """A private network."""
        raise self._lacks("networks")

    def delete_network(self, network: str) -> None:
        """Remove a network by id with its subnets; `Rejected` while something uses it."""
        raise self._lacks("networks")

    def create_subnet(
        self,
        network: str,
        cidr: str,
        *,
        name: str = "",
        gateway: str = "",
        dhcp: bool = True,
        dns: Sequence[str] = (),
        pool: tuple[str, str] | None = None,
    ) -> Subnet:
        """A subnet of a network (id). `Rejected` when it overlaps one that the network has."""
        raise self._lacks("networks")

    def delete_subnet(self, subnet: str) -> None:
        """Remove a subnet by id."""
        raise self._lacks("networks")

    def create_router(self, name: str, *, external: str = "", subnets: Sequence[str] = (), project: str = "") -> Router:
        """A router joining subnets (ids), with a way out through the network `external` (name or id) when given."""
        raise self._lacks("routers")

    def delete_router(self, router: str) -> None:
        """Take a router (id) off its subnets and remove it."""
        raise self._lacks("routers")

    def create_volume(
        self, name: str, size_gib: int, *, type: str = "", image: str = "", snapshot: str = "", project: str = ""
    ) -> Volume:
        """A volume, ready for use: empty, or filled from an image (id) or a snapshot (id)."""
        raise self._lacks("volumes")

    def delete_volume(self, volume: str) -> None:
        """Remove a volume by id. `Rejected` while it is attached or has snapshots."""
        raise self._lacks("volumes")

    def attach_volume(self, volume: str, ref: str) -> Volume:
        """Put a volume into a machine; fine when it is there already."""
        raise self._lacks("volumes")

    def detach_volume(self, volume: str, ref: str = "") -> Volume:
        """Take a volume out of the machine that has it; fine when none has."""
        raise self._lacks("volumes")

    def extend_volume(self, volume: str, size_gib: int) -> Volume:
        """Let a volume grow; fine when it has that size. `Rejected` when it would shrink."""
        raise self._lacks("volumes")

    def snapshot_volume(self, volume: str, name: str) -> VolumeSnapshot:
        """Keep a moment of a volume."""
        raise self._lacks("volume_snapshots")

    def delete_volume_snapshot(self, snapshot: str) -> None:
        """Remove a snapshot by id."""
        raise self._lacks("volume_snapshots")

    def ensure_project(
        self,
        name: str,
        *,
        description: str = "",
        quotas: Mapping[str, int] | None = None,
        users: Sequence[str] = (),
        role: str = "member",
        ordinary: bool = False,
    ) -> Project:
        """The project of this name, made when missing; quotas (by resource) and the users' role are written.

        With `ordinary` it is `Rejected` for projects that the account itself, or the cloud, works in.
        """
        raise self._lacks("projects")

    def delete_project(self, name: str) -> None:
        """Remove an empty project. `Rejected`, naming what is in it, while it has machines, volumes or networks."""
        raise self._lacks("projects")

    def _lacks(self, kind: str) -> Unsupported:
        told = {"driver": _(self.label), "kind": _(KINDS[kind])}
        return Unsupported(_("%(driver)s does not have this: %(kind)s.") % told, where=self.where)
