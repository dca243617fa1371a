"""Changes of the tree's shape: rename, move, copy, duplicate, inherit."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from descriptors import actions, selectors
from descriptors.api import serializers
from descriptors.api.base import WRITE, TreeViewSet
from descriptors.api.nodes import detailed, made, shown

MOVED = {200: serializers.NodeSerializer, **WRITE}
MADE = {201: serializers.NodeSerializer, **WRITE}


class Shaping(TreeViewSet):
    """Verbs on a node's place."""

    @extend_schema(request=serializers.RenameSerializer, responses=MOVED)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename the node; everything below gets its new path."""
        node = self.node(pk)
        return shown(actions.rename(node, self.body(request)["name"], actor=request.user))

    @extend_schema(request=serializers.MoveSerializer, responses=MOVED)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Put the node, with all below it, into another folder. Machines keep running."""
        node, given = self.node(pk), self.body(request)
        return shown(actions.move(node, self.folder(given), actor=request.user, name=given.get("name")))

    @extend_schema(request=serializers.CopySerializer, responses=MADE)
    @action(detail=True, methods=["post"])
    def copy(self, request: Request, pk: str) -> Response:
        """Copy the node, with what you may see below it, as definitions only."""
        node, given = self.node(pk), self.body(request)
        options = {"name": given.get("name"), "new_addresses": given["new_addresses"]}
        return made(actions.copy(node, self.folder(given), actor=request.user, **options))

    @extend_schema(request=None, responses=MADE)
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, pk: str) -> Response:
        """Copy the node beside itself under the first free name."""
        return made(actions.duplicate(self.node(pk), actor=request.user))

    @extend_schema(request=serializers.InheritSerializer, responses={200: serializers.NodeDetailSerializer, **WRITE})
    @action(detail=True, methods=["post"])
    def inherit(self, request: Request, pk: str) -> Response:
        """Let grants from above hold in this folder, or stop them."""
        node = self.node(pk)
        actions.set_inherit_grants(node, self.body(request)["on"], actor=request.user)
        return detailed(selectors.get(request.user, node.pk), request.user)
