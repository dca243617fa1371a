"""What the program that writes into a guest's disk refuses, in words, and as the error that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypervisors.drivers.linux.refusals import TOOL, UNKNOWN, Words
from olimpus.errors import HypervisorError, Rejected, Transient
from olimpus.words import gettext_noop

REFUSALS: Final[Mapping[str, Words]] = {
    "no-guest": Words(
        Rejected,
        gettext_noop("The disk has no place for a network configuration. Its partitions are: %(found)s."),
        gettext_noop(
            "“disk” as ip_mode needs a Linux on ext2, ext3 or ext4, with netplan, systemd-networkd, ifupdown or "
            "NetworkManager. Use dhcp or cloud-init."
        ),
        "nics",
    ),
    "damaged": Words(
        Rejected,
        gettext_noop("The file system of the disk is damaged, or too new for the worker: %(error)s"),
        gettext_noop("Repair it in the machine, or build the machine anew."),
        "nics",
    ),
    "not-written": Words(
        Rejected,
        gettext_noop("The network configuration could not be written into %(folder)s of the disk: %(error)s"),
        gettext_noop("Perhaps its file system is full."),
        "nics",
    ),
    "fuse": Words(
        Rejected,
        gettext_noop("QEMU cannot show the disk as a file there: %(error)s"),
        gettext_noop("The worker needs QEMU 6.1 or later with FUSE, and /dev/fuse (modprobe fuse)."),
    ),
    "disk": Words(Rejected, gettext_noop("QEMU cannot open the disk: %(error)s")),
    "disk-in-use": Words(Transient, gettext_noop("Something else is using the disk: %(error)s")),
    "tool": TOOL,
    "failed": Words(Transient, gettext_noop("%(command)s failed: %(error)s")),
}


def in_words(code: str, told: Mapping[str, Any], where: str) -> HypervisorError:
    """The error that a refusal is."""
    facts = {"code": code, **told, "found": ", ".join(told.get("found") or ())}
    return REFUSALS.get(code, UNKNOWN).error_of(facts, where)
