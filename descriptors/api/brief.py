"""`nodes/brief`: whole branches in one answer with few columns, for command lines and scripts."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from descriptors import selectors
from descriptors.api.base import READ, TreeViewSet
from descriptors.api.serializers import NodeQuery, PathField
from descriptors.models import Kind
from descriptors.states import CHOICES
from olimpus.api import query
from olimpus.errors import Invalid

Form = serializers.Serializer[Any]
#: Name in the answer → column.
COLUMNS = {
    "id": "pk",
    "path": "path",
    "kind": "kind",
    "state": "descriptor__state",
    "state_since": "descriptor__state_since",
    "hypervisor": "descriptor__hypervisor__name",
    "verb": "descriptor__open_operation__verb",
    "reason": "descriptor__reason",
}


class BriefRowSerializer(Form):
    """What a line of a list shows. What only machines have is null for folders."""

    id = serializers.IntegerField()
    path = serializers.CharField()
    kind = serializers.ChoiceField(Kind.choices)
    state = serializers.ChoiceField(CHOICES, allow_null=True)
    state_since = serializers.DateTimeField(allow_null=True)
    hypervisor = serializers.CharField(allow_null=True, help_text="Where the VM is.")
    verb = serializers.CharField(allow_null=True, help_text="What is being done to it now.")
    reason = serializers.CharField(allow_null=True, help_text="Why it failed; empty otherwise.")


class BriefSerializer(Form):
    """A branch."""

    path = serializers.CharField(help_text="Where it begins; of a pattern, the part without wildcards.")
    count = serializers.IntegerField()
    results = BriefRowSerializer(many=True)


class BriefQuery(NodeQuery):
    """One branch, or one pattern; the filters of `nodes`."""

    recursive = None
    ordering = None
    path = PathField(required=False, help_text="Below this folder, or this machine. Left out: everything.")
    depth = serializers.IntegerField(
        required=False, min_value=0, max_value=1000, help_text="1: children. 0: the node itself. Left out: all below."
    )
    glob = PathField(
        required=False, help_text="`/courses/*/student-0*/web`: `*`, `?` and `[…]` within a name, `**` across names."
    )


class Briefing(TreeViewSet):
    """Branches in one answer."""

    @extend_schema(operation_id="nodes_brief", parameters=[BriefQuery], responses={200: BriefSerializer, **READ})
    @action(detail=False, methods=["get"], pagination_class=None)
    def brief(self, request: Request) -> Response:
        """All that you may see below a path, or whose path matches, unpaged and in the order of a walk through the tree."""
        wanted = query(request, BriefQuery)
        glob = wanted.pop("glob", None)
        if glob is not None and wanted.keys() & {"path", "depth"}:
            raise Invalid(_("A pattern leaves no room for “path” and “depth”."), where="glob")
        columns = list(COLUMNS.values())
        if glob is None:
            path, rows = selectors.walk(request.user, columns, **wanted)
        else:
            path, rows = selectors.matching(request.user, columns, glob, **wanted)
        return Response(
            {"path": path, "count": len(rows), "results": [dict(zip(COLUMNS, row, strict=True)) for row in rows]}
        )
