"""Parts of a cloud's pages: drawn at once from what was last heard, and again from what the cloud says now.

A part asks by itself, so that a slow service holds up nothing but its own part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from hypervisors import breaker, clouds, inventory, services
from hypervisors.admin.cloud import figures
from hypervisors.drivers.cloud import KINDS
from hypervisors.inventory import Answer
from hypervisors.models import Hypervisor
from olimpus import panels
from olimpus.errors import HypervisorError, Invalid

#: Seconds between two questions of an open page.
PAUSE: Final = 20
#: Kinds whose predefined rows mean something on a cloud that was never heard; its hosts are nobody's guess.
SERVE: Final = frozenset({"flavors"})


@dataclass(frozen=True)
class Heard:
    """What a cloud said. `at`: when the oldest of it was said; `error`: why it is silent now; `fresh`: need not be asked."""

    data: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    error: str = ""
    fresh: bool = False


@dataclass(frozen=True)
class Part:
    """The kinds of inventory that a part tells, and how; it is about the first. Without `extra` ones it does as well."""

    kinds: tuple[str, ...]
    tell: Callable[[HttpRequest, Hypervisor, Mapping[str, Any]], dict[str, Any]]
    extra: frozenset[str] = frozenset()
    of_project: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """What the technology must have."""
        return frozenset(self.kinds) & KINDS.keys() or frozenset({"quotas"})


def part(request: HttpRequest, hypervisor: Hypervisor, kind: str) -> HttpResponse:
    """The part as the cloud says now, for a page that is already there; `?refresh=1` asks whatever is known."""
    if kind not in PARTS or not clouds.offers(hypervisor).issuperset(PARTS[kind].needs):
        raise Http404
    told = heard_now(request, hypervisor, kind, refresh="refresh" in request.GET)
    context = {"hypervisor": hypervisor, "part": _context(request, hypervisor, kind, told)}
    return TemplateResponse(request, f"admin/hypervisors/cloud/part_{kind}.html", context)


def known(request: HttpRequest, hypervisor: Hypervisor, name: str) -> dict[str, Any]:
    """The part as it was last heard; the cloud is not asked. One query, and those of the tree's panel."""
    wanted = PARTS[name]
    if not wanted.kinds:
        return _context(request, hypervisor, name, Heard())
    keys = {kind: inventory.key_of(kind, _of(request, wanted, kind)) for kind in wanted.kinds}
    answers = inventory.known(hypervisor, *keys.values())
    return _context(request, hypervisor, name, _heard({kind: answers.get(key) for kind, key in keys.items()}, []))


def heard_now(request: HttpRequest, hypervisor: Hypervisor, name: str, *, refresh: bool = False) -> Heard:
    """What the cloud says, as fresh as the inventory wants it; never raises because the cloud is silent."""
    wanted = PARTS[name]
    if not wanted.kinds:
        return _services(hypervisor, refresh)
    answers: dict[str, Answer | None] = {}
    errors = []
    for kind in wanted.kinds:
        of = _of(request, wanted, kind)
        try:
            answer = clouds.look(hypervisor, kind, actor=request.user, refresh=refresh, of=of)  # type: ignore[arg-type]
        except (HypervisorError, Invalid) as error:
            answers[kind] = None
            errors += [] if kind in wanted.extra else [str(error)]
            continue
        guessed = answer.source == "predefined" and kind not in SERVE
        answers[kind] = None if guessed else answer
        errors += [answer.error] if answer.error else []
    return _heard(answers, errors)


# -- the parts ---------------------------------------------------------------------------------------------------------


def _zones(request: HttpRequest, hypervisor: Hypervisor, data: Mapping[str, Any]) -> dict[str, Any]:
    return figures.zones(data.get("zones") or [])


def _quotas(request: HttpRequest, hypervisor: Hypervisor, data: Mapping[str, Any]) -> dict[str, Any]:
    names = [project["name"] for project in data.get("projects") or []]
    return {
        "groups": figures.quotas(data.get("quotas") or []),
        "projects": names,
        "project": _project(request),
    }


def _images(request: HttpRequest, hypervisor: Hypervisor, data: Mapping[str, Any]) -> dict[str, Any]:
    rows = figures.images(data.get("images") or [])
    return {"images": rows, **panels.context("cloud-images", request, hypervisor)}


def _flavors(request: HttpRequest, hypervisor: Hypervisor, data: Mapping[str, Any]) -> dict[str, Any]:
    return figures.flavors(data.get("flavors") or [], data.get("flavor_use"))


def _networks(request: HttpRequest, hypervisor: Hypervisor, data: Mapping[str, Any]) -> dict[str, Any]:
    kinds = ("networks", "routers", "projects")
    return {"networks": figures.networks(*(data.get(kind) or [] for kind in kinds))}


def _report(request: HttpRequest, hypervisor: Hypervisor, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "services": data.get("services") or [],
        "circuit": breaker.seen(Path(settings.OLIMPUS_HOME), hypervisor.name),
    }


PARTS: Final[Mapping[str, Part]] = {
    "zones": Part(("zones",), _zones),
    "quotas": Part(("quotas", "projects"), _quotas, frozenset({"projects"}), of_project=True),
    "services": Part((), _report),
    "images": Part(("images",), _images),
    "flavors": Part(("flavors", "flavor_use"), _flavors),
    "networks": Part(("networks", "routers", "projects"), _networks, frozenset({"projects"})),
}


# -- inside ------------------------------------------------------------------------------------------------------------


def _context(request: HttpRequest, hypervisor: Hypervisor, name: str, heard: Heard) -> dict[str, Any]:
    url = reverse("admin:hypervisors_hypervisor_cloud_part", args=[hypervisor.pk, name])
    query = f"?project={_project(request)}" if PARTS[name].of_project and _project(request) else ""
    told = PARTS[name].tell(request, hypervisor, heard.data)
    first = (PARTS[name].kinds or ("services",))[0]
    return {
        "name": name,
        "url": url + query,
        "pause": PAUSE * 1000,
        "heard": heard,
        "has": heard.data.get(first) is not None,
        **told,
    }


def _heard(answers: Mapping[str, Answer | None], errors: list[str]) -> Heard:
    found = {kind: answer for kind, answer in answers.items() if answer is not None}
    ages = [answer.age_seconds for answer in found.values() if answer.age_seconds is not None]
    return Heard(
        {kind: answer.data for kind, answer in found.items()},
        timezone.now() - timedelta(seconds=max(ages)) if ages else None,
        errors[0] if errors else "",
        len(found) == len(answers) and all(answer.source in ("live", "cached") for answer in found.values()),
    )


def _services(hypervisor: Hypervisor, refresh: bool) -> Heard:
    """The report is remembered for some seconds, however many ask."""
    if refresh:
        services.memory.forget()
    told = services.told(hypervisor)
    return Heard({"services": told["services"]}, told["checked_at"])


def _project(request: HttpRequest) -> str:
    return request.GET.get("project", "")[:64]


def _of(request: HttpRequest, wanted: Part, kind: str) -> str:
    return _project(request) if wanted.of_project and kind == wanted.kinds[0] else ""
