"""Files in an ext2, ext3 or ext4 file system, by the tools of e2fsprogs: it is never mounted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.guestdisk.program import tools

#: What `ls -p` says of an entry: inode, mode, user, group, name, size (none for folders).
ENTRY = re.compile(r"/(\d+)/([0-7]{6})/(\d+)/(\d+)/([^/]+)/(\d*)/")
REGULAR = 0o100000
#: The bit of e2fsck's answer from which on something is left that it could not repair by itself.
BROKEN = 4


class Entry(NamedTuple):
    """What a folder says about one of its files."""

    mode: int
    user: int
    group: int
    size: int


@dataclass(frozen=True)
class Wanted:
    """A file of root's, by its name in some folder."""

    name: str
    text: str
    mode: int


class Ext:
    """One file system, by the path of the file that it is; `folder` is where nobody may read what is carried in."""

    def __init__(self, device: str, folder: str):
        self._device = device
        self._folder = folder

    def repair(self) -> None:
        """Replay the journal, as a boot would after the power was cut; quick when there is nothing to do."""
        done = tools.run("e2fsck", "-p", self._device)
        if done.returncode >= BROKEN:
            raise Refused("damaged", error=(tools.complaint(done) or done.stdout.strip())[-400:])

    def names(self, folder: str) -> list[str] | None:
        """What is in a folder; None when there is no such folder. A link to one is none."""
        entries = self._entries(folder)
        return None if entries is None else sorted(entries)

    def bring(self, folder: str, files: Sequence[Wanted], others: Iterable[str]) -> None:
        """In this folder are these files, and none of the others. What is so already is not written."""
        gone = self._there(folder, others)
        if not (late := self._differing(folder, files)) and not gone:
            return
        lines = [f"cd {word(folder)}", *self._removals(folder, late, gone), *self._writings(late)]
        done = tools.run("debugfs", "-w", "-f", "-", self._device, data="".join(f"{line}\n" for line in lines))
        if self._differing(folder, files) or self._there(folder, gone):
            raise Refused("not-written", folder=folder, error=tools.complaint(done))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _entries(self, folder: str) -> dict[str, Entry] | None:
        rows = [ENTRY.fullmatch(line) for line in self._asked(f"ls -p {word(folder)}").splitlines()]
        found = {row[5]: Entry(int(row[2], 8), int(row[3]), int(row[4]), int(row[6] or 0)) for row in rows if row}
        return found if "." in found else None

    def _there(self, folder: str, names: Iterable[str]) -> list[str]:
        entries = self._entries(folder) or {}
        return [name for name in names if name in entries]

    def _differing(self, folder: str, files: Sequence[Wanted]) -> list[Wanted]:
        """Those that are not there as they are wanted."""
        entries = self._entries(folder) or {}
        return [file for file in files if not self._is(folder, file, entries.get(file.name))]

    def _is(self, folder: str, file: Wanted, there: Entry | None) -> bool:
        wanted = Entry(REGULAR | file.mode, 0, 0, len(file.text.encode()))
        return there == wanted and self._asked(f"cat {word(f'{folder}/{file.name}')}") == file.text

    def _removals(self, folder: str, files: Sequence[Wanted], gone: Sequence[str]) -> list[str]:
        replaced = self._there(folder, [file.name for file in files])
        return [f"rm {word(name)}" for name in (*gone, *replaced)]

    def _writings(self, files: Sequence[Wanted]) -> Iterator[str]:
        """debugfs writes into the folder that it is in: some versions take a path for a name."""
        for number, file in enumerate(files):
            copy = os.path.join(self._folder, f"file-{number}")
            with open(copy, "w", encoding="utf-8", newline="") as written:
                written.write(file.text)
            yield f"write {word(copy)} {word(file.name)}"
            for field, value in (("mode", f"0{REGULAR | file.mode:o}"), ("uid", "0"), ("gid", "0")):
                yield f"set_inode_field {word(file.name)} {field} {value}"

    def _asked(self, line: str) -> str:
        return tools.run("debugfs", "-R", line, self._device).stdout


def word(text: str) -> str:
    """A text as one word of debugfs' language, in quotes; `Refused` for what cannot be one.

    Inside quotes two quotes are one, and nothing else means anything.
    """
    if not text or not text.isprintable():
        raise Refused("failed", command="debugfs", error=f"no name: {text!r}")
    return '"' + text.replace('"', '""') + '"'
