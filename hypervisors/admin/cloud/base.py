"""What the pages of a cloud share: who may, which one is meant, the frame around each."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from hypervisors import clouds
from hypervisors.admin import facts
from hypervisors.admin.cloud import parts
from hypervisors.models import Hypervisor

FOLDER: Final = "admin/hypervisors/cloud"
ADDRESS: Final = "admin:hypervisors_hypervisor_cloud"
#: Tab → its word and icon, and what a technology must have for it; "" is the overview.
TABS: Final = {
    "": (_("Overview"), "gauge", "quotas"),
    "images": (_("Images"), "photo", "images"),
    "flavors": (_("Flavors"), "box", "flavors"),
    "networks": (_("Networks"), "network", "routers"),
}

View = Callable[..., HttpResponse]


def guarded(view: View) -> View:
    """For superusers, in the console."""

    @wraps(view)
    def for_superusers(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (request.user.is_active and request.user.is_superuser):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return admin.site.admin_view(for_superusers)


def of_cloud(view: View, tab: str = "") -> View:
    """The same; the view gets the record of what has such a tab, 404 for others."""

    @wraps(view)
    def with_record(request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        hypervisor = get_object_or_404(Hypervisor, pk=pk)
        if not tabs_of(hypervisor) or tab in TABS.keys() - {"", *tabs_of(hypervisor)}:
            raise Http404
        return view(request, hypervisor, **kwargs)

    return guarded(with_record)


def tabs_of(hypervisor: Hypervisor) -> list[str]:
    """The tabs that mean something with its technology."""
    offered = clouds.offers(hypervisor)
    return [tab for tab, (_label, _icon, needed) in TABS.items() if needed in offered]


def address(hypervisor: Hypervisor, tab: str = "") -> str:
    """Of a tab of the cloud."""
    return reverse(f"{ADDRESS}_{tab}" if tab else ADDRESS, args=[hypervisor.pk])


def drawn(
    request: HttpRequest, hypervisor: Hypervisor, template: str, tab: str, *shown: str, **context: Any
) -> HttpResponse:
    """A page with these parts, as they were last heard; `?refresh=1` asks the cloud first, for browsers without scripts."""
    if request.method == "GET" and "refresh" in request.GET:
        for name in shown:
            parts.heard_now(request, hypervisor, name, refresh=True)
        query = request.GET.copy()
        del query["refresh"]
        return HttpResponseRedirect(f"{request.path}?{query.urlencode()}" if query else request.path)
    tabs = [
        {"label": label, "icon": icon, "url": address(hypervisor, name), "current": name == tab}
        for name, (label, icon, _needed) in TABS.items()
        if name in tabs_of(hypervisor)
    ]
    frame = admin.site.each_context(request) | {
        "opts": Hypervisor._meta,
        "hypervisor": hypervisor,
        "health": facts.health(hypervisor),
        "tabs": tabs,
        "tab_label": TABS[tab][0],
        "parts": {name: parts.known(request, hypervisor, name) for name in shown},
    }
    return TemplateResponse(request, f"{FOLDER}/{template}.html", frame | context)


def told(
    request: HttpRequest, hypervisor: Hypervisor, tab: str, text: str, level: int = messages.SUCCESS
) -> HttpResponse:
    """Back to a tab, with a message on top."""
    messages.add_message(request, level, text)
    return HttpResponseRedirect(address(hypervisor, tab))
