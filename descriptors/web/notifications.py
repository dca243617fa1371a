"""The bell: what goes on, and what of one's own ended since one last looked. Opening it is looking."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts import personal
from descriptors import selectors
from descriptors.models import Operation, Status
from descriptors.verbs import VERBS
from descriptors.web.doors import SignedIn, door

#: Lines of each part of the menu.
LINES: Final = 8
#: Operations that one announcement sums up.
SUMMED: Final = 50


@door
@require_GET
def menu(request: SignedIn) -> HttpResponse:
    """The content of the menu; `since` keeps what was new when it was opened, while one reads it."""
    since = _moment(request.GET.get("since", "")) or personal.operations_seen(request.user)
    ended = list(selectors.ended_since_seen(request.user, since)[: LINES + 1])
    context = {
        "going_on": list(selectors.with_running(selectors.open_operations(request.user))[:LINES]),
        "ended": ended[:LINES],
        "more_ended": len(ended) > LINES,
        "reasons": reasons_of(ended[:LINES]),
        "since": since.isoformat(),
    }
    return render(request, "portal/notifications.html", context)


def _moment(text: str) -> datetime | None:
    """A moment as we wrote it; None for anything else."""
    try:
        moment = parse_datetime(text[:64])
    except ValueError:
        return None
    return moment if moment is not None and is_aware(moment) else None


def reasons_of(ended: list[Operation]) -> dict[str, str]:
    """Operation → the first reason for which something failed in it; one query."""
    own = {str(one.pk): str((one.error or {}).get("message", "")) for one in ended if one.error}
    folders = [one.pk for one in ended if one.total and one.failed]
    if not folders:
        return own
    rows = Operation.objects.filter(parent__in=folders, status=Status.FAILED).order_by("parent_id", "path")
    for parent, message in rows.values_list("parent_id", "error__message")[: LINES * 100]:
        own.setdefault(str(parent), str(message or ""))
    return own


@door
@require_GET
def figures(request: SignedIn) -> HttpResponse:
    """The number on the bell, and a sentence about what ended since: for our script, which says it politely."""
    told = selectors.told(request.user)
    said = sentence(list(selectors.ended_since_seen(request.user)[:SUMMED])) if told.new else ""
    return JsonResponse({"open": told.open, "new": told.new, "failed": told.failed, "shown": told.shown, "said": said})


def sentence(ended: list[Operation]) -> str:
    """ "Start: 24 done, 1 failed" for each verb, the newest first."""
    done: dict[str, list[int]] = {}
    for operation in ended:
        counts = done.setdefault(operation.verb, [0, 0])
        if operation.total:
            counts[0] += operation.succeeded
            counts[1] += operation.failed
        else:
            counts[0 if operation.status == Status.SUCCEEDED else 1] += operation.status != Status.CANCELLED
    return ". ".join(_told(verb, *counts) for verb, counts in done.items())


def _told(verb: str, succeeded: int, failed: int) -> str:
    parts = []
    if succeeded:
        parts.append(ngettext("%d machine done", "%d machines done", succeeded) % succeeded)
    if failed:
        parts.append(ngettext("%d failed", "%d failed", failed) % failed)
    label = VERBS[verb].label if verb in VERBS else verb
    return _("%(verb)s: %(results)s") % {"verb": label, "results": ", ".join(parts) or _("nothing done")}


@door
@require_POST
def seen(request: SignedIn) -> HttpResponse:
    """What has ended by now is no longer new."""
    personal.see_operations(request.user)
    return HttpResponse(status=204)
