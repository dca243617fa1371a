"""Networks, their subnets, and routers: for managers of the hypervisor."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hypervisors import clouds
from hypervisors.api.openstack import bodies, shapes
from hypervisors.api.openstack.base import READ, WRITE, CloudViewSet, ProjectQuery, WhichQuery, envelope
from hypervisors.api.openstack.catalogue import GONE


class NetworkViewSet(CloudViewSet):
    """Layer-2 networks."""

    takes: ClassVar = {"create": bodies.NewNetworkSerializer}

    @extend_schema(parameters=[ProjectQuery], responses={200: envelope(shapes.NetworkSerializer), **READ})
    def list(self, request: Request) -> Response:
        """With their subnets."""
        return self.listed(request, "networks", shapes.NetworkSerializer)

    @extend_schema(
        request=bodies.NewNetworkSerializer,
        parameters=[WhichQuery],
        responses={201: shapes.NetworkSerializer, **WRITE},
    )
    def create(self, request: Request) -> Response:
        """A private network; with `cidr` it has a subnet, or nothing stays."""
        cloud = self.managed(request)
        given = self.body(request)
        fields = {name: given[name] for name in ("name", "project", "mtu") if name in given}
        if "cidr" in given:
            fields["subnet"] = _addresses(given) | {"name": given["name"]}
        made = clouds.create_network(cloud, fields, actor=request.user)
        return Response(shapes.NetworkSerializer(made).data, status=201)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a network and its subnets by id; refused while something uses it."""
        clouds.do(self.managed(request), "network.delete", {"network": id}, actor=request.user)
        return Response(status=204)


class SubnetViewSet(CloudViewSet):
    """Addresses of networks."""

    takes: ClassVar = {"create": bodies.NewSubnetSerializer}

    @extend_schema(parameters=[ProjectQuery], responses={200: envelope(shapes.SubnetSerializer), **READ})
    def list(self, request: Request) -> Response:
        """Those of all networks."""
        return self.listed(request, "networks", shapes.SubnetSerializer, _subnets)

    @extend_schema(
        request=bodies.NewSubnetSerializer, parameters=[WhichQuery], responses={201: shapes.SubnetSerializer, **WRITE}
    )
    def create(self, request: Request) -> Response:
        """A subnet of a network; refused when it overlaps one that the network has."""
        cloud = self.managed(request)
        given = self.body(request)
        fields = _addresses(given) | {"network": given["network"], "name": given["name"]}
        made = clouds.do(cloud, "subnet.create", fields, actor=request.user)
        return Response(shapes.SubnetSerializer(made).data, status=201)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a subnet by id."""
        clouds.do(self.managed(request), "subnet.delete", {"subnet": id}, actor=request.user)
        return Response(status=204)


class RouterViewSet(CloudViewSet):
    """What joins subnets."""

    takes: ClassVar = {"create": bodies.NewRouterSerializer}

    @extend_schema(parameters=[ProjectQuery], responses={200: envelope(shapes.RouterSerializer), **READ})
    def list(self, request: Request) -> Response:
        """With the subnets that they join."""
        return self.listed(request, "routers", shapes.RouterSerializer)

    @extend_schema(
        request=bodies.NewRouterSerializer, parameters=[WhichQuery], responses={201: shapes.RouterSerializer, **WRITE}
    )
    def create(self, request: Request) -> Response:
        """A router that joins subnets, with a way out when `external` is named."""
        cloud = self.managed(request)
        made = clouds.do(cloud, "router.create", self.body(request), actor=request.user)
        return Response(shapes.RouterSerializer(made).data, status=201)

    @extend_schema(parameters=[WhichQuery], responses=GONE)
    def destroy(self, request: Request, id: str) -> Response:
        """Take a router off its subnets and remove it, by id."""
        clouds.do(self.managed(request), "router.delete", {"router": id}, actor=request.user)
        return Response(status=204)


def _addresses(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `Cloud.create_subnet` that tell of addresses."""
    told = {name: given[name] for name in ("cidr", "gateway", "dhcp", "dns", "pool") if name in given}
    return told | ({"pool": tuple(told["pool"])} if "pool" in told else {})


def _subnets(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [subnet for network in networks for subnet in network["subnets"]]
