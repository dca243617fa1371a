"""Projects of a cloud and what they may use: for managers of the hypervisor."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds
from hypervisors.api.openstack import bodies, shapes
from hypervisors.api.openstack.base import READ, WRITE, CloudViewSet, ListQuery, WhichQuery, envelope, enveloped
from hypervisors.api.openstack.catalogue import GONE

QUOTAS = envelope(shapes.QuotaSerializer)


class ProjectViewSet(CloudViewSet):
    """Owners of machines, networks and volumes."""

    takes: ClassVar = {"create": bodies.NewProjectSerializer}

    @extend_schema(parameters=[ListQuery], responses={200: envelope(shapes.CloudProjectSerializer), **READ})
    def list(self, request: Request) -> Response:
        """That the account may see."""
        return self.listed(request, "projects", shapes.CloudProjectSerializer)

    @extend_schema(
        request=bodies.NewProjectSerializer,
        parameters=[WhichQuery],
        responses={201: shapes.CloudProjectSerializer, **WRITE},
    )
    def create(self, request: Request) -> Response:
        """The project of this name, made when missing; quotas and the users' role are written. May be repeated."""
        cloud = self.managed(request)
        made = clouds.create_project(cloud, self.body(request), actor=request.user)
        return Response(shapes.CloudProjectSerializer(made).data, status=201)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Remove an empty project, by id or name; refused, naming what is in it, while it has anything."""
        cloud = self.managed(request)
        name = clouds.project_of(cloud, id).name
        clouds.do(cloud, "project.delete", {"name": name}, actor=request.user)
        return Response(status=204)


class QuotaViewSet(CloudViewSet):
    """Limits and use of a project, by its id or name."""

    takes: ClassVar = {"partial_update": bodies.QuotasSerializer}

    @extend_schema(parameters=[ListQuery], responses={200: QUOTAS, **READ})
    def retrieve(self, request: Request, id: str) -> Response:
        """Of compute, network and volumes."""
        return self.listed(request, "quotas", shapes.QuotaSerializer, of=id)

    @extend_schema(request=bodies.QuotasSerializer, parameters=[WhichQuery], responses={200: QUOTAS, **WRITE})
    def partial_update(self, request: Request, id: str) -> Response:
        """Write some limits; answers with all of them."""
        cloud = self.managed(request)
        clouds.set_quotas(cloud, id, self.body(request)["quotas"], actor=request.user)
        answer = clouds.look(cloud, "quotas", actor=request.user, of=id)
        return enveloped(cloud, answer, shapes.QuotaSerializer, answer.data)
