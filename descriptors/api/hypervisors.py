"""What a hypervisor has to do with the tree: VMs that nobody owns, and comparing now."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from descriptors import actions, selectors
from descriptors.api import serializers
from descriptors.api.base import ASK, READ, TreeViewSet
from descriptors.api.nodes import made
from descriptors.models import Unowned
from hypervisors.actions import require_superuser
from hypervisors.models import Hypervisor
from olimpus import queue
from olimpus.errors import NotFound
from olimpus.pagination import Pagination


class HypervisorTreeViewSet(TreeViewSet):
    """For superusers."""

    pagination_class = Pagination
    bodies: ClassVar = {"adopt": serializers.AdoptSerializer}

    @extend_schema(
        operation_id="hypervisors_unowned", responses={200: serializers.UnownedSerializer(many=True), **READ}
    )
    @action(detail=True, methods=["get"])
    def unowned(self, request: Request, pk: str) -> Response:
        """VMs on the hypervisor that no descriptor owns, as last seen."""
        page = self.paginate_queryset(self._unowned(pk).order_by("name", "ref"))
        return self.get_paginated_response(
            [{"ref": vm.ref, "name": vm.name, "info": vm.info, "seen_at": vm.seen_at} for vm in page or ()]
        )

    @extend_schema(
        operation_id="hypervisors_adopt",
        request=serializers.AdoptSerializer,
        responses={201: serializers.NodeSerializer, **ASK},
    )
    @action(detail=True, methods=["post"])
    def adopt(self, request: Request, pk: str) -> Response:
        """Make a descriptor for such a VM, in the state in which the VM is."""
        rows = self._unowned(pk)
        given = self.body(request)
        vm = rows.filter(ref=given["ref"]).first()
        if vm is None:
            raise NotFound(
                _("Nobody has seen such a VM."), where="ref", hint=_("Let the hypervisor be compared first.")
            )
        folder = selectors.get(request.user, given["folder"])
        return made(actions.adopt(vm, folder, actor=request.user, name=given.get("name")))

    @extend_schema(
        operation_id="hypervisors_reconcile", request=None, responses={202: serializers.AskedSerializer, **ASK}
    )
    @action(detail=True, methods=["post"])
    def reconcile(self, request: Request, pk: str) -> Response:
        """Ask a worker to compare the hypervisor with the tree now."""
        hypervisor = self._hypervisor(pk)
        queue.send("descriptors.tasks.reconcile", [str(hypervisor.pk)], queue=hypervisor.queue)
        return Response({"hypervisor": hypervisor.name}, status=202)

    def _hypervisor(self, pk: str) -> Hypervisor:
        require_superuser(self.request.user)
        return get_object_or_404(Hypervisor, pk=pk)

    def _unowned(self, pk: str) -> QuerySet[Unowned]:
        return Unowned.objects.filter(hypervisor=self._hypervisor(pk)).select_related("hypervisor")
