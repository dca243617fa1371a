"""The console's page about resources: bars for each hypervisor and each of its workers. Read anew while it is open."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from hypervisors import resources
from hypervisors.admin import facts
from hypervisors.models import Hypervisor
from olimpus.errors import Forbidden

PAGE: Final = "hypervisors_hypervisor_resources"


def addresses() -> list[URLPattern]:
    """Below the list of hypervisors."""
    view = admin.site.admin_view
    return [path("resources/", view(page), name=PAGE), path("resources/now/", view(now), name=f"{PAGE}_now")]


def page(request: HttpRequest) -> HttpResponse:
    """All hypervisors that this person is in charge of."""
    frame = admin.site.each_context(request) | {"opts": Hypervisor._meta}
    return TemplateResponse(request, "admin/hypervisors/resources.html", frame | _situation(request))


def now(request: HttpRequest) -> HttpResponse:
    """The same, for the page that is already there."""
    return TemplateResponse(request, "admin/hypervisors/resources_now.html", _situation(request))


def _situation(request: HttpRequest) -> dict[str, Any]:
    try:
        found = resources.reports(request.user)  # type: ignore[arg-type]
    except Forbidden as error:
        raise PermissionDenied from error
    rows = [
        {
            "report": report,
            "health": facts.health(report.hypervisor),
            "room": facts.room(asdict(report.capacity)),
            "hosts": [{"host": host, "room": facts.room(asdict(host))} for host in report.hosts],
        }
        for report in found
    ]
    return {"rows": rows, "totals": facts.room(resources.totals(found)), "several": len(found) > 1}
