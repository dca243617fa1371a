"""`/api/slices`: drawn, planned, deployed, watched, torn down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.http import HttpResponse, QueryDict
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as drf
from rest_framework.decorators import action
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from descriptors.api.base import ASK, READ, WRITE, TreeViewSet
from descriptors.models import Node
from hypervisors.placement import Strategy
from olimpus.api import query
from olimpus.errors import Invalid
from olimpus.pagination import Pagination
from olimpus.parsers import JSONParser, MultiPartParser
from slices import actions, documents, formats, ipam, mapping, selectors, sites, templates, topology
from slices.actions import Asked
from slices.api import answers, serializers
from slices.graph import Graph
from slices.models import Deployment
from slices.wishes import graph_of_wish

#: Formats that are no plain text.
TYPES: Final = {"own": "application/json", "nodelink": "application/json", "graphml": "application/xml"}
BEGUN = {202: serializers.DEPLOYED, **ASK}


class AsAsked(BaseContentNegotiation):
    """Where `?format=` names the format of a file, not that of the answer."""

    def select_parser(self, request: Request, parsers: Sequence[Any]) -> Any:
        """None is needed."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Sequence[Any], format_suffix: str | None = None) -> Any:
        """Errors are told as JSON."""
        return renderers[0], renderers[0].media_type


