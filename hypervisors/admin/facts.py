"""What pages say about a hypervisor: health as icon and word, room as figures."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hypervisors.models import Health, Hypervisor

#: Health → icon; the colour is in `console_records.css`.
ICONS: Final = {
    Health.UNKNOWN: "help-circle",
    Health.OK: "circle-check",
    Health.UNREACHABLE: "plug-connected-x",
    Health.ERROR: "alert-triangle",
}
MIB_IN_GIB: Final = 1024
#: Label, used, total, divisor, unit.
FIGURES: Final = (
    (_("CPUs"), "cpus_used", "cpus_total", 1, ""),
    (_("Memory"), "memory_mib_used", "memory_mib_total", MIB_IN_GIB, "GiB"),
    (_("Disk"), "disk_gib_used", "disk_gib_total", 1, "GiB"),
    (_("Machines"), "vms", "vms_max", 1, ""),
)


def health(hypervisor: Hypervisor) -> dict[str, Any]:
    """The health as a badge shows it."""
    return {"name": hypervisor.health, "word": hypervisor.get_health_display(), "icon": ICONS[hypervisor.health]}


def room(capacity: dict[str, Any]) -> list[dict[str, Any]]:
    """Used and total of each resource, as last reported; nothing when the driver never reported any."""
    return [
        {"label": label, "unit": unit, **_figure(capacity.get(used), capacity.get(total), divisor)}
        for label, used, total, divisor, unit in FIGURES
        if used in capacity
    ]


def in_charge(hypervisor: Hypervisor) -> list[str]:
    """Names of the managers, then of their groups."""
    groups = hypervisor.manager_groups.order_by("name")
    named = [gettext("group %(name)s") % {"name": group.name} for group in groups]
    return [*hypervisor.managers.order_by("username").values_list("username", flat=True), *named]


def _figure(used: float | None, total: float | None, divisor: int) -> dict[str, Any]:
    used = round((used or 0) / divisor, 1)
    if not total:
        return {"used": f"{used:g}", "total": ""}
    whole = round(total / divisor, 1)
    return {"used": f"{used:g}", "total": f"{whole:g}", "percent": min(100, round(100 * used / whole)) if whole else 0}
