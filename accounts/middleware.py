"""Where a request comes from, for the journal and for the lockout."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import journal, personal

#: Path prefix → door. Everything else is the portal.
DOORS = (("/api/", "api"), ("/admin/", "admin"))


def client_ip(request: HttpRequest) -> str:
    """Return the address of the client.

    Proxies named in `OLIMPUS_TRUSTED_PROXIES` (addresses or networks) are believed: the right-most address of
    X-Forwarded-For that is no trusted proxy is the client. From anybody else the header is ignored.
    """
    address = request.META.get("REMOTE_ADDR") or ""
    if not _trusted(address):
        return address
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        hop = hop.strip()
        if not _is_address(hop):
            break
        address = hop
        if not _trusted(hop):
            break
    return address


def door(path: str) -> str:
    """Return `api`, `admin` or `portal`."""
    return next((name for prefix, name in DOORS if path.startswith(prefix)), "portal")


class JournalContextMiddleware:
    """Tell the journal the door and the address of each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with journal.context(via=door(request.path), source=client_ip(request)):
            return self.get_response(request)


class TimeZoneMiddleware:
    """Times are told in the zone that the person chose, else in the installation's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = personal.zone(request.user) if request.user.is_authenticated else None
        with timezone.override(zone):
            return self.get_response(request)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _trusted(address: str) -> bool:
    proxies = getattr(settings, "OLIMPUS_TRUSTED_PROXIES", [])
    if not proxies or not _is_address(address):
        return False
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(proxy, strict=False) for proxy in proxies)
