"""The console's first page: what needs attention, since when, and what to do. Read anew while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import journal
from accounts.models import User
from descriptors import actions, feed, selectors
from descriptors.admin.base import refusals
from descriptors.models import Operation
from descriptors.panes.operations import address
from descriptors.selectors import attention
from descriptors.worker import life
from olimpus.errors import OlimpusError

#: Lines of the journal on the page.
ENTRIES: Final = 10
#: Workers elsewhere write at least this often while they live.
QUIET: Final = timedelta(minutes=3)


@dataclass(frozen=True)
class Workers:
    """Whether anybody does what is asked for."""

    alive: int
    dead: list[str]
    seen: datetime | None  # when a worker elsewhere last wrote something

    @property
    def working(self) -> bool:
        """A worker runs here, or one elsewhere wrote lately."""
        return self.alive > 0 or (self.seen is not None and timezone.now() - self.seen < QUIET)


def workers(places: list[attention.Place]) -> Workers:
    """The workers of this data folder, and when those elsewhere last reached one of these hypervisors."""
    answers = [place.hypervisor.last_ok_at for place in places if place.hypervisor.last_ok_at]
    return Workers(len(life.alive()), life.dead(), max(answers, default=None))


def index(request: HttpRequest) -> HttpResponse:
    """The page."""
    cursor = feed.last_id()
    user: User = request.user  # type: ignore[assignment]
    frame = admin.site.each_context(request) | {"title": _("What needs attention"), "console": True}
    context = frame | {"feed_cursor": cursor, "feed_paths": attention.listening_to(user)} | situation(user)
    return TemplateResponse(request, "admin/attention.html", context)


def now(request: HttpRequest) -> HttpResponse:
    """The same, for the page that is already there."""
    return render(request, "admin/attention_parts.html", {"console": True} | situation(request.user))  # type: ignore[arg-type]


@require_POST
def recover(request: HttpRequest) -> HttpResponse:
    """Ask to recover the machines that failed for one reason; leads to the operation."""
    reason = request.POST.get("reason", "")
    user: User = request.user  # type: ignore[assignment]
    machines = attention.failed_machines(user).filter(reason=reason)
    try:
        operation = actions.request_many("recover", list(machines), actor=user)
    except OlimpusError as error:
        for line in refusals(error):
            messages.error(request, line)
        return redirect("admin:index")
    return redirect(address(operation.pk, console=True))


def situation(user: User) -> dict[str, Any]:
    """Everything that the page shows, for what this person may see; a constant number of queries."""
    counted = attention.census(user)
    places = attention.places(user, counted)
    found: dict[str, Any] = {
        "census": counted,
        "places": places,
        "workers": workers(places),
        "failures": attention.failures(user) if counted.states["failed"] else [],
        "failed_operations": attention.failed_operations(user),
        "stuck": attention.stuck(user),
        "drifted": _drift(user) if counted.drifted else [],
        "going_on": _going_on(user),
        "entries": list(journal.visible_to(user).order_by("-id")[:ENTRIES]),
    }
    numbers = tiles(found)
    return found | {"tiles": numbers, "quiet": not any(tile["count"] for tile in numbers)}


def _drift(user: User) -> list[dict[str, Any]]:
    return [
        {"machine": machine, "fields": [row["field"] for row in selectors.drift(machine, busy=False)]}
        for machine in attention.drifted(user)[: attention.FEW]
    ]


def _going_on(user: User) -> list[Operation]:
    return list(selectors.with_running(selectors.open_operations(user))[: attention.FEW])


def tiles(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The numbers on top: what is wrong, each with the panel that says more."""
    failed, operations = found["census"].states["failed"], found["failed_operations"]
    stuck = sum(group.count for group in found["stuck"])
    silent = sum(place.failing for place in found["places"])
    return [
        _tile("failures", failed, gettext_lazy("failed machines"), "alert-triangle"),
        _tile("operations", len(operations), gettext_lazy("failed operations today"), "circle-x", operations.more),
        _tile("stuck", stuck, gettext_lazy("stuck operations"), "clock-exclamation"),
        _tile("drift", found["census"].drifted, gettext_lazy("drifted machines"), "arrows-diff"),
        _tile("hypervisors", silent, gettext_lazy("hypervisors out of reach"), "cloud-off"),
        _tile("workers", 0 if found["workers"].working else 1, gettext_lazy("workers missing"), "plug-connected-x"),
    ]


def _tile(part: str, count: int, label: Any, icon: str, more: bool = False) -> dict[str, Any]:
    return {"part": part, "count": count, "label": label, "icon": icon, "more": more}
