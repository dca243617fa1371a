"""`auth/me`, `auth/password`, `auth/tokens`: what people do with their own account."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import actions, lockout
from accounts.api import serializers
from accounts.api.authentication import LockedOut
from accounts.models import ApiToken
from olimpus.api import problem_responses
from olimpus.errors import Invalid

TAGS = ["auth"]


class MeView(APIView):
    """One's own account."""

    @extend_schema(tags=TAGS, operation_id="auth_me", responses={200: serializers.MeSerializer})
    def get(self, request: Request) -> Response:
        """Who am I?"""
        return Response(serializers.MeSerializer(request.user).data)

    @extend_schema(
        tags=TAGS,
        operation_id="auth_me_update",
        request=serializers.MeSerializer(partial=True),
        responses={200: serializers.MeSerializer, **problem_responses(400)},
    )
    def patch(self, request: Request) -> Response:
        """Change one's name, e-mail or language."""
        form = serializers.MeSerializer(request.user, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        user = actions.update_user(request.user, actor=request.user, **form.validated_data)
        return Response(serializers.MeSerializer(user).data)


class PasswordView(APIView):
    """One's own password."""

    @extend_schema(
        tags=TAGS,
        operation_id="auth_password",
        request=serializers.PasswordSerializer,
        responses={204: OpenApiResponse(description="Changed."), **problem_responses(400, 429)},
    )
    def post(self, request: Request) -> Response:
        """Change the password. Every JWT and every other session ends; personal tokens stay."""
        form = serializers.PasswordSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        _check_old_password(request, form.validated_data["old_password"])
        actions.set_password(request.user, form.validated_data["new_password"], actor=request.user)
        if isinstance(request.successful_authenticator, SessionAuthentication):
            update_session_auth_hash(request._request, request.user)
        return Response(status=204)


def _check_old_password(request: Request, password: str) -> None:
    """Guesses with a stolen token count towards the lockout like guesses at the door."""
    name = request.user.get_username()
    if lockout.is_locked(request._request, name):
        raise LockedOut(lockout.seconds_left(request._request, name))
    if not lockout.confirms(request._request, request.user, password):
        raise Invalid(_("This is not your password."), where="old_password")


@extend_schema_view(
    list=extend_schema(operation_id="auth_tokens_list"),
    destroy=extend_schema(operation_id="auth_tokens_revoke"),
)
@extend_schema(tags=TAGS)
class TokenViewSet(mixins.ListModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[ApiToken]):
    """Personal API tokens: list, make, revoke."""

    serializer_class = serializers.TokenSerializer
    queryset = ApiToken.objects.none()
    lookup_value_regex = "[0-9]{1,18}"
    filterset_fields = ["read_only"]
    ordering_fields = ["created_at", "name"]

    def get_queryset(self) -> QuerySet[ApiToken]:
        """One's own tokens that are not revoked."""
        return ApiToken.objects.filter(user_id=self.request.user.pk, revoked_at=None)

    @extend_schema(
        operation_id="auth_tokens_create",
        request=serializers.TokenSerializer,
        responses={201: serializers.NewTokenSerializer, **problem_responses(400, 409)},
    )
    def create(self, request: Request) -> Response:
        """Make a token. `token` is shown this once."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        row, row.token = actions.issue_token(request.user, **form.validated_data)
        data = serializers.NewTokenSerializer(row).data
        return Response(data, status=201, headers={"Cache-Control": "no-store"})

    def perform_destroy(self, instance: Any) -> None:
        """Revoke; the row stays for the record."""
        actions.revoke_token(instance, actor=self.request.user)
