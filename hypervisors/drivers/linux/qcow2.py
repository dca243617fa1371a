"""Whether a qcow2 file holds all that its tables name: an upload or a download that was cut off does not. Pure.

Format: https://www.qemu.org/docs/master/interop/qcow2.html
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator
from typing import BinaryIO, Final

#: Bytes of a header, of all versions.
HEAD: Final = 112
#: What headers may say.
CLUSTER_BITS: Final = range(9, 22)
LARGEST_TABLE: Final = 32 * 1024**2
#: An incompatible feature: entries of twice the size.
EXTENDED: Final = 1 << 4
#: In entries of both tables: where something begins. Of a compressed cluster: that it is one.
OFFSET: Final = 0x00FF_FFFF_FFFF_FE00
COMPRESSED: Final = 1 << 62
ENTRY: Final = 8


def is_complete(head: bytes, file: BinaryIO) -> bool:
    """Whether every cluster that the tables name begins inside the file; False for a header that makes no sense.

    `head` are its first bytes (`HEAD`). Reads the tables only: 1 MiB for 8 GiB.
    """
    version, bits, size = _number(head, 4, 4), _number(head, 20, 4), _number(head, 24, 8)
    entries, at = _number(head, 36, 4), _number(head, 40, 8)
    if bits not in CLUSTER_BITS or entries * ENTRY > LARGEST_TABLE:
        return False
    words = 2 if version >= 3 and _number(head, 72, 8) & EXTENDED else 1
    per_table = (1 << bits) // (ENTRY * words)
    if entries * per_table << bits < size:
        return False
    first, end = _table(file, at, entries * ENTRY), file.seek(0, os.SEEK_END)
    return len(first) == entries and all(place < end for place in _places(file, first, 1 << bits, words))


def _places(file: BinaryIO, tables: array[int], cluster: int, words: int) -> Iterator[int]:
    """Where clusters begin, and of a table that is not whole a place that is nowhere."""
    compressed = (1 << (62 - (cluster.bit_length() - 1 - 8))) - 1
    for at in (one & OFFSET for one in tables if one & OFFSET):
        table = _table(file, at, cluster)
        if len(table) * ENTRY < cluster:
            yield sys.maxsize
        yield from (one & compressed if one & COMPRESSED else one & OFFSET for one in table[::words])


def _table(file: BinaryIO, at: int, size: int) -> array[int]:
    """The numbers there, as many as the file has."""
    file.seek(at)
    data = file.read(size)
    numbers = array("Q", data[: len(data) // ENTRY * ENTRY])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _number(head: bytes, at: int, size: int) -> int:
    return int.from_bytes(head[at : at + size], "big")
