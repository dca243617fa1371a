"""Lockout after repeated failures, the same for every door: pages, login API, token form, Basic. django-axes counts."""

from __future__ import annotations

import math
from collections.abc import Collection

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib.auth import authenticate
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import ngettext

from accounts.middleware import client_ip
from accounts.models import User


def is_locked(request: HttpRequest, username: str) -> bool:
    """Tell whether this account is locked for the address of `request`. One query."""
    return settings.AXES_ENABLED and not AxesProxyHandler.is_allowed(request, {"username": username})


def forgive(request: HttpRequest, username: str) -> None:
    """Forget the failures of this account from this address, after it signed in well."""
    reset(ip=client_ip(request), username=username)


def unlock(username: str) -> int:
    """Forget the failures of this account from every address; return how many rows there were. May be repeated."""
    return reset(username=username)


def locked(usernames: Collection[str]) -> set[str]:
    """Which of these accounts are locked for some address now. One query."""
    if not settings.AXES_ENABLED:
        return set()
    fresh = timezone.now() - settings.AXES_COOLOFF_TIME
    attempts = AccessAttempt.objects.filter(username__in=usernames, attempt_time__gt=fresh).order_by()
    places = attempts.values("username", "ip_address").annotate(failures=Sum("failures_since_start"))
    return set(places.filter(failures__gte=settings.AXES_FAILURE_LIMIT).values_list("username", flat=True))


def seconds_left(request: HttpRequest, username: str) -> int:
    """Return after how many seconds this account may try again from this address, at least 1."""
    attempts = AccessAttempt.objects.filter(username=username, ip_address=client_ip(request) or None)
    last = attempts.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    if last is None:
        return 1
    return max(1, math.ceil((last + get_cool_off(request) - timezone.now()).total_seconds()))


def message(seconds: int) -> str:
    """Say when to try again, in whole minutes."""
    minutes = math.ceil(seconds / 60)
    return ngettext(
        "Too many failed attempts. Try again in %(minutes)d minute.",
        "Too many failed attempts. Try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}


def confirms(request: HttpRequest, user: User, password: str) -> bool:
    """Tell whether this is the password of somebody already signed in; a wrong one counts towards the lockout."""
    if authenticate(request=request, username=user.get_username(), password=password) != user:
        return False
    forgive(request, user.get_username())
    return True
