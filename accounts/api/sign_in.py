"""`auth/login`, `auth/token`, `auth/refresh`, `auth/logout`: JSON web tokens for name and password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import logout as end_session
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from accounts import journal, tokens
from accounts.api import serializers
from accounts.api.authentication import REALM, check_password
from accounts.models import User
from olimpus.api import problem_responses

TAGS = ["auth"]


def sign_in(request: HttpRequest, username: str, password: str) -> tokens.Pair:
    """Check credentials and begin a sign-in. Raises AuthenticationFailed or LockedOut."""
    user = check_password(request, username, password)
    user_logged_in.send(sender=User, request=request, user=user)
    return tokens.sign_in(user)


class Door(APIView):
    """A view for those who are still outside: a stale Authorization header must not shut them out."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    def get_authenticate_header(self, request: Request) -> str:
        """Make wrong credentials a 401."""
        return REALM


class LoginView(Door):
    """Name and password for a pair of tokens."""

    @extend_schema(
        tags=TAGS,
        operation_id="auth_login",
        auth=[],
        request={"application/json": serializers.CredentialsSerializer},
        responses={200: serializers.PairSerializer, **problem_responses(400, 401, 429)},
    )
    def post(self, request: Request) -> Response:
        """Sign in. Wrong name and wrong password are answered alike; repeated failures lock the account for a while."""
        form = serializers.CredentialsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        pair = sign_in(request._request, **form.validated_data)
        return _private(serializers.PairSerializer(pair).data)


class GrantView(Door):
    """OAuth2, password flow."""

    parser_classes = [FormParser]

    @extend_schema(
        tags=TAGS,
        operation_id="auth_token",
        auth=[],
        request={"application/x-www-form-urlencoded": serializers.GrantRequestSerializer},
        responses={
            200: serializers.GrantSerializer,
            400: OpenApiResponse(serializers.GrantErrorSerializer, description="Refused, in the words of RFC 6749."),
            **problem_responses(429),
        },
    )
    def post(self, request: Request) -> Response:
        """Exchange a password or a refresh token for a pair of tokens (RFC 6749, password flow)."""
        form = serializers.GrantRequestSerializer(data=request.data)
        if not form.is_valid():
            return _refused("invalid_request", _("Missing or malformed: %s.") % ", ".join(form.errors))
        grant = GRANTS.get(form.validated_data["grant_type"])
        if grant is None:
            return _refused("unsupported_grant_type", _("Use password or refresh_token."))
        try:
            pair = grant(request._request, form.validated_data)
        except KeyError as error:
            return _refused("invalid_request", _("Missing: %s.") % error.args[0])
        except (exceptions.AuthenticationFailed, TokenError) as error:
            return _refused("invalid_grant", str(error.args[0] if error.args else error))
        return _private(serializers.GrantSerializer(pair).data)


#: grant_type → how its pair is made. Raises KeyError where a field is missing.
GRANTS = {
    "password": lambda request, data: sign_in(request, data["username"], data["password"]),
    "refresh_token": lambda request, data: tokens.refresh(data["refresh_token"]),
}


class RefreshView(Door):
    """A refresh token for a new pair."""

    @extend_schema(
        tags=TAGS,
        operation_id="auth_refresh",
        auth=[],
        request={"application/json": serializers.RefreshSerializer},
        responses={200: serializers.PairSerializer, **problem_responses(400, 401)},
    )
    def post(self, request: Request) -> Response:
        """Renew a sign-in. A refresh token works once; used twice, it ends the sign-in."""
        form = serializers.RefreshSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            pair = tokens.refresh(form.validated_data["refresh"])
        except TokenError as error:
            raise exceptions.AuthenticationFailed(error.args[0]) from error
        return _private(serializers.PairSerializer(pair).data)


class LogoutView(APIView):
    """The end of a sign-in."""

    permission_classes = [AllowAny]

    @extend_schema(
        tags=TAGS,
        operation_id="auth_logout",
        request={"application/json": serializers.LogoutSerializer},
        responses={204: OpenApiResponse(description="Signed out."), **problem_responses(400, 401)},
    )
    def post(self, request: Request) -> Response:
        """Revoke the sign-in of the token in use, of the refresh token given (enough on its own), or the session."""
        form = serializers.LogoutSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = request.user if request.user.is_authenticated else None
        ended = set()
        if isinstance(request.auth, AccessToken):
            ended.add(request.auth[tokens.SIGN_IN])
        if text := form.validated_data.get("refresh"):
            user = _add_sign_in_of(text, user, ended)
        if user is None:
            raise exceptions.NotAuthenticated
        _end(request, user, ended)
        return Response(status=204)


def _add_sign_in_of(text: str, user: User | None, ended: set[str]) -> User | None:
    """Add the sign-in of a refresh token. One that is no longer good is signed out already."""
    try:
        row = tokens.sign_in_of(text)
    except TokenError as error:
        if user is None:
            raise exceptions.AuthenticationFailed(error.args[0]) from error
        return user
    if user is not None and row.user_id != user.pk:
        raise exceptions.PermissionDenied(_("This token is somebody else's."))
    ended.add(row.pk)
    return row.user


def _end(request: Request, user: User, sign_ins: set[str]) -> None:
    for key in sign_ins:
        tokens.revoke(key)
    if isinstance(request.successful_authenticator, SessionAuthentication):
        end_session(request._request)
    else:
        journal.record(user, "user.sign_out")


def _private(data: Any) -> Response:
    """An answer with secrets: no cache may keep it."""
    return Response(data, headers={"Cache-Control": "no-store"})


def _refused(error: str, description: str) -> Response:
    return Response({"error": error, "error_description": description}, status=400)
