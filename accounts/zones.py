"""Time zones: which there are, and which one a person reads times in."""

from __future__ import annotations

from datetime import tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

#: Places first in the name: "Europe/Madrid"; no aliases such as "EST5EDT".
AREAS = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")


@cache
def zones() -> tuple[str, ...]:
    """The names that a person can choose from, in order."""
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(AREAS)))


def is_zone(name: str) -> bool:
    """Whether this is the name of a time zone."""
    return name in zones()


def zone_of(name: str) -> tzinfo | None:
    """The zone of this name; None for no name, and for one that this machine does not know any more."""
    return ZoneInfo(name) if name and is_zone(name) else None
