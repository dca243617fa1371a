"""What an uploaded image is, told by its content, and which ones are refused because they point at other files.

A disk that names a backing or data file would have the cloud read a file of its own host. Pure: no Django, no cloud.
"""

from __future__ import annotations

import re
from typing import BinaryIO, Final

from olimpus.errors import Invalid
from olimpus.words import gettext as _

FORMATS: Final = ("qcow2", "raw", "iso", "vmdk", "vdi", "vhd")
#: Where each format has which bytes; `raw` has none.
MAGIC: Final = (
    ("qcow2", 0, b"QFI\xfb"),
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"COWD"),
    ("vmdk", 0, b"# Disk DescriptorFile"),
    ("vdi", 64, b"\x7f\x10\xda\xbe"),
    ("vhdx", 0, b"vhdxfile"),  # may have parents deep inside: not accepted
    ("vhd", 0, b"conectix"),
    ("iso", 32769, b"CD001"),
)
HEAD: Final = 36_000
#: Of qcow2: an incompatible feature says that the data is in another file.
EXTERNAL_DATA: Final = 1 << 2
#: Of VMDK: one file that holds everything.
WHOLE_VMDK: Final = frozenset({b"monolithicSparse", b"streamOptimized"})
DESCRIPTOR_AT, DESCRIPTOR_SIZE, SECTOR = 28, 36, 512
LONGEST_DESCRIPTOR, FARTHEST_DESCRIPTOR = 65_536, 2**40
#: Of VHD: 4 is a difference to another; of VDI: 1 and 2 are not.
VHD_TYPE_AT, VDI_TYPE_AT = 60, 76


def inspect(file: BinaryIO, wanted: str = "") -> str:
    """The format of the image; the file is at its beginning afterwards. `Invalid`: another one than wanted, or unsafe."""
    file.seek(0)
    head = file.read(HEAD)
    found = next((name for name, at, magic in MAGIC if head[at : at + len(magic)] == magic), "raw")
    if wanted and wanted != found:
        told = {"wanted": wanted, "found": found}
        raise Invalid(_("This is no %(wanted)s image; it looks like %(found)s.") % told, where="format")
    if not _whole(found, head, file):
        hint = _("Convert it first, for example with qemu-img convert -O qcow2.")
        raise Invalid(_("The image needs another file beside it, or its header is damaged."), where="file", hint=hint)
    file.seek(0)
    return found


def _whole(format: str, head: bytes, file: BinaryIO) -> bool:
    """Whether the image surely holds all of its data."""
    if format == "qcow2":
        return _whole_qcow2(head)
    if format == "vmdk":
        return _whole_vmdk(head, file)
    if format == "vhd":
        return int.from_bytes(head[VHD_TYPE_AT : VHD_TYPE_AT + 4], "big") in (2, 3)
    if format == "vdi":
        return int.from_bytes(head[VDI_TYPE_AT : VDI_TYPE_AT + 4], "little") in (1, 2)
    return format in FORMATS


def _whole_qcow2(head: bytes) -> bool:
    if len(head) < 72:
        return False
    version, backing = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:16], "big")
    features = int.from_bytes(head[72:80], "big") if version >= 3 else 0
    return not backing and not features & EXTERNAL_DATA


def _whole_vmdk(head: bytes, file: BinaryIO) -> bool:
    at = SECTOR * int.from_bytes(head[DESCRIPTOR_AT : DESCRIPTOR_AT + 8], "little")
    size = SECTOR * int.from_bytes(head[DESCRIPTOR_SIZE : DESCRIPTOR_SIZE + 8], "little")
    if not head.startswith(b"KDMV") or not 0 < size <= LONGEST_DESCRIPTOR or at > FARTHEST_DESCRIPTOR:
        return False
    file.seek(at)
    kind = re.search(rb'createType="(\w+)"', file.read(size))
    return kind is not None and kind[1] in WHOLE_VMDK
