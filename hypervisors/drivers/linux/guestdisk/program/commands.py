"""The one command: these files are in the guest's folders, wherever they are. It may be repeated."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.guestdisk.program import tools
from hypervisors.drivers.linux.guestdisk.program.export import own_folder, shown
from hypervisors.drivers.linux.guestdisk.program.ext import Ext, Wanted
from hypervisors.drivers.linux.guestdisk.program.partitions import EXT, Part, parts_of

Json = dict[str, Any]
#: Makes a file of a part of the disk, or of all of it (None).
Show = Callable[..., AbstractContextManager[str]]


def answers(requests: Sequence[Mapping[str, Any]]) -> list[Json]:
    """What the program says to each."""
    return [answer(one) for one in requests]


def answer(request: Mapping[str, Any]) -> Json:
    """What the program says to a request: {"answer": …} or {"refused": code, "told": {…}}."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    os.umask(0o022)
    try:
        tools.need()
        disk, folder = str(request["disk"]), own_folder()
        return {"answer": write(lambda part: shown(disk, folder, part), folder, request)}
    except Refused as refused:
        return {"refused": refused.code, "told": refused.told}


def write(show: Show, folder: str, request: Mapping[str, Any]) -> Json:
    """Bring the files about in every file system that has one of the folders. Answers with how many these are.

    `folder` is one to work in; `ours`: folder → pattern of our names there; `alone`: those of which one is enough.
    """
    with show(None) as raw:
        parts = parts_of(raw, os.path.getsize(raw))
    written = sum(_write(show, part, folder, request) for part in parts if part.kind in EXT)
    if request["files"] and not written:
        raise Refused("no-guest", found=_told(parts))
    return {"written": written}


def _write(show: Show, part: Part, folder: str, request: Mapping[str, Any]) -> bool:
    """Whether this file system has one of the folders, and so the files."""
    with show(part) as device:
        guest = Ext(device, folder)
        if all(guest.names(place) is None for place in request["alone"]):
            return False
        guest.repair()
        for place, pattern in request["ours"].items():
            _bring(guest, place, pattern, [file for file in request["files"] if file["folder"] == place])
    return True


def _bring(guest: Ext, folder: str, pattern: str, files: Sequence[Json]) -> None:
    """Our files of one folder, where there is such a folder, in the place of those that we left there before."""
    if (names := guest.names(folder)) is None:
        return
    wanted = [Wanted(file["name"], file["text"], file["mode"]) for file in files]
    kept = {file.name for file in wanted}
    others = [name for name in fnmatch.filter(names, pattern) if name.isprintable() and name not in kept]
    guest.bring(folder, wanted, others)


def _told(parts: Sequence[Part]) -> list[str]:
    """What there is instead, for a person: "1 vfat"."""
    return [f"{part.number or ''} {part.kind or '?'}".strip() for part in parts]
