"""What the mock hypervisor can be told: how to be reached, how slow, full and faulty it is."""

from __future__ import annotations

from typing import Final

from hypervisors.drivers.base import Setting
from olimpus.words import gettext_noop

#: Headings.
ACCESS, BEHAVIOUR = gettext_noop("Access"), gettext_noop("How it behaves")
ROOM, FAULTS = gettext_noop("Room"), gettext_noop("Faults to rehearse")

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "latency",
        gettext_noop("Latency (seconds)"),
        "float",
        0.2,
        minimum=0,
        maximum=600,
        help=gettext_noop("Of each verb."),
        group=BEHAVIOUR,
        example="0.2",
    ),
    Setting(
        "jitter",
        gettext_noop("Jitter (fraction)"),
        "float",
        0.0,
        minimum=0,
        maximum=1,
        help=gettext_noop("Latency ± this."),
        group=BEHAVIOUR,
    ),
    Setting(
        "listing_latency",
        gettext_noop("Listing latency (seconds)"),
        "float",
        0.0,
        minimum=0,
        maximum=600,
        group=BEHAVIOUR,
    ),
    Setting(
        "failure_rate",
        gettext_noop("Failure rate"),
        "float",
        0.0,
        minimum=0,
        maximum=1,
        help=gettext_noop("0 never, 1 always."),
        group=FAULTS,
    ),
    Setting(
        "failure_kind",
        gettext_noop("Failure kind"),
        "choice",
        "transient",
        choices=("transient", "fatal", "lost"),
        help=gettext_noop("lost: the effect happens, its answer does not arrive."),
        group=FAULTS,
    ),
    Setting("seed", gettext_noop("Seed of the failures"), "int", None, group=FAULTS),
    Setting(
        "capacity_cpus",
        gettext_noop("CPUs in all"),
        "int",
        0,
        minimum=0,
        help=gettext_noop("0 = unbounded."),
        group=ROOM,
    ),
    Setting(
        "capacity_memory_mib",
        gettext_noop("Memory in all (MiB)"),
        "int",
        0,
        minimum=0,
        help=gettext_noop("0 = unbounded."),
        group=ROOM,
    ),
    Setting(
        "capacity_vms",
        gettext_noop("VMs in all"),
        "int",
        0,
        minimum=0,
        help=gettext_noop("0 = unbounded."),
        group=ROOM,
    ),
    Setting(
        "workers",
        gettext_noop("Workers"),
        "lines",
        "",
        help=gettext_noop(
            "One a line: name, CPUs, MiB, GiB, then perhaps “down” or “maintenance”. Empty: it is one host."
        ),
        group=ROOM,
        example="worker-1 8 16384 200",
    ),
    Setting(
        "placement",
        gettext_noop("Placement"),
        "choice",
        "spread",
        choices=("spread", "pack"),
        help=gettext_noop("On which worker: spread = where most is free, pack = where least is, and enough."),
        group=ROOM,
    ),
    Setting(
        "unreachable",
        gettext_noop("Unreachable"),
        "bool",
        False,
        help=gettext_noop("Every call fails as if the host were down."),
        group=FAULTS,
    ),
    Setting(
        "ignore_acpi",
        gettext_noop("Guests ignore shutdown"),
        "bool",
        False,
        help=gettext_noop("A graceful stop has no effect."),
        group=BEHAVIOUR,
    ),
    Setting(
        "created_power",
        gettext_noop("Power of what was just created"),
        "choice",
        "off",
        choices=("off", "on"),
        help=gettext_noop("on: it boots what it builds."),
        group=BEHAVIOUR,
    ),
    Setting(
        "images",
        gettext_noop("Images"),
        "text",
        "",
        help=gettext_noop("Comma-separated; empty: every name is an image."),
        group=ROOM,
        example="debian-12, ubuntu-24.04",
    ),
    Setting(
        "api_token",
        gettext_noop("API token"),
        "text",
        "",
        secret=True,
        help=gettext_noop("Any token is right but “wrong”."),
        group=ACCESS,
    ),
)
