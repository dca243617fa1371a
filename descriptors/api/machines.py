"""What the hypervisor says about one machine now: console text, metrics, snapshots."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from descriptors.actions import Ticket, ask_console
from descriptors.api import serializers
from descriptors.api.base import ASK, TreeViewSet
from descriptors.models import Descriptor
from descriptors.permissions import require
from descriptors.selectors import has_picture, require_watching
from hypervisors.gateway import Gateway, gateway_for
from hypervisors.screenshots import screenshot
from olimpus.errors import Conflict, Rejected
from olimpus.renderers import PngRenderer


class Looking(TreeViewSet):
    """Questions that go on to the hypervisor."""

    @extend_schema(responses={200: serializers.ConsoleSerializer, **ASK})
    @action(detail=True, methods=["get"])
    def console(self, request: Request, pk: str) -> Response:
        """What the guest wrote to its text console last; needs the right to open consoles."""
        machine = self.machine(pk)
        require(request.user, "console", machine)
        return Response({"text": _gateway(machine).console_text(machine.vm_ref)})

    @extend_schema(
        operation_id="nodes_console_open",
        request=serializers.ConsoleWishSerializer,
        responses={201: serializers.ConsoleTicketSerializer, **ASK},
    )
    @console.mapping.post
    def open_console(self, request: Request, pk: str) -> Response:
        """A ticket for a console: good once, for half a minute, for you, at `url` (WebSocket) with your token or session.

        `page` is where a person finds the same console. Watching needs only the right to watch.
        """
        machine, given = self.machine(pk), self.body(request)
        ticket = ask_console(machine, given["kind"], actor=request.user, watch=given["mode"] == "watch")
        return Response(_told(request, machine, ticket), status=201)

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY, **ASK})
    @action(detail=True, methods=["get"], renderer_classes=[JSONRenderer, PngRenderer])
    def screenshot(self, request: Request, pk: str) -> HttpResponse:
        """What its screen shows now, as PNG, at most ten seconds old; needs the right to watch its console."""
        machine = self.machine(pk)
        require_watching(request.user, machine)
        if not has_picture(machine):
            raise Conflict(_("Its screen shows nothing now."), where=machine.path)
        try:
            picture = screenshot(_gateway(machine), machine.vm_ref)
        except Rejected as error:  # it is off by now, whatever we know
            raise Conflict(str(error.message), where=machine.path) from None
        return HttpResponse(picture, content_type="image/png")

    @extend_schema(responses={200: serializers.MetricsSerializer, **ASK})
    @action(detail=True, methods=["get"])
    def metrics(self, request: Request, pk: str) -> Response:
        """Measurements of this moment."""
        machine = self.machine(pk)
        return Response({"metrics": _gateway(machine).metrics(machine.vm_ref)})

    @extend_schema(responses={200: serializers.SnapshotSerializer(many=True), **ASK})
    @action(detail=True, methods=["get"], pagination_class=None)
    def snapshots(self, request: Request, pk: str) -> Response:
        """The machine's snapshots."""
        machine = self.machine(pk)
        return Response([asdict(snapshot) for snapshot in _gateway(machine).snapshots(machine.vm_ref)])


def _told(request: Request, machine: Descriptor, ticket: Ticket) -> dict[str, Any]:
    """Addresses as this client reaches us."""
    socket = request.build_absolute_uri(f"/ws/console?ticket={ticket.clear}")
    page = request.build_absolute_uri(reverse("node-console", args=[machine.pk]))
    return {
        "url": f"ws{socket.removeprefix('http')}",
        "page": f"{page}?kind={ticket.kind}&mode={ticket.mode}",
        "ticket": ticket.clear,
        "expires_at": ticket.expires_at,
        "kind": ticket.kind,
        "mode": ticket.mode,
    }


def _gateway(machine: Descriptor) -> Gateway:
    """The way to the machine's hypervisor. Conflict when there is nothing there."""
    if machine.hypervisor is None or not machine.vm_ref:
        raise Conflict(_("It is on no hypervisor."), where=machine.path)
    return gateway_for(machine.hypervisor)
