"""Figures for Prometheus: calls to hypervisors, operations, circuits, health.

Web and worker are several processes, of which Prometheus asks one. What is counted where it happens (calls, operations) goes
through the multiprocess directory of `prometheus_client` in the data folder, where the one that is asked adds all processes
up. What the database or the data folder knows anyway (open operations, health, circuits, tunnels) is read when somebody asks:
truer than a gauge of each process, and nothing is left over from one that died.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from hypervisors import breaker
from hypervisors.models import Health, Hypervisor
from olimpus.errors import OlimpusError

CALLS = Counter("olimpus_driver_calls", "Calls to hypervisors.", ["hypervisor", "call", "outcome"])
SECONDS = Histogram(
    "olimpus_driver_call_seconds",
    "How long calls to hypervisors took, without waiting for a permit.",
    ["hypervisor", "call"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
OPERATIONS = Counter("olimpus_operations", "Operations that ended.", ["verb", "outcome"])

#: What other apps and modules tell when somebody asks.
_tellers: list[Callable[[], Iterable[Metric]]] = []


@contextmanager
def driver_call(hypervisor: str, call: str) -> Iterator[None]:
    """Count the call that is made inside, with its outcome (`ok` or the id of the error), and how long it took."""
    begun, outcome = time.perf_counter(), "unexpected"
    try:
        yield
        outcome = "ok"
    except OlimpusError as error:
        outcome = error.id.rpartition(":")[2]
        raise
    finally:
        CALLS.labels(hypervisor, call, outcome).inc()
        SECONDS.labels(hypervisor, call).observe(time.perf_counter() - begun)


def tell(teller: Callable[[], Iterable[Metric]]) -> None:
    """Let a higher app add figures that it reads when somebody asks. Called once, from `ready()`."""
    _tellers.append(teller)


class _Read(Collector):
    """What is read when somebody asks."""

    def collect(self) -> Iterator[Metric]:
        for teller in _tellers:
            yield from teller()


def registry() -> CollectorRegistry:
    """Everything there is to tell now, of all processes of this data folder."""
    found = CollectorRegistry()
    MultiProcessCollector(found)
    found.register(_Read())
    return found


def hypervisors() -> Iterator[Metric]:
    """Health and circuit of each hypervisor: one query, and a small file for each circuit that is not closed."""
    health = GaugeMetricFamily(
        "olimpus_hypervisor_up", "1: it answered the last time, 0: not, -1: never tried.", labels=["hypervisor"]
    )
    circuit = GaugeMetricFamily(
        "olimpus_circuit_open", "Circuit breaker: 0 closed, 1 half open, 2 open.", labels=["hypervisor"]
    )
    told = {Health.OK: 1.0, Health.UNKNOWN: -1.0}
    for name, state in Hypervisor.objects.values_list("name", "health"):
        health.add_metric([name], told.get(Health(state), 0.0))
        seen = breaker.seen(Path(settings.OLIMPUS_HOME), name)
        circuit.add_metric([name], breaker.SEVERITY[seen.state])
    yield from (health, circuit)


tell(hypervisors)
