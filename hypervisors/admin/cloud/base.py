"""What the pages of a cloud share: who may, which one is meant, the frame around each."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
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
#: Tab → its word and icon; "" is the overview.
TABS: Final = {
    "": (_("Overview"), "gauge"),
    "images": (_("Images"), "photo"),
    "flavors": (_("Flavors"), "box"),
    "networks": (_("Networks"), "network"),
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


def of_cloud(view: View) -> View:
    """The same; the view gets the record of the OpenStack. 404 when it is none."""

    @wraps(view)
    def with_record(request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        return view(request, get_object_or_404(Hypervisor, pk=pk, driver=clouds.DRIVER), **kwargs)

    return guarded(with_record)


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
        for name, (label, icon) in TABS.items()
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
