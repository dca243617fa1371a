"""How the services of a cloud are, asked at most every few seconds however many want to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from django.utils import timezone

from hypervisors.drivers.cloud import ServiceHealth
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from olimpus.errors import OlimpusError

SERVICES: Final = ("keystone", "nova", "neutron", "glance", "cinder")
#: Seconds for which an answer about a cloud is good: whoever asks more often does not make us ask more often.
FRESH: Final = 10.0


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


def told(hypervisor: Hypervisor) -> dict[str, Any]:
    """What `asked` said within the last `FRESH` seconds, or says now."""
    return memory.get((hypervisor.pk, hypervisor.version), lambda: asked(hypervisor))


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


def overall(told: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Name of a service → `up`, or `down` when it is down in one of the clouds that have it."""
    found: dict[str, str] = {}
    for service in (service for known in told for service in known["services"]):
        well = service["ok"] and found.get(service["name"]) != "down"
        found[service["name"]] = "up" if well else "down"
    return found
