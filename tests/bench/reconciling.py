"""Reconcile of 500 and of 20,000 VMs of one hypervisor.

Measured: `reconcile.reconcile` when nothing has been observed yet, so that every row is written (the worst case); again
when every hundredth VM was changed behind our back; and again when nothing has changed (the everyday case).
Floor: the driver's listing of the same VMs alone.
The worst case must be in reach.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from descriptors import reconcile
from descriptors.models import Descriptor
from descriptors.tree import by_path
from hypervisors import actions as hypervisors
from hypervisors.drivers.mock import store, store_path
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from tests.bench.figures import Figure, say, timed
from tests.bench.world import folder, machines, superuser

#: VMs and the seconds that they may take.
SIZES = {500: 5.0, 20_000: 60.0}
#: Every which VM is changed behind our back.
TAMPERED = 100
APPLIED = {"hypervisor": "mock", "image": "debian-12", "cpus": 1, "memory_mib": 512, "nics": []}


def run() -> list[Figure]:
    """Three figures for each size."""
    root = superuser()
    folder("/lab", {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    figures = []
    for size, seconds in SIZES.items():
        mock = hypervisors.create({"name": f"mock-{size}", "driver": "mock"}, actor=root)
        build(mock, size)
        figures += measure(mock, size, seconds)
    return figures


def build(mock: Hypervisor, size: int) -> None:
    """Running machines, and the VMs that they are on the hypervisor."""
    below = folder(f"/lab/{mock.name}")
    nodes = machines(below, {f"vm-{number:05}": {} for number in range(size)})
    rows = Descriptor.objects.filter(parent=by_path(below.path))
    rows.update(state="running", hypervisor=mock, applied=APPLIED)
    uids = dict(rows.values_list("pk", "uid"))
    memory = store.Store(store_path(Path(settings.OLIMPUS_HOME), mock.name))
    with memory.writing() as db:
        for node in nodes:
            store.insert_vm(db, vm(str(uids[node.pk]), node.name))
    memory.close()
    refs = {info.uid: info.ref for info in gateway_for(mock).list()}
    for machine in (machines_now := list(rows.only("pk", "uid"))):
        machine.vm_ref = refs[str(machine.uid)]
    Descriptor.objects.bulk_update(machines_now, ["vm_ref"], batch_size=400)


def vm(uid: str, name: str) -> dict[str, Any]:
    """A running VM as the mock keeps it."""
    size = {"cpus": 1, "memory_mib": 512, "disk_gib": 5.0, "image": "debian-12", "nics": "[]"}
    return {"uid": uid, "name": name, "power": "on", "since": 1.7e9, **size}


def measure(mock: Hypervisor, size: int, seconds: float) -> list[Figure]:
    """First look, changed, unchanged."""
    floor = min(timed(lambda: gateway_for(mock).list()) for _round in range(3))
    figures = []
    for label, drifted in (("first look", 0), ("1 % drifted", size // TAMPERED), ("unchanged", size // TAMPERED)):
        if label == "1 % drifted":
            tamper(mock)
        reports: list[reconcile.Report | None] = []
        taken = timed(lambda reports=reports: reports.append(reconcile.reconcile(mock.pk)))
        assert reports == [reconcile.Report(mock.name, True, size, size, drifted, 0)], reports
        say(f"{size:,} VMs, {label}: {taken:.2f} s, listing {floor:.3f} s, on {connection.vendor}")
        figures.append(
            Figure(f"reconcile {size:,} VMs, {label}", taken, "s", f"≤ {seconds:g} s", taken <= seconds, floor)
        )
    return figures


def tamper(mock: Hypervisor) -> None:
    """Somebody takes memory from every hundredth VM."""
    memory = store.Store(store_path(Path(settings.OLIMPUS_HOME), mock.name))
    with memory.writing() as db:
        refs = [ref for (ref,) in db.execute("SELECT ref FROM vms ORDER BY name")]
        for ref in refs[::TAMPERED]:
            store.change_vm(db, ref, memory_mib=256)
    memory.close()
