"""Disks of machines that are Cinder's volumes: extra ones, which come and go with their machine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from hypervisors.drivers.openstack.memory import Disk
from hypervisors.drivers.openstack.rest import Part, at, log_left, wait_for
from olimpus.errors import HypervisorError, Rejected, VMNotFound
from olimpus.words import gettext as _

Json = dict[str, Any]

UID, NAME = "olimpus_uid", "olimpus_disk"  # metadata of a volume: whose it is, and which of his
VOLUME_SECONDS: Final = 300.0
ATTACH_SECONDS: Final = 120.0
DISCARD_SECONDS: Final = 30.0


class Gone(Rejected):
    """The volume is not there any more."""


class Disks(Part):
    """Extra disks of machines. A disk is known by its name in its machine."""

    def make(self, uid: str, machine: str, wanted: Sequence[Mapping[str, Any]], project: str) -> list[Disk]:
        """Volumes for the disks, ready to be attached; those of an attempt that died are taken. `CapacityExceeded`…

        Those that were made are removed again when one fails.
        """
        if not wanted:
            return []
        there = {str(volume["metadata"].get(NAME)): volume for volume in self.of_uid(uid, project)}
        found: list[Disk] = []
        made: list[str] = []
        try:
            for disk in wanted:
                name, storage = str(disk["name"]), str(disk.get("storage") or "")
                volume = there.get(name)
                if not volume:
                    volume = self._make(uid, machine, disk, project)
                    made.append(volume["id"])
                found.append(Disk(name, disk["size_gib"], storage, volume["id"]))
            for one in found:
                self._await(one.volume, "available", VOLUME_SECONDS)
        except HypervisorError:
            for volume_id in made:
                log_left(self.where, self._discard, volume_id)
            raise
        return found

    def attached(self, ref: str, uid: str, project: str) -> list[Disk]:
        """Disks that are in the machine, whatever it remembers: an attempt may have died on the way."""
        return [
            Disk(str(volume["metadata"].get(NAME)), volume["size"], "", volume["id"])
            for volume in self.of_uid(uid, project)
            if any(one["server_id"] == ref for one in volume["attachments"])
        ]

    def of_uid(self, uid: str, project: str) -> list[Json]:
        query = {"metadata": json.dumps({UID: uid})}
        found = self.rest.pages("block_storage", "/volumes/detail", "volumes", query, project=project)
        return [volume for volume in found if volume["metadata"].get(UID) == uid]

    def attach(self, ref: str, disk: Disk) -> None:
        body = {"volumeId": disk.volume, "delete_on_termination": True}
        self.rest.post("compute", _attachments(ref), {"volumeAttachment": body}, missing=VMNotFound)
        self._await(disk.volume, "in-use", ATTACH_SECONDS)

    def take_off(self, ref: str, volumes: Sequence[str]) -> None:
        """Detach volumes and remove them; fine when an earlier attempt has done so."""
        for volume in volumes:
            self.rest.delete("compute", _attachments(ref) + at("", volume))
            with suppress(Gone):
                self._await(volume, "available", ATTACH_SECONDS)
                self.remove([volume])

    def grow(self, volume: str, size_gib: float) -> None:
        """Let a volume be as large as this; one that is larger stays."""
        now = self.rest.get("block_storage", at("/volumes", volume))["volume"]["size"]
        if now < math.ceil(size_gib):
            body = {"os-extend": {"new_size": math.ceil(size_gib)}}
            path = at("/volumes", volume) + "/action"
            self.rest.ask("block_storage", "POST", path, json=body)

    def remove(self, volumes: Sequence[str]) -> None:
        for volume in volumes:
            self.rest.delete("block_storage", at("/volumes", volume))

    def _discard(self, volume: str) -> None:
        """Remove a volume that was made just now, also a failed one: Cinder removes none that is still on its way."""
        with suppress(HypervisorError):
            self._await(volume, "available", DISCARD_SECONDS)
        self.remove([volume])

    def _make(self, uid: str, machine: str, disk: Mapping[str, Any], project: str) -> Json:
        name = str(disk["name"])
        body: Json = {"name": f"{machine}-{name}"[:255], "size": math.ceil(disk["size_gib"])}
        body |= {"metadata": {UID: uid, NAME: name}}
        body |= {"volume_type": disk["storage"]} if disk.get("storage") else {}
        made: Json = self.rest.post("block_storage", "/volumes", {"volume": body}, project=project)["volume"]
        return made

    def _await(self, volume: str, status: str, seconds: float) -> None:
        def look() -> bool | None:
            known = self.rest.optional("block_storage", at("/volumes", volume), "volume")
            now = str(known["status"]) if known else "deleting"
            if now == "deleting":
                raise Gone(_("The volume %(id)s is gone.") % {"id": volume}, where=self.where)
            if now.startswith("error"):
                told = {"id": volume, "status": now}
                raise HypervisorError(_("The volume %(id)s is in status %(status)s.") % told, where=self.where)
            return True if now == status else None

        wait_for(look, _("The volume %(id)s") % {"id": volume}, self.where, seconds)


def _attachments(ref: str) -> str:
    return at("/servers", ref) + "/os-volume_attachments"
