"""What every API shares: errors as RFC 9457 problem+json, pages, routes with and without trailing slash, entity tags."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import set_rollback

from olimpus.errors import OlimpusError, Stale
from olimpus.pagination import Pagination as Pagination

log = logging.getLogger(__name__)
PROBLEM = "application/problem+json"

ProblemSerializer = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(help_text="Stable id of the error, for example `state:conflict`."),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(required=False),
        "where": serializers.CharField(required=False, help_text="Field, line, path or host."),
        "hint": serializers.CharField(required=False, help_text="What to do."),
        "errors": serializers.ListField(child=serializers.DictField(), required=False),
    },
)


def problem(error_id: str, code: int, title: str, **more: Any) -> dict[str, Any]:
    """The body of one problem, without empty members."""
    return {"type": error_id, "title": title, "status": code} | {k: v for k, v in more.items() if v}


def problem_of(error: OlimpusError) -> dict[str, Any]:
    """The problem that tells about one of our own errors."""
    return problem(
        error.id,
        error.status,
        str(error.message),
        detail=str(error),
        where=error.where,
        hint=str(error.hint),
        errors=error.errors,
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn any expected error into a problem; unexpected ones go on to Django (500, logged)."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    headers: dict[str, str] = {}
    if isinstance(error, OlimpusError):
        body = problem_of(error)
    elif isinstance(error, exceptions.ValidationError):
        faults = list(flatten(error.detail))
        body = problem("input:invalid", 400, _("The input is not valid."), detail=_first(faults), errors=faults)
    elif isinstance(error, exceptions.APIException):
        body = problem(f"http:{error.default_code}", error.status_code, str(error.detail))
        headers = _headers_of(error)
    elif isinstance(error, OperationalError) and "locked" in str(error).lower():
        body = problem("database:busy", 503, _("The database is busy."), hint=_("Try again in a moment."))
        headers = {"Retry-After": "2"}
    else:
        return None
    set_rollback()
    return Response(body, status=body["status"], headers=headers, content_type=PROBLEM)


def _first(faults: list[dict[str, str]]) -> str:
    return f"{faults[0]['where']}: {faults[0]['message']}" if faults else ""


def _headers_of(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def flatten(detail: Any, where: str = "") -> Iterable[dict[str, str]]:
    """DRF's nested validation detail as a flat list of {"where", "message"}."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from flatten(value, _inside(where, key))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            yield from flatten(value, f"{where}[{index}]" if isinstance(value, dict | list) else where)
    else:
        yield {"where": where, "message": str(detail)}


def problem_response(error_id: str, code: int, title: str, **more: Any) -> JsonResponse:
    """A problem outside DRF (middleware, plain Django views)."""
    return JsonResponse(problem(error_id, code, title, **more), status=code, content_type=PROBLEM)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's answer to what it refuses by itself (too many fields, a forged host): a problem where an API is asked."""
    if request.path.startswith("/api/"):
        if isinstance(exception, RequestDataTooBig):
            return problem_response("input:too-large", 413, _("The request is too large."), where="body")
        return problem_response("http:bad_request", 400, _("The request cannot be understood."))
    return defaults.bad_request(request, exception)


@csrf_exempt
def not_found(request: HttpRequest) -> JsonResponse:
    """Answer of `/api/…` paths that do not exist."""
    return problem_response("http:not_found", 404, _("There is nothing at this address."), where=request.path)


def problem_responses(*codes: int) -> dict[Any, OpenApiResponse]:
    """OpenAPI documentation of the problems an operation may answer with."""
    return {(code, PROBLEM): OpenApiResponse(ProblemSerializer, description=_TITLES[code]) for code in codes}


_TITLES = {
    400: "The input is not valid; nothing was changed.",
    401: "Not signed in, or the token is wrong or expired.",
    403: "Not allowed.",
    404: "Not found, or not visible to you.",
    405: "Not possible on this resource.",
    406: "No such representation.",
    409: "The object is not in a state that allows this, or the hypervisor refuses.",
    412: "Somebody else saved first.",
    413: "Too large.",
    415: "Unsupported media type.",
    422: "The Idempotency-Key was used with another body.",
    429: "Too many requests.",
    500: "A fault of ours.",
    502: "The hypervisor failed, or refuses Olimpus itself.",
    503: "Busy or down; try again.",
    504: "The hypervisor did not finish in time.",
}


def _inside(where: str, key: str | int) -> str:
    """The place of an entry: of a list by its index, of a mapping by its name."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    return where if key == "non_field_errors" else f"{where}.{key}".strip(".")


class AutoSchema(SpectacularAutoSchema):
    """Adds to every operation the problems that any request can meet."""

    def _get_response_bodies(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        bodies = super()._get_response_bodies(*args, **kwargs)
        common = [400, 401, 403, 404, 406, 429, 503]
        if self.method in {"POST", "PUT", "PATCH"}:
            common += [413, 415]
        if self.method == "POST":
            common += [409, 422]
        for code in common:
            if str(code) not in bodies:
                response = OpenApiResponse(ProblemSerializer, description=_TITLES[code])
                bodies[str(code)] = self._get_response_for_code(response, str(code), media_types=[PROBLEM])
        return bodies


class Router(DefaultRouter):
    """Routes that answer with and without a trailing slash, so that no POST body is lost in a redirect."""

    include_format_suffixes = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trailing_slash = "/?"


def etag(version: int) -> str:
    """The entity tag of an object's version."""
    return f'"{version}"'


def expected_version(request: Request) -> int | None:
    """Version named by If-Match, None when the header is absent or `*`. Raises Invalid when it is not one of ours."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    tag = header.removeprefix("W/").strip('"')
    if not tag.isdigit() or len(tag) > 18:
        raise Stale(_("This entity tag does not belong to the object."), where="If-Match", hint=_("Read it again."))
    return int(tag)


def query(request: Request, form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The checked query string. ValidationError naming the parameter."""
    checked = form(data=request.query_params)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)
