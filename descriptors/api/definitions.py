"""Definitions: read, plan, save, export; whole documents; the table of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from descriptors import actions, selectors
from descriptors.actions import ApplyPlan, EditPlan
from descriptors.api import serializers
from descriptors.api.base import AS, IF_MATCH, READ, WRITE, TreeViewSet
from descriptors.api.documents import PARSERS, RENDERERS, YAML, Document, body_of, located, wants_yaml
from descriptors.definition import schema_document
from descriptors.models import Node
from olimpus.api import etag, expected_version, query
from olimpus.errors import Invalid

#: Machines listed in a plan; all are counted.
MOST_ROWS = 1000
JSON = "application/json"
ANY_DOCUMENT = {"application/json": OpenApiTypes.OBJECT, YAML: OpenApiTypes.OBJECT}
EDITED = {200: serializers.EditedSerializer, **WRITE}


class Defining(TreeViewSet):
    """The definition of a node."""

    @extend_schema(
        operation_id="nodes_definition_retrieve",
        parameters=[serializers.PartQuery, AS],
        responses={
            (200, JSON): serializers.DefinitionSerializer,
            (200, YAML): OpenApiTypes.OBJECT,
            **READ,
        },
    )
    @action(detail=True, methods=["get"], parser_classes=PARSERS, renderer_classes=RENDERERS)
    def definition(self, request: Request, pk: str) -> Response:
        """Local and computed, with the origin of each value. As YAML: the local part alone, as `PUT` takes it."""
        node, part = self.node(pk), query(request, serializers.PartQuery)["part"]
        headers = {"ETag": etag(node.version)}
        if wants_yaml(request):
            return Response(node.definition if part == "local" else selectors.computed(node).values, headers=headers)
        return Response(definition_row(node), headers=headers)

    @extend_schema(
        operation_id="nodes_definition_update", parameters=[IF_MATCH], request=ANY_DOCUMENT, responses=EDITED
    )
    @definition.mapping.put
    def replace_definition(self, request: Request, pk: str) -> Response:
        """Replace the local definition. 412 when If-Match names an older version."""
        node = self.node(pk)
        return self._edit(request, node, body_of(request), expected_version(request))

    @extend_schema(
        operation_id="nodes_definition_partial_update", parameters=[IF_MATCH], request=ANY_DOCUMENT, responses=EDITED
    )
    @definition.mapping.patch
    def merge_definition(self, request: Request, pk: str) -> Response:
        """Set some parameters of the local definition, each as a whole; the others stay. null removes what is inherited."""
        node, document = self.node(pk), body_of(request)
        if not isinstance(document.data, Mapping):
            raise Invalid(_("A definition is a mapping."), where="body")
        merged = Document({**node.definition, **document.data}, document.positions)
        version = expected_version(request)
        return self._edit(request, node, merged, node.version if version is None else version)

    def _edit(self, request: Request, node: Node, document: Document, version: int | None) -> Response:
        with located(document):
            plan = actions.plan_edit(node, document.data, actor=request.user)
            actions.edit(node, document.data, actor=request.user, version=version)
        fresh = selectors.get(request.user, node.pk)
        return Response(definition_row(fresh) | {"plan": plan_row(plan)}, headers={"ETag": etag(fresh.version)})

    @extend_schema(request=ANY_DOCUMENT, responses={200: serializers.EditPlanSerializer, **WRITE})
    @action(detail=True, methods=["post"], parser_classes=PARSERS)
    def plan(self, request: Request, pk: str) -> Response:
        """What saving this local definition would do to the machines at and below the node. Changes nothing."""
        node, document = self.node(pk), body_of(request)
        with located(document):
            return Response(plan_row(actions.plan_edit(node, document.data, actor=request.user)))

    @extend_schema(
        parameters=[AS],
        responses={(200, JSON): OpenApiTypes.OBJECT, (200, YAML): OpenApiTypes.OBJECT, **READ},
    )
    @action(detail=True, methods=["get"], renderer_classes=RENDERERS)
    def export(self, request: Request, pk: str) -> Response:
        """The branch as a document that `apply` takes, with what you may see of it."""
        return Response(actions.export(self.node(pk), actor=request.user))


class ApplyView(APIView):
    """Documents."""

    parser_classes = PARSERS

    @extend_schema(
        operation_id="apply",
        parameters=[serializers.DryRunQuery],
        request=ANY_DOCUMENT,
        responses={200: serializers.ApplyPlanSerializer, **WRITE},
    )
    def post(self, request: Request) -> Response:
        """Create and update folders, definitions and machines by one document; all or nothing. May be repeated."""
        document, dry_run = body_of(request), query(request, serializers.DryRunQuery)["dry_run"]
        with located(document):
            plan = actions.apply(document.data, actor=request.user, dry_run=dry_run)
        return Response(_apply_row(plan, dry_run=dry_run))


class ParametersView(APIView):
    """The table of parameters."""

    @extend_schema(operation_id="parameters", responses={200: OpenApiTypes.OBJECT, **READ})
    def get(self, request: Request) -> Response:
        """A JSON Schema of local definitions: every parameter with unit, class and the drivers that use it."""
        return Response(schema_document())


def definition_row(node: Node) -> dict[str, Any]:
    """Local, computed, origins, pending. A definition that cannot be computed says why in `fault`."""
    row = {"path": node.path, "kind": node.kind, "version": node.version, "local": node.definition}
    try:
        computed = selectors.computed(node)
    except Invalid as error:
        return row | {"computed": None, "origins": {}, "pending": {}, "fault": str(error)}
    pending = {} if node.is_folder else selectors.pending(node.descriptor, computed.values)
    return row | {"computed": computed.values, "origins": computed.origins, "pending": pending, "fault": ""}


def plan_row(plan: EditPlan) -> dict[str, Any]:
    """A plan as the API tells it."""
    machines = [asdict(row) for row in plan.rows[:MOST_ROWS]]
    return {"counts": plan.counts, "unchanged": plan.unchanged, "machines": machines, "broken": plan.broken[:MOST_ROWS]}


def _apply_row(plan: ApplyPlan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "create": [{"path": path, "kind": kind} for path, kind in plan.create],
        "update": plan.update,
        "unchanged": plan.unchanged,
        "effects": plan_row(plan.effects),
    }
