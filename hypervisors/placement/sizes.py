"""Sizes and how they compare, and reasons as codes. Memory is MiB, disks are GiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

RESOURCES: Final = ("cpus", "memory_mib", "disk_gib")
#: What one of each costs, so that sizes can be compared: a CPU is worth 2 GiB of memory or 20 GiB of disk.
PRICES: Final = {"cpus": 1.0, "memory_mib": 1 / 2048, "disk_gib": 1 / 20}


class Sized(Protocol):
    """Anything with CPUs, memory and disk: a need, a flavor, free room."""

    @property
    def cpus(self) -> float: ...
    @property
    def memory_mib(self) -> float: ...
    @property
    def disk_gib(self) -> float: ...


class Named(Sized, Protocol):
    """A flavor, whoever has it."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class Size:
    """CPUs, memory and disk."""

    cpus: float = 0
    memory_mib: float = 0
    disk_gib: float = 0

    def less(self, other: Sized) -> Size:
        """What is left when `other` is taken out; never below nothing."""
        return Size(*(max(0, getattr(self, name) - getattr(other, name)) for name in RESOURCES))


@dataclass(frozen=True)
class Reason:
    """Why: a stable code, and what its sentence tells."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


def found(place: str) -> Reason:
    """Of what nobody placed: it was there."""
    return Reason("found", {"place": place})


def cost(size: Sized) -> float:
    """One number for a size; what has more of anything costs more."""
    return sum(getattr(size, name) * price for name, price in PRICES.items())


def asked(size: Sized) -> dict[str, float]:
    """The size as parameters of a reason."""
    return {name: getattr(size, name) for name in RESOURCES}


def fits(needs: Sized, room: Sized) -> bool:
    """Whether there is enough of everything."""
    return all(getattr(needs, name) <= getattr(room, name) for name in RESOURCES)
