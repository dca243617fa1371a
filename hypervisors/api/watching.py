"""What monitoring asks: figures for Prometheus, and whether the clouds behind us are up."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse
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
from hypervisors import actions, clouds, metrics, services
from hypervisors.tunnels import statuses
from olimpus.errors import Forbidden


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


@extend_schema(exclude=True)
class OpenStackHealthView(APIView):
    """`GET /health/openstack`: 200 while every service of every OpenStack answers, else 503."""

    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        """Anonymous: up or down. Managers of a hypervisor: its services with version, latency and what went wrong."""
        told = [(row, services.told(row)) for row in clouds.every()]
        states = services.overall(known for _row, known in told)
        well = "down" not in states.values()
        status = "none" if not told else "ok" if well else "unavailable"
        body: dict[str, Any] = {"status": status, "services": states}
        if mine := [known for row, known in told if actions.manages(request.user, row)]:
            body["hypervisors"] = mine
        return Response(body, status=200 if well else 503)
