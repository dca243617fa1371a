"""Taking operations from the database and turning them into jobs of plain data."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors
from descriptors.actions.cards import cards_of
from descriptors.cascade import Computed
from descriptors.definition import Size, kind_of
from descriptors.jobs import Job, Peer
from descriptors.models import Descriptor, Operation, Status
from descriptors.nics import Card, joined
from descriptors.peers import peers_in
from descriptors.verbs import VERBS, makes, rewrites
from descriptors.worker import life
from descriptors.worker.peers import hypervisors_of, is_there, peers_of, require_reserving, with_macs
from hypervisors import aliases
from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.gateway import STOP_SECONDS, Gateway, gateway_for
from hypervisors.models import Claim, Hypervisor
from hypervisors.retries import Interrupted
from olimpus.db import retry_on_deadlock
from olimpus.errors import HypervisorError, OlimpusError, VMNotFound

log = logging.getLogger(__name__)

#: A worker that does not renew for this long is taken for dead, and others take its operations over.
LEASE = timedelta(seconds=15)
#: A person waiting for one machine goes before a folder of hundreds.
INTERACTIVE_FIRST = Case(When(parent=None, then=Value(0)), default=Value(1), output_field=IntegerField())

#: Of a machine whose flavor is gone, for verbs that do not write it.
NO_SIZE = Size(0, 0, 0)


@dataclass(frozen=True)
class Task:
    """A claimed operation, ready to be driven (`job`) or failed before it began (`error`)."""

    operation: Operation
    job: Job | None = None
    gateway: Gateway | None = None
    #: The computed definition with its cards: what the machine will have been given.
    values: Mapping[str, Any] | None = None
    error: OlimpusError | None = None
    #: Its room on a host, where Olimpus chooses that; see `placing`.
    claim: Claim | None = None


def claim(hypervisor: int, limit: int, worker: str, *, single: bool = False) -> list[Operation]:
    """Make up to `limit` due operations of a hypervisor ours, with a lease. Two workers never get the same one.

    Those who asked take turns: whoever has the least under way there comes next. `single`: only what somebody asked of
    one machine. No row is locked while we choose; what another worker took in between is left out, so that fewer may come
    than there are.
    """
    rows = due_now().filter(hypervisor=hypervisor)
    if single:
        rows = rows.filter(parent=None)
    turn = Window(RowNumber(), partition_by="actor", order_by=[INTERACTIVE_FIRST.asc(), F("created_at").asc()])
    ordered = rows.annotate(turn=turn + _under_way(hypervisor)).order_by("turn", INTERACTIVE_FIRST, "created_at")
    chosen = list(ordered.values_list("pk", "verb")[:limit])
    if not chosen:
        return []
    _take(chosen, worker)
    ids = [pk for pk, _verb in chosen]
    found = Operation.objects.filter(worker=worker, status=Status.RUNNING).in_bulk(ids)
    actors = User.objects.in_bulk({operation.actor_id for operation in found.values() if operation.actor_id})
    for operation in found.values():  # one row for all of a folder's operations, where a join would read it for each
        operation.actor = actors.get(operation.actor_id)
    return [found[pk] for pk in ids if pk in found]


def _under_way(hypervisor: int) -> Case:
    """How many operations of its actor are being done there, for each row."""
    running = Operation.objects.filter(hypervisor=hypervisor, status=Status.RUNNING, total=0).order_by()
    numbers = running.exclude(actor=None).values_list("actor").annotate(n=Count("pk"))
    cases = [When(actor=actor, then=Value(number)) for actor, number in numbers]
    return Case(*cases, default=Value(0), output_field=IntegerField())


@retry_on_deadlock
def _take(chosen: Iterable[tuple[UUID, str]], worker: str) -> None:
    """One UPDATE per verb, of rows that are still queued."""
    now = timezone.now()
    verbs: dict[str, list[UUID]] = defaultdict(list)
    for pk, verb in chosen:
        verbs[verb].append(pk)
    for verb, ids in verbs.items():
        Operation.objects.filter(pk__in=ids, status=Status.QUEUED).update(
            status=Status.RUNNING,
            worker=worker,
            lease_until=now + LEASE,
            attempts=F("attempts") + 1,
            started_at=Coalesce(F("started_at"), now),
            deadline=Coalesce(F("deadline"), now + timedelta(seconds=VERBS[verb].deadline)),
        )


def prepare(operations: Sequence[Operation], should_stop: Callable[[Operation], Callable[[], bool]]) -> list[Task]:
    """Read everything the drivers need, in a handful of queries for any number of operations."""
    ids = [operation.open_for_id for operation in operations if operation.open_for_id]
    machines = Descriptor.objects.defer("observed").in_bulk(ids)
    hypervisors = Hypervisor.objects.in_bulk({machine.hypervisor_id for machine in machines.values()} - {None})
    for machine in machines.values():
        machine.hypervisor = hypervisors.get(machine.hypervisor_id)
    for operation in operations:
        if operation.hypervisor_id in hypervisors:
            operation.hypervisor = hypervisors[operation.hypervisor_id]
    others = peers_of(machines.values())
    all_ = machines | {row.pk: row for rows in others.values() for row in rows}
    computed = selectors.computed_many(all_.values())
    known = Known(computed, selectors.owners(computed.values()), cards_of(all_), others, hypervisors_of(others))
    return [
        _task(operation, machines.get(operation.open_for_id or 0), known, should_stop(operation))
        for operation in operations
    ]


@dataclass(frozen=True)
class Known:
    """What is read at once for all tasks: computed definitions, folders that own networks, cards given so far, peers."""

    computed: Mapping[int, Computed | OlimpusError]
    owners: Mapping[str, str]
    cards: Mapping[int, Mapping[int, Card]]
    peers: Mapping[int, Sequence[Descriptor]]
    hypervisors: Mapping[str, Hypervisor]


def _task(
    operation: Operation,
    machine: Descriptor | None,
    known: Known,
    should_stop: Callable[[], bool],
) -> Task:
    if operation.cancel_requested:
        return Task(operation, error=Interrupted(_("It was cancelled before the next attempt."), where=operation.path))
    if machine is None or machine.hypervisor is None:
        return Task(operation, error=VMNotFound(_("The machine is gone."), where=operation.path))
    try:
        values = _values(operation, machine, known)
        job, gateway = _job(operation, machine, values, should_stop), gateway_for(machine.hypervisor)
        if machine.pk in known.peers:
            others = _peers(operation, known.peers[machine.pk], peers_in(values), known)
            job = replace(job, peers=(Peer(machine.name, job.spec, gateway), *others))
        return Task(operation, job, gateway, values)
    except OlimpusError as error:
        return Task(operation, error=error)
    except Exception as error:  # one machine that we cannot read must not keep the others waiting
        log.exception("%s cannot be prepared", operation)
        return Task(operation, error=unexpected(error, operation))


def _values(operation: Operation, machine: Descriptor, known: Known) -> dict[str, Any]:
    """The computed definition; for verbs that need not write it, a broken one is replaced by what was applied last."""
    computed, writing = known.computed[machine.pk], rewrites(operation.verb, operation.arguments)
    if operation.verb == "destroy" and machine.applied:  # what was made is removed, whatever is wanted by now
        return dict(machine.applied)
    if isinstance(computed, OlimpusError):
        if writing:
            raise computed
        return dict(machine.applied or {})
    if not writing and machine.applied and selectors.known_size(computed.values) is None:
        return dict(machine.applied)
    where = machine.hypervisor.name if machine.hypervisor else ""
    values = aliases.with_own(computed.values, selectors.marks(computed, known.owners), where)
    return joined(values, known.cards.get(machine.pk, {}))


def _peers(operation: Operation, rows: Iterable[Descriptor], wanted: Collection[str], known: Known) -> Iterable[Peer]:
    """Who must be known to make the machine; to remove it, those who were reserved an address and never made."""
    making = makes(operation.verb, operation.arguments)
    removing = not making and operation.verb in ("destroy", "recover")
    for row in rows:
        if making and row.name in wanted:
            require_reserving(operation.actor, row, _computed(row, known), known.hypervisors)
            yield _peer(row, known)
        elif removing and not is_there(row):
            with suppress(OlimpusError):  # what cannot be said by now keeps nobody from removing the others
                yield _peer(row, known)


def _computed(row: Descriptor, known: Known) -> Computed:
    computed = known.computed[row.pk]
    if isinstance(computed, OlimpusError):
        raise computed
    return computed


def _peer(row: Descriptor, known: Known) -> Peer:
    computed = _computed(row, known)
    hypervisor = known.hypervisors.get(str(computed.values.get("hypervisor") or ""))
    if hypervisor is None:
        raise VMNotFound(_("“%s” is on no hypervisor.") % row.name, where=row.path)
    values = aliases.with_own(computed.values, selectors.marks(computed, known.owners), hypervisor.name)
    values = joined(values, known.cards.get(row.pk, {}))
    size = selectors.known_size(values) or NO_SIZE
    spec = with_macs(spec_of(row, _as_called_there(hypervisor, values), size))
    return Peer(row.name, spec, gateway_for(hypervisor), is_there(row))


def unexpected(error: Exception, operation: Operation) -> HypervisorError:
    """A fault of ours as the end of an operation; the log has the details."""
    message = _("Unexpected %(error)s.") % {"error": type(error).__name__}
    return HypervisorError(message, where=operation.path, hint=_("The details are in the log."))


def _job(operation: Operation, machine: Descriptor, values: dict[str, Any], should_stop: Callable[[], bool]) -> Job:
    assert operation.started_at is not None  # noqa: S101 - set by the claim
    sizing = rewrites(operation.verb, operation.arguments)
    size = (selectors.size_of if sizing else selectors.known_size)(values)
    return Job(
        uid=str(machine.uid),
        ref=machine.vm_ref,
        # Without a size what was made is still there, and nothing is rewritten.
        spec=spec_of(machine, _as_called_there(machine.hypervisor, values), size or NO_SIZE),
        started_at=operation.started_at,
        arguments=operation.arguments,
        stop_timeout=float(values.get("stop_timeout") or STOP_SECONDS),
        reapply=size is not None and wants_reapply(machine, values),
        # The circuit may have opened in the middle: what it refused counts as no attempt.
        resumed=operation.attempts > 1 or operation.error is not None,
        should_stop=should_stop,
        before=_made_as(machine) if makes(operation.verb, operation.arguments) else None,
    )


def _made_as(machine: Descriptor) -> VmSpec | None:
    """What it was made as; None of one that was not made by us, or of which nobody knows."""
    made = machine.applied
    return spec_of(machine, _as_called_there(machine.hypervisor, made), NO_SIZE) if made else None


def wants_reapply(machine: Descriptor, values: Mapping[str, Any]) -> bool:
    """Whether a start rewrites the run parameters: always, never, or (not said) if something is known to differ."""
    wish = values.get("reapply_on_start")
    if wish is not None:
        return bool(wish)
    return machine.drifted or selectors.rewrites(machine, values)


def _as_called_there(hypervisor: Hypervisor | None, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The definition in the names that the hypervisor has for images, flavors and networks; only drivers see it."""
    return aliases.translated(values, hypervisor.aliases, hypervisor.name) if hypervisor else values


