"""What the console's templates share: the menu on the left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from descriptors.panes.operations import address
from hypervisors import clouds
from hypervisors.drivers.base import POWER_WORDS, Power
from hypervisors.models import Hypervisor

register = template.Library()


@dataclass(frozen=True)
class Entry:
    """A line of the menu: what it is called, its picture, its address (the first name that exists), the list it needs,
    and the driver without whose hypervisors it is left out."""

    label: Promise
    icon: str
    names: tuple[str, ...]
    needs: str = ""
    driver: str = ""


def _list(label: Promise, icon: str, needs: str, *names: str) -> Entry:
    app, model = needs.split(".")
    return Entry(label, icon, (*names, f"admin:{app}_{model.lower()}_changelist"), needs)


#: (title, entries): what an operator looks for, the most frequent first.
MENU: Final[tuple[tuple[Promise | str, tuple[Entry, ...]], ...]] = (
    ("", (Entry(_("Attention"), "eye", ("admin:index",)),)),
    (
        _("Machines"),
        (
            _list(_("Tree"), "binary-tree", "descriptors.Node", "admin:descriptors_node_tree"),
            _list(_("Operations"), "activity", "descriptors.Operation"),
            Entry(_("Drift"), "arrows-diff", ("console:drift",), "descriptors.Node"),
            _list(_("Network cards"), "network", "descriptors.Nic"),
        ),
    ),
    (
        _("Hypervisors"),
        (
            _list(_("Hypervisors"), "server", "hypervisors.Hypervisor"),
            Entry(
                _("Clouds"), "cloud", ("admin:hypervisors_hypervisor_clouds",), "hypervisors.Hypervisor", clouds.DRIVER
            ),
            Entry(_("Resources"), "cpu", ("admin:hypervisors_hypervisor_resources",), "hypervisors.Hypervisor"),
            Entry(_("Tunnels"), "route", ("admin:hypervisors_hypervisor_tunnels",), "hypervisors.Hypervisor"),
            _list(_("Machines nobody owns"), "device-desktop-question", "descriptors.Unowned"),
        ),
    ),
    (
        _("People"),
        (
            _list(_("Users"), "user", "accounts.User"),
            _list(_("Groups"), "users", "auth.Group"),
            _list(_("Tokens"), "key", "accounts.ApiToken"),
            _list(_("Failed sign-ins"), "shield-lock", "axes.AccessAttempt"),
        ),
    ),
    (_("Record"), (_list(_("Journal"), "history", "accounts.Entry"),)),
)
#: Lists of Django's apps that stay empty here.
NOT_LISTED: Final = {"axes.AccessLog", "axes.AccessFailureLog"}


@register.simple_tag(takes_context=True)
def console_menu(context: template.Context) -> list[dict[str, Any]]:
    """[{title, items: [{label, icon, url, current}]}] of what this person may open; one query, whether there is a cloud."""
    open_lists = _open_lists(context)
    sections = [{"title": title, "items": _items(entries, open_lists)} for title, entries in MENU]
    sections.append({"title": _("More"), "items": _others(open_lists)})
    _mark_current(context, [item for section in sections for item in section["items"]])
    return [section for section in sections if section["items"]]


def _open_lists(context: template.Context) -> dict[str, dict[str, Any]]:
    """ "app.Model" → what Django knows of that list, for those that the person may open."""
    apps = context.get("available_apps") or []
    return {f"{app['app_label']}.{row['object_name']}": row for app in apps for row in app["models"]}


def _items(entries: tuple[Entry, ...], open_lists: dict[str, Any]) -> list[dict[str, Any]]:
    chosen = [entry for entry in entries if (not entry.needs or entry.needs in open_lists) and _is_used(entry)]
    return [
        {"label": entry.label, "icon": entry.icon, "url": url, "under": _address(entry.names[-1:])}
        for entry in chosen
        if (url := _address(entry.names))
    ]


def _is_used(entry: Entry) -> bool:
    return not entry.driver or Hypervisor.objects.filter(driver=entry.driver).exists()


def _others(open_lists: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists that the menu does not name: a new app's are found all the same."""
    named = {entry.needs for _title, entries in MENU for entry in entries} | NOT_LISTED
    return [
        {"label": row["name"], "icon": "list-details", "url": row["admin_url"], "under": row["admin_url"]}
        for name, row in open_lists.items()
        if name not in named and row["admin_url"]
    ]


def _address(names: tuple[str, ...]) -> str:
    for name in names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""


def _mark_current(context: template.Context, items: list[dict[str, Any]]) -> None:
    """The item below whose list the page is; of several the one of the longest address."""
    here = getattr(context.get("request"), "path", "")
    fitting = [item for item in items if here.startswith(item["under"])]
    for item in sorted(fitting, key=lambda item: len(item["under"]))[-1:]:
        item["current"] = True


@register.simple_tag(takes_context=True)
def operation_address(context: template.Context, pk: UUID) -> str:
    """The page of an operation in the frame in which it is shown: `console` of the context or of the query says which."""
    request = context.get("request")
    asked = request.GET.get("console") == "1" if request else False
    return address(pk, console=bool(context.get("console")) or asked)


#: What can differ between a machine and its definition, in words.
FIELDS: Final = {
    "power": _("power"),
    "cpus": _("CPUs"),
    "memory_mib": _("memory (MiB)"),
    "macs": _("network cards"),
}


@register.filter
def drift_field(name: str) -> str:
    """What differs, in words."""
    return str(FIELDS.get(name, name))


@register.filter
def drift_value(value: Any) -> str:
    """One side of a difference: a power in words, lists one after the other, "–" for nothing."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, str) and value in set(Power):
        return gettext(POWER_WORDS[Power(value)])
    return "–" if value is None else str(value)


@register.filter
def clock(moment: datetime | None) -> str:
    """ "10:42" for today, with the date before."""
    if moment is None:
        return "–"
    local = timezone.localtime(moment)
    today = local.date() == timezone.localdate()
    return date_format(local, "TIME_FORMAT" if today else "SHORT_DATETIME_FORMAT")
