"""Writing files into a machine's disk, on its worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

from hypervisors.drivers.linux import parcel
from hypervisors.drivers.linux.guestdisk import program
from hypervisors.drivers.linux.guestdisk.files import CLOUD_INIT, OURS, GuestFile
from hypervisors.drivers.linux.guestdisk.refusals import in_words

SECONDS: Final = 180.0
#: In a mount namespace of its own: no other process sees what it mounts, and it is gone with the last of its own.
BEFORE: Final = (*parcel.SUDO, "unshare", "--mount")


class Where(parcel.Runs, Protocol):
    """A worker: it runs programs, and has a name for messages."""

    @property
    def where(self) -> str: ...


def write_network(worker: Where, path: str, files: Sequence[GuestFile]) -> None:
    """Bring it about that these are our files in the guest's folders, on a qcow2 disk that no machine uses now.

    What we wrote before and is not among them goes; everything else stays. May be repeated.
    `Rejected`: the disk has no Linux that could be told, or the worker lacks a tool. `Transient`: somebody has the disk.
    """
    alone = [folder for folder in OURS if folder != CLOUD_INIT]
    request = {"disk": path, "files": [asdict(file) for file in files], "ours": dict(OURS), "alone": alone}
    said: dict[str, Any]
    (said,) = parcel.answers(worker, BEFORE, program, [request], SECONDS, worker.where)
    if "refused" in said:
        raise in_words(said["refused"], said["told"], worker.where)
