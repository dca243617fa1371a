"""`journal`: who did what to which path, when, from where."""

from __future__ import annotations

from typing import Any

import django_filters
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
from accounts.models import Entry


class EntryFilter(django_filters.FilterSet):
    """Filters of the journal."""

    actor = django_filters.CharFilter(field_name="actor_name", help_text="User name.")
    verb = django_filters.CharFilter(method="by_verb", help_text="Exact, or a beginning such as `user.*`.")
    path = django_filters.CharFilter(method="by_path", help_text="This path and everything below it.")
    node = django_filters.NumberFilter(
        field_name="node_id", min_value=0, max_value=2**63 - 1, decimal_places=0, help_text="Id of a node."
    )
    operation = django_filters.UUIDFilter(field_name="operation_id")
    via = django_filters.CharFilter()
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", help_text="ISO 8601.")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", help_text="ISO 8601.")

    class Meta:
        model = Entry
        fields: list[str] = []

    def by_verb(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """Exact, or by beginning where the value ends with a star."""
        if value.endswith("*"):
            return queryset.filter(verb__startswith=value[:-1])
        return queryset.filter(verb=value)

    def by_path(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """A path and what is below it."""
        return queryset.filter(journal.below(value))


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
