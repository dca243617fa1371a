"""What the hypervisor says about one machine now: console text, metrics, snapshots."""

from __future__ import annotations

from dataclasses import asdict

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from descriptors.api import serializers
from descriptors.api.base import ASK, TreeViewSet
from descriptors.models import Descriptor
from descriptors.permissions import require
from hypervisors.gateway import Gateway, gateway_for
from olimpus.errors import Conflict


class Looking(TreeViewSet):
    """Questions that go on to the hypervisor."""

    @extend_schema(responses={200: serializers.ConsoleSerializer, **ASK})
    @action(detail=True, methods=["get"])
    def console(self, request: Request, pk: str) -> Response:
        """What the guest wrote to its text console last; needs the right to open consoles."""
        machine = self.machine(pk)
        require(request.user, "console", machine)
        return Response({"text": _gateway(machine).console_text(machine.vm_ref)})

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


def _gateway(machine: Descriptor) -> Gateway:
    """The way to the machine's hypervisor. Conflict when there is nothing there."""
    if machine.hypervisor is None or not machine.vm_ref:
        raise Conflict(_("It is on no hypervisor."), where=machine.path)
    return gateway_for(machine.hypervisor)
