"""Everything that is looked up before a machine is made, so that what cannot be is refused before anything is there."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.known import Known
from hypervisors.drivers.openstack.ports import Plan, Ports, project_of
from hypervisors.drivers.openstack.rest import PAGE, Rest, nearest
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.sizes import Sizes
from hypervisors.drivers.ways import cards_of
from olimpus.errors import Rejected
from olimpus.words import gettext as _

Json = dict[str, Any]

#: Property of an image that is a snapshot of a machine: it is none to make machines from.
SNAPSHOT_OF: Final = "olimpus_snapshot_of"
#: Visibilities of images that are for all projects.
FOR_ALL: Final = frozenset({"public", "community"})


def offered(session: Session, image: Json, project: str = "") -> bool:
    """Whether machines of this project (or of the account's own) may be made of an image that Glance tells us of.

    It tells an administrator of everybody's: what other projects keep to themselves is none of ours.
    """
    if SNAPSHOT_OF in image:
        return False
    if image["visibility"] in FOR_ALL or "admin" not in session.access().role_names:
        return True
    return image["owner"] in (session.project_id(), session.project_id(project))


class Images:
    """Names of images and back. Thread-safe."""

    def __init__(self, rest: Rest):
        self.rest = rest
        self.known = Known(self._read)

    def named(self, name: str, project: str = "") -> Json:
        """The active image of this name or id that the project is offered, the newest of several.

        `Rejected` with the nearest name.
        """
        if not name:
            raise Rejected(_("The definition names no image."), where="image")

        def free(image: Json) -> bool:
            return offered(self.rest.session, image, project)

        found = self.known.find(lambda image: name in (image["name"], image["id"]) and free(image))
        if not found:
            hint = nearest(name, list(filter(free, self.known.all())))
            raise Rejected(_("There is no image “%(name)s”.") % {"name": name}, where="image", hint=hint)
        return max(found, key=lambda image: (image["created_at"], image["id"]))

    def name_of(self, image_id: str) -> str:
        """The name of an image, "" when it is gone; lists of machines ask once a minute at most."""
        return next((image["name"] or "" for image in self.known.all() if image["id"] == image_id), "")

    def _read(self) -> list[Json]:
        images = self.rest.pages("image", "/images", "images", {"limit": PAGE, "status": "active"})
        return [image for image in images if SNAPSHOT_OF not in image]


@dataclass(frozen=True)
class Blueprint:
    """A machine as it will be asked for; only its ports and volumes are missing."""

    spec: VmSpec
    project: str
    image: Json
    flavor: Json
    ports: Plan

    @property
    def on_volume(self) -> bool:
        return on_volume(self.spec)

    def body(self, ports: list[str], disks: list[memory.Disk]) -> Json:
        """What Nova is asked for."""
        spec, wanted = self.spec, self.spec.parameters
        server: Json = {
            "name": spec.name,
            "flavorRef": self.flavor["id"],
            "networks": [{"port": port} for port in ports] or "none",
            "metadata": self.metadata(disks),
            "tags": [memory.tag_of(spec.uid)],
        }
        server |= self._disks(disks)
        if any(nic.ip_mode == "cloud-init" for nic in spec.nics):
            server["config_drive"] = True  # the guest learns its addresses without a network
        if wanted.get("user_data"):
            server["user_data"] = base64.b64encode(str(wanted["user_data"]).encode()).decode()
        for ours, theirs in OPTIONS.items():
            if wanted.get(ours):
                server[theirs] = str(wanted[ours])
        if described := description_of(spec):
            server["description"] = described
        return {"server": server}

    def metadata(self, disks: list[memory.Disk]) -> dict[str, str]:
        spec = self.spec
        size = memory.Size(spec.cpus, spec.memory_mib, spec.disk_gib, self.flavor["name"])
        known = memory.of_size(size) | memory.of_image(spec.image, self.image["id"]) | memory.of_login(spec)
        return known | memory.of_cards(self.ports.cards) | memory.of_disks(disks)

    def _disks(self, disks: list[memory.Disk]) -> Json:
        """The image alone, or the system disk and the extra ones as block devices."""
        if not disks and not self.on_volume:
            return {"imageRef": self.image["id"]}
        root: Json = {"uuid": self.image["id"], "source_type": "image", "boot_index": 0, "delete_on_termination": True}
        if self.on_volume:
            root |= {"destination_type": "volume", "volume_size": volume_size(self.spec.disk_gib)}
            root |= {"volume_type": self.spec.parameters["storage"]} if self.spec.parameters.get("storage") else {}
        else:
            root |= {"destination_type": "local"}
        extra = [_extra(disk) for disk in disks]
        server: Json = {"block_device_mapping_v2": [root, *extra]}
        return server if self.on_volume else server | {"imageRef": self.image["id"]}


#: Parameters that Nova takes as they are. `host` is the administrator's only.
OPTIONS: Final = {
    "availability_zone": "availability_zone",
    "host": "host",
    "keypair": "key_name",
}
#: What Nova takes at most: characters of a description, bytes of user data (65,535 as base64).
DESCRIPTION_LENGTH: Final = 255
USER_DATA_BYTES: Final = 49_151


def description_of(spec: VmSpec) -> str:
    """The description as Nova takes it: on one line, and cut."""
    text = " ".join(str(spec.parameters.get("description") or "").split())
    return "".join(char for char in text if char.isprintable() and char <= "\uffff")[:DESCRIPTION_LENGTH]


class Planner:
    """Looks up what a definition names. `Rejected` says what there is not, with the nearest name."""

    def __init__(self, ports: Ports, sizes: Sizes, images: Images):
        self.ports = ports
        self.sizes = sizes
        self.images = images

    def plan(self, spec: VmSpec) -> Blueprint:
        refuse_what_cannot_be(spec)
        project = project_of(spec)
        image = self.images.named(spec.image, project)
        flavor = self.sizes.choose(spec, volume=on_volume(spec))
        return Blueprint(spec, project, image, flavor, self.ports.plan(spec))

    def forget(self) -> None:
        """Look everything up anew."""
        for known in (self.images.known, self.sizes.known, *self.ports.known()):
            known.forget()


def on_volume(spec: VmSpec) -> bool:
    return bool(spec.parameters.get("boot_from_volume"))


def volume_size(disk_gib: float) -> int:
    return -int(-disk_gib // 1)


def refuse_what_cannot_be(spec: VmSpec) -> None:
    """`Rejected` for what this technology has no way to do."""
    if any(nic.ip_mode == "disk" for nic in spec.nics):
        message = _("OpenStack gives no access to the inside of a disk, so that no address can be written there.")
        raise Rejected(message, where="nics", hint=_("Use dhcp, mac or cloud-init as ip_mode."))
    _refuse_ways_in(spec)
    if spec.cdroms:
        message = _("OpenStack gives its machines no virtual CDs.")
        raise Rejected(message, where="cdroms", hint=_("Make an image of the files, or put them into user_data."))
    if len(str(spec.parameters.get("user_data") or "").encode()) > USER_DATA_BYTES:
        message = _("OpenStack takes %(limit)d bytes of user data at most.") % {"limit": USER_DATA_BYTES}
        raise Rejected(message, where="user_data", hint=_("Let the guest fetch what is long, or make an image of it."))


def _refuse_ways_in(spec: VmSpec) -> None:
    if any(wanted.get("forwards") for _nic, wanted in cards_of(spec)):
        message = _("OpenStack forwards no ports: it gives whole addresses.")
        raise Rejected(message, where="nics", hint=_("Write “floating: true” on the card instead of “forwards”."))
    networks = spec.parameters.get("networks") or {}
    if any((networks.get(nic.network) or {}).get("reaches") for nic in spec.nics):
        message = _("On OpenStack no network reaches another by its definition.")
        raise Rejected(
            message, where="networks", hint=_("Take “reaches” out, and join the networks by a router there.")
        )


def _extra(disk: memory.Disk) -> Json:
    device = {"uuid": disk.volume, "source_type": "volume", "destination_type": "volume"}
    return device | {"boot_index": -1, "delete_on_termination": True}