class SliceViewSet(TreeViewSet):
    """Slices by the id of their folder."""

    pagination_class = Pagination
    bodies: ClassVar = {
        "create": serializers.NewSliceSerializer,
        "partial_update": serializers.SliceChangeSerializer,
        "make_plan": serializers.PlanBodySerializer,
        "deploy": serializers.DeployBodySerializer,
        "resume": serializers.ResumeBodySerializer,
    }

    def body(self, request: Request) -> dict[str, Any]:
        """The checked body; a form of the browsable pages cannot say all of it."""
        if isinstance(request.data, QueryDict):
            raise Invalid(_("Send JSON."), where="body")
        return super().body(request)

    def slice(self, pk: str | int) -> Node:
        """The slice with this id. NotFound."""
        return selectors.get(self.request.user, int(pk))

    # -- all of them ---------------------------------------------------------------------------------------------------

    @extend_schema(
        operation_id="slices_list",
        parameters=[serializers.SlicesQuery],
        responses={200: serializers.SliceSerializer(many=True), **READ},
    )
    def list(self, request: Request) -> Response:
        """The slices that you may see, by path."""
        found = selectors.every(request.user, templates=query(request, serializers.SlicesQuery)["templates"])
        return self.get_paginated_response(selectors.rows(self.paginate_queryset(found) or []))

    @extend_schema(
        operation_id="slices_create",
        request=serializers.NewSliceSerializer,
        responses={201: serializers.CREATED, **ASK},
    )
    def create(self, request: Request) -> Response:
        """Make a slice, plan it, and with `deploy` deploy it when it fits."""
        given = self.body(request)
        template = selectors.graph(self.slice(given["template"])) if "template" in given else None
        graph = graph_of_wish(given, template)
        folder = actions.create(graph, given.get("folder", ""), actor=request.user)
        plan = actions.plan(folder, actor=request.user)
        deployment = None
        if given["deploy"] and plan.shown["fits"]:
            deployment = actions.deploy(folder, actor=request.user, digest=plan.digest)
        row = {
            "slice": answers.slice_row(self.slice(str(folder.pk)), request.user),
            "plan": answers.plan_row(plan, folder),
            "deployment": answers.deployment_row(deployment),
            "operations": answers.operation_rows(deployment, request.user),
        }
        return Response(row, status=201, headers={"Location": f"/api/slices/{folder.pk}"})

    # -- one of them ---------------------------------------------------------------------------------------------------

    @extend_schema(operation_id="slices_retrieve", responses={200: serializers.SliceDetailSerializer, **READ})
    def retrieve(self, request: Request, pk: str) -> Response:
        """One slice: its document as the tree has it, and the draft."""
        return Response(answers.slice_row(self.slice(pk), request.user))

    @extend_schema(
        operation_id="slices_partial_update",
        request=serializers.SliceChangeSerializer,
        responses={200: serializers.SliceDetailSerializer, **WRITE},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Save the draft (`document` with the `version` that you read; 409 tells who was quicker), or rename."""
        folder, given = self.slice(pk), self.body(request)
        if ("document" in given) != ("version" in given):
            raise Invalid(_("A draft is saved with the version that you read."), where="version")
        if "document" in given:
            actions.save_draft(folder, given["document"], version=given["version"], actor=request.user)
        told = {name: given[name] for name in ("name", "description", "template") if name in given}
        if told:
            actions.describe(folder, actor=request.user, **told)
        return Response(answers.slice_row(self.slice(pk), request.user))

    @extend_schema(operation_id="slices_destroy", responses={200: serializers.DEPLOYED, **BEGUN})
    def destroy(self, request: Request, pk: str) -> Response:
        """Tear down: destroy all machines, then delete the slice. 200 when nothing stood, 202 else."""
        return self._begun(actions.teardown(self.slice(pk), actor=request.user))

    # -- planned and deployed ------------------------------------------------------------------------------------------

    @extend_schema(
        operation_id="slices_last_plan",
        parameters=[serializers.DigestQuery],
        responses={200: serializers.SlicePlanSerializer, **READ},
    )
    @action(detail=True, methods=["get"], url_path="plan", pagination_class=None)
    def plan(self, request: Request, pk: str) -> Response:
        """The plan that was shown last, or the one of `digest`."""
        folder, digest = self.slice(pk), query(request, serializers.DigestQuery)["digest"]
        return Response(answers.plan_row(actions.shown(folder, digest, actor=request.user), folder))

    @extend_schema(
        operation_id="slices_plan",
        request=serializers.PlanBodySerializer,
        responses={200: serializers.SlicePlanSerializer, **ASK},
    )
    @plan.mapping.post
    def make_plan(self, request: Request, pk: str) -> Response:
        """What the draft (or `document`) would become, where each node lands and why. Nothing is changed."""
        folder, given = self.slice(pk), self.body(request)
        asked = Asked(Strategy(given["strategy"]), given["optimise"], given["pins"], given.get("document"))
        return Response(answers.plan_row(actions.plan(folder, actor=request.user, asked=asked), folder))

    @extend_schema(
        operation_id="slices_deploy",
        request=serializers.DeployBodySerializer,
        responses={200: serializers.DEPLOYED, **BEGUN},
    )
    @action(detail=True, methods=["post"])
    def deploy(self, request: Request, pk: str) -> Response:
        """Deploy exactly the plan of this digest. 200, without a deployment, when there is nothing to do, 202 else; 409
        when the slice or its draft has changed since it was shown."""
        return self._begun(actions.deploy(self.slice(pk), actor=request.user, digest=self.body(request)["digest"]))

    @extend_schema(operation_id="slices_resume", request=serializers.ResumeBodySerializer, responses=BEGUN)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on with what failed or never began."""
        return self._begun(actions.resume(self.slice(pk), actor=request.user, names=self.body(request)["nodes"]))

    @extend_schema(operation_id="slices_undo", request=None, responses=BEGUN)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Take back the last deployment: what it made is destroyed, the definitions are those from before."""
        return self._begun(actions.undo(self.slice(pk), actor=request.user))

    @extend_schema(operation_id="slices_status", responses={200: serializers.STATUS, **READ})
    @action(detail=True, methods=["get"], pagination_class=None)
    def status(self, request: Request, pk: str) -> Response:
        """How each node is, with its stage, its error, and the ways in."""
        folder = self.slice(pk)
        last = Deployment.objects.select_related("actor").filter(folder=folder.pk).first()
        told = selectors.status(request.user, folder)
        return Response({**told, "deployment": answers.deployment_row(last)})

    @extend_schema(
        operation_id="slices_export",
        parameters=[serializers.ExportQuery],
        responses={200: OpenApiTypes.STR, **READ},
    )
    @action(detail=True, methods=["get"], pagination_class=None, content_negotiation_class=AsAsked)
    def export(self, request: Request, pk: str) -> HttpResponse:
        """The slice as the tree has it, as a file of this format."""
        folder, name = self.slice(pk), query(request, serializers.ExportQuery)["format"]
        text = formats.write(selectors.graph(folder), name)
        headers = {
            "Content-Disposition": content_disposition_header(True, folder.name + formats.FORMATS[name].endings[0])
        }
        return HttpResponse(text, content_type=f"{TYPES.get(name, 'text/plain')}; charset=utf-8", headers=headers)

    # -- tools ---------------------------------------------------------------------------------------------------------

    @extend_schema(operation_id="slices_topologies", responses={200: serializers.TOPOLOGY, **READ})
    @action(detail=False, methods=["get"], pagination_class=None)
    def topologies(self, request: Request) -> Response:
        """The topologies that can be generated, each with the JSON Schema of its parameters."""
        return Response(topology.palette())

    @extend_schema(
        operation_id="slices_generate",
        request=serializers.GenerateBodySerializer,
        responses={200: OpenApiTypes.OBJECT, **WRITE},
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def generate(self, request: Request) -> Response:
        """The document of a topology (`{"kind": "ring", "size": 4}`), or of a template with values (`{"template": 12,
        "parameters": {"size": 5}}`). Nothing is made."""
        given = request.data
        if not isinstance(given, Mapping) or isinstance(given, QueryDict):
            raise drf.ValidationError({"kind": [_("The name of a topology.")]})
        graph = self._used(given) if "template" in given else self._generated(given)
        return Response(documents.write(ipam.addressed(graph)))

    @extend_schema(operation_id="slices_formats", responses={200: serializers.FORMAT, **READ})
    @action(detail=False, methods=["get"], pagination_class=None)
    def formats(self, request: Request) -> Response:
        """The formats of files, which of them are read, and which are written."""
        return Response(formats.described())

    @extend_schema(
        operation_id="slices_import",
        request=serializers.ImportBodySerializer,
        responses={200: serializers.IMPORTED, **WRITE},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        pagination_class=None,
        parser_classes=[JSONParser, MultiPartParser],
    )
    def read(self, request: Request) -> Response:
        """The document of a file, and what became of each of its parts. Nothing is made."""
        form = serializers.ImportBodySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        if ("text" in given) == ("file" in given):
            raise Invalid(_("Give “text”, or a “file”."), where="text")
        text = given["text"] if "text" in given else given["file"].read(formats.MOST_BYTES + 1)
        graph, report = formats.read(text, given["format"])
        names = mapping.clean(given["mapping"])
        graph = mapping.mapped(graph, names)
        told = report.as_data() | self._unknown(graph, given["hypervisor"], names)
        return Response({"document": documents.write(graph), "report": told})

    # -- inside --------------------------------------------------------------------------------------------------------

    def _generated(self, given: Mapping[str, Any]) -> Graph:
        if not isinstance(given.get("kind"), str):
            raise drf.ValidationError({"kind": [_("The name of a topology.")]})
        return topology.generate(given["kind"], {name: value for name, value in given.items() if name != "kind"})

    def _used(self, given: Mapping[str, Any]) -> Graph:
        key, values = given["template"], given.get("parameters", {})
        if not isinstance(key, int) or not isinstance(values, Mapping):
            raise drf.ValidationError({"template": [_("The id of a slice, with its “parameters” as a mapping.")]})
        return templates.used(selectors.graph(self.slice(key)), values)

    def _unknown(self, graph: Graph, name: str, names: mapping.Names) -> dict[str, Any]:
        """Names that the hypervisor does not know, each with one that it knows, and all of these; what was said of them
        is remembered.
        """
        if not name:
            return {"unknown": {kind: {} for kind in mapping.KINDS}, "known": {kind: [] for kind in mapping.KINDS}}
        hypervisor = selectors.hypervisor(self.request.user, name)
        known = sites.known_names(hypervisor)
        found = sites.unknown(graph, known, selectors.remembered(self.request.user, name))
        actions.remember(self.request.user, name, names)
        return {"unknown": found, "known": {kind: sorted(known[kind] or ()) if found[kind] else [] for kind in found}}

    def _begun(self, deployment: Deployment | None) -> Response:
        """What was asked for; 200 when nothing had to be."""
        row = {
            "deployment": answers.deployment_row(deployment),
            "operations": answers.operation_rows(deployment, self.request.user),
        }
        return Response(row, status=202 if deployment else 200)
