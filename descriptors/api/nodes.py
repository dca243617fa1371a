"""`nodes`, `folders`, `descriptors`: lists and single nodes, making and deleting them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from descriptors import actions, selectors
from descriptors.api import serializers
from descriptors.api.base import READ, WRITE, TreeViewSet
from descriptors.api.rows import NodePagination, node_row
from descriptors.models import Kind, Node
from descriptors.names import split_common
from olimpus.api import etag, query
from olimpus.errors import Invalid, NotFound, OlimpusError


class NodesViewSet(TreeViewSet):
    """Lists of nodes, single nodes, deletion."""

    pagination_class = NodePagination
    #: What the collection holds; "": both.
    kind: ClassVar[str] = ""

    @extend_schema(parameters=[serializers.NodeQuery], responses={200: serializers.NodeSerializer(many=True), **READ})
    def list(self, request: Request) -> Response:
        """What you may see, page by page."""
        wanted = query(request, serializers.NodeQuery)
        ordering = wanted.pop("ordering", "")
        if wanted["recursive"] is None:
            wanted["recursive"] = "path" not in wanted
        if self.kind:
            wanted["kind"] = self.kind
        found = selectors.listing(request.user, **wanted)
        if ordering:
            column = serializers.NODE_ORDER[ordering.lstrip("-")]
            found = found.order_by(f"-{column}" if ordering.startswith("-") else column, "pk")
        return self.get_paginated_response(self.paginate_queryset(found))

    @extend_schema(responses={200: serializers.NodeDetailSerializer, **READ})
    def retrieve(self, request: Request, pk: str) -> Response:
        """One node, with what lists leave out. The ETag goes into If-Match of an edit."""
        return detailed(self.node(pk), request.user)

    @extend_schema(responses={200: serializers.DeletedSerializer, **WRITE})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete the node and all below it. 409, naming them, while machines below exist on a hypervisor."""
        return Response({"deleted": actions.remove(self.node(pk), actor=request.user)})

    def node(self, pk: str | int) -> Node:
        """The node with this id, of the collection's kind."""
        node = super().node(pk)
        if self.kind and node.kind != self.kind:
            raise NotFound(_("There is no such path, or you may not see it."), where=str(pk))
        return node


class MakingViewSet(NodesViewSet):
    """A collection of one kind, to which nodes can be added."""

    bodies: ClassVar = {"create": serializers.NewNodeSerializer}

    @extend_schema(request=serializers.NewNodeSerializer, responses={201: serializers.NodeSerializer, **WRITE})
    def create(self, request: Request) -> Response:
        """Make a node in `parent` or `parent_path` with `name`, or at `path`."""
        given = self.body(request)
        parent, name = self._place(given)
        make = actions.create_folder if self.kind == Kind.FOLDER else actions.create_descriptor
        return made(make(parent, name, actor=request.user, definition=given.get("definition")))

    def _place(self, given: dict[str, Any]) -> tuple[Node, str]:
        if "path" not in given:
            if "name" not in given:
                raise Invalid(_("The new node needs a name."), where="name")
            return self.folder(given), given["name"]
        if given.keys() & {"name", "parent", "parent_path"}:
            raise Invalid(_("A whole path leaves no room for “parent” and “name”."), where="path")
        above, _slash, name = split_common(given["path"])[0].rpartition("/")
        return selectors.get(self.request.user, above or "/"), name


class FolderViewSet(MakingViewSet):
    """Folders."""

    kind = Kind.FOLDER


class DescriptorViewSet(MakingViewSet):
    """Machines."""

    kind = Kind.DESCRIPTOR


def made(node: Node) -> Response:
    """201 with the new node and where it is."""
    headers = {"Location": f"/api/nodes/{node.pk}", "ETag": etag(node.version)}
    return Response(node_row(node), status=201, headers=headers)


def shown(node: Node) -> Response:
    """200 with the node as in lists."""
    return Response(node_row(node), headers={"ETag": etag(node.version)})


def detailed(node: Node, user: User) -> Response:
    """200 with all about the node."""
    return Response(node_row(node) | _detail(node, user), headers={"ETag": etag(node.version)})


def _detail(node: Node, user: User) -> dict[str, Any]:
    """What lists leave out."""
    if node.is_folder:
        nothing = {"pending": None, "drift": [], "cards": [], "ways": [], "observed_at": None, "host_reason": None}
        return nothing | {"inherit_grants": node.folder.inherit_grants, "counts": selectors.counts(user, node)}
    machine = node.descriptor
    seat = selectors.seat(machine)
    return {
        **({"host": seat.host, "host_reason": seat.why} if seat else {"host_reason": None}),
        "pending": _pending(node),
        "drift": selectors.drift(machine),
        "cards": list(machine.cards.order_by("position").values("position", "network", "mac", "ip")),
        "ways": selectors.entrances(machine),
        "observed_at": machine.observed_at,
        "inherit_grants": None,
        "counts": None,
    }


def _pending(node: Node) -> bool | None:
    """None when the definition cannot be computed."""
    try:
        return bool(selectors.pending(node.descriptor, selectors.computed(node).values))
    except OlimpusError:
        return None
