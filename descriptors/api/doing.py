"""Verbs: on one node, on a selection; the tables of verbs and states."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from descriptors import actions, selectors
from descriptors.api import serializers
from descriptors.api.base import ASK, READ, TreeViewSet
from descriptors.api.rows import operation_row
from descriptors.models import Operation
from descriptors.states import CHOICES, ON_THE_WAY
from descriptors.verbs import VERBS, Verb

VERB = OpenApiParameter("verb", OpenApiTypes.STR, OpenApiParameter.PATH, enum=list(VERBS))
LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[202], description="Where to ask how it goes."
)
BEGUN = {202: serializers.OperationSerializer, **ASK}


class Doing(TreeViewSet):
    """Verbs on nodes."""

    @extend_schema(
        operation_id="nodes_do", parameters=[VERB, LOCATION], request=serializers.ArgumentsSerializer, responses=BEGUN
    )
    @action(detail=True, methods=["post"], url_path=r"do/(?P<verb>[a-z_]{1,32})")
    def do(self, request: Request, pk: str, verb: str) -> Response:
        """Ask for a verb on a machine, or on all machines below a folder. 202: see the operation at `Location`."""
        node, arguments = self.node(pk), self.body(request)
        return begun(actions.request(verb, node, actor=request.user, arguments=arguments))

    @extend_schema(responses={200: serializers.OfferedVerb(many=True), **ASK})
    @action(detail=True, methods=["get"], pagination_class=None)
    def verbs(self, request: Request, pk: str) -> Response:
        """The verbs that you may use on this machine, and why one cannot be used now."""
        return Response([_offered(row) for row in selectors.available(self.machine(pk), request.user)])


class DoManyView(TreeViewSet):
    """Verbs on selections."""

    bodies = {"create": serializers.SelectionSerializer}

    @extend_schema(
        operation_id="do",
        parameters=[VERB, LOCATION],
        request=serializers.SelectionSerializer,
        responses=BEGUN,
    )
    def create(self, request: Request, verb: str) -> Response:
        """Ask for a verb on a selection: one operation with a result for each machine."""
        given = self.body(request)
        nodes = selectors.get_many(request.user, given.pop("nodes"))
        return begun(actions.request_many(verb, nodes, actor=request.user, arguments=given))


class VerbsView(APIView):
    """The table of verbs."""

    @extend_schema(operation_id="verbs", responses={200: serializers.VerbSerializer(many=True), **READ})
    def get(self, request: Request) -> Response:
        """Every verb: its permission, from which states it may begin, what is lost."""
        return Response([_verb(verb) for verb in VERBS.values()])


class StatesView(APIView):
    """The table of states."""

    @extend_schema(operation_id="states", responses={200: serializers.StateSerializer(many=True), **READ})
    def get(self, request: Request) -> Response:
        """The eight states of a machine."""
        return Response(
            [{"name": name, "label": gettext(label), "on_the_way": name in ON_THE_WAY} for name, label in CHOICES]
        )


def begun(operation: Operation) -> Response:
    """202 with the operation and where to ask about it."""
    operation = Operation.objects.select_related("actor", "hypervisor").get(pk=operation.pk)
    row = operation_row(operation, operation.actor)
    return Response(row, status=202, headers={"Location": f"/api/operations/{operation.pk}"})


def _offered(row: dict[str, Any]) -> dict[str, Any]:
    verb: Verb = row["verb"]
    return {
        "verb": verb.name,
        "label": str(verb.label),
        "enabled": row["enabled"],
        "why": row["why"],
        "warns": str(verb.warns),
        "arguments": verb.arguments,
        "tone": verb.tone,
    }


def _verb(verb: Verb) -> dict[str, Any]:
    return {
        "name": verb.name,
        "label": str(verb.label),
        "permission": verb.permission,
        "warns": str(verb.warns),
        "arguments": verb.arguments,
        "options": list(verb.options),
        "states": selectors.sources(verb),
        "tone": verb.tone,
        "icon": verb.icon,
    }
