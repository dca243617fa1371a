"""Testing the connection to a cloud, step by step."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from hypervisors.drivers.checks import Checklist, Checks
from hypervisors.drivers.openstack.errors import translated
from hypervisors.drivers.openstack.rest import PAGE
from hypervisors.drivers.openstack.servers import Servers
from hypervisors.drivers.openstack.session import Session
from hypervisors.tunnels import steps as hop_steps
from olimpus.errors import Misconfigured, Missing, Rejected, Unreachable
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

Json = dict[str, Any]

CONNECT_SECONDS: Final = 10.0
LATENCY_CALLS: Final = 3
#: The services without which no machine can be made, and the one that only volumes need.
NEEDED: Final = ("compute", "network", "image")
WISHED: Final = "block-storage"
OLDEST: Final = (2, 79)  # what we ask of Nova

STEPS: Final = (
    ("settings", gettext_noop("Settings")),
    *hop_steps(),
    ("name", gettext_noop("Find the host")),
    ("port", gettext_noop("Connect")),
    ("login", gettext_noop("Sign in")),
    ("api", gettext_noop("Services")),
    ("version", gettext_noop("Version")),
    ("inventory", gettext_noop("Read the inventory")),
    ("latency", gettext_noop("Latency")),
)
LABELS: Final = dict(STEPS)


class Checker:
    """Tries one thing after the other; the first that fails is reported and ends it."""

    def __init__(self, session: Session, servers: Servers):
        self.session = session
        self.servers = servers

    def run(self) -> Checks:
        checks = Checklist()
        for step, attempt in self._attempts():
            with checks.step(step, LABELS[step]) as detail:
                detail.append(attempt())
            if checks.failed:
                break
            if step == "settings":
                checks.checks += self._way_in()
                if checks.failed:
                    break
        return checks.checks

    def _way_in(self) -> Checks:
        """The hops to a cloud behind a bastion, each in its own steps."""
        tunnels = self.session.tunnels()
        return tunnels.check() if tunnels else []

    def _attempts(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "settings", self._settings
        if not self.session.tunnels():
            yield "name", self._name  # else only the last hop need know the name
        yield from (("port", self._port), ("login", self._login), ("api", self._api))
        yield from (("version", self._version), ("inventory", self._inventory), ("latency", self._latency))

    def _settings(self) -> str:
        url = self._url()
        if url.scheme not in ("http", "https") or not url.hostname:
            raise Misconfigured(_("“%(url)s” is no URL of Keystone.") % {"url": url.geturl()}, where="auth_url")
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"

    def _name(self) -> str:
        host = str(self._url().hostname)
        try:
            found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}
        except OSError:
            raise Unreachable(_("The name “%(host)s” is not known.") % {"host": host}, where="auth_url") from None
        return ", ".join(sorted(found))

    def _port(self) -> str:
        host, port = self.session.entrance()
        try:
            self._connected(host, port).close()
        except OSError as error:
            told = {"host": host, "port": port, "reason": error.strerror or type(error).__name__}
            message = _("%(host)s does not answer on port %(port)d: %(reason)s.") % told
            raise Unreachable(message, where="auth_url") from None
        return f"{host}:{port}"

    def _connected(self, host: str, port: int) -> socket.socket:
        tunnels = self.session.tunnels()
        if tunnels:
            return tunnels.dial(host, port, "identity")
        return socket.create_connection((host, port), CONNECT_SECONDS)

    def _login(self) -> str:
        access = self.session.access()
        roles = ", ".join(sorted(access.role_names))
        return f"{access.username} · {access.project_name} · {roles}"

    def _api(self) -> str:
        """The services in the catalog, for the region and the kind of endpoints that are set."""
        told, connection = self.session.account(), self.session.connection()
        found = []
        for service in (*NEEDED, WISHED):
            with translated(self.session.hypervisor):
                url = connection.config.get_session_client(service).get_endpoint_data()
            if url:
                found.append(service)
            elif service in NEEDED:
                raise self._no_service(service, str(told["region_name"]))
        return ", ".join(found)

    def _no_service(self, service: str, region: str) -> Missing:
        catalog = self.session.access().service_catalog.catalog
        regions = sorted({endpoint["region"] for entry in catalog for endpoint in entry["endpoints"]})
        hint = _("Regions: %(regions)s.") % {"regions": ", ".join(regions)} if regions else ""
        told = {"service": service, "region": region or "–"}
        message = _("The catalog has no service “%(service)s” in region “%(region)s”.") % told
        return Missing(message, where="region_name", hint=hint)

    def _version(self) -> str:
        with translated(self.session.hypervisor):
            data = self.session.connection().compute.get_endpoint_data()
        newest = tuple(data.max_microversion or ()) if data else ()
        version = ".".join(map(str, newest)) or "2.1"
        if newest < OLDEST:
            message = _("Nova has microversion %(version)s; %(oldest)s is needed (OpenStack Train or later).")
            told = {"version": version, "oldest": ".".join(map(str, OLDEST))}
            raise Rejected(message % told, where=self.session.hypervisor)
        return f"Nova {version}"

    def _inventory(self) -> str:
        found = self.servers.rest.pages("compute", "/servers", "servers", {**self.servers.reach(), "limit": PAGE})
        return _("%(number)d machines") % {"number": sum(1 for _server in found)}

    def _latency(self) -> str:
        """Of the smallest question to Nova, the median of a few."""
        seconds = []
        for _call in range(LATENCY_CALLS):
            begun = time.perf_counter()
            self.servers.rest.get("compute", "/servers", {"limit": 1})
            seconds.append(time.perf_counter() - begun)
        return f"{sorted(seconds)[LATENCY_CALLS // 2] * 1000:.0f} ms"

    def _url(self) -> Any:
        return urlsplit(str(self.session.account()["auth"]["auth_url"]))
