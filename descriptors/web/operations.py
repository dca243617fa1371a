"""What is or was going on: the list, one operation with its results by reason, cancel, retry of what failed."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Min, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from descriptors import actions, feed, selectors
from descriptors.models import OPEN, Operation, Status
from descriptors.web.doors import SignedIn, done, door, page

PAGE: Final = 30
RESULTS: Final = 100


@door
def operations(request: SignedIn) -> HttpResponse:
    """Newest first; `?status=` filters, `?open=1` shows what goes on."""
    cursor = feed.last_id()
    status = request.GET.get("status", "")
    rows = selectors.operations(request.user).filter(parent=None)
    if status == "open":
        rows = rows.filter(status__in=OPEN)
    elif status in Status.values:
        rows = rows.filter(status=status)
    found = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "feed_cursor": cursor,
        "found": found,
        "status": status,
        "statuses": Status.choices,
        "feed_paths": sorted({row.path for row in found.object_list}),
    }
    return page(request, "portal/operations.html", context)


@door
def operation(request: SignedIn, pk: UUID) -> HttpResponse:
    """Progress as one line, results grouped by reason, cancel and retry."""
    cursor = feed.last_id()
    found = get_object_or_404(selectors.operations(request.user), pk=pk)
    wanted = request.GET.get("status", "")
    rows = every = selectors.results(found, request.user)
    if wanted in Status.values:
        rows = rows.filter(status=wanted)
    context = {
        "feed_cursor": cursor,
        "operation": found,
        "reasons": reasons(every),
        "outcome": selectors.outcome(found, request.user),
        "results": Paginator(rows, RESULTS).get_page(request.GET.get("page")),
        "status": wanted,
        "statuses": Status.choices,
        "feed_paths": [found.path],
    }
    return page(request, "portal/operation.html", context)


@door
def line(request: SignedIn, pk: UUID) -> HttpResponse:
    """What one operation looks like now, for pages that show it live."""
    found = get_object_or_404(selectors.operations(request.user), pk=pk)
    return render(request, "components/operation_line.html", {"operation": found})


def reasons(results: QuerySet[Operation]) -> list[dict[str, Any]]:
    """Failures grouped by what was said: [{message, count, path}], the most frequent first; one query."""
    failed = results.filter(status=Status.FAILED).order_by()
    groups = failed.values_list("error__message").annotate(n=Count("pk"), first=Min("path")).order_by("-n")[:20]
    return [
        {"message": message or _("No reason was given."), "count": n, "path": first} for message, n, first in groups
    ]


@door
@require_POST
def cancel(request: SignedIn, pk: UUID) -> HttpResponse:
    """Stop what has not begun; what is under way on a hypervisor ends by itself."""
    found = get_object_or_404(selectors.operations(request.user), pk=pk)
    actions.cancel(found, actor=request.user)
    return done(request, _("The operation is being cancelled."), reverse("operation", args=[pk]))


@door
@require_POST
def retry(request: SignedIn, pk: UUID) -> HttpResponse:
    """Ask again for the machines that failed."""
    found = get_object_or_404(selectors.operations(request.user), pk=pk)
    fresh = actions.retry_failed(found, actor=request.user)
    return redirect("operation", pk=fresh.pk)
