"""What portal and console show alike of operations: the list narrowed by filters, one with its results by reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors
from descriptors.models import OPEN, Operation, Status
from descriptors.states import State
from descriptors.verbs import VERBS
from olimpus.db import containing

#: Operations on a page of the list, machines on a page of one operation, reasons told of it.
PAGE: Final = 30
RESULTS: Final = 100
REASONS: Final = 20


def listed(user: User, asked: Mapping[str, str]) -> dict[str, Any]:
    """What somebody asked for, newest first, narrowed by `status` ("open": going on), `verb`, `actor`, `hypervisor`, `path`.

    {"found", "status", "statuses", "feed_paths"}; words that make no sense narrow nothing.
    """
    rows = _narrowed(selectors.with_running(selectors.operations(user).filter(parent=None)), asked)
    found = Paginator(rows, PAGE).get_page(asked.get("page"))
    return {
        "found": found,
        "status": asked.get("status", ""),
        "statuses": Status.choices,
        "feed_paths": sorted({row.path for row in found.object_list}),
    }


def _narrowed(rows: QuerySet[Operation], asked: Mapping[str, str]) -> QuerySet[Operation]:
    status, verb, place = asked.get("status", ""), asked.get("verb", ""), asked.get("hypervisor", "")
    if status == "open":
        rows = rows.filter(status__in=OPEN)
    elif status in Status.values:
        rows = rows.filter(status=status)
    if verb in VERBS:
        rows = rows.filter(verb=verb)
    if place:
        with_children = Operation.objects.filter(hypervisor__name=place, parent__isnull=False).values("parent")
        rows = rows.filter(hypervisor__name=place) | rows.filter(pk__in=with_children)
    if actor := asked.get("actor", "").strip():
        # Not iexact: under MariaDB's binary collation that minds upper and lower case.
        rows = rows.alias(actor_name=Lower("actor__username")).filter(actor_name=actor.lower())
    if path := asked.get("path", "").strip():
        rows = containing(rows, ["path"], path)
    return rows


def shown(found: Operation, user: User, asked: Mapping[str, str]) -> dict[str, Any]:
    """One operation with its results, and of the machines that failed how many are `broken` or `able` to try again."""
    wanted = asked.get("status", "")
    rows = every = selectors.results(found, user)
    if wanted in Status.values:
        rows = rows.filter(status=wanted)
    failed = reasons(every if found.total else Operation.objects.filter(pk=found.pk))
    broken = sum(group["broken"] for group in failed)
    return {
        "operation": found,
        "reasons": failed,
        "broken": broken,
        "able": sum(group["count"] for group in failed) - broken,
        "outcome": selectors.outcome(found, user),
        "results": Paginator(rows, RESULTS).get_page(asked.get("page")),
        "status": wanted,
        "statuses": Status.choices,
        "feed_paths": [found.path],
    }


def reasons(results: QuerySet[Operation]) -> list[dict[str, Any]]:
    """Failures grouped by what was said: [{message, raw, count, broken, path}], the most frequent first; one query.

    `broken`: how many of the machines are still in the state "failed", hence to be recovered before anything else.
    """
    failed = results.filter(status=Status.FAILED).order_by()
    broken = Count("pk", filter=Q(node__descriptor__state=State.FAILED))
    groups = failed.values_list("error__message").annotate(n=Count("pk"), broken=broken, first=Min("path"))
    return [
        {"message": said or _("No reason was given."), "raw": said or "", "count": n, "broken": broken, "path": first}
        for said, n, broken, first in groups.order_by("-n")[:REASONS]
    ]


def address(pk: UUID, *, console: bool) -> str:
    """The page of one operation: the console's or the portal's."""
    return reverse("admin:descriptors_operation_change" if console else "operation", args=[pk])
