"""Idempotency-Key: a POST of the API repeated with the same key and body is answered again, not done again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings

from accounts.models import IdempotencyKey, User
from olimpus.api import problem_response

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
#: How long an answer is kept.
KEPT = timedelta(hours=24)
#: A request that runs for longer has died with its process; its key is free again.
ABANDONED = timedelta(minutes=10)
#: Headers kept with an answer.
HEADERS = ("Content-Type", "Location", "ETag", "Content-Language")
#: Answers of these paths carry secrets, which are never stored; images are too large to be compared.
EXCEPT = re.compile(r"/api/(auth/|openstack/images|hypervisors/\d+/images|nodes/\d+/console/?$)")


class IdempotencyMiddleware:
    """Keep and repeat the answers (status < 500) to POSTs below `/api/` that carry the header, per user and key.

    The same key with another body is answered 422; while the first request runs, 409.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        if key is None or request.method != "POST" or not request.path.startswith("/api/"):
            return self.get_response(request)
        if EXCEPT.match(request.path):
            return self.get_response(request)
        if not 0 < len(key) <= 255 or not key.isprintable():
            return problem_response("input:invalid", 400, _("Use 1 to 255 printable characters."), where=HEADER)
        user = user_of(request)
        return self._once(request, user, key) if user else self.get_response(request)

    def _once(self, request: HttpRequest, user: User, key: str) -> HttpResponseBase:
        digest = digest_of(request)
        row = claim(user, key, request, digest)
        if row is None:
            return answer_again(user, key, digest)
        try:
            response = self.get_response(request)
        except BaseException:  # whatever happened, nothing was answered: the key must not stay taken
            row.delete()
            raise
        keep(row, response)
        return response


def user_of(request: HttpRequest) -> User | None:
    """Return who asks, by the same authentication as the views; None when nobody does, or does it wrongly."""
    authenticators = [authenticator() for authenticator in api_settings.DEFAULT_AUTHENTICATION_CLASSES]
    # Read first, so that the view finds the body again.
    _body = request.body
    try:
        user = Request(request, authenticators=authenticators).user
    except APIException:
        return None
    return None if user is None or isinstance(user, AnonymousUser) else user


def digest_of(request: HttpRequest) -> str:
    """Return the fingerprint of what is asked: method, address, type and body."""
    parts = [request.method or "", request.get_full_path(), request.content_type or ""]
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + request.body).hexdigest()


def claim(user: User, key: str, request: HttpRequest, digest: str) -> IdempotencyKey | None:
    """Take the key; None when it is taken. The unique constraint decides between two requests at once."""
    now = timezone.now()
    IdempotencyKey.objects.filter(created_at__lt=now - KEPT).delete()
    taken = IdempotencyKey.objects.filter(user=user, key=key)
    taken.filter(status=IdempotencyKey.RUNNING, created_at__lt=now - ABANDONED).delete()
    if taken.exists():
        return None
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(
                user=user, key=key, method=request.method, path=request.path[:2000], request_digest=digest
            )
    except IntegrityError:
        return None


def answer_again(user: User, key: str, digest: str) -> HttpResponse:
    """Return the kept answer, or say why there is none."""
    row = IdempotencyKey.objects.filter(user=user, key=key).first()
    if row is not None and row.request_digest != digest:
        return problem_response("idempotency:mismatch", 422, _("This key was used with another request."), where=HEADER)
    if row is None or row.status == IdempotencyKey.RUNNING:
        response: HttpResponse = problem_response(
            "idempotency:running", 409, _("The first request with this key is still running."), where=HEADER
        )
        response["Retry-After"] = "1"
        return response
    response = HttpResponse(row.body, status=row.status, headers=row.headers)
    response[REPLAYED] = "true"
    return response


def keep(row: IdempotencyKey, response: HttpResponseBase) -> None:
    """Store an answer; faults of ours and streams are not kept, so that the client may try again."""
    if response.status_code >= 500 or response.status_code == 429 or not isinstance(response, HttpResponse):
        row.delete()
        return
    row.status = response.status_code
    row.headers = {name: response[name] for name in HEADERS if response.has_header(name)}
    row.body = response.content.decode("utf-8", "replace")
    row.save(update_fields=["status", "headers", "body"])
