"""What every view shares: signed-in only, our errors as pages or as JSON, the live feed's starting point."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from accounts.models import User
from descriptors import feed
from olimpus.errors import Forbidden, NotFound, OlimpusError

View = Callable[..., HttpResponse]


class SignedIn(HttpRequest):
    """The request of somebody who is signed in, as every view behind `door` gets it."""

    user: User  # type: ignore[assignment]


def door(view: View) -> View:
    """A view for people who are signed in; `OlimpusError` becomes an answer that says what to do.

    Nothing is kept by the browser: after signing out, the button "back" shows nobody's machines.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except OlimpusError as error:
            return refusal(request, error)

    return never_cache(login_required(guarded))


def page(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Render a whole page; `context["feed_cursor"]` should have been read before anything that the page shows."""
    if "feed_cursor" not in context:
        context["feed_cursor"] = feed.last_id()
    return render(request, template, context, status=status)


def wants_json(request: HttpRequest) -> bool:
    """Whether our own script asks: it shows the answer in place."""
    return "application/json" in request.headers.get("Accept", "")


def is_fragment(request: HttpRequest) -> bool:
    """Whether the answer goes into a page that is already there."""
    return "HX-Request" in request.headers or request.headers.get("X-Requested-With") == "fetch"


def refusal(request: HttpRequest, error: OlimpusError) -> HttpResponse:
    """The answer to a request that our rules refuse: JSON, a notice for a fragment, or a page."""
    told = told_of(error)
    if wants_json(request):
        return JsonResponse(told, status=error.status)
    if is_fragment(request):
        return render(
            request, "components/notice.html", told | {"level": "danger", "text": told["message"]}, status=error.status
        )
    if isinstance(error, NotFound):
        raise Http404(told["message"])
    if isinstance(error, Forbidden):
        raise PermissionDenied(f"{told['message']} {told['hint']}".strip())
    return page(request, "portal/problem.html", {"error": told, "back": back(request)}, status=error.status)


def told_of(error: OlimpusError) -> dict[str, Any]:
    """Message, place, hint and single faults of an error, as a person reads them."""
    return {"message": str(error.message), "where": error.where, "hint": str(error.hint), "errors": error.errors}


def back(request: HttpRequest, otherwise: str = "/") -> str:
    """Where a form wants to return to: a page of ours, never another site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted.startswith("/") and safe else otherwise


def done(request: HttpRequest, message: str, address: str) -> HttpResponse:
    """Say that it is done and go on; our own script is told where to."""
    messages.success(request, message)
    return JsonResponse({"go": address}) if wants_json(request) else redirect(address)
