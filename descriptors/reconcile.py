"""Comparing hypervisors with the tree: one listing for all VMs of a hypervisor, the only writer of what was observed.

Drift is reported, never repaired here: repairing is a verb that somebody asks for. A hypervisor that does not answer changes
nothing about its VMs: they are unknown, not off.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import journal
from descriptors import selectors
from descriptors.models import Descriptor, Operation, Unowned
from hypervisors import health
from hypervisors.drivers.base import Power, VmInfo
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from olimpus.db import retry_on_deadlock, update_each
from olimpus.errors import HypervisorError

log = logging.getLogger(__name__)
BATCH = 500
CHUNK = 5000
#: MySQL and MariaDB find the conflicting key by themselves and take no names.
UNIQUE = ["hypervisor", "ref"] if connection.features.supports_update_conflicts_with_target else None


@dataclass(frozen=True)
class Report:
    """What one comparison found."""

    hypervisor: str
    reachable: bool
    vms: int = 0
    descriptors: int = 0
    drifted: int = 0
    unowned: int = 0


def claim_due() -> list[tuple[int, str]]:
    """(id, queue) of the hypervisors whose turn it is; each is given to one caller only, until its next turn."""
    now = timezone.now()
    ripe = Q(next_reconcile_at=None) | Q(next_reconcile_at__lte=now)
    mine = []
    for hypervisor in Hypervisor.objects.filter(ripe):
        following = now + timedelta(seconds=hypervisor.reconcile_interval)
        if Hypervisor.objects.filter(ripe, pk=hypervisor.pk).update(next_reconcile_at=following):
            mine.append((hypervisor.pk, hypervisor.queue))
    return mine


def reconcile(pk: int) -> Report | None:
    """List the hypervisor's VMs and write what differs from what we knew. May be repeated; None when it is gone."""
    hypervisor = Hypervisor.objects.filter(pk=pk).first()
    if hypervisor is None:
        return None
    looked_at = timezone.now()
    try:
        gateway = gateway_for(hypervisor)
        infos = gateway.list()
        capacity = asdict(gateway.capacity())
    except HypervisorError as error:
        log.warning("%s: cannot be compared: %s", hypervisor.name, error)
        health.mark_unreachable(hypervisor, error)
        return Report(hypervisor.name, reachable=False)
    health.mark_ok(hypervisor)
    Hypervisor.objects.filter(pk=pk).update(capacity=capacity)
    with journal.context(via="worker"):
        return _compare(hypervisor, infos, looked_at)


def _compare(hypervisor: Hypervisor, infos: Sequence[VmInfo], looked_at: datetime) -> Report:
    by_uid = {info.uid: info for info in infos if info.uid}
    by_ref = {info.ref: info for info in infos}
    machines = list(
        Descriptor.objects.filter(hypervisor=hypervisor).select_related("open_operation").defer("definition")
    )
    owned: set[str] = set()
    changed = []
    for machine in machines:
        info = by_uid.get(str(machine.uid)) or by_ref.get(machine.vm_ref)
        if info is not None:
            owned.add(info.ref)
        if _differs(machine, observation(info), looked_at):
            changed.append(machine)
    _write(machines, changed, looked_at)
    strays = [info for info in infos if info.ref not in owned]
    _write_unowned(hypervisor, strays, looked_at)
    drifted = sum(machine.drifted for machine in machines)
    return Report(hypervisor.name, True, len(infos), len(machines), drifted, len(strays))


def observation(info: VmInfo | None) -> dict[str, Any]:
    """What is kept of a listing for one VM."""
    if info is None:
        return {"power": str(Power.ABSENT)}
    ways = {"ways": [dict(way) for way in info.extra["ways"]]} if info.extra.get("ways") else {}
    return ways | {
        "power": str(info.power),
        "name": info.name,
        "cpus": info.cpus,
        "memory_mib": info.memory_mib,
        "disk_gib": info.disk_gib,
        "macs": [nic.mac for nic in info.nics],
        "addresses": [nic.ip for nic in info.nics if nic.ip],
        "since": info.since.isoformat() if info.since else None,
    }


