"""Removing something from a cloud: a page asks first, naming what will be lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hypervisors import clouds
from hypervisors.admin.cloud import parts
from hypervisors.admin.cloud.base import address, drawn, tabs_of, told
from hypervisors.models import Hypervisor
from olimpus import panels
from olimpus.errors import OlimpusError


@dataclass(frozen=True)
class Removal:
    """One kind: the verb of `clouds.DEEDS` with the name of its argument, the tab and the list that has it, the words."""

    verb: str
    argument: str
    tab: str
    kind: str
    question: Promise
    done: Promise
    means: Promise


REMOVALS: Final[Mapping[str, Removal]] = {
    "image": Removal(
        "image.delete",
        "image",
        "images",
        "images",
        _("Delete the image “%(name)s”?"),
        _("The image “%(name)s” is gone."),
        _("It cannot be brought back. Machines made from it stay; none can be created or recreated from it any more."),
    ),
    "flavor": Removal(
        "flavor.delete",
        "name",
        "flavors",
        "flavors",
        _("Delete the flavor “%(name)s”?"),
        _("The flavor “%(name)s” is gone."),
        _("Machines that have it keep their size; no new ones get it by name."),
    ),
    "network": Removal(
        "network.delete",
        "network",
        "networks",
        "networks",
        _("Delete the network “%(name)s”?"),
        _("The network “%(name)s” is gone."),
        _("Its subnets go with it. The cloud refuses while machines or routers are on it."),
    ),
    "router": Removal(
        "router.delete",
        "router",
        "networks",
        "routers",
        _("Delete the router “%(name)s”?"),
        _("The router “%(name)s” is gone."),
        _("Machines on its networks lose the way to other networks and to the outside."),
    ),
}


def page(request: HttpRequest, hypervisor: Hypervisor, kind: str) -> HttpResponse:
    """GET asks, POST removes; `key` says what. What is not there any more leads back."""
    if kind not in REMOVALS or REMOVALS[kind].tab not in tabs_of(hypervisor):
        raise Http404
    removal = REMOVALS[kind]
    key = (request.POST if request.method == "POST" else request.GET).get("key", "")
    row = _row(request, hypervisor, removal, key)
    if row is None:
        return told(request, hypervisor, removal.tab, gettext("It is not there any more."), messages.WARNING)
    if request.method == "POST":
        return _removed(request, hypervisor, removal, key, row["name"] or key)
    context = {
        "kind": kind,
        "key": key,
        "row": row,
        "question": removal.question % {"name": row["name"] or key},
        "means": removal.means,
        "back": address(hypervisor, removal.tab),
        **(panels.context("cloud-images", request, hypervisor) if kind == "image" else {}),
    }
    return drawn(request, hypervisor, "remove", removal.tab, **context)


def _removed(request: HttpRequest, hypervisor: Hypervisor, removal: Removal, key: str, name: str) -> HttpResponse:
    try:
        clouds.do(hypervisor, removal.verb, {removal.argument: key}, actor=request.user)  # type: ignore[arg-type]
    except OlimpusError as error:
        return told(request, hypervisor, removal.tab, str(error), messages.ERROR)
    return told(request, hypervisor, removal.tab, removal.done % {"name": name})


def _row(request: HttpRequest, hypervisor: Hypervisor, removal: Removal, key: str) -> dict[str, Any] | None:
    """What is meant, among what was last heard, with all that the list tells of it."""
    shown = parts.known(request, hypervisor, removal.tab)
    rows = shown[removal.tab]
    if removal.kind == "routers":
        routers = [router for network in rows for router in network["routers"]]
        return next((router for router in routers if router["id"] == key), None)
    by = "name" if removal.argument == "name" else "id"
    return next((row for row in rows if row[by] == key and row.get("on_cloud", True) and key), None)
