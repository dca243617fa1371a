"""The console's report of drift: what was changed behind Olimpus, expected beside found, and its repair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, Final

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import actions, feed
from descriptors.admin.base import refusals
from descriptors.models import Descriptor, Operation
from descriptors.panes.operations import address
from descriptors.permissions import one_of
from descriptors.selectors import attention, inside
from descriptors.selectors.repairing import drift_report
from descriptors.templatetags.console import FIELDS
from descriptors.verbs import VERBS
from hypervisors.models import Hypervisor
from olimpus.errors import OlimpusError

#: Machines on a page; where one field is asked for, machines looked at for a page.
PAGE: Final = 50
LOOKED_AT: Final = 150
#: Machines that one request repairs.
MOST: Final = 5000
#: Machines named in the question.
NAMED: Final = 12


def report(request: HttpRequest) -> HttpResponse:
    """GET: the machines that drift, `?hypervisor=`, `?branch=`, `?field=`. POST: repair the chosen ones, asked first."""
    if request.method == "POST":
        return _repair(request)
    cursor, user = feed.last_id(), _user(request)
    field = request.GET.get("field", "")
    field = field if field in FIELDS else ""
    found = Paginator(_narrowed(request), LOOKED_AT if field else PAGE).get_page(request.GET.get("page"))
    context = {
        "feed_cursor": cursor,
        "feed_paths": ["/"] if user.is_superuser else sorted({row.path for row in found.object_list}),
        "found": found,
        "rows": drift_report(found.object_list, user, field),
        "field": field,
        "fields": FIELDS,
        "branch": request.GET.get("branch", ""),
        "place": request.GET.get("hypervisor", ""),
        "hypervisors": Hypervisor.objects.order_by("name").values_list("name", flat=True),
        "narrowed": any(request.GET.get(name) for name in ("hypervisor", "branch", "field")),
    }
    return _framed(request, "admin/drift.html", context)


def _narrowed(request: HttpRequest) -> QuerySet[Descriptor]:
    rows = attention.drifted(_user(request))
    if place := request.GET.get("hypervisor"):
        rows = rows.filter(hypervisor__name=place)
    if branch := request.GET.get("branch", "").strip():
        rows = rows.filter(inside("/" + branch.strip("/"), itself=True))
    return rows


def _repair(request: HttpRequest) -> HttpResponse:
    """The question with what would be done to how many; once confirmed, one operation for each verb."""
    ids = {int(pk) for pk in request.POST.getlist("ids")[:MOST] if pk.isascii() and pk.isdigit() and len(pk) < 18}
    rows = drift_report(list(attention.drifted(_user(request)).filter(one_of(ids))), _user(request))
    steps, left_out = steps_for(rows)
    if "confirmed" not in request.POST:
        context = {
            "ids": sorted(ids),
            "steps": steps,
            "left_out": left_out,
            "count": sum(row["count"] for row in steps),
        }
        return _framed(request, "admin/drift_question.html", context)
    done = [operation for step in steps if (operation := _ask(request, step["verb"].name, step["machines"]))]
    if len(done) == 1:
        return redirect(address(done[0].pk, console=True))
    return redirect("console:drift")


def steps_for(rows: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """[{verb, machines, count, names}] of what can be repaired, and [{advice, count, names}] of what cannot."""
    able: dict[str, list[Descriptor]] = defaultdict(list)
    unable: dict[str, list[Descriptor]] = defaultdict(list)
    for row in rows:
        where = able[row["repair"].verb] if row["repair"].verb else unable[row["repair"].advice]
        where.append(row["machine"])
    steps = [{"verb": VERBS[name], "machines": machines, **_told(machines)} for name, machines in able.items()]
    return steps, [{"advice": advice, **_told(machines)} for advice, machines in unable.items()]


def _told(machines: Collection[Descriptor]) -> dict[str, Any]:
    names = [machine.path for machine in machines][:NAMED]
    return {"count": len(machines), "names": names, "unnamed": len(machines) - len(names)}


def _ask(request: HttpRequest, verb: str, machines: list[Descriptor]) -> Operation | None:
    try:
        operation = actions.request_many(verb, machines, actor=_user(request))
    except OlimpusError as error:
        for line in refusals(error):
            messages.error(request, line)
        return None
    text = _("“%(verb)s” begins on %(total)d machines; %(skipped)d are left out.")
    words = text % {"verb": VERBS[verb].label, "total": operation.total, "skipped": operation.skipped}
    told = format_html('{} <a href="{}">{}</a>', words, address(operation.pk, console=True), _("Follow it"))
    messages.success(request, told)
    return operation


def _framed(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    frame = admin.site.each_context(request) | {"title": _("Drift"), "console": True}
    return TemplateResponse(request, template, frame | context)


def _user(request: HttpRequest) -> User:
    user: User = request.user  # type: ignore[assignment]
    return user
