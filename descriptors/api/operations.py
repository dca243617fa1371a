"""`operations`: what is going on and what came of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import journal
from descriptors import actions, selectors
from descriptors.api import serializers
from descriptors.api.base import ASK, READ, TreeViewSet
from descriptors.api.doing import BEGUN, LOCATION, begun
from descriptors.api.rows import operation_row
from descriptors.models import Operation
from olimpus.api import query
from olimpus.errors import NotFound
from olimpus.pagination import Pagination

ROWS = serializers.OperationSerializer(many=True)


class OperationViewSet(TreeViewSet):
    """Operations on what you may see, and your own, newest first."""

    queryset = Operation.objects.none()
    pagination_class = Pagination
    lookup_value_regex = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    bodies: ClassVar = {}

    @extend_schema(parameters=[serializers.OperationQuery], responses={200: ROWS, **READ})
    def list(self, request: Request) -> Response:
        """Operations that somebody asked for; the single machines of a folder's operation are its `results`."""
        return self._page(_filtered(selectors.operations(request.user), query(request, serializers.OperationQuery)))

    @extend_schema(responses={200: serializers.OperationSerializer, **READ})
    def retrieve(self, request: Request, pk: str) -> Response:
        """One operation, with the counts of its machines."""
        return Response(operation_row(self._operation(pk), request.user))

    @extend_schema(parameters=[serializers.ResultQuery], responses={200: ROWS, **READ})
    @action(detail=True, methods=["get"])
    def results(self, request: Request, pk: str) -> Response:
        """The machines of an operation on a folder or a selection, by path."""
        rows = selectors.results(self._operation(pk), request.user).select_related("actor", "hypervisor")
        if status := query(request, serializers.ResultQuery).get("status"):
            rows = rows.filter(status__in=status)
        return self._page(rows)

    @extend_schema(request=None, responses={200: serializers.OperationSerializer, **ASK})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """What nobody has begun is undone at once; what is being done stops at its next pause."""
        operation = actions.cancel(self._operation(pk), actor=request.user)
        return Response(operation_row(operation, request.user))

    @extend_schema(parameters=[LOCATION], request=None, responses=BEGUN)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Ask again for the verb on the machines that failed: a new operation."""
        return begun(actions.retry_failed(self._operation(pk), actor=request.user))

    def _operation(self, pk: str) -> Operation:
        operation = selectors.operations(self.request.user).filter(pk=pk).first()
        if operation is None:
            raise NotFound(_("There is no such operation, or you may not see it."), where=pk)
        return operation

    def _page(self, rows: QuerySet[Operation]) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([operation_row(row, self.request.user) for row in page or ()])


def _filtered(rows: QuerySet[Operation], wanted: dict[str, Any]) -> QuerySet[Operation]:
    if "parent" in wanted:
        rows = rows.filter(parent=wanted["parent"])
    elif not wanted["children"]:
        rows = rows.filter(parent=None)
    if wanted.get("status"):
        rows = rows.filter(status__in=wanted["status"])
    if "path" in wanted:
        rows = rows.filter(journal.below(selectors.folder_path(wanted["path"])))
    columns = {"verb": "verb", "actor": "actor__username"}
    rows = rows.filter(**{columns[name]: wanted[name] for name in columns if name in wanted})
    return rows.order_by(wanted["ordering"], "pk") if "ordering" in wanted else rows.order_by("-created_at", "pk")
