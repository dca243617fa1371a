"""Writing what came of the jobs: one transaction for many results, fenced against workers that lost their lease."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import journal
from descriptors import selectors
from descriptors.actions import publishing, shaping
from descriptors.actions.cancelling import close_parents
from descriptors.actions.requesting import summary
from descriptors.jobs import Outcome
from descriptors.models import Descriptor, Kind, Node, Operation, Status
from descriptors.states import State
from descriptors.verbs import VERBS
from descriptors.worker import placing
from descriptors.worker.claims import Task, unexpected, written
from hypervisors import metrics
from hypervisors.retries import CircuitOpen, Interrupted, backoff
from olimpus.db import retry_on_deadlock, update_each
from olimpus.errors import OlimpusError, TimedOut

log = logging.getLogger(__name__)

#: Columns that an outcome may change.
OPERATION = ("status", "open_for_id", "finished_at", "worker", "lease_until", "wake_at", "error", "result", "attempts")
MACHINE = ("state", "state_since", "settled_at", "reason", "vm_ref", "hypervisor_id", "applied", "drifted", "unheard")
COLUMNS: dict[type[models.Model], tuple[str, ...]] = {Operation: OPERATION, Descriptor: MACHINE}
#: What else a verb writes when the hypervisor has done its part.
CONCLUSIONS = {"publish": publishing.conclude}
#: How long after its deadline an operation is given up even though its worker lives (a driver call that hangs).
GRACE = timedelta(seconds=30)
#: Statements for one batch of rows of one table, at most.
MOST_GROUPS = 8


@dataclass(frozen=True)
class Result:
    """How a task ended: with what the hypervisor did, or with an error."""

    task: Task
    outcome: Outcome | None = None
    error: OlimpusError | None = None


def commit(results: Sequence[Result], worker: str) -> int:
    """Write states, operations, journal and parents' counts of all results that are still ours. Returns how many.

    A result that cannot be written fails alone. Raises when the database is not there; may be repeated then.
    """
    if not results:
        return 0
    try:
        return _commit(results, worker)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # one that cannot be written must not hold up the others of its batch, again and again
        log.exception("%d results could not be written together", len(results))
        if len(results) == 1:
            return _commit([_unwritable(results[0], error)], worker)
        return sum(commit([result], worker) for result in results)


def _unwritable(result: Result, error: Exception) -> Result:
    return Result(result.task, error=unexpected(error, result.task.operation))


@retry_on_deadlock
def _commit(results: Sequence[Result], worker: str) -> int:
    with transaction.atomic():
        claimed = {result.task.operation.pk: result for result in results}
        rows = Operation.objects.filter(pk__in=claimed, status=Status.RUNNING, worker=worker).order_by("pk")
        # The number of the attempt tells our claim from a later one of the same worker.
        ours = [row for row in rows.select_for_update() if row.attempts == claimed[row.pk].task.operation.attempts]
        machines = _machines(row.open_for_id for row in ours if row.open_for_id)
        before = {row.pk: _values(row, COLUMNS[type(row)]) for row in (*ours, *machines.values())}
        entries = [_settle(claimed[row.pk], row, machines) for row in ours]
        _write(Operation, ours, before)
        _write(Descriptor, list(machines.values()), before)
        journal.record_many(entry for entry in entries if entry)
        _settle_claims(claimed, ours, machines)
        _remove(row for row in ours if row.verb == "destroy" and row.status == Status.SUCCEEDED)
        _count(ours)
    for row in ours:
        if not row.is_open:
            metrics.OPERATIONS.labels(row.verb, str(row.status)).inc()
    return len(ours)


def _settle_claims(
    results: Mapping[UUID, Result], operations: Iterable[Operation], machines: Mapping[int, Descriptor]
) -> None:
    for row in operations:
        result = results[row.pk]
        placing.settle(
            result.task, row, machines.get(result.task.operation.open_for_id or 0), result.outcome, result.error
        )


def _remove(destroyed: Iterable[Operation]) -> None:
    """Delete from the tree what was to go with its VM. What cannot be deleted stays, and the operation says why."""
    folders: dict[UUID, Operation] = {}
    for operation in destroyed:
        arguments = operation.arguments
        node = Node.objects.filter(pk=operation.node_id).first() if arguments.get("remove") else None
        if node is not None and operation.actor is not None:
            _delete(node, operation)
        if arguments.get("whole") and operation.parent_id:
            folders[operation.parent_id] = operation
    for parent, operation in folders.items():
        _remove_folder(parent, operation)


def _remove_folder(parent: UUID, last: Operation) -> None:
    """Delete the folder of which all machines were to go, once nothing below it stands or is being worked on."""
    folder = Node.objects.filter(operations=parent, kind=Kind.FOLDER).first()
    if folder is None or last.actor is None:
        return
    below = Descriptor.objects.filter(selectors.inside(folder.path))
    if not below.filter(~Q(state=State.PROVISIONED) | Q(open_operation__isnull=False)).exists():
        _delete(folder, last)


def _delete(node: Node, operation: Operation) -> None:
    try:
        shaping.remove(node, actor=operation.actor)
    except OlimpusError as error:
        Operation.objects.filter(pk=operation.pk).update(result={"removed": False, "why": str(error)})


def _machines(ids: Iterable[int]) -> dict[int, Descriptor]:
    """The machines by id. Whoever holds the lock of the open operation needs no other."""
    return Descriptor.objects.defer("definition", "observed").in_bulk(list(ids))


def _settle(result: Result, operation: Operation, machines: dict[int, Descriptor]) -> journal.Draft | None:
    """Change the rows in memory as the result says; returns the journal entry, None when there is no news."""
    machine = machines.get(operation.open_for_id or 0)
    operation.worker, operation.lease_until = "", None
    result = _concluded(result, operation, machine)
    if result.outcome is not None and machine is not None:
        _succeed(result, operation, machine, result.outcome)
    elif (delay := _try_again(result, operation)) is not None:
        again = operation.error is not None
        operation.status, operation.wake_at = Status.QUEUED, timezone.now() + timedelta(seconds=delay)
        operation.error = told(result.error)
        if isinstance(result.error, CircuitOpen):  # nobody was asked: no attempt, and no news after the first time
            operation.attempts -= 1
            return None if again else _entry(operation, machine, result.task.operation)
    else:
        _fail(result, operation, machine)
    return _entry(operation, machine, result.task.operation)


def _concluded(result: Result, operation: Operation, machine: Descriptor | None) -> Result:
    """What belongs to the verb beside the machine is written, too, or the operation fails."""
    conclude = CONCLUSIONS.get(operation.verb)
    if conclude is None or machine is None or result.outcome is None:
        return result
    try:
        with transaction.atomic():
            conclude(operation, result.task.operation.actor, machine, result.outcome.result)
    except OlimpusError as error:
        return Result(result.task, error=error)
    return result


def _succeed(result: Result, operation: Operation, machine: Descriptor, outcome: Outcome) -> None:
    before = machine.state
    VERBS[operation.verb].finish(machine, outcome)
    if outcome.info is not None:
        machine.vm_ref = outcome.info.ref
    machine.unheard = False  # what did its part was heard
    if machine.state == State.PROVISIONED:
        machine.vm_ref, machine.applied, machine.hypervisor_id = "", None, None
    elif outcome.applied:
        machine.applied, machine.drifted = written(machine, result.task.values or {}, anew=outcome.made), False
    _end(operation, machine, before, Status.SUCCEEDED)
    machine.reason = ""
    operation.error, operation.result = None, {**outcome.result, **placing.told(result.task, outcome)} or None


def _try_again(result: Result, operation: Operation) -> float | None:
    """Seconds until the next attempt, None when there is none."""
    if operation.cancel_requested or result.error is None:
        return None
    delay = backoff(result.error, operation.attempts)
    if delay is None or (operation.deadline and timezone.now() + timedelta(seconds=delay) > operation.deadline):
        return None
    return delay


def _fail(result: Result, operation: Operation, machine: Descriptor | None) -> None:
    """The operation ends here: cancelled if somebody asked for that, else failed, and the machine with it if need be."""
    error = result.error
    if isinstance(error, Interrupted) and not operation.cancel_requested:
        error = TimedOut(_("It did not end before its deadline."), where=error.where)
    cancelled = operation.cancel_requested and (error is None or isinstance(error, Interrupted) or error.retry)
    operation.error = None if cancelled else told(error)
    if machine is None:
        operation.status, operation.finished_at, operation.open_for_id = Status.FAILED, timezone.now(), None
        return
    before = machine.state
    if VERBS[operation.verb].breaks:
        machine.fail()
        machine.reason = (_("Cancelled on the way; recover finds out what is there.") if cancelled else str(error))[
            :500
        ]
    _end(operation, machine, before, Status.CANCELLED if cancelled else Status.FAILED)


def _end(operation: Operation, machine: Descriptor, before: str, status: Status) -> None:
    now = timezone.now()
    operation.status, operation.finished_at, operation.open_for_id = status, now, None
    machine.settled_at = now
    if machine.state != before:
        machine.state_since = now


def told(error: OlimpusError | None) -> dict[str, Any] | None:
    """An error as it is stored and shown."""
    if error is None:
        return None
    return {"id": error.id, "message": str(error.message), "where": error.where, "hint": str(error.hint)}


def _entry(operation: Operation, machine: Descriptor | None, claimed: Operation) -> journal.Draft:
    outcome = "retry" if operation.status == Status.QUEUED else str(operation.status)
    data: dict[str, Any] = {"operation": summary(operation)}
    if machine is not None:
        data["state"] = machine.state
    if operation.error:
        data["error"] = operation.error
    if host := (operation.result or {}).get("host"):
        data |= {"host": host, "why": operation.result["why"]}
    return journal.Draft(
        claimed.actor,
        f"vm.{operation.verb}.{outcome}",
        machine.path if machine else operation.path,
        operation.node_id,
        data,
        operation.pk,
    )


def _write(model: type[models.Model], rows: Sequence[models.Model], before: Mapping[Any, Sequence[Any]]) -> None:
    """One UPDATE for all rows in which the same columns got the same values: a hundred machines that started are one.

    Where most differ (each new machine has a reference of its own) one prepared statement is run for all.
    """
    columns = COLUMNS[model]
    groups: dict[str, list[models.Model]] = defaultdict(list)
    for row in rows:
        groups[repr(_changes(row, columns, before[row.pk]))].append(row)
    if len(groups) > MOST_GROUPS:
        update_each(model, rows, columns)
        return
    for same in groups.values():
        changed = _changes(same[0], columns, before[same[0].pk])
        values = {column.removesuffix("_id"): getattr(same[0], column) for column in changed}
        model._base_manager.filter(pk__in=[row.pk for row in same]).update(**values)


def _changes(row: models.Model, columns: Sequence[str], before: Sequence[Any]) -> dict[str, Any]:
    values = zip(columns, before, _values(row, columns), strict=True)
    return {column: _rough(value) for column, old, value in values if value != old}


def _values(row: models.Model, columns: Sequence[str]) -> list[Any]:
    return [getattr(row, column) for column in columns]


def _rough(value: Any) -> Any:
    """Times written in one transaction differ by microseconds that nobody needs."""
    return value.replace(microsecond=0) if hasattr(value, "microsecond") else value


def _count(operations: Iterable[Operation]) -> None:
    ended: dict[UUID, Counter[str]] = defaultdict(Counter)
    for operation in operations:
        if operation.parent_id and not operation.is_open:
            ended[operation.parent_id][str(operation.status)] += 1
    if ended:
        close_parents(dict(ended))


def expire() -> int:
    """Fail what is far past its deadline though its worker still renews it: the driver hangs. Returns how many."""
    overdue = Operation.objects.filter(status=Status.RUNNING, total=0, deadline__lt=timezone.now() - GRACE)
    by_worker: dict[str, list[Result]] = defaultdict(list)
    for operation in overdue.select_related("actor")[:500]:
        error = TimedOut(_("It did not end before its deadline."), where=operation.path)
        by_worker[operation.worker].append(Result(Task(operation, error=error), error=_final(error)))
    return sum(commit(results, worker) for worker, results in by_worker.items())


def _final(error: TimedOut) -> OlimpusError:
    return Interrupted(error.message, where=error.where)
