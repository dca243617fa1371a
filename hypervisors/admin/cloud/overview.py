"""The first page of a cloud: its room, its quotas, its machines, its services."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from hypervisors import clouds
from hypervisors.admin import facts
from hypervisors.admin.cloud.base import FOLDER, address, drawn, tabs_of
from hypervisors.models import Hypervisor
from olimpus import panels


def clouds_page(request: HttpRequest) -> HttpResponse:
    """Leads to the only cloud; a choice when there are several, what to do when there is none."""
    known = list(clouds.every())
    if len(known) == 1:
        return HttpResponseRedirect(address(known[0]))
    frame = admin.site.each_context(request) | {"opts": Hypervisor._meta}
    rows = [{"hypervisor": row, "health": facts.health(row), "room": facts.room(row.capacity)} for row in known]
    told = panels.context("hypervisor-list", request, known)
    return TemplateResponse(request, f"{FOLDER}/list.html", frame | told | {"rows": rows})


def page(request: HttpRequest, hypervisor: Hypervisor) -> HttpResponse:
    """What there is and how much of it is taken; its images where the technology has no such figures."""
    if "" not in tabs_of(hypervisor):
        return HttpResponseRedirect(address(hypervisor, tabs_of(hypervisor)[0]))
    told = panels.context("cloud", request, hypervisor)
    return drawn(request, hypervisor, "overview", "", "zones", "quotas", "services", **told)
