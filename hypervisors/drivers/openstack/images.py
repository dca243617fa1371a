"""Images: sent from files, removed, and made of machines that somebody prepared."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, Final

from hypervisors.drivers.cloud import Image
from hypervisors.drivers.locks import one_at_a_time
from hypervisors.drivers.openstack.catalogue import image_of
from hypervisors.drivers.openstack.plan import SNAPSHOT_OF
from hypervisors.drivers.openstack.rest import Json, at, log_left, missing, wait_for
from hypervisors.drivers.openstack.volumes import VolumeService
from olimpus.errors import HypervisorError, Rejected, Transient
from olimpus.words import gettext as _

log = logging.getLogger(__name__)

CHUNK: Final = 1 << 20
HEAD: Final = 16  # bytes by which a format is known
UPLOAD_SECONDS: Final = 600.0  # how long Glance may be silent after the last byte, and until an image is active
PUBLISH_SECONDS: Final = 3600.0
FREE: Final = frozenset({"available"})
#: How a file of the format begins. An image that is not what it says it is fails on its first machine, or worse:
#: a “raw” one that is a qcow2 can name a file of the host as its backing file.
MAGIC: Final = {"qcow2": b"QFI\xfb", "vhdx": b"vhdxfile", "vmdk": b"KDMV"}
#: What our properties of images begin with.
MARK: Final = "olimpus_"
#: Property of an image: the machine that it was made of.
PUBLISHED_FROM: Final = "olimpus_published_from"


class ImageService(VolumeService):
    """Upload, delete, publish."""

    def upload_image(self, name: str, data: BinaryIO, format: str, *, public: bool = False) -> Image:
        """Send an image piece by piece. `Rejected`: unknown format, a file of another format, an empty file, name taken."""
        self._check_format(format)
        head = data.read(HEAD)
        self._check_head(head, format)
        body = {"name": name, "disk_format": format, "container_format": "bare"}
        with one_at_a_time(self.session.home, self.where, "image", name):
            self._check_free(name)
            body["visibility"] = "public" if public else "private"
            image = self.rest.post("image", "/images", body)["id"]
        with ExitStack() as undo:
            undo.callback(log_left, self.where, self.delete_image, image)
            sent = Upload(head, data)
            headers = {"Content-Type": "application/octet-stream"}
            path = f"{at('/images', image)}/file"
            self.rest.ask("image", "PUT", path, data=sent.body(), headers=headers, timeout=UPLOAD_SECONDS)
            ready = self._await_image(image, UPLOAD_SECONDS)
            if ready["size"] != sent.sent:
                raise Transient(_("The image did not arrive whole."), where=self.where)
            undo.pop_all()
        return image_of(ready)

    def delete_image(self, image: str) -> None:
        """Remove an image by id. `Rejected` when it is protected, a volume stands on it, or it is a machine's snapshot."""
        if known := self._image(image):
            if known.get(SNAPSHOT_OF):
                message = _("“%(name)s” is a snapshot of a machine.") % {"name": known["name"]}
                raise Rejected(message, where=self.where, hint=_("Delete it there, by its name."))
            self.rest.delete("image", at("/images", image))

    def publish(self, ref: str, name: str) -> Image:
        """Make an image of a machine that is off and wait until it is active. Repeated, the same image.

        A machine whose system disk is a volume gets an image of its own, too, not one that leans on that volume.
        `Rejected` when it is not off, or when another image has the name; `VMNotFound`.
        """
        server = self._server(ref)
        with one_at_a_time(self.session.home, self.where, "publish", ref), ExitStack() as undo:
            if not server["image"]:
                undo.callback(self._forget_copies, ref)
            known = self._published(ref, name)
            image = known or self._made(server, name)
            try:
                ready = self._await_image(image, PUBLISH_SECONDS)
                self._unmark(ready)
            except HypervisorError as error:
                if not known and not error.retry:  # else the next attempt goes on with it
                    log_left(self.where, self.delete_image, image)
                raise
        return image_of(ready)

    # -- making images of machines ----------------------------------------------------------------------------------

    def _published(self, ref: str, name: str) -> str:
        """The id of the image that was made of this machine under this name, or ""."""
        query = {"name": name, PUBLISHED_FROM: ref}
        found = self.rest.pages("image", "/images", "images", query)
        return next((str(item["id"]) for item in found if item["status"] not in ("deleted", "killed")), "")

    def _made(self, server: Json, name: str) -> str:
        self._check_off(server)
        self._check_free(name)
        return self._from_disk(server, name) if server["image"] else self._from_volume(server, name)

    def _from_disk(self, server: Json, name: str) -> str:
        """Ask Nova, which hands on the properties of the machine's own image: those of a snapshot after a revert."""
        marks = {PUBLISHED_FROM: server["id"], SNAPSHOT_OF: ""}
        body = {"createImage": {"name": name, "metadata": marks}}
        return str(self.rest.post("compute", f"{at('/servers', server['id'])}/action", body)["image_id"])

    def _unmark(self, image: Json) -> None:
        """Take away what was handed on: this is no snapshot, but an image to make machines from."""
        marks = [key for key in image if key.startswith(MARK) and key != PUBLISHED_FROM]
        if marks:
            patch = [{"op": "remove", "path": f"/{key}"} for key in marks]
            headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
            self.rest.ask("image", "PATCH", at("/images", image["id"]), json=patch, headers=headers)

    def _from_volume(self, server: Json, name: str) -> str:
        """Ask Cinder, by way of a copy: it makes no image of a volume that is attached."""
        root = self._root_volume(server)
        copy = self._copy(server["id"], root)
        action = f"{at('/volumes', copy['id'])}/action"
        mark = {"os-set_image_metadata": {"metadata": {PUBLISHED_FROM: server["id"]}}}
        self.rest.ask("block_storage", "POST", action, json=mark)
        format = root.get("volume_image_metadata", {}).get("disk_format", "raw")
        wanted = {"image_name": name, "disk_format": format if format in ("raw", "qcow2") else "raw"}
        body = {"os-volume_upload_image": wanted | {"container_format": "bare", "force": False}}
        return str(self.rest.post("block_storage", action, body)["os-volume_upload_image"]["image_id"])

    def _root_volume(self, server: Json) -> Json:
        """The volume that a machine starts from."""
        attached = [self._known_volume(item["id"]) for item in server["os-extended-volumes:volumes_attached"]]
        root = server.get("OS-EXT-SRV-ATTR:root_device_name") or ""
        first = [volume for volume in attached if any(one["device"] == root for one in volume["attachments"])]
        bootable = [volume for volume in attached if str(volume["bootable"]).lower() == "true"]
        for volume in first or bootable:
            return volume
        message = _("“%(name)s” has no system disk that could become an image.") % {"name": server["name"]}
        raise Rejected(message, where=self.where)

    def _copy(self, ref: str, root: Json) -> Json:
        """A copy of the system disk; the one that an attempt left behind which died."""
        name = _copy_name(ref)
        known = self._named(name, "")
        if known:
            return self._await_volume(known["id"], FREE)
        body = {"name": name, "size": root["size"], "source_volid": root["id"]}
        return self._ready_volume(self.rest.post("block_storage", "/volumes", {"volume": body})["volume"]["id"])

    def _forget_copies(self, ref: str) -> None:
        """A copy is free again a moment after its image is active."""
        for copy in list(self._listed("volumes", "", name=_copy_name(ref))):
            try:
                self._await_volume(copy["id"], FREE)
            except HypervisorError as error:
                log.warning("%s: the copy %s: %s", self.where, copy["id"], error)
            self._discard(at("/volumes", copy["id"]))

    def _check_off(self, server: Json) -> None:
        if server["status"] == "SHUTOFF":
            return
        message = _("“%(name)s” is not off, but %(status)s.") % {"name": server["name"], "status": server["status"]}
        raise Rejected(message, where=self.where, hint=_("Stop it first, so that its disk is complete."))

    # -- checking ---------------------------------------------------------------------------------------------------

    def _check_format(self, format: str) -> None:
        schema = self.rest.get("image", "/schemas/image")
        known = [item for item in schema["properties"]["disk_format"].get("enum", [format]) if item]
        if format not in known:
            names = [{"id": name} for name in known]
            error = missing(_("This cloud takes no images of format “%(name)s”."), format, names, "format")
            raise Rejected(error.message, where="format", hint=error.hint)

    def _check_head(self, head: bytes, format: str) -> None:
        if not head:
            raise Rejected(_("The file is empty."), where="file")
        told = next((name for name, magic in MAGIC.items() if head.startswith(magic)), "")
        if told == format or (not told and format not in MAGIC):
            return
        if not told and format == "vmdk" and head.startswith(b"# Disk Descripto"):
            return
        if told:
            message = _("The file is no %(format)s image, but %(told)s.") % {"format": format, "told": told}
        else:
            message = _("The file is no %(format)s image.") % {"format": format}
        raise Rejected(message, where="file", hint=_("Say which format it has, or convert it."))

    def _check_free(self, name: str) -> None:
        taken = next(self.rest.pages("image", "/images", "images", {"name": name}), None)
        if taken:
            message = _("There is an image “%(name)s” already.") % {"name": name}
            raise Rejected(message, where="name", hint=_("Choose another name, or delete that image first."))

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _await_image(self, image: str, seconds: float) -> Json:
        """The image once it is active. `Rejected` when it failed: then Nova, Cinder or Glance took it away again."""

        def look() -> Json | None:
            known = self._image(image)
            if not known or known["status"] in ("killed", "deleted", "error"):
                raise Rejected(_("The image failed while it was made."), where=self.where)
            return known if known["status"] == "active" else None

        return wait_for(look, image, self.where, seconds)


class Upload:
    """A file on its way: read while it is sent, so that it is never in memory; `sent` counts its bytes.

    Its length is told where the file has one, as some servers in front of Glance take no body without.
    """

    def __init__(self, head: bytes, data: BinaryIO):
        self._head = head
        self._data = data
        self._begun = False
        self.sent = 0
        self._length = len(head) + _left(data) if data.seekable() else None

    def body(self) -> Upload | Iterator[bytes]:
        """What requests sends: with a length, or in chunks."""
        return self if self._length is not None else iter(self)

    def __len__(self) -> int:
        return self._length or 0

    def __iter__(self) -> Iterator[bytes]:
        if self._begun:
            # The connection broke, or the token was refused, after the file was read.
            raise OSError(_("The file cannot be sent a second time."))
        self._begun = True
        chunk = self._head
        while chunk:
            self.sent += len(chunk)
            yield chunk
            chunk = self._data.read(CHUNK)


def _left(data: BinaryIO) -> int:
    """How many bytes are still to be read."""
    here = data.tell()
    end = data.seek(0, 2)
    data.seek(here)
    return end - here


def _copy_name(ref: str) -> str:
    return f"olimpus-publish-{ref}"
