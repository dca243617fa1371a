"""Where machines may go, and what is placed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final

from hypervisors.drivers.cloud import Host, Zone
from hypervisors.placement.sizes import RESOURCES, Reason, Size, Sized
from olimpus.errors import Invalid
from olimpus.words import gettext as _


class Strategy(StrEnum):
    """What counts where there is a choice."""

    SPREAD = "spread"  # evenly, so that a fault harms few
    PACK = "pack"  # in as few places as possible, those that have the least room to spare
    TOGETHER = "together"  # neighbours in one place, so that few links lead from place to place


@dataclass(frozen=True)
class Room:
    """One host: a machine is on one as a whole. `free` None: nobody knows, and it counts as enough."""

    name: str
    free: Size | None = None


@dataclass(frozen=True)
class Place:
    """Where machines may go: a zone with its hosts, or a worker that is its own and only host."""

    name: str
    up: bool = True
    rooms: tuple[Room, ...] = (Room(""),)


@dataclass(frozen=True)
class Node:
    """A machine to be placed; `pinned` names the place where somebody wants it.

    No two of one `apart` share a place. One that is `there` already stays in `pinned`, on the host `room` where that is
    known, and `needs` is only what it grows by.
    """

    name: str
    needs: Sized = field(default_factory=Size)
    pinned: str = ""
    apart: str = ""
    there: bool = False
    room: str = ""


@dataclass(frozen=True)
class Placement:
    """Where a node goes, on which host it was reckoned to be, and why; `place` is None when it goes nowhere."""

    node: str
    place: str | None
    reason: Reason
    room: str = ""


def place_of(zone: Zone) -> Place:
    """A zone of a cloud as a place. Hosts that are down or disabled have no room; one without hosts keeps them secret."""
    if not zone.hosts:
        return Place(zone.name, zone.available)
    usable = [host for host in zone.hosts if host.up and host.enabled]
    return Place(zone.name, zone.available and bool(usable), tuple(Room(host.name, free_of(host)) for host in usable))


def place_of_host(host: Host) -> Place:
    """A worker as a place of its own; one that is down or in maintenance takes nothing new."""
    return Place(host.name, host.up and host.enabled, (Room(host.name, free_of(host)),))


def free_of(host: Host) -> Size | None:
    """What is left on a host; of a resource that it does not count there is plenty, None when it counts nothing."""
    totals = {name: getattr(host, f"{name}_total") for name in RESOURCES}
    if all(total is None for total in totals.values()):
        return None
    left = {name: inf if total is None else total for name, total in totals.items()}
    return Size(*(max(0, left[name] - getattr(host, f"{name}_used")) for name in RESOURCES))


def links_of(topology: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """The links that a topology of this name has between these nodes; `Invalid` when there is no such topology."""
    if topology not in TOPOLOGIES:
        known = ", ".join(TOPOLOGIES)
        raise Invalid(_("There is no such topology."), where="topology", hint=_("One of: %s.") % known)
    return [(names[first], names[second]) for first, second in TOPOLOGIES[topology](len(names))]


Pairs = Iterable[tuple[int, int]]
TOPOLOGIES: Final[dict[str, Callable[[int], Pairs]]] = {
    "linear": lambda n: ((i, i + 1) for i in range(n - 1)),
    "ring": lambda n: ((i, (i + 1) % n) for i in range(n if n > 2 else n - 1)),
    "mesh": lambda n: ((i, j) for i in range(n) for j in range(i + 1, n)),
    "tree": lambda n: (((i - 1) // 2, i) for i in range(1, n)),
    "star": lambda n: ((0, i) for i in range(1, n)),
    "bus": lambda n: ((i, i + 1) for i in range(n - 1)),
    "custom": lambda n: (),
}
