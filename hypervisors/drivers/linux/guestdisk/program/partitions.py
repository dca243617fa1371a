"""What a disk is divided into, and which file systems are there."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypervisors.drivers.linux.guestdisk.program import tools

EXT = frozenset({"ext2", "ext3", "ext4"})


@dataclass(frozen=True)
class Part:
    """A part of a disk; `start` and `size` are bytes, number 0 is a disk without partitions, `kind` "" is unknown."""

    number: int
    start: int
    size: int
    kind: str = ""


def parts_of(raw: str, size: int) -> list[Part]:
    """The partitions of a disk (GPT, MBR with its logical ones…) with what is in each; else the disk as a whole."""
    table = table_from(tools.run("sfdisk", "--json", raw).stdout)
    parts = [part for part in table if part.start + part.size <= size] or [Part(0, 0, size)]
    return [Part(part.number, part.start, part.size, _kind(raw, part)) for part in parts]


def table_from(said: str) -> list[Part]:
    """The partitions that sfdisk tells; none where it tells none."""
    table = json.loads(said or "{}").get("partitiontable") or {}
    sector = int(table.get("sectorsize") or 512)
    rows = [(int(one["start"]) * sector, int(one["size"]) * sector) for one in table.get("partitions") or ()]
    return [Part(number, start, size) for number, (start, size) in enumerate(rows, 1)]


def _kind(raw: str, part: Part) -> str:
    place = ("--offset", str(part.start), "--size", str(part.size))
    return kind_from(tools.run("blkid", "--probe", *place, "--output", "export", raw).stdout)


def kind_from(said: str) -> str:
    """The file system, LVM or encryption that blkid tells; "" where it tells none."""
    found = dict(line.partition("=")[::2] for line in said.splitlines())
    return found.get("TYPE", "")
