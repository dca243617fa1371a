"""One cloud as a hypervisor's settings reach it: signed in, its connections pooled, shared by all threads."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import keystoneauth1.exceptions
import keystoneauth1.session
import requests
from keystoneauth1 import loading
from keystoneauth1.access import AccessInfo
from openstack.config import cloud_region
from openstack.connection import Connection

from hypervisors.drivers.openstack.errors import translated
from hypervisors.drivers.openstack.settings import account
from hypervisors.drivers.openstack.transport import requests_session
from hypervisors.tunnels import Tunnels, hops_from
from olimpus.errors import Missing, Rejected
from olimpus.words import gettext as _

#: The newest that Train (2019) has: everything since then understands them. Later ones are asked for call by call.
MICROVERSIONS: Final = {"compute_default_microversion": "2.79", "block_storage_default_microversion": "3.59"}


class Session:
    """Connections to one cloud: one for the account's own project, one for each named project.

    Nothing is contacted before the first call. Tokens are fetched when needed and renewed; a busy cloud (429, 503) is
    given time; every method may be called by many threads at once.
    """

    def __init__(self, hypervisor: str, values: Mapping[str, Any], home: Path):
        self.hypervisor = hypervisor
        self.values = values
        self.home = home
        self._lock = threading.RLock()
        self._http: requests.Session | None = None
        self._tunnels: Tunnels | None = None
        self._asking = threading.local()  # which service this thread's request is for
        self._connections: dict[str, Connection] = {}
        self._discovered: dict[str, Any] = {}
        self._calls: Counter[str] = Counter()
        self._counting = threading.Lock()

    # -- asking -----------------------------------------------------------------------------------------------------

    def connection(self, project: str = "") -> Connection:
        """The openstacksdk connection whose token is scoped to this project (its name; "": the account's own).

        The account is given its own roles there when it has none yet. `Missing` when there is no such project,
        `Rejected` when the account may not use it.
        """
        with self._lock:
            if project not in self._connections:
                self._connections[project] = self._enter(project) if project else self._connect("")
            return self._connections[project]

    def account(self) -> dict[str, Any]:
        """The settings, filled in from clouds.yaml and the environment. `Rejected` when they are not complete."""
        return account(self.values)

    def access(self, project: str = "") -> AccessInfo:
        """What the token says: user, project, roles, catalog. Signs in when there is no valid token yet."""
        connection = self.connection(project)
        with translated(self.hypervisor):
            return connection.session.auth.get_access(connection.session)

    def project_id(self, project: str = "") -> str:
        """The id of the project of this name."""
        return str(self.access(project).project_id)

    def places(self, access: AccessInfo) -> dict[str, tuple[str, int]]:
        """Host and port of every service in the catalog of a token, for our region and kind of endpoints."""
        told = self.account()
        found = access.service_catalog.get_endpoints(
            interface=told["interface"], region_name=told["region_name"] or None
        )
        return {service: place_of(endpoints[0]["url"]) for service, endpoints in sorted(found.items()) if endpoints}

    def entrance(self) -> tuple[str, int]:
        """Host and port of Keystone, as the settings name it."""
        return place_of(str(self.account()["auth"]["auth_url"]))

    def calls(self) -> dict[str, int]:
        """How many requests each service got from here: compute, network, image, volume, identity, discovery…"""
        with self._counting:
            return dict(self._calls)

    def forget(self, project: str) -> None:
        """Drop the connection of a project that is gone; one that is made under its name is entered anew."""
        with self._lock:
            self._connections.pop(project, None)

    def close(self) -> None:
        """Let go of all connections; a later call signs in again."""
        with self._lock:
            http, self._http = self._http, None
            tunnels, self._tunnels = self._tunnels, None
            self._connections.clear()
            self._discovered = {}
        if http:
            http.close()
        if tunnels:
            tunnels.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def tunnels(self) -> Tunnels | None:
        """The way through the bastion; None when the settings name none. `Rejected` when they are not complete."""
        with self._lock:
            if self._tunnels is None and (hops := hops_from(self.values)):
                self._tunnels = Tunnels(self.hypervisor, hops, self.home)
            return self._tunnels

    def count(self, service: str) -> None:
        """One more request of this thread to this service."""
        self._asking.service = service
        with self._counting:
            self._calls[service] += 1

    def _connect(self, project: str) -> Connection:
        told = self.account()
        auth = told["auth"]
        if project:
            auth = {name: value for name, value in auth.items() if name != "project_id"} | {"project_name": project}
        session = CountedSession(
            self,
            auth=loading.get_plugin_loader(told["auth_type"]).load_from_options(**auth),
            session=self._shared(),
            verify=told["verify"] and (told["ca_cert"] or True),
            timeout=float(told["timeout"]),
            app_name="olimpus",
            discovery_cache=self._discovered,
        )
        settings = {"region_name": told["region_name"] or None, "interface": told["interface"], **MICROVERSIONS}
        return Connection(config=cloud_region.from_session(session, name=self.hypervisor, **settings))

    def _shared(self) -> requests.Session:
        if self._http is None:
            tunnels = self.tunnels()
            self._http = requests_session(partial(self._dial, tunnels) if tunnels else None)
        return self._http

    def _dial(self, tunnels: Tunnels, host: str, port: int, seconds: float) -> socket.socket:
        service = getattr(self._asking, "service", "")
        return tunnels.dial(host, port, self._name(host, port) if service == "discovery" else service, seconds)

    def _name(self, host: str, port: int) -> str:
        """The service of the catalog that is there, so far as we know one: nothing is asked."""
        own = self._connections.get("")
        access = own.session.auth.auth_ref if own else None
        known = self.places(access) if access else {"identity": self.entrance()}
        return next((service for service, place in known.items() if place == (host, port)), "")

    def _enter(self, project: str) -> Connection:
        """A connection into a named project, which the account may have to be let into first."""
        if self.account()["auth_type"] != "v3password":
            message = _("An application credential is good for one project; “%(name)s” needs user and password.")
            raise Rejected(message % {"name": project}, where=self.hypervisor)
        connection = self._connect(project)
        with translated(self.hypervisor):
            try:
                connection.session.get_token()
            except keystoneauth1.exceptions.Unauthorized:
                self._admit(project)
                connection.session.get_token()
        return connection

    def _admit(self, project: str) -> None:
        """Give the account the roles that it has in its own project."""
        own = self.access()
        identity = self.connection().identity
        query = {"name": project, "domain_id": own.project_domain_id}
        found = identity.get("/projects", params=query, raise_exc=True).json()["projects"]
        if not found:
            raise Missing(_("There is no project “%(name)s”.") % {"name": project}, where=self.hypervisor)
        for role in own.role_ids:
            path = f"/projects/{found[0]['id']}/users/{own.user_id}/roles/{role}"
            identity.put(path, raise_exc=True)


class CountedSession(keystoneauth1.session.Session):
    """Tells its owner which service each request is for."""

    def __init__(self, owner: Session, **options: Any):
        super().__init__(**options)
        self._owner = owner

    def request(self, url: str, method: str, *args: Any, **kwargs: Any) -> requests.Response:
        service = (kwargs.get("endpoint_filter") or {}).get("service_type")
        self._owner.count(service or ("identity" if url.endswith("/auth/tokens") else "discovery"))
        return super().request(url, method, *args, **kwargs)


def place_of(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
