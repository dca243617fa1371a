"""Taking operations from the database and turning them into jobs of plain data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, F, IntegerField, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from descriptors import selectors
from descriptors.actions.cards import cards_of
from descriptors.definition import kind_of, sizing
from descriptors.models import Descriptor, Operation, Status
from descriptors.nics import Card, joined
from descriptors.verbs import VERBS, Job
from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.gateway import STOP_SECONDS, Gateway, gateway_for
from olimpus.db import retry_on_deadlock
from olimpus.errors import OlimpusError, VMNotFound

#: A worker that does not renew for this long is taken for dead, and others take its operations over.
LEASE = timedelta(seconds=15)
#: A person waiting for one machine goes before a folder of hundreds.
INTERACTIVE_FIRST = Case(When(parent=None, then=Value(0)), default=Value(1), output_field=IntegerField())


@dataclass(frozen=True)
class Task:
    """A claimed operation, ready to be driven (`job`) or failed before it began (`error`)."""

    operation: Operation
    job: Job | None = None
    gateway: Gateway | None = None
    #: The computed definition with its cards: what the machine will have been given.
    values: Mapping[str, Any] | None = None
    error: OlimpusError | None = None


@retry_on_deadlock
def claim(hypervisor: int, limit: int, worker: str) -> list[Operation]:
    """Make up to `limit` due operations of a hypervisor ours, with a lease. Two workers never get the same one."""
    now = timezone.now()
    with transaction.atomic():
        due = Operation.objects.filter(status=Status.QUEUED, hypervisor=hypervisor, total=0, wake_at__lte=now)
        rows = list(
            due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
            .order_by(INTERACTIVE_FIRST, "created_at")
            .only("pk", "verb")[:limit]
        )
        verbs: dict[str, list[UUID]] = defaultdict(list)
        for row in rows:
            verbs[row.verb].append(row.pk)
        for verb, ids in verbs.items():
            Operation.objects.filter(pk__in=ids).update(
                status=Status.RUNNING,
                worker=worker,
                lease_until=now + LEASE,
                attempts=F("attempts") + 1,
                started_at=Coalesce(F("started_at"), now),
                deadline=Coalesce(F("deadline"), now + timedelta(seconds=VERBS[verb].deadline)),
            )
    return list(Operation.objects.filter(pk__in=[row.pk for row in rows]).select_related("actor"))


def prepare(operations: Sequence[Operation], should_stop: Callable[[Operation], Callable[[], bool]]) -> list[Task]:
    """Read everything the drivers need, in a handful of queries for any number of operations."""
    machines = Descriptor.objects.select_related("hypervisor").in_bulk(
        [o.open_for_id for o in operations if o.open_for_id]
    )
    computed = selectors.computed_many(machines.values())
    cards = cards_of(machines)
    return [
        _task(operation, machines.get(operation.open_for_id or 0), computed, cards, should_stop(operation))
        for operation in operations
    ]


def _task(
    operation: Operation,
    machine: Descriptor | None,
    computed: Mapping[int, Any],
    cards: Mapping[int, Mapping[int, Card]],
    should_stop: Callable[[], bool],
) -> Task:
    if machine is None or machine.hypervisor is None:
        return Task(operation, error=VMNotFound("The machine is gone.", where=operation.path))
    found = computed[machine.pk]
    try:
        gateway = gateway_for(machine.hypervisor)
        if isinstance(found, OlimpusError):
            if operation.verb in ("create", "reapply"):
                raise found
            values: dict[str, Any] = dict(machine.applied or {})  # a broken definition must not keep a VM from stopping
        else:
            values = joined(found.values, cards.get(machine.pk, {}))
        return Task(operation, _job(operation, machine, values, should_stop), gateway, values)
    except OlimpusError as error:
        return Task(operation, error=error)


def _job(operation: Operation, machine: Descriptor, values: dict[str, Any], should_stop: Callable[[], bool]) -> Job:
    assert operation.started_at is not None  # noqa: S101 - set by the claim
    return Job(
        uid=str(machine.uid),
        ref=machine.vm_ref,
        spec=spec_of(machine, values),
        started_at=operation.started_at,
        arguments=operation.arguments,
        stop_timeout=float(values.get("stop_timeout") or STOP_SECONDS),
        reapply=wants_reapply(machine, values),
        resumed=operation.attempts > 1,
        should_stop=should_stop,
    )


def wants_reapply(machine: Descriptor, values: Mapping[str, Any]) -> bool:
    """Whether a start rewrites the run parameters: always, never, or (not said) if something is known to differ."""
    wish = values.get("reapply_on_start")
    if wish is not None:
        return bool(wish)
    return machine.drifted or any(row["kind"] == "run" for row in selectors.pending(machine, values).values())


def spec_of(machine: Descriptor, values: Mapping[str, Any]) -> VmSpec:
    """The computed definition in the words of the drivers."""
    size = sizing(values)
    folder = machine.path.strip("/").split("/")[-2:]
    return VmSpec(
        uid=str(machine.uid),
        name=str(values.get("vm_name") or "-".join(folder)),
        cpus=size.cpus,
        memory_mib=size.memory_mib,
        disk_gib=size.disk_gib,
        image=str(values.get("image") or ""),
        nics=tuple(_nic(nic) for nic in values.get("nics") or []),
        disks=tuple(values.get("disks") or ()),
        cdroms=tuple(values.get("cdroms") or ()),
        boot_order=tuple(values.get("boot_order") or ()),
        parameters=values,
    )


def _nic(nic: Mapping[str, Any]) -> NicSpec:
    return NicSpec(
        network=str(nic.get("network") or ""),
        mac=str(nic.get("mac") or ""),
        ip=str(nic.get("ip") or ""),
        ip_mode=str(nic.get("ip_mode") or "dhcp"),
        model=str(nic.get("model") or "virtio"),
    )


def written(machine: Descriptor, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the VM has been given after its run parameters were written: creation parameters stay as they were."""
    if machine.applied is None:
        return dict(values)
    kept = {name: value for name, value in machine.applied.items() if kind_of(name) == "creation"}
    return kept | {name: value for name, value in values.items() if kind_of(name) != "creation"}


def renew(worker: str) -> None:
    """Say that this worker lives: its leases run on."""
    Operation.objects.filter(worker=worker, status=Status.RUNNING).update(lease_until=timezone.now() + LEASE)


def cancelled(worker: str) -> set[UUID]:
    """Our operations that somebody wants to end."""
    return set(
        Operation.objects.filter(worker=worker, status=Status.RUNNING, cancel_requested=True).values_list(
            "pk", flat=True
        )
    )


@retry_on_deadlock
def release_lost() -> int:
    """Queue again what dead workers held; every driver call is safe to repeat. Returns how many."""
    now = timezone.now()
    lost = Operation.objects.filter(status=Status.RUNNING, total=0, lease_until__lt=now)
    return lost.update(status=Status.QUEUED, wake_at=now, worker="", lease_until=None, deadline=None)


def due() -> Iterable[tuple[int, str]]:
    """(id, queue) of the hypervisors that have something to do now."""
    rows = Operation.objects.filter(status=Status.QUEUED, total=0, wake_at__lte=timezone.now())
    return rows.order_by().values_list("hypervisor_id", "hypervisor__queue").distinct()
