"""Whether the services of a cloud answer, in which version, and how fast."""

from __future__ import annotations

import time
from typing import Final

from hypervisors.drivers.cloud import ServiceHealth, Services
from hypervisors.drivers.openstack.errors import NoService, translated
from hypervisors.drivers.openstack.rest import Part, in_parallel
from olimpus.errors import HypervisorError
from olimpus.words import gettext as _

SECONDS: Final = 10.0  # a service that is slower than this is down for everybody who waits
#: Name, openstacksdk's name, and what is asked: something small that goes to the service's database.
ASKED: Final = (
    ("keystone", "identity", "/auth/catalog"),
    ("nova", "compute", "/flavors?limit=1"),
    ("neutron", "network", "/networks?limit=1&fields=id"),
    ("glance", "image", "/images?limit=1"),
    ("cinder", "block_storage", "/volumes?limit=1"),
)
#: Services that a cloud may do without.
OPTIONAL: Final = frozenset({"cinder"})


class HealthService(Part):
    """The report on the services."""

    def services(self) -> Services:
        """All at once; a service that is down says so in its row."""
        return in_parallel(self._health, ASKED)

    def places(self) -> dict[str, tuple[str, int]]:
        """Host and port of every service of the catalog, in our region."""
        return self.session.places(self.session.access())

    def _health(self, asked: tuple[str, str, str]) -> ServiceHealth:
        name, service, path = asked
        begun = time.perf_counter()
        try:
            self.session.connection()
            begun = time.perf_counter()
            self.rest.ask(service, "GET", path, timeout=SECONDS)
            seconds = time.perf_counter() - begun
            return ServiceHealth(name, ok=True, version=self._version(service), seconds=seconds)
        except NoService as error:
            return ServiceHealth(name, ok=name in OPTIONAL, detail=error.message)
        except HypervisorError as error:
            return ServiceHealth(name, ok=False, seconds=time.perf_counter() - begun, detail=str(error.message))
        except Exception as error:  # noqa: BLE001 - a report on faults must not become one
            detail = _("The answer was not understood (%(error)s).") % {"error": type(error).__name__}
            return ServiceHealth(name, ok=False, seconds=time.perf_counter() - begun, detail=detail)

    def _version(self, service: str) -> str:
        """The newest (micro)version that the service speaks; it is asked for once."""
        with translated(self.where):
            found = getattr(self.session.connection(), service).get_endpoint_data()
        if not found:
            return ""
        version = found.max_microversion or found.api_version or ()
        return ".".join(map(str, version))
