"""Sizes of machines by flavors that only their cloud has."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from descriptors.definition import FLAVORS, Size, sizing
from hypervisors.aliases import here
from hypervisors.flavors import Flavor
from hypervisors.models import Hypervisor, Inventory
from olimpus.errors import Invalid

#: Seconds for which what a cloud has is not read again: thousands of machines ask in a row.
HOLD: Final = 5.0


#: Parameters whose values a hypervisor may call otherwise, with their kind among its aliases.
NAMED: Final = {"image": "images", "flavor": "flavors"}


def size_of(values: Mapping[str, Any]) -> Size:
    """The size that a computed definition asks for, by predefined flavors or by those of its hypervisor as last heard.

    Raises Invalid when neither has its flavor. A query only for what hypervisors call flavors, and for one that is not
    predefined, and then rarely.
    """
    values = _as_called_there(values)
    if (values.get("flavor") or "") in FLAVORS or not values.get("hypervisor"):
        return sizing(values)
    return sizing(values, {**FLAVORS, **_known(str(values["hypervisor"]), int(time.monotonic() / HOLD))})


def known_size(values: Mapping[str, Any]) -> Size | None:
    """`size_of`, or None when its flavor is gone from the cloud: machines that were made with it live on."""
    try:
        return size_of(values)
    except Invalid:
        return None


def _as_called_there(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the name that its hypervisor has for its flavor."""
    there = names_there(values) if values.get("flavor") else {}
    return {**values, "flavor": there["flavor"]} if "flavor" in there else values


def names_there(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameter → what its hypervisor calls what it names, of image and flavor where that is another name."""
    if not values.get("hypervisor"):
        return {}
    aliases = _aliases(int(time.monotonic() / HOLD)).get(str(values["hypervisor"]), {})
    named = {name: (str(values[name]), kind) for name, kind in NAMED.items() if values.get(name)}
    found = {name: here(aliases, kind, value) for name, (value, kind) in named.items()}
    return {name: there for name, there in found.items() if there != named[name][0]}


@lru_cache(maxsize=1)
def _aliases(_moment: int) -> dict[str, Any]:
    return dict(Hypervisor.objects.exclude(aliases={}).values_list("name", "aliases"))


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
    _aliases.cache_clear()
