"""Start of 3,000 VMs of one folder on the mock hypervisor: latency 200 ms, concurrency 64.

Measured: from the request (`actions.request`, as the API calls it) to the end that the parent operation carries, through
the queue and a real worker process; every machine is then running here and on the hypervisor, powered on once.
Floor: 3,000 × 0.2 s / 64: the hypervisor alone, its 64 places never empty. Counted, not measured.
"""

from __future__ import annotations

import time
from pathlib import Path

from django.conf import settings

from accounts.models import User
from descriptors import actions, selectors
from descriptors.models import Node, Operation, Status
from descriptors.worker.engine import Engine
from hypervisors import actions as hypervisors
from hypervisors.drivers.mock import events
from hypervisors.models import Hypervisor
from tests.bench.figures import Figure, say
from tests.bench.servers import until, worker
from tests.bench.world import folder, machines, superuser

MACHINES, LATENCY, CONCURRENCY = 3000, 0.2, 64
REACH, SUPERB, LEAST_AN_HOUR, PATIENCE = 3.0, 1.5, 50_000, 180.0


def run() -> list[Figure]:
    """The time, and the same as VMs an hour."""
    root = superuser()
    mock, farm, first = build(root)
    with worker():
        warm_up(first, root)
        seconds, asked = start_all(farm, root)
    check(farm, root)
    floor = MACHINES * LATENCY / CONCURRENCY
    hourly = MACHINES / seconds * 3600
    say(f"asked in {asked:.2f} s, all started after {seconds:.2f} s, floor {floor:.2f} s")
    work = f"start {MACHINES:,} VMs, {LATENCY * 1000:.0f} ms, {CONCURRENCY} at once"
    reach = f"≤ {REACH:g} × (superb {SUPERB:g} ×)"
    details = {"request": asked, "hypervisor": mock.name}
    return [
        Figure(work, seconds, "s", reach, seconds <= REACH * floor, floor, details),
        Figure(f"{work}: VMs an hour", hourly, "VMs", f"≥ {LEAST_AN_HOUR:,}", hourly >= LEAST_AN_HOUR),
    ]


def build(root: User) -> tuple[Hypervisor, Node, Node]:
    """The machines, created on a mock that is quick for as long as that takes; and one more beside them."""
    fields = {"name": "mock", "driver": "mock", "settings": {"latency": 0}, "concurrency": CONCURRENCY}
    mock = hypervisors.create(fields, actor=root)
    lab = folder("/lab", {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    farm = folder("/lab/farm")
    definition = {"nics": [{"network": "lan"}]}
    machines(farm, {f"vm-{number:04}": definition for number in range(MACHINES)})
    (first,) = machines(lab, {"first": definition})
    for node in (farm, first):
        actions.request("create", Node.objects.get(pk=node.pk), actor=root)
    Engine().drain([mock.pk])
    hypervisors.update(mock, {"settings": {"latency": LATENCY}}, actor=root)
    return mock, Node.objects.get(pk=farm.pk), first


def warm_up(first: Node, root: User) -> None:
    """The worker is up when it has started one machine."""
    operation = actions.request("start", first, actor=root)
    until(lambda: Operation.objects.get(pk=operation.pk).status == Status.SUCCEEDED)


def start_all(farm: Node, root: User) -> tuple[float, float]:
    """Seconds from the request to the end of the operation, and those of the request itself."""
    began = time.time()
    operation = actions.request("start", farm, actor=root)
    asked = time.time() - began
    until(lambda: not Operation.objects.get(pk=operation.pk).is_open, PATIENCE, 0.25)
    operation.refresh_from_db()
    assert operation.succeeded == MACHINES, (operation.status, operation.failed, operation.result)
    assert operation.finished_at is not None
    return operation.finished_at.timestamp() - began, asked


def check(farm: Node, root: User) -> None:
    """All run, and each was powered on once."""
    assert selectors.counts(root, farm)["running"] == MACHINES
    switched = [event.ref for event in events(Path(settings.OLIMPUS_HOME), "mock") if event.verb == "power_on"]
    assert len(switched) == len(set(switched)) == MACHINES + 1
