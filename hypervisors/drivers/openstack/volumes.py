"""Disks that live on their own: Cinder's volumes and their snapshots, and Nova's part in attaching them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Final

from hypervisors.drivers.cloud import Attachment, Volume, Volumes, VolumeSnapshot, VolumeSnapshots
from hypervisors.drivers.locks import one_at_a_time
from hypervisors.drivers.openstack.catalogue import Catalogue
from hypervisors.drivers.openstack.rest import PAGE, Json, at, log_left, missing, wait_for, when
from olimpus.errors import CapacityExceeded, HypervisorError, Rejected, VMNotFound
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

VOLUME_SECONDS: Final = 600.0  # filling one from an image is the slowest
ATTACH_SECONDS: Final = 120.0
USABLE: Final = frozenset({"available", "in-use"})
#: On the way into a machine or out of it.
MOVING: Final = frozenset({"attaching", "detaching", "reserved"})
#: Microversion with which a volume grows while it is attached.
ONLINE_EXTEND: Final = "3.42"
MESSAGES: Final = "3.5"
#: What Cinder says when no storage of the type has room.
NO_ROOM: Final = "available weighted backend"
NO_VOLUME: Final = gettext_noop("There is no volume “%(name)s”.")
NO_SNAPSHOT: Final = gettext_noop("There is no snapshot “%(name)s” of a volume.")


class VolumeService(Catalogue):
    """Volumes, their snapshots and attachments."""

    def volumes(self, project: str = "") -> Volumes:
        """By name; volumes without a name come first."""
        return sorted(map(volume_of, self._listed("volumes", project)), key=lambda volume: (volume.name, volume.id))

    def volume_snapshots(self, project: str = "") -> VolumeSnapshots:
        found = map(snapshot_of, self._listed("snapshots", project))
        return sorted(found, key=lambda snapshot: (snapshot.name, snapshot.id))

    # -- changing ---------------------------------------------------------------------------------------------------

    def create_volume(
        self, name: str, size_gib: int, *, type: str = "", image: str = "", snapshot: str = "", project: str = ""
    ) -> Volume:
        """A volume, ready for use. The one of this name in the project when its size and type are the same.

        `Rejected` when they differ, or when the size is too small for the image or snapshot; a size of 0 takes the
        snapshot's.
        """
        size_gib = self._fitting(size_gib, image, snapshot)
        self._check_type(type)
        body: Json = {"name": name, "size": size_gib}
        body |= {key: value for key, value in _sources(type, image, snapshot) if value}
        with one_at_a_time(self.session.home, self.where, "volume", project, name):
            known = self._named(name, project)
            if known:
                self._check_same(known, size_gib, type)
                return volume_of(self._await_volume(known["id"], USABLE))
            made = self.rest.post("block_storage", "/volumes", {"volume": body}, project=project)["volume"]
        return volume_of(self._ready_volume(made["id"]))

    def delete_volume(self, volume: str) -> None:
        """Remove a volume and wait until it is gone. `Rejected` while it is attached or has snapshots."""
        known = self._volume(volume)
        if not known:
            return
        volume = known["id"]
        if known["attachments"]:
            raise self._attached(known, _("Detach it first."))
        if names := self._snapshot_names(volume):
            told = {"name": known["name"] or volume, "snapshots": ", ".join(names)}
            message = _("The volume “%(name)s” has snapshots: %(snapshots)s.") % told
            raise Rejected(message, where=self.where, hint=_("Delete them first."))
        self.rest.delete("block_storage", at("/volumes", volume))
        self._await_gone("volumes", volume, "error_deleting")

    def attach_volume(self, volume: str, ref: str) -> Volume:
        """Put a volume into a machine and wait until it is there. `VMNotFound`; `Rejected` when another has it."""
        ref = self._server(ref)["id"]
        with one_at_a_time(self.session.home, self.where, "volume", volume):
            return self._attach(self._settled(volume), ref)

    def _attach(self, known: Json, ref: str) -> Volume:
        """The same of a volume that nobody else moves meanwhile."""
        volume = known["id"]
        if _is_in(known, ref):
            return volume_of(self._await_attached(volume, ref))
        if known["attachments"] and not known.get("multiattach"):
            raise self._attached(known, _("Detach it first."))
        body = {"volumeAttachment": {"volumeId": volume}}
        path = f"{at('/servers', ref)}/os-volume_attachments"
        try:
            self.rest.post("compute", path, body, missing=VMNotFound)
        except Rejected:
            if not _is_in(self._known_volume(volume), ref):  # else somebody else attached it in between
                raise
        return volume_of(self._await_attached(volume, ref))

    def detach_volume(self, volume: str, ref: str = "") -> Volume:
        """Take a volume out of the machine that has it (only out of `ref` when given); fine when it is not there.

        `Rejected` when it went into a machine only now: who may touch that one was not asked.
        """
        meant = {ref} if ref else _refs(self._known_volume(volume))
        with one_at_a_time(self.session.home, self.where, "volume", volume):
            known = self._settled(volume)
            if not meant and known["attachments"]:
                raise self._attached(known)
            for server in sorted(meant & _refs(known)):
                self.rest.delete("compute", f"{at('/servers', server)}/os-volume_attachments/{known['id']}")
                self._await_detached(known["id"], server)
            return volume_of(self._known_volume(known["id"]))

    def extend_volume(self, volume: str, size_gib: int) -> Volume:
        """Let a volume grow and wait for it; an attached one grows, too, where Cinder and its store can."""
        known = self._known_volume(volume)
        volume = known["id"]
        if size_gib < known["size"]:
            told = {"name": known["name"] or volume, "now": known["size"], "wanted": size_gib}
            message = _("The volume “%(name)s” has %(now)d GiB and cannot shrink to %(wanted)d.") % told
            raise Rejected(message, where="size_gib")
        if size_gib > known["size"]:
            path, body = f"{at('/volumes', volume)}/action", {"os-extend": {"new_size": size_gib}}
            self.rest.ask("block_storage", "POST", path, json=body, microversion=ONLINE_EXTEND)
        return volume_of(self._await_volume(volume, USABLE))

    def snapshot_volume(self, volume: str, name: str) -> VolumeSnapshot:
        """Keep a moment of a volume, attached or not; the one of this name when the volume has it."""
        known = self._known_volume(volume)
        volume = known["id"]
        with one_at_a_time(self.session.home, self.where, "snapshot", volume, name):
            taken = next((item for item in self._snapshots_of(volume) if item["name"] == name), None)
            if taken:
                return snapshot_of(self._await_snapshot(taken["id"]))
            body = {"volume_id": known["id"], "name": name, "force": True}
            home = self._project_of(known)
            made = self.rest.post("block_storage", "/snapshots", {"snapshot": body}, project=home)["snapshot"]
        with ExitStack() as undo:
            undo.callback(self._discard, at("/snapshots", made["id"]))
            ready = self._await_snapshot(made["id"])
            undo.pop_all()
        return snapshot_of(ready)

    def delete_volume_snapshot(self, snapshot: str) -> None:
        if self._one("snapshots", snapshot):
            self.rest.delete("block_storage", at("/snapshots", snapshot))
            self._await_gone("snapshots", snapshot, "error_deleting")

    # -- looking, inside --------------------------------------------------------------------------------------------

    def _listed(self, kind: str, project: str, **query: str) -> Iterable[Json]:
        """Of all projects, which Cinder reads as “of the own” when the account is no administrator; or of one."""
        query = {"limit": str(PAGE)} | query
        if project and not self._rules():
            return self.rest.pages("block_storage", f"/{kind}/detail", kind, query, project=project)
        query["all_tenants"] = "1"
        if project:
            query["project_id"] = self.project_id(project)  # Cinder hears this from administrators only
        return self.rest.pages("block_storage", f"/{kind}/detail", kind, query)

    def _rules(self) -> bool:
        """Whether the account is an administrator of the cloud."""
        return "admin" in self.session.access().role_names

    def _one(self, kind: str, key: str) -> Json | None:
        return self.rest.optional("block_storage", at(f"/{kind}", key), kind.removesuffix("s"))

    def _volume(self, volume: str) -> Json | None:
        return self._one("volumes", volume)

    def _known_volume(self, volume: str) -> Json:
        found = self._volume(volume)
        if not found:
            raise missing(_(NO_VOLUME), volume, self._listed("volumes", ""), self.where)
        return found

    def _named(self, name: str, project: str) -> Json | None:
        """The volume of this name in a project; names are not unique, so the oldest."""
        owner = self.project_id(project)
        known = self._listed("volumes", project, name=name)
        found = [item for item in known if _owner(item) in (owner, "") and item["status"] != "deleting"]
        return min(found, key=lambda item: (item["created_at"], item["id"]), default=None)

    def _project_of(self, volume: Json) -> str:
        """The name of the project that has a volume, "" for our own: what is made of it shall belong there, too."""
        owner = _owner(volume)
        if owner in ("", self.session.project_id()):
            return ""
        return next((str(project["name"]) for project in self._known_projects() if project["id"] == owner), "")

    def _snapshots_of(self, volume: str) -> list[Json]:
        return list(self._listed("snapshots", "", volume_id=volume))

    def _snapshot_names(self, volume: str) -> list[str]:
        return sorted(item["name"] or item["id"] for item in self._snapshots_of(volume))

    def _server(self, ref: str) -> Json:
        found = self.rest.optional("compute", at("/servers", ref), "server")
        if not found:
            raise VMNotFound(_("There is no machine “%(name)s”.") % {"name": ref}, where=self.where)
        return found

    def _machines(self, volume: Json) -> str:
        """The machines that have a volume, by name, as far as the account may see them."""
        refs = [str(attachment["server_id"] or "?") for attachment in volume["attachments"]]
        servers = (self.rest.optional("compute", at("/servers", ref), "server") or {"name": ref} for ref in refs)
        return ", ".join(f"“{server['name']}”" for server in servers)

    # -- checking ---------------------------------------------------------------------------------------------------

    def _attached(self, volume: Json, hint: str = "") -> Rejected:
        told = {"name": volume["name"] or volume["id"], "machines": self._machines(volume)}
        message = _("The volume “%(name)s” is attached to %(machines)s.") % told
        return Rejected(message, where=self.where, hint=hint)

    def _fitting(self, size_gib: int, image: str, snapshot: str) -> int:
        """The size, checked against what shall go into the volume."""
        least = 1
        if snapshot:
            taken = self._one("snapshots", snapshot)
            if not taken:
                raise missing(_(NO_SNAPSHOT), snapshot, self._listed("snapshots", ""), self.where)
            least = taken["size"]
            size_gib = size_gib or least
        if image:
            known = self._known_image(image)
            bytes_needed = max(known.get("virtual_size") or 0, known.get("size") or 0)
            least = max(known.get("min_disk") or 0, -(-bytes_needed // 2**30), least)
        if size_gib < least:
            told = {"wanted": size_gib, "least": least}
            raise Rejected(_("%(wanted)d GiB are too few: it takes %(least)d.") % told, where="size_gib")
        return size_gib

    def _check_type(self, type: str) -> None:
        if type:
            known = self.rest.get("block_storage", "/types")["volume_types"]
            if type not in {name for item in known for name in (item["name"], item["id"])}:
                raise missing(_("There is no volume type “%(name)s”."), type, known, self.where)

    def _check_same(self, known: Json, size_gib: int, type: str) -> None:
        if known["size"] == size_gib and type in ("", known["volume_type"]):
            return
        message = _("There is a volume “%(name)s” already, of %(size)d GiB and type %(type)s.")
        told = {"name": known["name"], "size": known["size"], "type": known["volume_type"]}
        raise Rejected(message % told, where=self.where, hint=_("Choose another name."))

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _await_volume(self, volume: str, wanted: frozenset[str]) -> Json:
        """The volume once it is in a wanted status; its fault when it ends in an error."""

        def look() -> Json | None:
            known = self._known_volume(volume)
            if known["status"].startswith("error"):
                raise self._fault(known)
            return known if known["status"] in wanted else None

        return wait_for(look, volume, self.where, VOLUME_SECONDS)

    def _settled(self, volume: str) -> Json:
        """The volume once it is on no way: a repeated request must not judge what the first has half done."""

        def look() -> Json | None:
            known = self._known_volume(volume)
            return None if known["status"] in MOVING else known

        return wait_for(look, volume, self.where, ATTACH_SECONDS)

    def _await_attached(self, volume: str, ref: str) -> Json:
        def look() -> Json | None:
            known = self._known_volume(volume)
            if known["status"] in ("available", "error_attaching", "error"):
                raise self._fault(known)
            return known if known["status"] == "in-use" and _is_in(known, ref) else None

        return wait_for(look, volume, self.where, ATTACH_SECONDS)

    def _await_detached(self, volume: str, ref: str) -> None:
        def look() -> Json | None:
            known = self._known_volume(volume)
            if known["status"].startswith("error"):
                raise self._fault(known)
            return None if known["status"] == "detaching" or _is_in(known, ref) else known

        wait_for(look, volume, self.where, ATTACH_SECONDS)

    def _await_gone(self, kind: str, key: str, failed: str) -> None:
        def look() -> bool | None:
            known = self._one(kind, key)
            if known and known["status"] == failed:
                raise self._fault(known)
            return None if known else True

        wait_for(look, key, self.where, VOLUME_SECONDS)

    def _await_snapshot(self, snapshot: str) -> Json:
        def look() -> Json | None:
            known = self._one("snapshots", snapshot)
            if not known or known["status"] == "error":
                raise self._fault(known or {"id": snapshot, "name": "", "status": "gone"})
            return known if known["status"] == "available" else None

        return wait_for(look, snapshot, self.where, VOLUME_SECONDS)

    def _fault(self, item: Json) -> HypervisorError:
        """Why a volume or snapshot went wrong, as far as Cinder tells users."""
        query = {"resource_uuid": item["id"]}
        told = self.rest.get("block_storage", "/messages", query, microversion=MESSAGES)["messages"]
        reason = " ".join(message["user_message"] for message in told) or _("Cinder gives no reason.")
        names = {"name": item["name"] or item["id"], "status": item["status"], "reason": reason}
        kind = CapacityExceeded if NO_ROOM in reason else Rejected
        return kind(_("“%(name)s” ended as “%(status)s”: %(reason)s") % names, where=self.where)

    # -- undoing ----------------------------------------------------------------------------------------------------

    def _ready_volume(self, volume: str) -> Json:
        """A volume that was made just now, once it can be used; it does not stay when it fails."""
        with ExitStack() as undo:
            undo.callback(self._discard, at("/volumes", volume))
            ready = self._await_volume(volume, USABLE)
            undo.pop_all()
        return ready

    def _discard(self, path: str) -> None:
        """Remove what did not become ready, or is not needed any more."""
        log_left(self.where, partial(self.rest.delete, "block_storage"), path)


def volume_of(item: Json) -> Volume:
    return Volume(
        id=item["id"],
        name=item["name"] or "",
        status=item["status"],
        size_gib=item["size"],
        type=item.get("volume_type") or "",
        bootable=str(item.get("bootable")).lower() == "true",
        attachments=tuple(Attachment(one["server_id"], one.get("device") or "") for one in item["attachments"]),
        created_at=when(item.get("created_at")),
    )


def snapshot_of(item: Json) -> VolumeSnapshot:
    return VolumeSnapshot(
        id=item["id"],
        name=item["name"] or "",
        volume_id=item["volume_id"],
        status=item["status"],
        size_gib=item["size"],
        created_at=when(item.get("created_at")),
    )


def _sources(type: str, image: str, snapshot: str) -> Iterable[tuple[str, str]]:
    return ("volume_type", type), ("imageRef", image), ("snapshot_id", snapshot)


def _owner(item: Json) -> str:
    return str(item.get("os-vol-tenant-attr:tenant_id") or "")


def _is_in(volume: Json, ref: str) -> bool:
    return ref in _refs(volume)


def _refs(volume: Json) -> set[str]:
    return {attachment["server_id"] for attachment in volume["attachments"] if attachment["server_id"]}
