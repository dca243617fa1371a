"""What is known of an image on a worker: a sheet of JSON beside its volume, written when the volume is whole. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final

from hypervisors.drivers.cloud import Image
from hypervisors.drivers.linux import qcow2
from hypervisors.images import inspect
from olimpus.errors import Invalid, Rejected
from olimpus.words import gettext as _

#: What the hypervisor takes as it is.
FORMATS: Final = ("qcow2", "raw", "iso")
PREFIX, SUFFIX = "image-", ".json"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
GIB: Final = 1024**3
CHUNK: Final = 256 * 1024
#: Where the header of qcow2 has the size of the disk inside.
QCOW2_SIZE: Final = slice(24, 32)


@dataclass(frozen=True)
class Base:
    """A volume on a worker that disks can stand on, or that is put in as a CD."""

    volume: str
    format: str  # qcow2, raw, iso
    virtual_bytes: int
    sha256: str


@dataclass(frozen=True)
class Sheet:
    """One image. The same on all workers that have it."""

    name: str
    format: str
    size_bytes: int  # of the file
    virtual_bytes: int  # of the disk inside
    sha256: str  # of the file
    created_at: str  # ISO 8601, UTC
    source: str = ""  # the `ref` of the machine that it was made of; "" when it was sent from a file
    copied_at: str = ""  # to this worker; all the rest is the same on all

    @property
    def volume(self) -> str:
        return volume_of(self.name)

    @property
    def base(self) -> Base:
        return Base(self.volume, self.format, self.virtual_bytes, self.sha256)

    def dump(self) -> bytes:
        """As it is kept."""
        return json.dumps(asdict(self)).encode()

    def image(self, status: str, hosts: tuple[str, ...]) -> Image:
        """As catalogues show it."""
        disk = 0 if self.format == "iso" else math.ceil(self.virtual_bytes / GIB)
        return Image(
            id=self.name,
            name=self.name,
            status=status,
            format=self.format,
            size_bytes=self.size_bytes,
            min_disk_gib=disk,
            visibility="public",
            created_at=datetime.fromisoformat(self.created_at),
            hosts=hosts,
            sha256=self.sha256,
        )


def parse(data: bytes) -> Sheet | None:
    """The sheet; None for what is none, or half of one."""
    try:
        told = json.loads(data)
        sheet = Sheet(**{name: told[name] for name in Sheet.__dataclass_fields__ if name in told})
        datetime.fromisoformat(sheet.created_at)
        int(sheet.size_bytes), int(sheet.virtual_bytes)
    except (ValueError, TypeError, KeyError):
        return None
    return sheet


def volume_of(name: str) -> str:
    """The volume of an image."""
    return f"{PREFIX}{name}"


def sheet_of(name: str) -> str:
    """The volume of an image's sheet."""
    return f"{PREFIX}{name}{SUFFIX}"


def image_of(volume: str) -> str:
    """The name of the image that a volume, or a sheet, belongs to; "" for others."""
    name = volume.removeprefix(PREFIX).removesuffix(SUFFIX)
    return name if volume.startswith(PREFIX) and is_name(name) else ""


def is_name(name: str) -> bool:
    """Whether an image may be called so."""
    return NAME.fullmatch(name) is not None and not name.endswith(SUFFIX)


def require_name(name: str) -> None:
    """`Rejected` unless an image may be called so."""
    if not is_name(name):
        hint = _("Letters, digits, dots, “-” and “_”; it begins with a letter or digit, and does not end with .json.")
        raise Rejected(_("This is no name for an image."), where="name", hint=hint)


def look(name: str, file: BinaryIO, format: str = "") -> Sheet:
    """What the file is: its format by its content, its sizes, its checksum. The file is at its beginning afterwards.

    `Rejected`: another format than wanted, one that is not taken as it is, an empty file, a disk that names another file
    or lacks its end.
    """
    require_name(name)
    try:
        found = inspect(file, format)
    except Invalid as error:
        raise Rejected(error.message, where=error.where, hint=error.hint) from None
    if found not in FORMATS:
        hint = _("Convert it first, for example with qemu-img convert -O qcow2.")
        raise Rejected(_("Images of format “%s” are not taken here.") % found, where="format", hint=hint)
    head = file.read(qcow2.HEAD)
    if found == "qcow2" and not qcow2.is_complete(head, file):
        hint = _("It may have been cut off on its way: fetch it again, and compare its checksum.")
        raise Rejected(_("The image ends before its data does, or its tables are damaged."), where="file", hint=hint)
    file.seek(0)
    passing = Passing(pieces(file))
    size = sum(len(piece) for piece in iter(passing.read, b""))
    file.seek(0)
    if not size:
        raise Rejected(_("The file is empty."), where="file")
    virtual = int.from_bytes(head[QCOW2_SIZE], "big") if found == "qcow2" else size
    return Sheet(name, found, size, virtual, passing.sha256, now())


def now() -> str:
    """As sheets tell time."""
    return datetime.now(UTC).isoformat()


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file, bounded in memory."""
    return iter(lambda: file.read(CHUNK), b"")


class Passing:
    """A file to be read once, from pieces on their way: `sha256` is of what has gone by."""

    def __init__(self, pieces: Iterator[bytes], heard: Callable[[], None] = lambda: None):
        self._pieces = pieces
        self._heard = heard
        self._hash = hashlib.sha256()

    def read(self, _size: int = -1) -> bytes:
        """The next piece; b"" at the end."""
        piece = next(self._pieces, b"")
        self._hash.update(piece)
        self._heard()
        return piece

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
