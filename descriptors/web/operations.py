"""What is or was going on: the list, one operation with its results by reason, cancel, retry of what failed.

Cancel and retry serve the console's page of an operation too.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from descriptors import actions, feed, selectors
from descriptors.models import Operation
from descriptors.panes.operations import address, listed, reasons, shown
from descriptors.web.doors import SignedIn, done, door, page


@door
def operations(request: SignedIn) -> HttpResponse:
    """Newest first; `?status=` filters, "open" shows what goes on; also `?verb=`, `?actor=`, `?hypervisor=`, `?path=`."""
    cursor = feed.last_id()
    return page(request, "portal/operations.html", {"feed_cursor": cursor} | listed(request.user, request.GET.dict()))


@door
def operation(request: SignedIn, pk: UUID) -> HttpResponse:
    """Progress as one line, results grouped by reason, cancel and retry."""
    cursor = feed.last_id()
    context = shown(_found(request, pk), request.user, request.GET.dict())
    return page(request, "portal/operation.html", {"feed_cursor": cursor} | context)


@door
def line(request: SignedIn, pk: UUID) -> HttpResponse:
    """What one operation looks like now, for pages that show it live."""
    found = _found(request, pk)
    failed = reasons(selectors.results(found, request.user)) if found.failed else []
    return render(request, "components/operation_line.html", {"operation": found, "line_reasons": failed})


@door
def report(request: SignedIn, pk: UUID) -> HttpResponse:
    """What failed, by reason, as it is now, for the page of one operation."""
    context = shown(_found(request, pk), request.user, {})
    console = request.GET.get("console") == "1"
    return render(request, "components/operation_reasons.html", context | {"console": console})


@door
@require_POST
def cancel(request: SignedIn, pk: UUID) -> HttpResponse:
    """Stop what has not begun; what is under way on a hypervisor ends by itself."""
    actions.cancel(_found(request, pk), actor=request.user)
    return done(request, _("The operation is being cancelled."), address(pk, console=_in_console(request)))


@door
@require_POST
def retry(request: SignedIn, pk: UUID) -> HttpResponse:
    """Ask again for the machines that failed, all or those of one `reason`; with `verb` recover them instead."""
    reason = request.POST.get("reason")
    verb = "recover" if request.POST.get("verb") == "recover" else ""
    fresh = actions.retry_failed(_found(request, pk), actor=request.user, reason=reason, verb=verb)
    return redirect(address(fresh.pk, console=_in_console(request)))


def _found(request: SignedIn, pk: UUID) -> Operation:
    found: Operation = get_object_or_404(selectors.with_running(selectors.operations(request.user)), pk=pk)
    return found


def _in_console(request: SignedIn) -> bool:
    return request.POST.get("console") == "1"
