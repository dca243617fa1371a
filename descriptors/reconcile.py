"""Comparing hypervisors with the tree: one listing for all VMs of a hypervisor, the only writer of what was observed.

Drift is reported, never repaired here: repairing is a verb that somebody asks for. A hypervisor that does not answer, or a
part of it, changes nothing about its VMs but that they are unknown, not off.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import journal
from descriptors import selectors
from descriptors.models import OPEN, Descriptor, Operation, Unowned
from descriptors.states import State
from hypervisors import claims, health
from hypervisors.drivers.base import Power, VmInfo
from hypervisors.gateway import Gateway, gateway_for
from hypervisors.models import Hypervisor
from hypervisors.standing import room_of
from olimpus.db import retry_on_deadlock, update_each
from olimpus.errors import HypervisorError, VMNotFound

log = logging.getLogger(__name__)
#: More VMs than this are not asked for one by one.
MANY = 16
BATCH = 500
CHUNK = 5000
#: What tells whether a machine is at rest.
RESTING = ("pk", "uid", "state", "settled_at")
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
    unheard: int = 0


def claim_due() -> list[tuple[int, str]]:
    """(id, queue) of the hypervisors whose turn it is; each is given to one caller only, until its next turn."""
    now = timezone.now()
    ripe = Q(next_reconcile_at=None) | Q(next_reconcile_at__lte=now)
    mine = []
    for hypervisor in Hypervisor.objects.filter(ripe):
        following = _following(hypervisor, now)
        if Hypervisor.objects.filter(ripe, pk=hypervisor.pk).update(next_reconcile_at=following):
            mine.append((hypervisor.pk, hypervisor.queue))
    return mine


def _following(hypervisor: Hypervisor, now: datetime) -> datetime:
    """The turn after this one, in step with it however late it is taken: whoever asks does so every few seconds only, and
    a turn that was just missed must not cost the next one. Turns that nobody took for long are not made up for.
    """
    due, interval = hypervisor.next_reconcile_at or now, timedelta(seconds=hypervisor.reconcile_interval)
    return due + interval if now - due < 2 * interval else now + interval


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
        return _compare(hypervisor, infos, looked_at, places=gateway.places)


def look(pk: int, refs: Collection[str]) -> bool:
    """Compare only the VMs with these references, each asked for alone; may be repeated. False: too many, do it for all.

    VMs that nobody owns are looked at, too, unless something is just being created: that is ours in a moment.
    """
    hypervisor = Hypervisor.objects.filter(pk=pk).first()
    if hypervisor is None:
        return True
    looked_at, gateway = timezone.now(), gateway_for(hypervisor)
    machines = list(_machines(hypervisor).filter(vm_ref__in=refs))
    idle = [machine for machine in machines if not selectors.open_operation(machine)]
    strange = set(refs) - {machine.vm_ref for machine in machines}
    if strange and Operation.objects.filter(hypervisor=hypervisor, verb="create", status__in=OPEN).exists():
        strange = set()
    if len(idle) + len(strange) > MANY:
        return False
    seen = {ref: _observed(gateway, ref) for ref in (*(machine.vm_ref for machine in idle), *sorted(strange))}
    with journal.context(via="worker"):
        _note(idle, {machine.pk: seen[machine.vm_ref] for machine in idle}, (), looked_at)
        _write_strangers(hypervisor, {ref: seen[ref] for ref in strange}, looked_at)
    return True


def _observed(gateway: Gateway, ref: str) -> VmInfo | None:
    try:
        return gateway.observe(ref)
    except VMNotFound:
        return None


def _machines(hypervisor: Hypervisor) -> QuerySet[Descriptor]:
    return Descriptor.objects.filter(hypervisor=hypervisor).select_related("open_operation").defer("definition")


def _note(
    machines: Sequence[Descriptor],
    infos: Mapping[int, VmInfo | None],
    unheard: tuple[str, ...],
    looked_at: datetime,
) -> None:
    """Put what was seen into the rows, and write those that differ."""
    changed = []
    for machine in machines:
        info = infos[machine.pk]
        lost = info is None and machine.vm_ref.startswith(unheard)
        if _lose(machine) if lost else _differs(machine, observation(info), looked_at):
            changed.append(machine)
    _write(machines, changed, looked_at)


def _lose(machine: Descriptor) -> bool:
    """Where it is does not answer: its power is unknown, all else stays as it was last seen."""
    if machine.unheard or selectors.open_operation(machine):
        return False
    machine.unheard = True
    machine.observed = {**(machine.observed or {}), "power": str(Power.UNKNOWN)}
    return True


def _compare(hypervisor: Hypervisor, infos: Sequence[VmInfo], looked_at: datetime, *, places: bool) -> Report:
    unheard = getattr(infos, "unheard", ())
    by_uid = {info.uid: info for info in infos if info.uid}
    by_ref = {info.ref: info for info in infos}
    machines = list(_machines(hypervisor))
    found = {machine.pk: by_uid.get(str(machine.uid)) or by_ref.get(machine.vm_ref) for machine in machines}
    _note(machines, found, unheard, looked_at)
    if places:
        _check_claims(hypervisor, {str(machine.uid): found[machine.pk] for machine in machines}, unheard, looked_at)
    owned = {info.ref for info in found.values() if info}
    strays = [info for info in infos if info.ref not in owned]
    _write_unowned(hypervisor, strays, unheard, looked_at)
    drifted, silent = (sum(getattr(machine, name) for machine in machines) for name in ("drifted", "unheard"))
    return Report(hypervisor.name, True, len(infos), len(machines), drifted, len(strays), silent)


@retry_on_deadlock
def _check_claims(
    hypervisor: Hypervisor, found: Mapping[str, VmInfo | None], unheard: Sequence[str], looked_at: datetime
) -> None:
    """Machines at rest hold a claim where they were seen; those that are, or were since, worked on keep theirs.

    Who is at rest is read under the lock: whoever begins work after that claims its room after us.
    """
    claims.lock(hypervisor)
    resting, made = _at_rest(hypervisor, looked_at)
    seen = {uid: claims.Seen(info.host, room_of(info)) for uid, info in found.items() if info and info.host}
    claims.check(hypervisor, {uid: at for uid, at in seen.items() if uid in resting}, made, unheard, looked_at)


def _at_rest(hypervisor: Hypervisor, looked_at: datetime) -> tuple[set[str], set[str]]:
    """uids of the machines that nobody has worked on since; and of those that are there, or may be."""
    busy = set(Operation.objects.filter(open_for__hypervisor=hypervisor).values_list("open_for_id", flat=True))
    resting, made = set(), set()
    for pk, uid, state, settled_at in Descriptor.objects.filter(hypervisor=hypervisor).values_list(*RESTING):
        if pk not in busy and (settled_at is None or settled_at < looked_at):
            resting.add(str(uid))
        if state != State.PROVISIONED or str(uid) not in resting:
            made.add(str(uid))
    return resting, made


def observation(info: VmInfo | None) -> dict[str, Any]:
    """What is kept of a listing for one VM."""
    if info is None:
        return {"power": str(Power.ABSENT)}
    more: dict[str, Any] = {"ways": [dict(way) for way in info.extra["ways"]]} if info.extra.get("ways") else {}
    if info.host:
        more["host"] = info.host
    return more | {
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
    before = (machine.observed, machine.drifted, machine.unheard)
    machine.observed, machine.observed_at, machine.unheard = seen, looked_at, False
    machine.drifted = bool(selectors.drift(machine))
    return before != (machine.observed, machine.drifted, machine.unheard)


def _write(machines: Sequence[Descriptor], changed: Sequence[Descriptor], looked_at: datetime) -> None:
    """Only rows that changed are written in full; the time of looking is one UPDATE for each batch."""
    for start in range(0, len(changed), BATCH):
        _write_batch(changed[start : start + BATCH], looked_at)
    seen = [machine.pk for machine in machines if machine.observed_at == looked_at]
    for start in range(0, len(seen), CHUNK):
        older = Descriptor.objects.filter(pk__in=seen[start : start + CHUNK]).exclude(observed_at__gt=looked_at)
        older.update(observed_at=looked_at)


@retry_on_deadlock
def _write_batch(machines: Sequence[Descriptor], looked_at: datetime) -> None:
    """Compare once more under the lock: whatever has moved on, or was looked at later, is left as it is."""
    with transaction.atomic():
        now = _locked_facts([machine.pk for machine in machines], looked_at)
        same = [machine for machine in machines if now.get(machine.pk, ())[:3] == _facts(machine)]
        update_each(Descriptor, same, ["observed", "drifted", "unheard"])
        journal.record_many(_news(same, {pk: facts[3:] for pk, facts in now.items()}))


def _locked_facts(ids: Sequence[int], looked_at: datetime) -> dict[int, tuple[Any, ...]]:
    """{id: (state, when it last settled, hypervisor, drifted, unheard)} of machines that nobody works on, locked.

    Those that somebody has looked at later than this are left out: a long listing must not undo what was heard since.
    """
    older = Descriptor.objects.filter(pk__in=ids).exclude(observed_at__gt=looked_at)
    rows = older.order_by("pk").select_for_update()
    columns = ("state", "settled_at", "hypervisor_id", "drifted", "unheard")
    facts = {pk: tuple(row) for pk, *row in rows.values_list("pk", *columns)}
    busy = set(Operation.objects.filter(open_for__in=ids).values_list("open_for_id", flat=True))
    return {pk: row for pk, row in facts.items() if pk not in busy}


def _facts(machine: Descriptor) -> tuple[Any, ...]:
    return (machine.state, machine.settled_at, machine.hypervisor_id)


def _news(machines: Iterable[Descriptor], before: Mapping[int, Sequence[bool]]) -> Iterable[journal.Draft]:
    """Entries about drift that came or went, and about machines that are not heard any more, or again."""
    for machine in machines:
        drifted, unheard = before[machine.pk]
        if machine.drifted != drifted:
            verb = "vm.drift" if machine.drifted else "vm.drift.cleared"
            data = {"state": machine.state, "drift": selectors.drift(machine)}
            yield journal.Draft(None, verb, machine.path, machine.pk, data)
        if machine.unheard != unheard:
            verb = "vm.unheard" if machine.unheard else "vm.heard"
            shown = selectors.UNKNOWN if machine.unheard else machine.state
            yield journal.Draft(None, verb, machine.path, machine.pk, {"state": shown, "host": machine.host})


@retry_on_deadlock
def _write_unowned(
    hypervisor: Hypervisor, strays: Sequence[VmInfo], unheard: tuple[str, ...], looked_at: datetime
) -> None:
    """The table of VMs nobody owns becomes what was listed; of what was not heard it keeps what it has."""
    listed = {info.ref for info in strays}
    with transaction.atomic():
        known = Unowned.objects.filter(hypervisor=hypervisor).values_list("pk", "ref")
        gone = [pk for pk, ref in known if ref not in listed and not ref.startswith(unheard)]
        for start in range(0, len(gone), BATCH):
            Unowned.objects.filter(pk__in=gone[start : start + BATCH]).delete()
        _write_strays(hypervisor, strays, looked_at)


@retry_on_deadlock
def _write_strangers(hypervisor: Hypervisor, seen: Mapping[str, VmInfo | None], looked_at: datetime) -> None:
    """The rows of these VMs that nobody owns become what was seen of each."""
    gone = [ref for ref, info in seen.items() if info is None]
    uids = [info.uid for info in seen.values() if info is not None and info.uid]
    ours = {str(uid) for uid in Descriptor.objects.filter(uid__in=uids).values_list("uid", flat=True)}
    Unowned.objects.filter(hypervisor=hypervisor, ref__in=gone).delete()
    strays = [info for info in seen.values() if info is not None and info.uid not in ours]
    _write_strays(hypervisor, strays, looked_at)


def _write_strays(hypervisor: Hypervisor, strays: Sequence[VmInfo], looked_at: datetime) -> None:
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
