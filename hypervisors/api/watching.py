"""What monitoring asks: figures for Prometheus, and whether the clouds behind us are up."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import REALM, credentials_of
from hypervisors import actions, metrics
from hypervisors.drivers.cloud import ServiceHealth
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from hypervisors.tunnels import statuses
from olimpus.errors import Forbidden, OlimpusError

#: The driver whose services are told.
OPENSTACK: Final = "openstack"
SERVICES: Final = ("keystone", "nova", "neutron", "glance", "cinder")
#: Seconds for which an answer about a cloud is good: whoever asks more often does not make us ask more often.
FRESH: Final = 10.0


class Scraper:
    """Who shows the token of the metrics: nobody in particular."""

    is_authenticated = is_active = True
    is_superuser = False
    pk = None


class MetricsToken(BaseAuthentication):
    """`Authorization: Bearer <OLIMPUS_METRICS_TOKEN>`; every other bearer is left to the ways of the API."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        """The scraper, None when this is not the token."""
        scheme, given = credentials_of(request)
        known = settings.OLIMPUS_METRICS_TOKEN
        if scheme == "bearer" and known and hmac.compare_digest(given.encode("latin-1"), known.encode()):
            return Scraper(), "metrics"
        return None

    def authenticate_header(self, request: Request) -> str:
        """What WWW-Authenticate says on a 401."""
        return REALM


@extend_schema(exclude=True)
class MetricsView(APIView):
    """`GET /metrics`, in Prometheus' text format."""

    authentication_classes = [MetricsToken, *APIView.authentication_classes]

    def get(self, request: Request) -> HttpResponse:
        """For superusers and whoever shows the token. 401, 403."""
        if not (request.user.is_superuser or request.auth == "metrics"):
            raise Forbidden(_("Only superusers, and whoever shows the token of the metrics, may read this."))
        return HttpResponse(generate_latest(metrics.registry()), content_type=CONTENT_TYPE_LATEST)


def tunnels() -> Iterator[Metric]:
    """The SSH tunnels of all living processes."""
    up = GaugeMetricFamily("olimpus_tunnel_up", "SSH tunnel of a process.", labels=["hypervisor", "process"])
    again = GaugeMetricFamily("olimpus_tunnel_reconnects", "How often it came back.", labels=["hypervisor", "process"])
    for status in statuses(Path(settings.OLIMPUS_HOME)):
        process = f"{status.process}:{status.pid}"
        up.add_metric([status.name, process], float(status.state == "up"))
        again.add_metric([status.name, process], status.reconnects)
    yield from (up, again)


metrics.tell(tunnels)


class Memory:
    """Answers that hold for some seconds. While one asks, the others get what was known, or wait for the first answer."""

    def __init__(self, seconds: float = FRESH):
        self.seconds = seconds
        self._known: dict[Any, tuple[float, Any]] = {}
        self._asking: dict[Any, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, ask: Callable[[], Any]) -> Any:
        """The answer under this key, at most `seconds` old unless somebody is asking for a newer one now."""
        at, answer = self._known.get(key, (float("-inf"), None))
        if time.monotonic() - at < self.seconds:
            return answer
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        if not asking.acquire(blocking=key not in self._known):
            return answer
        try:
            at, answer = self._known.get(key, (float("-inf"), None))
            if time.monotonic() - at >= self.seconds:
                answer = ask()
                self._known[key] = (time.monotonic(), answer)
            return answer
        finally:
            asking.release()

    def forget(self) -> None:
        """Ask anew the next time."""
        self._known.clear()


memory = Memory()


@extend_schema(exclude=True)
class OpenStackHealthView(APIView):
    """`GET /health/openstack`: 200 while every service of every OpenStack answers, else 503."""

    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        """Anonymous: up or down. Managers of a hypervisor: its services with version, latency and what went wrong."""
        told = [(row, memory.get((row.pk, row.version), lambda row=row: asked(row))) for row in _clouds()]
        services = overall(known for _row, known in told)
        well = "down" not in services.values()
        status = "none" if not told else "ok" if well else "unavailable"
        body: dict[str, Any] = {"status": status, "services": services}
        if mine := [known for row, known in told if actions.manages(request.user, row)]:
            body["hypervisors"] = mine
        return Response(body, status=200 if well else 503)


def overall(told: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Name of a service → `up`, or `down` when it is down in one of the clouds that have it."""
    found: dict[str, str] = {}
    for service in (service for known in told for service in known["services"]):
        well = service["ok"] and found.get(service["name"]) != "down"
        found[service["name"]] = "up" if well else "down"
    return found


def _clouds() -> list[Hypervisor]:
    return list(Hypervisor.objects.filter(driver=OPENSTACK).order_by("name"))


def asked(hypervisor: Hypervisor) -> dict[str, Any]:
    """How the services of one cloud are now; one that cannot even be asked has them all down."""
    try:
        services = gateway_for(hypervisor).services()
    except OlimpusError as error:
        services = [ServiceHealth(name, ok=False, detail=str(error)) for name in SERVICES]
    return {
        "hypervisor": hypervisor.name,
        "ok": all(service.ok for service in services),
        "checked_at": timezone.now(),
        "services": [asdict(service) for service in services],
    }
