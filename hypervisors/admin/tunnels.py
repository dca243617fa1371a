"""The console's page about tunnels through bastions. It reads itself anew while it is open."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.models import User
from hypervisors import bastions
from hypervisors.models import Hypervisor
from olimpus.errors import Forbidden, NotFound, OlimpusError

PAGE: Final = "hypervisors_hypervisor_tunnels"
#: State → (colour, icon, word).
STATES: Final = {
    "up": ("ok", "plug-connected", _("up")),
    "connecting": ("warn", "loader-2", _("connecting")),
    "down": ("danger", "plug-connected-x", _("down")),
    bastions.IDLE: ("quiet", "circle-dashed", _("not in use")),
}


def addresses() -> list[URLPattern]:
    """Below the list of hypervisors."""
    view = admin.site.admin_view
    return [
        path("tunnels/", view(page), name=PAGE),
        path("tunnels/now/", view(now), name=f"{PAGE}_now"),
        path("<int:pk>/reconnect/", view(reconnect), name=f"{PAGE}_reconnect"),
    ]


def page(request: HttpRequest) -> HttpResponse:
    """All tunnels that this person is in charge of."""
    frame = admin.site.each_context(request) | {"opts": Hypervisor._meta}
    return TemplateResponse(request, "admin/hypervisors/tunnels.html", frame | _situation(request))


def now(request: HttpRequest) -> HttpResponse:
    """The same, for the page that is already there."""
    return TemplateResponse(request, "admin/hypervisors/tunnels_now.html", _situation(request))


@require_POST
def reconnect(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask all processes to connect anew; leads back to the page."""
    actor: User = request.user  # type: ignore[assignment]
    try:
        hypervisor = bastions.by_number(pk, actor=actor)
        bastions.reconnect(hypervisor, actor=actor)
    except Forbidden as error:
        raise PermissionDenied from error
    except NotFound as error:
        raise Http404 from error
    except OlimpusError as error:
        messages.error(request, str(error))
    else:
        text = gettext("The tunnel of “%(name)s” is connected anew.") % {"name": hypervisor.name}
        messages.success(request, text)
    return HttpResponseRedirect(reverse(f"admin:{PAGE}"))


def _situation(request: HttpRequest) -> dict[str, Any]:
    try:
        reports = bastions.reports(request.user)  # type: ignore[arg-type]
    except Forbidden as error:
        raise PermissionDenied from error
    return {"reports": reports, "states": STATES}