def _differs(machine: Descriptor, seen: dict[str, Any], looked_at: datetime) -> bool:
    """Put the observation into the row in memory; tells whether anything but the time has changed."""
    if seen["power"] == Power.UNKNOWN:  # it answered for the others, not for this one: nothing is known about it
        return False
    if selectors.open_operation(machine):  # somebody works on it: whatever is seen now is on its way elsewhere
        return False
    before = (machine.observed, machine.drifted)
    machine.observed, machine.observed_at = seen, looked_at
    machine.drifted = bool(selectors.drift(machine))
    return before != (machine.observed, machine.drifted)


def _write(machines: Sequence[Descriptor], changed: Sequence[Descriptor], looked_at: datetime) -> None:
    """Only rows that changed are written in full; the time of looking is one UPDATE for each batch."""
    for start in range(0, len(changed), BATCH):
        _write_batch(changed[start : start + BATCH])
    seen = [machine.pk for machine in machines if machine.observed_at == looked_at]
    for start in range(0, len(seen), CHUNK):
        Descriptor.objects.filter(pk__in=seen[start : start + CHUNK]).update(observed_at=looked_at)


@retry_on_deadlock
def _write_batch(machines: Sequence[Descriptor]) -> None:
    """Compare once more under the lock: whatever has moved on since it was read is left to the next time."""
    with transaction.atomic():
        now = _locked_facts([machine.pk for machine in machines])
        same = [machine for machine in machines if now.get(machine.pk, ())[:3] == _facts(machine)]
        update_each(Descriptor, same, ["observed", "drifted"])
        journal.record_many(_news(same, {pk: facts[3] for pk, facts in now.items()}))


def _locked_facts(ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """{id: (state, when it last settled, hypervisor, drifted)} of machines that nobody works on, locked."""
    rows = Descriptor.objects.filter(pk__in=ids).order_by("pk").select_for_update()
    facts = {row[0]: row[1:] for row in rows.values_list("pk", "state", "settled_at", "hypervisor_id", "drifted")}
    busy = set(Operation.objects.filter(open_for__in=ids).values_list("open_for_id", flat=True))
    return {pk: row for pk, row in facts.items() if pk not in busy}


def _facts(machine: Descriptor) -> tuple[Any, ...]:
    return (machine.state, machine.settled_at, machine.hypervisor_id)


def _news(machines: Iterable[Descriptor], drifted: Mapping[int, bool]) -> Iterable[journal.Draft]:
    """Entries about drift that came or went."""
    for machine in machines:
        if machine.drifted == drifted[machine.pk]:
            continue
        verb = "vm.drift" if machine.drifted else "vm.drift.cleared"
        data = {"state": machine.state, "drift": selectors.drift(machine)}
        yield journal.Draft(None, verb, machine.path, machine.pk, data)


@retry_on_deadlock
def _write_unowned(hypervisor: Hypervisor, strays: Sequence[VmInfo], looked_at: datetime) -> None:
    """The table of VMs nobody owns becomes what was listed."""
    listed = {info.ref for info in strays}
    with transaction.atomic():
        known = Unowned.objects.filter(hypervisor=hypervisor).values_list("pk", "ref")
        gone = [pk for pk, ref in known if ref not in listed]
        for start in range(0, len(gone), BATCH):
            Unowned.objects.filter(pk__in=gone[start : start + BATCH]).delete()
        Unowned.objects.bulk_create(
            [
                Unowned(hypervisor=hypervisor, ref=info.ref, name=info.name, info=observation(info), seen_at=looked_at)
                for info in strays
            ],
            batch_size=BATCH,
            update_conflicts=True,
            update_fields=["name", "info", "seen_at"],
            unique_fields=UNIQUE,
        )
