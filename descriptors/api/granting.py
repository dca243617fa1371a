"""Who may do what at a node, and what happened to it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.serializers import EntrySerializer
from accounts.models import User
from descriptors import actions, selectors
from descriptors.api import serializers
from descriptors.api.base import READ, WRITE, TreeViewSet
from descriptors.permissions import effective, require
from olimpus.api import query
from olimpus.errors import Invalid, NotFound
from olimpus.pagination import Pagination

GRANT_ID = "(?:user|group)-[0-9]{1,18}"
GRANTS = serializers.RoleGrantSerializer(many=True)


class Granting(TreeViewSet):
    """Grants and rights."""

    @extend_schema(operation_id="nodes_grants_list", responses={200: GRANTS, **READ})
    @action(detail=True, methods=["get"], pagination_class=None)
    def grants(self, request: Request, pk: str) -> Response:
        """Roles given here and above, nearest first; for those who may grant here."""
        node = self.node(pk)
        require(request.user, "grant", node)
        return Response([_grant(row) for row in selectors.grants_of(node)])

    @extend_schema(
        operation_id="nodes_grants_create",
        request=serializers.NewGrantSerializer,
        responses={201: GRANTS, **WRITE},
    )
    @grants.mapping.post
    def add_grant(self, request: Request, pk: str) -> Response:
        """Give a role on the branch to a user or a group; answers with all grants. May be repeated."""
        node, given = self.node(pk), self.body(request)
        require(request.user, "grant", node)
        holder = {"user": _user(given.get("user")), "group": _group(given.get("group"))}
        actions.grant(node, given["role"], actor=request.user, **holder)
        return Response([_grant(row) for row in selectors.grants_of(node)], status=201)

    @extend_schema(responses={204: OpenApiResponse(description="Taken back."), **WRITE})
    @action(detail=True, methods=["delete"], url_path=rf"grants/(?P<grant>{GRANT_ID})")
    def revoke(self, request: Request, pk: str, grant: str) -> Response:
        """Take a role back that was given at this very node."""
        node = self.node(pk)
        require(request.user, "grant", node)
        row = next((row for row in selectors.grants_of(node) if row["id"] == grant and not row["inherited"]), None)
        if row is None:
            raise NotFound(_("This role was not given here."), where=grant)
        holder = {"user": _user(row.get("user")), "group": _group(row.get("group"))}
        actions.revoke(node, row["role"], actor=request.user, **holder)
        return Response(status=204)

    @extend_schema(
        parameters=[serializers.RightsQuery], responses={200: serializers.RightSerializer(many=True), **READ}
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def rights(self, request: Request, pk: str) -> Response:
        """What you may do here and why, or what somebody else may (for those who may grant here)."""
        node, name = self.node(pk), query(request, serializers.RightsQuery).get("user")
        if name is None or name == request.user.get_username():
            return Response(effective(request.user, node))
        require(request.user, "grant", node)
        return Response(effective(_user(name), node))

    @extend_schema(responses={200: EntrySerializer(many=True), **READ})
    @action(detail=True, methods=["get"], pagination_class=Pagination)
    def history(self, request: Request, pk: str) -> Response:
        """What happened to this node, newest first."""
        page = self.paginate_queryset(selectors.history(request.user, self.node(pk)))
        return self.get_paginated_response(EntrySerializer(page, many=True).data)


def _grant(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "role": row["role"],
        "user": row.get("user"),
        "group": row.get("group"),
        "granted_at": row["from"],
        "inherited": row["inherited"],
    }


def _user(name: str | None) -> User | None:
    return None if name is None else _named(User, "username", name, "user")


def _group(name: str | None) -> Group | None:
    return None if name is None else _named(Group, "name", name, "group")


def _named(model: Any, column: str, name: str, where: str) -> Any:
    found = model.objects.filter(**{column: name}).first()
    if found is None:
        raise Invalid(_("There is no “%s”.") % name, where=where)
    return found
