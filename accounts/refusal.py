"""The answer to somebody locked out. Apart from `lockout`, which DRF needs before its views can be imported."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from axes.helpers import get_client_username
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.lockout import message, seconds_left
from accounts.middleware import door
from olimpus.api import problem_response


def locked_out(request: HttpRequest, original: Any = None, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """Answer to somebody locked out (called by django-axes): a problem for the API, a page for browsers; status 429."""
    seconds = seconds_left(request, get_client_username(request, credentials) or "")
    if door(request.path) == "api":
        answer: HttpResponse = problem_response("http:locked_out", 429, message(seconds))
    else:
        context = {"message": message(seconds), "retry_at": timezone.now() + timedelta(seconds=seconds)}
        answer = render(request, "registration/locked_out.html", context, status=429)
    answer["Retry-After"] = str(seconds)
    return answer
