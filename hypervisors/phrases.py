"""Reasons of `hypervisors.placement` in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hypervisors.placement import RESOURCES, Reason, Shortage

MIB_IN_GIB: Final = 1024
#: So many names of a list are told.
SHOWN: Final = 5
#: Code → its sentence.
SENTENCES: Final[Mapping[str, Any]] = {
    "exact": _("“%(flavor)s” has exactly these sizes."),
    "cheapest": _("“%(flavor)s” is the cheapest of %(fitting)d that are large enough; it leaves %(spare)s unused."),
    "only_flavor": _("Only “%(flavor)s” is large enough; it leaves %(spare)s unused."),
    "runner_up": _("“%(flavor)s” comes next; it is larger by %(percent)d %%."),
    "none_fits": _("No flavor is large enough; “%(nearest)s” comes nearest."),
    "no_flavors": _("There are no flavors."),
    "pinned": _("It was asked for in %(place)s."),
    "pinned_unknown": _("It was asked for in %(place)s, which does not exist. There are: %(places)s."),
    "pinned_down": _("It was asked for in %(place)s, which is down."),
    "pinned_full": _("It was asked for in %(place)s, where no host has room for %(needs)s."),
    "spread": _("Spread evenly so that a fault harms few: %(place)s gets %(here)d of %(all)d."),
    "spread_room": _("%(full)s would be next, but no host there has room; %(place)s gets %(here)d of %(all)d."),
    "together": _("Beside what it is linked to in %(place)s: %(neighbours)s."),
    "apart": _("No place has room for it beside %(neighbours)s; %(place)s has."),
    "set_apart": _("No other one of “%(group)s” is in %(place)s."),
    "only": _("Only %(place)s is up and has room."),
    "roomiest": _("%(place)s has the most room."),
    "room": _("%(place)s has room for it."),
    "packed": _("%(place)s is the fullest that has room for it."),
    "few": _("In as few places as possible: %(place)s gets %(here)d of %(all)d."),
    "found": _("It was found there."),
    "stays": _("It is in %(place)s already."),
    "grown_full": _("It is in %(place)s, where its host has no room for %(needs)s more."),
    "apart_taken": _("Wherever there is room (%(places)s), another one of “%(group)s” is: %(neighbours)s."),
    "pinned_apart": _("It was asked for in %(place)s, where another one of “%(group)s” is: %(neighbours)s."),
    "fewest": _("%(place)s has the fewest of these machines; how much room it has is not known."),
    "no_room": _("No host has room for %(needs)s; the most that is free on any: %(free)s."),
    "none_up": _("None of these is up: %(places)s."),
    "no_places": _("There is no place to choose from."),
}
SHORT: Final[Mapping[str, Any]] = {
    "cpus": _("It needs %(needed)g CPUs; “%(nearest)s” has %(offered)g, the most on offer is %(largest)g."),
    "memory_mib": _(
        "It needs %(needed)g MiB of memory; “%(nearest)s” has %(offered)g, the most on offer is %(largest)g."
    ),
    "disk_gib": _("It needs %(needed)g GiB of disk; “%(nearest)s” has %(offered)g, the most on offer is %(largest)g."),
}


def phrase(reason: Reason) -> str:
    """The reason as a sentence, in the language of whoever is being answered."""
    told = lists(reason.params)
    told |= {"needs": sizes(told), "free": sizes(told, "free_"), "spare": sizes(told, "spare_")}
    return (str(SENTENCES[reason.code]) % told).replace("….", "…")


def lists(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with lists of names as text."""
    return {
        name: ", ".join(value[:SHOWN]) + (", …" if len(value) > SHOWN else "") if isinstance(value, list) else value
        for name, value in params.items()
    }


def lacking(short: Shortage, nearest: str) -> str:
    """What is missing as a sentence."""
    told = {"needed": short.needed, "offered": short.offered, "largest": short.largest, "nearest": nearest}
    return str(SHORT[short.resource]) % told


def sizes(told: Mapping[str, Any], prefix: str = "") -> str:
    """CPUs, memory and disk of these parameters, as in “2 CPUs, 4 GiB memory, 20 GiB disk”; what is unknown stays out."""
    words = {"cpus": gettext("%s CPUs"), "memory_mib": gettext("%s memory"), "disk_gib": gettext("%s disk")}
    values = {name: told.get(f"{prefix}{name}") for name in RESOURCES}
    return ", ".join(words[name] % _amount(name, value) for name, value in values.items() if value is not None)


def _amount(resource: str, value: float) -> str:
    if resource == "memory_mib":
        return f"{value / MIB_IN_GIB:.3g} GiB" if value >= MIB_IN_GIB else f"{value:g} MiB"
    return f"{value:g} GiB" if resource == "disk_gib" else f"{value:g}"
