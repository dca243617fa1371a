"""`journal`: who did what to which path, when, from where."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts import export, journal
from accounts.api.serializers import EntrySerializer
from accounts.entries import EntryFilter
from accounts.models import Entry


class CsvRenderer(JSONRenderer):
    """Lets clients ask for CSV. The file itself is streamed past the renderer; only problems are rendered, as JSON."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"


@extend_schema(tags=["journal"])
class JournalViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Entry]):
    """The journal, newest first. Superusers read all of it, others what they did and what their branches allow."""

    queryset = Entry.objects.none()
    serializer_class = EntrySerializer
    filterset_class = EntryFilter
    ordering_fields = ["id", "at"]
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Entry]:
        """The entries this user may read."""
        return journal.visible_to(self.request.user).order_by("-id")

    @extend_schema(
        operation_id="journal_export",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    @action(detail=False, renderer_classes=[CsvRenderer], pagination_class=None, ordering_fields=[])
    def export(self, request: Request, *args: Any, **kwargs: Any) -> StreamingHttpResponse:
        """The filtered journal as CSV (`?format=csv`, the only format), streamed."""
        return export.response(request._request, self.filter_queryset(self.get_queryset()))
