"""Ending an operation before its time, and asking again for what failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors.actions.requesting import request, request_many, summary, wake
from descriptors.models import OPEN, Descriptor, Node, Operation, Status
from descriptors.permissions import can, require
from descriptors.states import State
from descriptors.verbs import VERBS
from hypervisors import metrics
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, Forbidden, OlimpusError

CHUNK = 5000


@retry_on_deadlock
def cancel(operation: Operation, *, actor: User) -> Operation:
    """Cancel an operation, or all open children of one. May be repeated while it is open; Conflict after that.

    What no worker has begun is undone at once. What is being done stops at the next pause; if the hypervisor had already
    been asked, the machine ends failed, and `recover` finds out what is really there.
    """
    with transaction.atomic():
        operation = Operation.objects.select_for_update().get(pk=operation.pk)
        _may_cancel(operation, actor)
        if not operation.is_open:
            raise Conflict(_("It has ended already."), where=operation.path)
        family = (
            Operation.objects.filter(parent=operation) if operation.total else Operation.objects.filter(pk=operation.pk)
        )
        list(family.filter(status__in=OPEN).select_for_update().order_by("pk").values_list("pk"))
        rows = list(family.filter(status__in=OPEN).select_related("hypervisor"))
        untouched = [row for row in rows if row.status == Status.QUEUED and row.attempts == 0 and row.error is None]
        begun = {row.pk for row in rows} - {row.pk for row in untouched}
        Operation.objects.filter(pk__in=begun).update(cancel_requested=True, wake_at=timezone.now())
        Operation.objects.filter(pk=operation.pk).update(cancel_requested=True)
        journal.record(
            actor, "operation.cancel", path=operation.path, node_id=operation.node_id, operation_id=operation.pk
        )
        _undo(untouched, actor)
        parent = operation.pk if operation.total else operation.parent_id
        if parent and untouched:
            close_parents({parent: {Status.CANCELLED: len(untouched)}})
        wake(row.hypervisor for row in rows if row.pk in begun and row.hypervisor)
    operation.refresh_from_db()
    return operation


def _may_cancel(operation: Operation, actor: User) -> None:
    """Whoever asked for it may cancel it, and whoever may do the verb there."""
    if operation.actor_id == actor.pk:
        return
    node = Node.objects.filter(pk=operation.node_id).first()
    if node is None:
        if not actor.is_superuser:
            raise Forbidden(_("Only who asked for it may cancel it."), where=operation.path)
        return
    require(actor, VERBS[operation.verb].permission if operation.verb in VERBS else "edit", node)


def _undo(operations: Sequence[Operation], actor: User) -> None:
    """Put machines that nobody has touched back to the state they came from."""
    now = timezone.now()
    Operation.objects.filter(pk__in=[row.pk for row in operations]).update(
        status=Status.CANCELLED, open_for=None, finished_at=now, worker="", lease_until=None
    )
    back: dict[str, list[int]] = defaultdict(list)
    for row in operations:
        if row.open_for_id is not None:
            back[row.from_state].append(row.open_for_id)
    for state, ids in back.items():
        rows = Descriptor.objects.filter(pk__in=ids, state__in=[State.STARTING, State.STOPPING])
        rows.update(state=state, state_since=now)
    for row in operations:
        row.status = Status.CANCELLED
        metrics.OPERATIONS.labels(row.verb, str(Status.CANCELLED)).inc()
    journal.record_many(
        journal.Draft(
            actor,
            f"vm.{row.verb}.cancelled",
            row.path,
            row.node_id,
            {"state": row.from_state, "operation": summary(row)},
            row.pk,
        )
        for row in operations
    )


def close_parents(ended: dict[object, dict[str, int]]) -> list[Operation]:
    """Add ended children to the counts of their parents and close those whose last child has ended.

    `ended` maps a parent's id to {status: number}. Returns the parents, fresh. Called inside a transaction.
    """
    for pk, numbers in ended.items():
        Operation.objects.filter(pk=pk).update(
            **{str(status): F(str(status)) + n for status, n in numbers.items() if n}
        )
    parents = list(Operation.objects.filter(pk__in=list(ended)).select_related("actor"))
    for parent in parents:
        if parent.is_open and parent.succeeded + parent.failed + parent.cancelled >= parent.total:
            parent.status = _verdict(parent)
            parent.finished_at = timezone.now()
            parent.save(update_fields=["status", "finished_at"])
            _roll_back(parent)
            journal.record(
                parent.actor,
                f"vm.{parent.verb}.{parent.status}",
                path=parent.path,
                node_id=parent.node_id,
                operation_id=parent.pk,
                data={"operation": summary(parent)},
            )
    return parents


def _roll_back(parent: Operation) -> None:
    """What was made is destroyed again when not all went well, if that was asked for; the definitions stay."""
    if parent.status == Status.SUCCEEDED or not parent.arguments.get("rollback") or parent.actor is None:
        return
    made = Descriptor.objects.filter(operations__parent=parent).exclude(state=State.PROVISIONED)
    result = dict(parent.result or {})
    try:
        result["rollback"] = str(_destroy_all(list(made), parent.actor).pk)
    except OlimpusError as error:  # nothing is left to destroy, or it is forbidden by now
        result["rollback"], result["rollback_error"] = None, str(error)
    parent.result = result
    parent.save(update_fields=["result"])


def _destroy_all(machines: Sequence[Node], actor: User) -> Operation:
    """Destroy machines; those that run are cut off by it."""
    with transaction.atomic():
        return request_many("destroy", machines, actor=actor, arguments={"force": True})


def _verdict(parent: Operation) -> Status:
    if parent.succeeded == parent.total:
        return Status.SUCCEEDED
    if parent.succeeded:
        return Status.PARTIAL
    return Status.FAILED if parent.failed else Status.CANCELLED


def retry_failed(operation: Operation, *, actor: User, reason: str | None = None, verb: str = "") -> Operation:
    """Ask again for the verb, or for `verb`, on the machines that failed; with `reason` only those that failed so.

    Conflict when nothing failed, or when none of them can do it now: what is in the state "failed" needs `recover` first.
    """
    result = Operation.objects.filter(status=Status.FAILED)
    result = result.filter(parent=operation) if operation.total else result.filter(pk=operation.pk)
    if reason is not None:
        result = result.filter(error__message=reason) if reason else result.filter(error__message=None)
    failed = Node.objects.filter(pk__in=result.order_by().values("node"))
    nodes = [node for node in failed if can(actor, "see", node)]
    if not nodes:
        raise Conflict(_("Nothing failed here."), where=operation.path)
    name, arguments = verb or operation.verb, {} if verb else operation.arguments
    if operation.total:
        return request_many(name, nodes, actor=actor, arguments=arguments)
    return request(name, nodes[0], actor=actor, arguments=arguments)
