"""Sizes of machines by flavors that only their cloud has."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from descriptors.definition import FLAVORS, Size, sizing
from hypervisors.flavors import Flavor
from hypervisors.models import Inventory
from olimpus.errors import Invalid

#: Seconds for which what a cloud has is not read again: thousands of machines ask in a row.
HOLD: Final = 5.0


def size_of(values: Mapping[str, Any]) -> Size:
    """The size that a computed definition asks for, by predefined flavors or by those of its hypervisor as last heard.

    Raises Invalid when neither has its flavor. A query only for a flavor that is not predefined, and then rarely.
    """
    if (values.get("flavor") or "") in FLAVORS or not values.get("hypervisor"):
        return sizing(values)
    return sizing(values, {**FLAVORS, **_known(str(values["hypervisor"]), int(time.monotonic() / HOLD))})


def known_size(values: Mapping[str, Any]) -> Size | None:
    """`size_of`, or None when its flavor is gone from the cloud: machines that were made with it live on."""
    try:
        return size_of(values)
    except Invalid:
        return None


@lru_cache(maxsize=64)
def _known(hypervisor: str, _moment: int) -> dict[str, Flavor]:
    rows = Inventory.objects.filter(hypervisor__name=hypervisor, kind="flavors").values_list("data", flat=True)
    return {
        row["name"]: Flavor(row["name"], row["cpus"], row["memory_mib"], row["disk_gib"])
        for data in rows
        for row in data or ()
    }


def forget_sizes() -> None:
    """Read anew what clouds have."""
    _known.cache_clear()
