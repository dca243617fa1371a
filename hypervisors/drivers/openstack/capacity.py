"""How much room each compute host has: from Placement, which counts the overcommit in, or from Nova."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from hypervisors.drivers.base import Capacity
from hypervisors.drivers.openstack.errors import Denied, NoService
from hypervisors.drivers.openstack.rest import Json, Rest, in_parallel
from olimpus.errors import Missing

#: The last microversion in which Nova tells sizes and the id that Placement knows the host by.
HYPERVISORS = "2.53"


def rooms(rest: Rest) -> dict[str, Capacity]:
    """Host → its room; empty when the account may not see the hosts.

    Totals are (inventory − reserved) × allocation ratio, as Placement schedules; where it may not be asked they are
    Nova's own, without overcommit.
    """
    try:
        nodes = list(rest.pages("compute", "/os-hypervisors/detail", "hypervisors", microversion=HYPERVISORS))
    except Denied:
        return {}
    found: dict[str, Capacity] = {}
    for node, room in zip(nodes, _measured(rest, nodes), strict=True):
        host = node["service"]["host"]
        found[host] = total(found[host], room) if host in found else room  # a bare-metal service has many nodes
    return found


def total(one: Capacity, other: Capacity) -> Capacity:
    """Both together; unknown where one of them is."""
    pairs = ((getattr(one, field.name), getattr(other, field.name)) for field in fields(Capacity))
    return Capacity(*(None if a is None or b is None else a + b for a, b in pairs))


def _measured(rest: Rest, nodes: Sequence[Json]) -> list[Capacity]:
    told = [_told(node) for node in nodes]
    try:
        placed = in_parallel(lambda node: _placed(rest, node["id"]), nodes)
    except (Denied, NoService):
        return told
    return [_filled(known, own) for known, own in zip(placed, told, strict=True)]


def _placed(rest: Rest, provider: str) -> Capacity:
    path = f"/resource_providers/{provider}"
    try:
        inventories = rest.get("placement", f"{path}/inventories")["inventories"]
        usages = rest.get("placement", f"{path}/usages")["usages"]
    except Missing:  # the host never reported
        return Capacity()
    return Capacity(
        cpus_total=_total(inventories, "VCPU", "PCPU"),
        cpus_used=usages.get("VCPU", 0) + usages.get("PCPU", 0),
        memory_mib_total=_total(inventories, "MEMORY_MB"),
        memory_mib_used=usages.get("MEMORY_MB", 0),
        disk_gib_total=_total(inventories, "DISK_GB"),  # None where disks are on storage that hosts share
        disk_gib_used=float(usages.get("DISK_GB", 0)),
    )


def _total(inventories: Json, *classes: str) -> int | None:
    known = [inventories[name] for name in classes if name in inventories]
    if not known:
        return None
    return sum(int((item["total"] - item.get("reserved", 0)) * item.get("allocation_ratio", 1.0)) for item in known)


def _told(node: Json) -> Capacity:
    return Capacity(
        cpus_total=node.get("vcpus"),
        cpus_used=node.get("vcpus_used") or 0,
        memory_mib_total=node.get("memory_mb"),
        memory_mib_used=node.get("memory_mb_used") or 0,
        disk_gib_total=node.get("local_gb"),
        disk_gib_used=float(node.get("local_gb_used") or 0),
        vms=node.get("running_vms") or 0,
    )


def _filled(placed: Capacity, told: Capacity) -> Capacity:
    """Placement's figures, and Nova's where it has none."""
    lacking = [what for what in ("cpus", "memory_mib", "disk_gib") if getattr(placed, f"{what}_total") is None]
    columns = [f"{what}_{side}" for what in lacking for side in ("total", "used")]
    return replace(placed, vms=told.vms, **{column: getattr(told, column) for column in columns})
