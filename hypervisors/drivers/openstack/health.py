"""Whether the services of a cloud answer, in which version, and how fast."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
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


class HealthService(Part):
    """The report on the services."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._probes: dict[str, Future[Any]] = {}

    def services(self) -> Services:
        """All at once; a service that is down says so in its row. Who cannot sign in cannot ask any of them."""
        begun = time.perf_counter()
        try:
            self._within("", self.session.access)
        except Exception as error:  # noqa: BLE001 - a report on faults must not become one
            return [_down(name, begun, error) for name, *_asked in ASKED]
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
        except Exception as error:  # noqa: BLE001 - a report on faults must not become one
            return _down(name, begun, error)

    def _within(self, name: str, ask: Callable[[], Any]) -> Any:
        """The answer to a question, `TimedOut` after `SECONDS`. It goes on then, and whoever asks next waits for the same."""
        probe = self._probes.get(name)
        if probe is None or probe.done():
            probe = self._probes[name] = _begun(ask)
        wait([probe], SECONDS)
        if not probe.done():
            raise TimedOut(_("OpenStack did not answer in time."), where=self.where)
        return probe.result()

    def _version(self, service: str) -> str:
        """The newest (micro)version that the service speaks; it is asked for once."""
        with translated(self.where):
            found = getattr(self.session.connection(), service).get_endpoint_data()
        if not found:
            return ""
        version = found.max_microversion or found.api_version or ()
        return ".".join(map(str, version))


def _begun(ask: Callable[[], Any]) -> Future[Any]:
    """The answer to be, from a thread of its own that no end of the process waits for. It speaks the asker's language."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return answer


def _down(name: str, begun: float, error: Exception) -> ServiceHealth:
    detail = str(error.message) if isinstance(error, HypervisorError) else ""
    detail = detail or _("The answer was not understood (%(error)s).") % {"error": type(error).__name__}
    return ServiceHealth(name, ok=False, seconds=time.perf_counter() - begun, detail=detail)
