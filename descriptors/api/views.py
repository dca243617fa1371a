"""One node with everything that can be done to it, and the list of resources."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from descriptors import selectors
from descriptors.api import serializers
from descriptors.api.base import READ
from descriptors.api.brief import Briefing
from descriptors.api.definitions import Defining
from descriptors.api.doing import Doing
from descriptors.api.granting import Granting
from descriptors.api.machines import Looking
from descriptors.api.nodes import NodesViewSet, detailed
from descriptors.api.shaping import Shaping
from olimpus.api import query

#: What `/api/` tells about.
RESOURCES = (
    *("nodes", "folders", "descriptors", "slices", "apply", "operations", "verbs", "states", "parameters"),
    *("hypervisors", "drivers", "users", "groups", "journal", "auth/me", "auth/tokens", "schema", "docs"),
    *(f"openstack/{name}" for name in ("instances", "flavors", "images", "networks", "subnets", "routers", "volumes")),
    *("openstack/availability-zones", "openstack/projects", "openstack/keypairs", "ssh-tunnel/status"),
)


class NodeViewSet(NodesViewSet, Briefing, Shaping, Defining, Doing, Granting, Looking):
    """Folders and machines alike."""

    bodies: ClassVar = {
        "partial_update": serializers.RenameSerializer,
        "move": serializers.MoveSerializer,
        "copy": serializers.CopySerializer,
        "inherit": serializers.InheritSerializer,
        "do": serializers.ArgumentsSerializer,
        "open_console": serializers.ConsoleWishSerializer,
        "grants": serializers.NewGrantSerializer,
        "add_grant": serializers.NewGrantSerializer,
    }

    @extend_schema(
        operation_id="nodes_by_path",
        parameters=[serializers.PathQuery],
        responses={200: serializers.NodeDetailSerializer, **READ},
    )
    @action(detail=False, methods=["get"], url_path="by-path", pagination_class=None)
    def by_path(self, request: Request) -> Response:
        """The node at `?path=`; `<folder>/common` addresses the folder."""
        return detailed(selectors.get(request.user, query(request, serializers.PathQuery)["path"]), request.user)


class RootView(APIView):
    """The list of resources."""

    @extend_schema(operation_id="root", responses={200: OpenApiTypes.OBJECT, **READ})
    def get(self, request: Request) -> Response:
        """What there is, with its address."""
        return Response({name: request.build_absolute_uri(f"/api/{name}") for name in RESOURCES})
