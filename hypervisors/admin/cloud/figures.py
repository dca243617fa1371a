"""What a cloud has, as its pages show it: room as bars, quotas near their end, who hangs on which network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from hypervisors import inventory
from hypervisors.admin import facts
from hypervisors.inventory import Answer

Rows = Sequence[Mapping[str, Any]]
#: From how many percent on a bar says that it is nearly full.
NEARLY: Final = 80
MIB: Final = 2**20
#: The bars of a host: used, total, divisor, unit.
BARS: Final = (
    ("cpus_used", "cpus_total", 1, ""),
    ("memory_mib_used", "memory_mib_total", facts.MIB_IN_GIB, "GiB"),
    ("disk_gib_used", "disk_gib_total", 1, "GiB"),
)
SERVICES: Final = {"compute": _("Compute"), "network": _("Networks"), "volume": _("Volumes")}
#: Quotas that people know, in the order in which they look for them, in words; the others follow folded away.
QUOTAS: Final = {
    "instances": _("Machines"),
    "cores": _("CPUs"),
    "ram": _("Memory"),
    "networks": _("Networks"),
    "subnets": _("Subnets"),
    "ports": _("Ports"),
    "routers": _("Routers"),
    "floating_ips": _("Floating IPs"),
    "security_groups": _("Security groups"),
    "volumes": _("Volumes"),
    "gigabytes": _("Size of all volumes"),
    "snapshots": _("Snapshots of volumes"),
}
#: Quota → (divisor, unit).
UNITS: Final = {"ram": (facts.MIB_IN_GIB, "GiB"), "gigabytes": (1, "GiB")}
#: The cloud's own word for the status of an image → (colour, word).
IMAGE_STATES: Final = {
    "active": ("ok", _("ready")),
    "conflict": ("warn", _("hosts differ")),
    "queued": ("busy", _("waiting for its data")),
    "saving": ("busy", _("being saved")),
    "uploading": ("busy", _("being uploaded")),
    "importing": ("busy", _("being imported")),
    "killed": ("danger", _("failed")),
    "deactivated": ("warn", _("closed by an administrator")),
    "pending_delete": ("quiet", _("being removed")),
    "deleted": ("quiet", _("removed")),
}
VISIBILITY: Final = {
    "public": _("everybody"),
    "private": _("its project"),
    "shared": _("chosen projects"),
    "community": _("everybody, unlisted"),
}


def zones(rows: Rows) -> dict[str, Any]:
    """Zones with the bars of their hosts, and the room of all hosts that are up."""
    known = inventory.zones(Answer(rows, "cached"))
    totals = inventory.statistics(known)
    room = [bar(totals[used], totals[total], divisor, unit) for used, total, divisor, unit in BARS]
    for figure, label in zip(room, (_("CPUs"), _("Memory"), _("Disk")), strict=True):
        figure["label"] = label
    told = [{**zone, "hosts": [{**host, "bars": _bars(host)} for host in zone["hosts"]]} for zone in rows]
    return {"zones": told, "totals": totals, "room": room}


def quotas(rows: Rows) -> list[dict[str, Any]]:
    """By service: those that people know first, the others as `more`."""
    order = list(QUOTAS)
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: {"rows": [], "more": []})
    for row in rows:
        found[row["service"]]["rows" if row["resource"] in QUOTAS else "more"].append(_quota(row))
    for group in found.values():
        group["rows"].sort(key=lambda quota: order.index(quota["resource"]))
    return [{"label": SERVICES.get(service, service), **group} for service, group in found.items()]


def images(rows: Rows) -> list[dict[str, Any]]:
    """With their status and visibility in words, their size in MiB, and times as times."""
    return [
        {
            **row,
            "state": IMAGE_STATES.get(row["status"], ("quiet", row["status"])),
            "size": _number(row["size_bytes"] / MIB) if row["size_bytes"] else "",
            "for": VISIBILITY.get(row["visibility"], row["visibility"]),
            "on": ", ".join(row.get("hosts") or ()),
            "made": datetime.fromisoformat(row["created_at"]) if row.get("created_at") else None,
        }
        for row in rows
    ]


def flavors(rows: Rows, use: Mapping[str, int] | None) -> dict[str, Any]:
    """With how many machines have each (None: not known), and the names of the predefined ones that are not there."""
    told = [{**row, "use": None if use is None or not row["on_cloud"] else use.get(row["name"], 0)} for row in rows]
    return {"flavors": told, "absent": [row["name"] for row in rows if not row["on_cloud"]]}


def networks(rows: Rows, routers: Rows, projects: Rows) -> list[dict[str, Any]]:
    """Own networks first, then shared and external ones, each with its project, its routers and where these lead."""
    names = {row["id"]: row["name"] for row in rows}
    owners = {project["id"]: project["name"] for project in projects}
    told = [
        {**row, "project": owners.get(row["project_id"], ""), "routers": _routers(row, routers, names)} for row in rows
    ]
    return sorted(told, key=lambda row: (row["external"], row["shared"], row["name"]))


def bar(used: float | None, total: float | None, divisor: int = 1, unit: str = "") -> dict[str, Any]:
    """A share as a bar; `level` is "full" or "nearly" when little is left. Without a total only the use is told."""
    used, whole = (used or 0) / divisor, total / divisor if total is not None else None
    told = {"used": _number(used), "total": "" if whole is None else _number(whole), "unit": unit, "level": ""}
    if whole is None:
        return told
    percent = round(100 * used / whole) if whole > 0 else 100
    level = "full" if used >= whole else "nearly" if percent >= NEARLY else ""
    return told | {"percent": min(100, percent), "level": level}


def _bars(host: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [bar(host[used], host[total], divisor, unit) for used, total, divisor, unit in BARS]


def _quota(row: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing used of nothing allowed is not full: it is what one may not have."""
    divisor, unit = UNITS.get(row["resource"], (1, ""))
    told = bar(row["used"], row["limit"], divisor, unit)
    if not row["used"] and not row["limit"]:
        told["level"] = ""
    told["unbounded"] = row["limit"] is None
    return told | {"resource": row["resource"], "label": QUOTAS.get(row["resource"], row["resource"].replace("_", " "))}


def _routers(network: Mapping[str, Any], routers: Rows, names: Mapping[str, str]) -> list[dict[str, Any]]:
    own = {subnet["id"] for subnet in network["subnets"]}
    return [
        {**router, "way_out": names.get(router["external_network_id"], "")}
        for router in routers
        if own & set(router["subnet_ids"]) or router["external_network_id"] == network["id"]
    ]


def _number(value: float) -> str:
    value = round(value, 1)
    return number_format(value, 0 if value == int(value) else 1, use_l10n=True, force_grouping=True)