def spec_of(machine: Descriptor, values: Mapping[str, Any], size: Size) -> VmSpec:
    """The computed definition in the words of the drivers."""
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


def written(machine: Descriptor, values: Mapping[str, Any], *, anew: bool) -> dict[str, Any]:
    """What the VM has been given after its run parameters were written: creation parameters stay, unless it was made."""
    if machine.applied is None or anew:
        return dict(values)
    kept = {name: value for name, value in machine.applied.items() if kind_of(name) == "creation"}
    return kept | {name: value for name, value in values.items() if kind_of(name) != "creation"}


def renew(worker: str, ids: Collection[UUID]) -> None:
    """Say that this worker lives and drives these: their leases run on."""
    Operation.objects.filter(pk__in=ids, worker=worker, status=Status.RUNNING).update(
        lease_until=timezone.now() + LEASE
    )


def cancelled(worker: str) -> set[UUID]:
    """Our operations that somebody wants to end."""
    mine = Operation.objects.filter(worker=worker, status=Status.RUNNING, cancel_requested=True)
    return set(mine.values_list("pk", flat=True))


def release_lost() -> int:
    """Queue again what dead workers held; every driver call is safe to repeat. Returns how many."""
    dead = life.dead()
    number = _release(dead)
    life.bury(dead)
    return number


@retry_on_deadlock
def _release(dead: Collection[str]) -> int:
    held = Operation.objects.filter(status=Status.RUNNING, total=0)
    return _queue_again(held.filter(Q(lease_until__lt=timezone.now()) | Q(worker__in=dead)))


@retry_on_deadlock
def give_back(worker: str, ids: Collection[UUID]) -> int:
    """Queue again what this worker cannot end any more, because it is told to stop. Returns how many."""
    return _queue_again(Operation.objects.filter(pk__in=ids, status=Status.RUNNING, worker=worker))


def _queue_again(held: QuerySet[Operation]) -> int:
    return held.update(status=Status.QUEUED, wake_at=timezone.now(), worker="", lease_until=None, deadline=None)


def due_now() -> QuerySet[Operation]:
    """Operations that a worker may begin."""
    return Operation.objects.filter(status=Status.QUEUED, total=0, wake_at__lte=timezone.now()).order_by()


def due() -> Iterable[tuple[int, str]]:
    """(id, queue) of the hypervisors that have something to do now."""
    return due_now().exclude(hypervisor=None).values_list("hypervisor_id", "hypervisor__queue").distinct()
