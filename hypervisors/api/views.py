"""Hypervisors and drivers over REST. The rules are in `hypervisors.actions`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import actions
from hypervisors.api.serializers import (
    ConnectionTestSerializer,
    DriverSerializer,
    HypervisorSerializer,
    HypervisorWriteSerializer,
    MaintenanceSerializer,
    TrySerializer,
)
from hypervisors.drivers.base import Driver
from hypervisors.drivers.checks import Check
from hypervisors.models import Hypervisor
from hypervisors.registry import installed
from olimpus.api import etag, expected_version, problem_responses
from olimpus.db import containing

READ = problem_responses(400, 401, 403, 404)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="ETag of the record you read; 412 when somebody saved since."
)
WRITE = problem_responses(400, 401, 403, 404, 409, 412)


class HypervisorFilter(django_filters.FilterSet):
    """`?q=` part of a name, `?driver=`, `?health=`, `?maintenance=`."""

    q = django_filters.CharFilter(method="search")

    class Meta:
        model = Hypervisor
        fields = ["driver", "health", "maintenance"]

    def search(self, queryset: QuerySet[Hypervisor], name: str, value: str) -> QuerySet[Hypervisor]:
        """Part of a name."""
        return containing(queryset, ["name"], value)


class HypervisorViewSet(viewsets.GenericViewSet):
    """Hypervisors. Superusers see and change all of a record; others see its name, driver, health and maintenance."""

    queryset = Hypervisor.objects.prefetch_related("managers", "manager_groups")
    serializer_class = HypervisorSerializer
    filterset_class = HypervisorFilter
    ordering_fields = ["name", "driver", "health"]
    ordering = ["name"]
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(responses={200: HypervisorSerializer(many=True), **READ})
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses={200: HypervisorSerializer, **READ}, filters=False)
    def retrieve(self, request: Request, pk: str) -> Response:
        """The answer's ETag goes into If-Match of a change."""
        return self._answer(self.get_object())

    @extend_schema(request=HypervisorWriteSerializer, responses={201: HypervisorSerializer, **WRITE})
    def create(self, request: Request) -> Response:
        hypervisor = actions.create(self._body(request), actor=request.user)
        return self._answer(hypervisor, status=201)

    @extend_schema(
        request=HypervisorWriteSerializer, parameters=[IF_MATCH], responses={200: HypervisorSerializer, **WRITE}
    )
    def update(self, request: Request, pk: str) -> Response:
        return self._update(request, partial=False)

    @extend_schema(
        request=HypervisorWriteSerializer(partial=True),
        parameters=[IF_MATCH],
        responses={200: HypervisorSerializer, **WRITE},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return self._update(request, partial=True)

    @extend_schema(responses={204: None, **WRITE})
    def destroy(self, request: Request, pk: str) -> Response:
        """Forgets the record; its VMs stay where they are. 409 while descriptors refer to it."""
        actions.delete(self.get_object(), actor=request.user)
        return Response(status=204)

    @extend_schema(request=None, responses={200: ConnectionTestSerializer, **WRITE})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Try the connection step by step; 200 also when a step fails: see `ok`."""
        checks = actions.test(self.get_object(), actor=request.user)
        return _tested(checks)

    @extend_schema(
        operation_id="hypervisors_try", request=TrySerializer, responses={200: ConnectionTestSerializer, **WRITE}
    )
    @action(detail=False, methods=["post"], url_path="test")
    def try_settings(self, request: Request) -> Response:
        """Test settings that are not saved; no record changes. 200 also when a step fails: see `ok`."""
        actions.require_superuser(request.user)
        body = TrySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        known = get_object_or_404(Hypervisor, name=given["hypervisor"]) if given.get("hypervisor") else None
        settings = given.get("settings") or {}
        return _tested(actions.try_settings(given["driver"], settings, actor=request.user, hypervisor=known))

    @extend_schema(request=MaintenanceSerializer, responses={200: HypervisorSerializer, **WRITE})
    @action(detail=True, methods=["post"])
    def maintenance(self, request: Request, pk: str) -> Response:
        """While it lasts, new work on the hypervisor is refused."""
        actions.require_superuser(request.user)  # before telling what would be wrong with the body
        hypervisor = self.get_object()
        body = MaintenanceSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        return self._answer(actions.set_maintenance(hypervisor, wanted["on"], wanted["reason"], actor=request.user))

    def _update(self, request: Request, *, partial: bool) -> Response:
        hypervisor = self.get_object()
        body = self._body(request, partial=partial)
        version = expected_version(request)
        return self._answer(actions.update(hypervisor, body, actor=request.user, expected_version=version))

    def _body(self, request: Request, *, partial: bool = False) -> dict[str, Any]:
        actions.require_superuser(request.user)  # before telling what would be wrong with the body
        body = HypervisorWriteSerializer(data=request.data, partial=partial)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    def _answer(self, hypervisor: Hypervisor, status: int = 200) -> Response:
        data = self.get_serializer(hypervisor).data
        return Response(data, status=status, headers={"ETag": etag(hypervisor.version)})


class DriverViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """The drivers installed here, with their declared settings and capabilities."""

    serializer_class = DriverSerializer
    pagination_class = None
    filter_backends = ()

    def get_queryset(self) -> list[type[Driver]]:  # type: ignore[override]
        return list(installed().values())

    @extend_schema(responses={200: DriverSerializer(many=True), **problem_responses(401, 403)})
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)


def _tested(checks: Iterable[Check]) -> Response:
    checks = list(checks)
    answer = {"ok": all(check.ok for check in checks), "checks": checks}
    return Response(ConnectionTestSerializer(answer).data)
