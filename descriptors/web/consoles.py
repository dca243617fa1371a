"""The page with a machine's screen or text console, the tickets that its script asks for, and pictures of screens."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from descriptors import selectors
from descriptors.actions import ask_console
from descriptors.models import Descriptor
from descriptors.web.doors import SignedIn, door, page
from hypervisors.gateway import gateway_for
from hypervisors.screenshots import screenshot
from olimpus.errors import HypervisorError, NotFound

#: Kind → what people call it, and its icon.
KINDS: Final = {
    "vnc": (gettext_lazy("Screen"), "device-desktop"),
    "serial": (gettext_lazy("Text"), "terminal-2"),
}


@door
def console(request: SignedIn, node_id: int) -> HttpResponse:
    """The whole window is the console; `?kind=` and `?mode=watch` say which."""
    machine = _machine(request, node_id)
    selectors.require_watching(request.user, machine)
    offered = selectors.consoles_of(machine)
    drives = selectors.may_drive(request.user, machine)
    kind = request.GET.get("kind", "")
    context: dict[str, Any] = {
        "node": machine,
        "kinds": [{"kind": one, "label": KINDS[one][0], "icon": KINDS[one][1]} for one in offered if one in KINDS],
        "kind": kind if kind in offered else next(iter(offered), ""),
        "may_drive": drives,
        "watch": not drives or request.GET.get("mode") == "watch",
    }
    return page(request, "portal/console.html", context)


@door
@require_POST
def ticket(request: SignedIn, node_id: int) -> HttpResponse:
    """What the page opens its socket with."""
    watch = request.POST.get("mode") == "watch"
    made = ask_console(_machine(request, node_id), request.POST.get("kind", ""), actor=request.user, watch=watch)
    return JsonResponse({"url": f"/ws/console?ticket={made.clear}", "kind": made.kind, "mode": made.mode})


@door
def picture(request: SignedIn, node_id: int) -> HttpResponse:
    """What its screen shows now; 204 when it shows nothing, or the hypervisor does not say: a card does without."""
    machine = _machine(request, node_id)
    selectors.require_watching(request.user, machine)
    if machine.hypervisor is None or not selectors.has_picture(machine):
        return HttpResponse(status=204)
    try:
        shown = screenshot(gateway_for(machine.hypervisor), machine.vm_ref)
    except HypervisorError:
        return HttpResponse(status=204)
    return HttpResponse(shown, content_type="image/png")


def _machine(request: SignedIn, node_id: int) -> Descriptor:
    node = selectors.get(request.user, node_id)
    if node.is_folder:
        raise NotFound(_("This is a folder."), where=node.path)
    return node.descriptor
