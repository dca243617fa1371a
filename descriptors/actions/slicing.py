"""A slice as it is asked for: its machines with flavors and zones, its networks, and why each went where it goes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from descriptors.actions.deploying import Slice
from descriptors.canonical import has_reference
from descriptors.definition import sizing, validate
from descriptors.names import clean_name
from descriptors.wishes import in_words
from hypervisors import inventory
from hypervisors.flavors import PREDEFINED, Flavor
from hypervisors.models import Hypervisor
from hypervisors.phrases import phrase
from hypervisors.placement import Node, Placement, Strategy, links_of, place_of, suggest
from hypervisors.registry import nearest
from olimpus.errors import Conflict, HypervisorError, Invalid

#: Flavors of nodes that say nothing about their size.
ORDINARY, CRITICAL = "small", "medium"


@dataclass(frozen=True)
class NodeWish:
    """One machine: its own definition without its cards, the networks of its cards (None: all), where it must be."""

    name: str
    definition: Mapping[str, Any]
    networks: Sequence[str] | None = None
    zone: str = ""
    critical: bool = False


@dataclass(frozen=True)
class SliceWish:
    """A slice; `networks` are definitions by name, in order."""

    name: str
    nodes: Sequence[NodeWish]
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    description: str = ""
    topology: str = "custom"
    links: Sequence[tuple[str, str]] = ()
    high_availability: bool = False


@dataclass(frozen=True)
class Planned:
    """Where a machine goes, how large it is, and why it goes there."""

    node: str
    flavor: str
    zone: str
    reason: str
    code: str


def plan_slice(wish: SliceWish, hypervisor: Hypervisor) -> tuple[Slice, list[Planned]]:
    """What to make of the wish. Nothing is changed; the cloud may be asked for its zones and flavors.

    Invalid naming the field; Conflict when a machine finds no place.
    """
    _check_names(wish)
    _check_networks(wish.networks)
    flavors = known_flavors(hypervisor)
    nodes = [_sized(node, index, flavors) for index, node in enumerate(wish.nodes)]
    placements, heard = _placed(wish, nodes, flavors, hypervisor)
    machines, planned = {}, []
    for index, (node, placement) in enumerate(zip(nodes, placements, strict=True)):
        zone = node.zone or (placement.place or "" if heard else "")
        machines[node.name] = _machine(node, zone, index, wish.networks)
        told = {"flavor": str(node.definition.get("flavor") or ""), "zone": zone}
        planned.append(Planned(node.name, reason=phrase(placement.reason), code=placement.reason.code, **told))
    return Slice(wish.name, _common(wish, hypervisor), machines), planned


def known_flavors(hypervisor: Hypervisor) -> dict[str, Flavor]:
    """The flavors of the cloud and the predefined ones by name; those that are known when it is silent."""
    try:
        return {flavor.name: flavor for flavor in inventory.flavors(inventory.read(hypervisor, "flavors"))}
    except HypervisorError:
        return dict(PREDEFINED)


# -- checking ----------------------------------------------------------------------------------------------------------


def _check_names(wish: SliceWish) -> None:
    seen: set[str] = set()
    for where, name in (("name", wish.name), *((f"nodes[{i}].name", node.name) for i, node in enumerate(wish.nodes))):
        try:
            clean = clean_name(name)
        except Invalid as error:
            raise Invalid(error.message, where=where, hint=error.hint) from error
        if where != "name" and clean in seen:
            raise Invalid(_("Two nodes are called “%s”.") % clean, where=where)
        seen |= {clean} if where != "name" else set()
    for index, node in enumerate(wish.nodes):
        for position, network in enumerate(node.networks or ()):
            if network not in wish.networks:
                hint = nearest(network, wish.networks) if wish.networks else ""
                where = f"nodes[{index}].networks[{position}]"
                raise Invalid(_("The slice has no network “%s”.") % network, where=where, hint=hint)


def _check_networks(networks: Mapping[str, Mapping[str, Any]]) -> None:
    ranges: dict[str, Any] = {}
    for index, (name, definition) in enumerate(networks.items()):
        try:
            validate({"networks": {name: dict(definition)}})
        except Invalid as error:
            raise in_words(error, f"networks[{index}]", strip=f"networks.{name}") from error
        if has_reference(definition["cidr"]):
            raise Invalid(_("Write the range itself here."), where=f"networks[{index}].cidr")
        mine = ipaddress.ip_network(definition["cidr"])
        for other, taken in ranges.items():
            if mine.version == taken.version and mine.overlaps(taken):
                message = _("%(cidr)s overlaps %(other)s of “%(name)s”.")
                told = {"cidr": mine, "other": taken, "name": other}
                raise Invalid(message % told, where=f"networks[{index}].cidr")
        ranges[name] = mine


def _sized(node: NodeWish, index: int, flavors: Mapping[str, Flavor]) -> NodeWish:
    """The node with a flavor, when it says nothing about its size: small, or medium for a critical one."""
    definition = dict(node.definition)
    if not definition.keys() & {"flavor", "cpus", "memory_mib", "disk_gib"}:
        definition["flavor"] = CRITICAL if node.critical else ORDINARY
    try:
        validate(definition)
        sizing(definition, flavors)
    except Invalid as error:
        raise in_words(error, f"nodes[{index}]") from error
    return NodeWish(node.name, definition, node.networks, node.zone, node.critical)


# -- where -------------------------------------------------------------------------------------------------------------


def _placed(
    wish: SliceWish, nodes: Sequence[NodeWish], flavors: Mapping[str, Flavor], hypervisor: Hypervisor
) -> tuple[Sequence[Placement], bool]:
    """A placement for each node, and whether the zones are those of the cloud."""
    answer = inventory.read(hypervisor, "zones")
    heard = answer.is_heard  # zones that are only predefined are written into no definition
    names = [node.name for node in nodes]
    try:
        links = [*links_of(wish.topology, names), *wish.links]
        wanted = [Node(node.name, sizing(node.definition, flavors), node.zone if heard else "") for node in nodes]
        places = map(place_of, inventory.zones(answer))
        told = suggest(wanted, links, places, strategy=Strategy.SPREAD if wish.high_availability else Strategy.TOGETHER)
    except Invalid as error:
        raise Invalid(error.message, where=error.where, hint=error.hint) from error
    for index, placement in enumerate(told):
        if placement.place is None and heard:
            _refuse(index, placement)
    return told, heard


def _refuse(index: int, placement: Placement) -> None:
    if placement.reason.code.startswith("pinned_unknown"):
        raise Invalid(phrase(placement.reason), where=f"nodes[{index}].availability_zone")
    raise Conflict(phrase(placement.reason), where=f"nodes[{index}]")


# -- what is written ---------------------------------------------------------------------------------------------------


def _machine(node: NodeWish, zone: str, index: int, networks: Mapping[str, Any]) -> dict[str, Any]:
    names = list(networks) if node.networks is None else list(node.networks)
    definition = {**node.definition, "nics": [{"network": name} for name in names]}
    if zone:
        definition["availability_zone"] = zone
    try:
        return validate(definition)
    except Invalid as error:
        raise in_words(error, f"nodes[{index}]") from error


def _common(wish: SliceWish, hypervisor: Hypervisor) -> dict[str, Any]:
    """The folder's definition. Its networks are its own: two slices with one of the same name must not meet in it."""
    networks = {name: {**definition, "own": True} for name, definition in wish.networks.items()}
    common: dict[str, Any] = {"hypervisor": hypervisor.name}
    common |= {"networks": networks} if networks else {}
    return common | ({"description": wish.description} if wish.description else {})
