"""Snapshots of machines: images that know whose they are. They keep the system disk, nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from hypervisors.drivers.base import Power, Snapshot, Snapshots
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.images import PUBLISHED_FROM
from hypervisors.drivers.openstack.plan import SNAPSHOT_OF
from hypervisors.drivers.openstack.rest import PAGE, Part, at, log_left, wait_for, when
from hypervisors.drivers.openstack.servers import Servers
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.view import power_of, since_of, task_of
from olimpus.errors import HypervisorError, Missing, Rejected, VMNotFound
from olimpus.words import gettext as _

Json = dict[str, Any]

NAME, DESCRIPTION, TAKEN_AT = "olimpus_snapshot", "olimpus_description", "olimpus_taken_at"
SNAPSHOT_SECONDS: Final = 1800.0
REVERT_SECONDS: Final = 580.0
STOP_SECONDS: Final = 120.0


class SnapshotService(Part):
    """Takes, lists, removes snapshots, and goes back to them."""

    def __init__(self, session: Session, servers: Servers):
        super().__init__(session)
        self.servers = servers

    def take(self, ref: str, name: str, description: str) -> Snapshot:
        """A snapshot, complete; the one of this name when the machine has it."""
        before = self.servers.get(ref)
        there = self._named(ref, name)
        if there:
            return _snapshot(self._complete(there["id"], ref))
        marks = {SNAPSHOT_OF: ref, NAME: name, TAKEN_AT: datetime.now(UTC).isoformat(), DESCRIPTION: description[:255]}
        body = {
            "name": f"{before['name']} {name}"[:255],
            "metadata": {key: text for key, text in marks.items() if text},
        }
        image = self._complete(str(self.servers.act(ref, "createImage", body)["image_id"]), ref)
        self._keep_since(before, self.servers.get(ref))
        return _snapshot(image)

    def all(self, ref: str) -> Snapshots:
        """Oldest first."""
        return sorted(map(_snapshot, self._images(ref)), key=lambda snapshot: snapshot.created_at)

    def remove(self, ref: str, name: str) -> None:
        for image in self._images(ref):
            if image[NAME] == name:
                self._remove(image)

    def remove_all(self, ref: str) -> None:
        for image in self._images(ref):
            self._remove(image)

    def revert(self, ref: str, name: str) -> Json:
        """The machine, off, with the disk of the snapshot."""
        server = self.servers.get(ref)
        image = self._named(ref, name)
        if not image:
            raise Rejected(_("There is no snapshot “%(name)s”.") % {"name": name}, where=self.where)
        if not server.get("image"):
            hint = _("Make a volume of its snapshot, or create the machine without boot_from_volume.")
            message = _("Nova cannot bring back a system disk that is a volume.")
            raise Rejected(message, where=self.where, hint=hint)
        self.servers.power_off(server, STOP_SECONDS)
        metadata = server["metadata"] | {memory.IMAGE_ID: image["id"]}
        body = {"imageRef": image["id"], "metadata": metadata}
        self.servers.act(ref, "rebuild", body)
        return self.servers.at_rest(ref, "SHUTOFF", REVERT_SECONDS)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _images(self, ref: str) -> list[Json]:
        """Those that were taken of this machine. Images made of it otherwise may have got its marks from Nova."""
        query = {SNAPSHOT_OF: ref, "limit": PAGE}
        found = self.rest.pages("image", "/images", "images", query)
        return [image for image in found if image.get(NAME) and image.get(PUBLISHED_FROM) != ref]

    def _named(self, ref: str, name: str) -> Json | None:
        found = [image for image in self._images(ref) if image[NAME] == name and image["status"] not in DEAD]
        return min(found, key=lambda image: (image["created_at"], image["id"]), default=None)

    def _complete(self, image_id: str, ref: str) -> Json:
        """The image once it is active and the machine is left alone again; a failed one is removed."""

        def look() -> Json | None:
            image = self.rest.get("image", at("/images", image_id))
            if image["status"] in DEAD:
                raise HypervisorError(_("The snapshot failed: Nova took it back."), where=self.where)
            return image if image["status"] == "active" else None

        def quiet() -> bool | None:
            return None if task_of(self.servers.get(ref)) else True

        try:
            image = wait_for(look, _("The snapshot"), self.where, SNAPSHOT_SECONDS)
        except Missing:
            raise HypervisorError(_("The snapshot failed: Nova took it back."), where=self.where) from None
        except VMNotFound:
            log_left(self.where, partial(self.rest.delete, "image"), at("/images", image_id))
            raise
        wait_for(quiet, _("The snapshot"), self.where, SNAPSHOT_SECONDS)
        return image

    def _keep_since(self, before: Json, after: Json) -> None:
        """Nova touches a machine when it takes a snapshot; it is on since the same moment as before."""
        since = since_of(before)
        if since and power_of(after) in (Power.ON, Power.PAUSED) and since_of(after) != since:
            self.servers.note(after["id"], memory.of_since(since, after["updated"]))

    def _remove(self, image: Json) -> None:
        """The image, and what Cinder keeps for it when the system disk is a volume."""
        self.rest.delete("image", at("/images", image["id"]))
        for snapshot in _volume_snapshots(image):
            self.rest.delete("block_storage", at("/snapshots", snapshot))


DEAD: Final = frozenset({"killed", "deleted", "pending_delete", "error"})


def _snapshot(image: Json) -> Snapshot:
    taken = when(image.get(TAKEN_AT)) or when(image["created_at"]) or datetime.now(UTC)
    return Snapshot(image[NAME], taken, image.get(DESCRIPTION, ""))


def _volume_snapshots(image: Json) -> list[str]:
    """Ids of the volume snapshots that an image of a machine with volumes stands for."""
    mapping = image.get("block_device_mapping") or []
    devices = json.loads(mapping) if isinstance(mapping, str) else mapping
    return [device["snapshot_id"] for device in devices if device.get("snapshot_id")]
