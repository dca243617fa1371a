"""Whether the services of a cloud answer, in which version, and how fast."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from hypervisors.drivers.cloud import ServiceHealth, Services
from hypervisors.drivers.openstack.errors import NoService, translated
from hypervisors.drivers.openstack.rest import Part, in_parallel
from hypervisors.drivers.openstack.session import Session
from olimpus.errors import HypervisorError, TimedOut
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


class Probe(threading.Thread):
    """A question that may take long; what it ends with is kept."""

    def __init__(self, ask: Callable[[], Any]):
        super().__init__(daemon=True)
        self._ask = ask
        self._error: HypervisorError | None = None
        self._answer: Any = None

    def run(self) -> None:
        try:
            self._answer = self._ask()
        except HypervisorError as error:
            self._error = error

    def answer(self) -> Any:
        """What it ended with."""
        if self._error:
            raise self._error
        return self._answer


class HealthService(Part):
    """The report on the services."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._probes: dict[str, Probe] = {}

    def services(self) -> Services:
        """All at once; a service that is down says so in its row. Who cannot sign in cannot ask any of them."""
        begun = time.perf_counter()
        try:
            self._within("", self.session.access)
        except HypervisorError as error:
            seconds = time.perf_counter() - begun
            return [
                ServiceHealth(name, ok=False, seconds=seconds, detail=str(error.message)) for name, *_asked in ASKED
            ]
        return in_parallel(self._health, ASKED)

    def places(self) -> dict[str, tuple[str, int]]:
        """Host and port of every service of the catalog, in our region."""
        return self.session.places(self.session.access())

    def _health(self, asked: tuple[str, str, str]) -> ServiceHealth:
        name, service, path = asked
        begun = time.perf_counter()
        try:
            self._within(name, lambda: self.rest.ask(service, "GET", path, timeout=SECONDS))
            seconds = time.perf_counter() - begun
            return ServiceHealth(name, ok=True, version=self._version(service), seconds=seconds)
        except NoService as error:
            return ServiceHealth(name, ok=name in OPTIONAL, detail=error.message)
        except HypervisorError as error:
            return ServiceHealth(name, ok=False, seconds=time.perf_counter() - begun, detail=str(error.message))
        except Exception as error:  # noqa: BLE001 - a report on faults must not become one
            detail = _("The answer was not understood (%(error)s).") % {"error": type(error).__name__}
            return ServiceHealth(name, ok=False, seconds=time.perf_counter() - begun, detail=detail)

    def _within(self, name: str, ask: Callable[[], Any]) -> Any:
        """The answer to a question, `TimedOut` after `SECONDS`. It goes on then, and whoever asks next waits for the same."""
        probe = self._probes.get(name)
        if probe is None or not probe.is_alive():
            probe = self._probes[name] = Probe(ask)
            probe.start()
        probe.join(SECONDS)
        if probe.is_alive():
            raise TimedOut(_("OpenStack did not answer in time."), where=self.where)
        return probe.answer()

    def _version(self, service: str) -> str:
        """The newest (micro)version that the service speaks; it is asked for once."""
        with translated(self.where):
            found = getattr(self.session.connection(), service).get_endpoint_data()
        if not found:
            return ""
        version = found.max_microversion or found.api_version or ()
        return ".".join(map(str, version))
