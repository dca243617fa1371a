"""`users` and `groups`."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import actions, roles
from accounts.api import serializers
from accounts.models import User
from olimpus.api import problem_responses
from olimpus.db import containing
from olimpus.errors import Forbidden, Invalid
from olimpus.parsers import MultiPartParser

METHODS = ["get", "post", "patch", "delete", "head", "options"]
ID = "[0-9]{1,18}"


class SuperusersChange(BasePermission):
    """Whoever is signed in may ask; only superusers may change."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the method is open to this user."""
        return request.method in {"GET", "HEAD", "OPTIONS"} or roles.may_manage_people(request.user)


class UserFilter(django_filters.FilterSet):
    """Filters of `users`."""

    q = django_filters.CharFilter(method="search", help_text="Part of a user name, name or e-mail address.")
    group = django_filters.CharFilter(field_name="groups__name", help_text="Name of a group.")
    kind = django_filters.ChoiceFilter(choices=roles.Kind.choices)

    class Meta:
        model = User
        fields = ["username", "kind", "is_superuser", "is_active"]

    def search(self, queryset: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        """Search names; e-mail addresses for superusers only."""
        columns = ["username", "first_name", "last_name"]
        if roles.may_manage_people(self.request.user):
            columns.append("email")
        return containing(queryset, columns, value)


@extend_schema_view(
    partial_update=extend_schema(responses={200: serializers.UserSerializer, **problem_responses(409)}),
    destroy=extend_schema(responses={204: OpenApiResponse(description="Erased."), **problem_responses(409)}),
)
@extend_schema(tags=["users"])
class UserViewSet(viewsets.ModelViewSet[User]):
    """Accounts. Superusers see and change all, managers find names to grant to, others see themselves."""

    queryset = User.objects.none()
    permission_classes = [IsAuthenticated, SuperusersChange]
    http_method_names = METHODS
    lookup_value_regex = ID
    filterset_class = UserFilter
    ordering_fields = ["username", "last_name", "id"]

    def get_queryset(self) -> QuerySet[User]:
        """The accounts this user may find."""
        users = User.objects.order_by("username")
        if self.action != "list":
            users = users.prefetch_related("groups")
        return users if roles.may_see_people(self.request.user) else users.filter(pk=self.request.user.pk)

    def get_serializer_class(self) -> Any:
        """Names in lists, everything in details."""
        by_action = {"list": serializers.PersonSerializer, "create": serializers.NewUserSerializer}
        return by_action.get(self.action, serializers.UserSerializer)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One account in full: for superusers, and one's own."""
        user = self.get_object()
        if user != request.user:
            actions.require_people_manager(request.user)
        return Response(self.get_serializer(user).data)

    @extend_schema(
        request=serializers.NewUserSerializer,
        responses={201: serializers.UserSerializer, **problem_responses(400, 403, 409)},
    )
    def create(self, request: Request) -> Response:
        """Make an account, and invite its owner by e-mail if asked."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = dict(form.validated_data)
        invite = data.pop("invite", False)
        if invite and (not data.get("email") or data.get("password")):
            raise Invalid(_("An invitation needs an e-mail address and no password."), where="invite")
        user = actions.create_user(data.pop("username"), actor=request.user, **data)
        if invite:
            actions.invite(user, actor=request.user, base_url=base_url(request))
        return Response(serializers.UserSerializer(user).data, status=201)

    def perform_update(self, serializer: Any) -> None:
        """Change an account."""
        actions.update_user(serializer.instance, actor=self.request.user, **serializer.validated_data)

    def perform_destroy(self, instance: User) -> None:
        """Erase an account; the journal keeps its name."""
        actions.delete_user(instance, actor=self.request.user)

    @extend_schema(
        request=None, responses={204: OpenApiResponse(description="Sent."), **problem_responses(400, 403, 404, 409)}
    )
    @action(detail=True, methods=["post"])
    def invite(self, request: Request, pk: str) -> Response:
        """Mail the link with which the owner sets the first password."""
        actions.invite(self.get_object(), actor=request.user, base_url=base_url(request))
        return Response(status=204)

    @extend_schema(request=None, responses={200: serializers.UserSerializer, **problem_responses(403, 404, 409)})
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, pk: str) -> Response:
        """Close the account: every session and token stops working."""
        user = actions.deactivate(self.get_object(), actor=request.user)
        return Response(serializers.UserSerializer(user).data)

    @extend_schema(request=None, responses={200: serializers.UserSerializer, **problem_responses(403, 404, 409)})
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Open a closed account again."""
        user = actions.activate(self.get_object(), actor=request.user)
        return Response(serializers.UserSerializer(user).data)

    @extend_schema(request=None, responses={200: serializers.UserSerializer, **problem_responses(403, 404)})
    @action(detail=True, methods=["post"])
    def unlock(self, request: Request, pk: str) -> Response:
        """Forget failed sign-ins, so that a locked account may try again at once. May be repeated."""
        user = self.get_object()
        actions.unlock(user, actor=request.user)
        return Response(serializers.UserSerializer(user).data)

    @extend_schema(
        operation_id="users_import",
        request={"multipart/form-data": serializers.ImportSerializer},
        responses={200: serializers.ImportedSerializer, **problem_responses(400, 403, 409, 413)},
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[MultiPartParser])
    def import_file(self, request: Request) -> Response:
        """Make and change accounts and groups from a CSV file, all or nothing. May be repeated.

        A dry run tells faults in its answer; otherwise they are a 400 with each of them in `errors`.
        """
        form = serializers.ImportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        act = actions.plan_people if given["dry_run"] else actions.import_people
        file = given["file"]
        plan = act(file.read(), actor=request.user, name=file.name, make_groups=given["make_groups"])
        return Response({"applied": not given["dry_run"], **plan.as_data()})


def base_url(request: Request) -> str:
    """Return the address under which the client reached us."""
    return request._request.build_absolute_uri("/")


class GroupFilter(django_filters.FilterSet):
    """Filters of `groups`."""

    q = django_filters.CharFilter(method="search", help_text="Part of the name.")

    class Meta:
        model = Group
        fields = ["name"]

    def search(self, queryset: QuerySet[Group], name: str, value: str) -> QuerySet[Group]:
        """Part of the name."""
        return containing(queryset, ["name"], value)


@extend_schema_view(
    destroy=extend_schema(responses={204: OpenApiResponse(description="Deleted."), **problem_responses(409)}),
)
@extend_schema(tags=["groups"])
class GroupViewSet(viewsets.ModelViewSet[Group]):
    """Groups of users. Superusers change them, managers see all, others their own."""

    queryset = Group.objects.none()
    serializer_class = serializers.GroupSerializer
    permission_classes = [IsAuthenticated, SuperusersChange]
    http_method_names = METHODS
    lookup_value_regex = ID
    filterset_class = GroupFilter
    ordering_fields = ["name", "id"]

    def get_queryset(self) -> QuerySet[Group]:
        """The groups this user may see."""
        groups = Group.objects.annotate(member_count=Count("user")).order_by("name")
        if roles.may_see_people(self.request.user):
            return groups
        return groups.filter(pk__in=self.request.user.groups.values("pk"))

    def perform_create(self, serializer: Any) -> None:
        """Make a group."""
        serializer.instance = actions.create_group(serializer.validated_data["name"], actor=self.request.user)

    def perform_update(self, serializer: Any) -> None:
        """Rename a group."""
        if "name" in serializer.validated_data:
            actions.rename_group(serializer.instance, serializer.validated_data["name"], actor=self.request.user)

    def perform_destroy(self, instance: Group) -> None:
        """Delete a group; its members stay."""
        actions.delete_group(instance, actor=self.request.user)

    @extend_schema(operation_id="groups_members_list", responses={200: serializers.PersonSerializer(many=True)})
    @action(detail=True, methods=["get"], filter_backends=[], filterset_class=None, parser_classes=[JSONParser])
    def members(self, request: Request, pk: str) -> Response:
        """Who belongs to the group, by name. (To search: `users?group=…&q=…`.)"""
        if not roles.may_see_people(request.user):
            raise Forbidden(_("Only managers may see the members of a group."))
        group = get_object_or_404(Group, pk=pk)
        users = self.paginate_queryset(User.objects.filter(groups=group).order_by("username"))
        page = serializers.PersonSerializer(users, many=True)
        return self.get_paginated_response(page.data)

    @extend_schema(
        operation_id="groups_members_add",
        request=serializers.MembersSerializer,
        responses={204: OpenApiResponse(description="Added."), **problem_responses(400, 403, 404)},
    )
    @members.mapping.post
    def add_members(self, request: Request, pk: str) -> Response:
        """Put users into the group. May be repeated."""
        form = serializers.MembersSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        actions.add_members(self.get_object(), _users(form.validated_data["users"]), actor=request.user)
        return Response(status=204)

    @extend_schema(
        operation_id="groups_members_remove",
        responses={204: OpenApiResponse(description="Removed."), **problem_responses(403, 404)},
    )
    @action(detail=True, methods=["delete"], url_path=rf"members/(?P<user_id>{ID})")
    def remove_member(self, request: Request, pk: str, user_id: str) -> Response:
        """Take a user out of the group. May be repeated."""
        actions.remove_member(self.get_object(), get_object_or_404(User, pk=user_id), actor=request.user)
        return Response(status=204)


def _users(ids: list[int]) -> list[User]:
    """The users with these ids, in one query. Raises Invalid naming the first unknown id."""
    found = User.objects.in_bulk(ids)
    for key in ids:
        if key not in found:
            raise Invalid(_("There is no user %(id)d.") % {"id": key}, where="users")
    return list(found.values())
