"""Flavors, images and zones: the catalogue, which everybody may read."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds, inventory
from hypervisors.api.openstack import bodies, shapes
from hypervisors.api.openstack.base import READ, WRITE, CloudViewSet, ListQuery, WhichQuery, envelope, enveloped
from olimpus.api import query

GONE = {204: OpenApiResponse(description="It is not there any more, or never was."), **WRITE}
#: Of a host, what everybody may know.
OPEN_HOST = ("name", "up", "enabled")


class FlavorsQuery(ListQuery):
    """`?stats=true`: how many instances have each."""

    stats = serializers.BooleanField(required=False, default=False, help_text="Count instances; for managers.")


class ZonesQuery(ListQuery):
    """`?capacity=true`: the room of each host."""

    capacity = serializers.BooleanField(required=False, default=False, help_text="Tell the room; for managers.")


class FlavorViewSet(CloudViewSet):
    """Named sizes: those of the cloud, and the predefined ones."""

    takes: ClassVar = {"create": bodies.NewFlavorSerializer}

    @extend_schema(parameters=[FlavorsQuery], responses={200: envelope(shapes.FlavorSerializer), **READ})
    def list(self, request: Request) -> Response:
        """The cheapest first. Those that are not `on_cloud` serve by their sizes."""
        asked = query(request, FlavorsQuery)
        cloud = self.offered(request, asked, for_managers=asked["stats"])
        answer = clouds.look(cloud, "flavors", actor=request.user, refresh=asked["refresh"])
        rows = answer.data
        if asked["stats"]:
            use = clouds.look(cloud, "flavor_use", actor=request.user, refresh=asked["refresh"]).data
            rows = [{**row, "instances": use.get(row["name"], 0)} for row in rows]
        return enveloped(cloud, answer, shapes.FlavorSerializer, rows)

    @extend_schema(
        request=bodies.NewFlavorSerializer,
        parameters=[WhichQuery],
        responses={201: shapes.FlavorSerializer, **WRITE},
    )
    def create(self, request: Request) -> Response:
        """Make a flavor on the cloud: a predefined one by its name alone. May be repeated."""
        cloud = self.managed(request)
        made = clouds.create_flavor(cloud, self.body(request), actor=request.user)
        row = {**inventory.plain(made), "on_cloud": True, "predefined": made.name in clouds.PREDEFINED}
        return Response(shapes.FlavorSerializer(row).data, status=201)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Forget a flavor by its name or id; instances that have it keep it."""
        clouds.do(self.managed(request), "flavor.delete", {"name": id}, actor=request.user)
        return Response(status=204)


class ZoneViewSet(CloudViewSet):
    """Availability zones."""

    @extend_schema(
        parameters=[ZonesQuery],
        responses={
            200: envelope(
                shapes.ZoneSerializer,
                totals=shapes.StatisticsSerializer(required=False, help_text="All hosts; with `capacity`."),
            ),
            **READ,
        },
    )
    def list(self, request: Request) -> Response:
        """The zones and their hosts."""
        asked = query(request, ZonesQuery)
        cloud = self.offered(request, asked, for_managers=asked["capacity"])
        answer = clouds.look(cloud, "zones", actor=request.user, refresh=asked["refresh"])
        if asked["capacity"]:
            totals = shapes.StatisticsSerializer(inventory.statistics(inventory.zones(answer))).data
            return enveloped(cloud, answer, shapes.ZoneSerializer, answer.data, totals=totals)
        return enveloped(cloud, answer, shapes.ZoneSerializer, map(_without_room, answer.data))


class KeypairViewSet(CloudViewSet):
    """Key pairs of the account."""

    @extend_schema(parameters=[ListQuery], responses={200: envelope(shapes.KeypairSerializer), **READ})
    def list(self, request: Request) -> Response:
        """For managers."""
        return self.listed(request, "keypairs", shapes.KeypairSerializer)


def _without_room(zone: dict[str, Any]) -> dict[str, Any]:
    return {**zone, "hosts": [{name: host[name] for name in OPEN_HOST} for host in zone["hosts"]]}
