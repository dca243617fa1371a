"""What hypervisors offer to a slice, gathered for its plan: places with what is free there, flavors, images, quotas.

Hypervisors are asked here, as their inventory does it; one that is silent offers what was last heard.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from django.utils.translation import gettext as _

from hypervisors import aliases, claims, inventory
from hypervisors.clouds import takes_any_image
from hypervisors.drivers.base import Capacity, Driver
from hypervisors.flavors import PREDEFINED, Flavor
from hypervisors.gateway import gateway_for
from hypervisors.inventory import Answer
from hypervisors.models import Hypervisor
from hypervisors.placement import RESOURCES, Place, Reason, Room, Size, place_of, place_of_host
from hypervisors.registry import installed
from olimpus.errors import OlimpusError
from slices import mapping
from slices.graph import End, Graph
from slices.plan import Refusal, Site

#: Settings of a hypervisor of its kind that has all that belongs to it.
USUAL: Final = {"headnode_host": "gateway"}


def gather(names: Iterable[str]) -> dict[str, Site]:
    """The hypervisors of these names, as far as there are such; the longest part of a plan."""
    found = Hypervisor.objects.filter(name__in=set(names)).order_by("name")
    return {hypervisor.name: site_of(hypervisor) for hypervisor in found}


def site_of(hypervisor: Hypervisor) -> Site:
    """What one hypervisor offers now, or did when it was last heard."""
    kind, places = _places(hypervisor)
    told = _flavors(hypervisor), _images(hypervisor), _quota(hypervisor)
    return Site(hypervisor.name, kind, places, *told, floats=_floats(hypervisor))


def unserved(graph: Graph, at: Mapping[str, str]) -> Iterator[Refusal]:
    """Networks that a hypervisor (node → its name) cannot have as they are, and ways in for which they leave no room."""
    known = _drivers(set(at.values()))
    for link in graph.links:
        if not link.cidr or link.options.get("aliases") or link.options.get("type") == "provider":
            continue
        network = {**link.options, "cidr": link.cidr}
        for name in sorted({at.get(node, "") for node in link.nodes} & known.keys()):
            told = {"link": link.name, "cidr": link.cidr, "hypervisor": name}
            serves = partial(known[name].serves, known[name].values, network)
            if not serves():
                yield Refusal("", name, Reason("range_unserved", told | {"places": _serving(network)}))
            elif not serves({end.ip for end in link.ends}):
                nodes = [end.node for end in link.ends if at.get(end.node) == name and _is_open(end)]
                yield from (Refusal(node, name, Reason("way_without_room", told)) for node in nodes)


def _drivers(names: Collection[str]) -> dict[str, Driver]:
    """Of those whose libraries are here."""
    found = {}
    for hypervisor in Hypervisor.objects.filter(name__in=names):
        with suppress(OlimpusError):
            found[hypervisor.name] = gateway_for(hypervisor).driver
    return found


def _serving(network: Mapping[str, Any]) -> list[str]:
    """Technologies that can have such a network."""
    return [_(driver.label) for driver in installed().values() if driver.serves(USUAL, network)]


def _is_open(end: End) -> bool:
    return bool(end.card.get("floating") or end.card.get("forwards"))


def known_names(hypervisor: Hypervisor) -> mapping.Known:
    """Its images (None: every name is one) and flavors; for those only who may use it."""
    return {"images": _images(hypervisor), "flavors": frozenset(flavor.name for flavor in _flavors(hypervisor))}


def unknown(graph: Graph, known: mapping.Known, remembered: mapping.Names | None = None) -> dict[str, dict[str, str]]:
    """Images and flavors that are not known, each with what was remembered, else with the known one most like it."""
    said = remembered or {}
    return {
        kind: {name: _suggested(name, known[kind] or (), said.get(kind, {})) for name in names}
        for kind, names in mapping.unknown(graph, known).items()
    }


def _suggested(name: str, known: Collection[str], remembered: Mapping[str, str]) -> str:
    before = remembered.get(name)
    return before if before is not None and (before in known or not before) else mapping.suggested(name, known)


def _read(hypervisor: Hypervisor, kind: str) -> Answer | None:
    """None when the hypervisor has nothing of the kind, or was never heard."""
    try:
        answer = inventory.read(hypervisor, kind)
    except OlimpusError:
        return None
    return answer if answer.is_heard else None  # zones that are only predefined are no places


def _places(hypervisor: Hypervisor) -> tuple[str, tuple[Place, ...] | None]:
    try:
        choosing = gateway_for(hypervisor).places
    except OlimpusError:  # its library is missing here; the workers may have it
        choosing = False
    if choosing:
        answer = _read(hypervisor, "hosts")
        hosts = claims.promised(hypervisor, answer).values() if answer else ()
        return "worker", tuple(map(place_of_host, hosts))
    if answer := _read(hypervisor, "zones"):
        return "zone", tuple(map(place_of, inventory.zones(answer)))
    return "", _itself(hypervisor)


def _itself(hypervisor: Hypervisor) -> tuple[Place, ...] | None:
    """A hypervisor that is one host, when it says how large it is."""
    answer = _read(hypervisor, "capacity")
    if answer is None:
        return None
    capacity = Capacity(**{name: answer.data[name] for name in Capacity.__dataclass_fields__ if name in answer.data})
    totals = {name: getattr(capacity, f"{name}_total") for name in RESOURCES}
    if all(total is None for total in totals.values()):
        return None
    left = {
        name: float("inf") if total is None else max(0, total - getattr(capacity, f"{name}_used"))
        for name, total in totals.items()
    }
    return (Place(hypervisor.name, True, (Room(hypervisor.name, Size(**left)),)),)


def _floats(hypervisor: Hypervisor) -> bool:
    try:
        return gateway_for(hypervisor).floats
    except OlimpusError:  # as above
        return False


def _flavors(hypervisor: Hypervisor) -> tuple[Flavor, ...]:
    answer = _read(hypervisor, "flavors")
    known = {flavor.name: flavor for flavor in inventory.flavors(answer)} if answer else dict(PREDEFINED)
    for ours, there in (hypervisor.aliases.get("flavors") or {}).items():
        if there in known:
            flavor = known[there]
            known[ours] = Flavor(ours, flavor.cpus, flavor.memory_mib, flavor.disk_gib)
    return tuple(known.values())


def _images(hypervisor: Hypervisor) -> frozenset[str] | None:
    if takes_any_image(hypervisor):
        return None
    answer = _read(hypervisor, "images")
    if answer is None:
        return None
    names = {str(row[key]) for row in answer.data for key in ("id", "name") if row.get(key)}
    ours = hypervisor.aliases.get("images") or {}
    return frozenset(names | {name for name in ours if aliases.here(hypervisor.aliases, "images", name) in names})


def _quota(hypervisor: Hypervisor) -> Mapping[str, float | None]:
    answer = _read(hypervisor, "quotas") if hypervisor.driver == "openstack" else None
    rows = answer.data if answer else ()
    return {row["resource"]: None if row["limit"] is None else row["limit"] - row["used"] for row in rows}
