"""Grants, operations and history of what a person may see."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts import journal
from accounts.models import Entry, User
from descriptors.models import (
    OPEN,
    Node,
    NodeGroupObjectPermission,
    NodeUserObjectPermission,
    Operation,
    Status,
)
from descriptors.permissions import PERMISSION_OF, access_of, can, visible, within
from descriptors.selectors.ways import Way, way_to


def grants_of(node: Node, way: Way | None = None) -> list[dict[str, Any]]:
    """Grants that hold at the node, nearest first: {"id", "role", "user" | "group", "from", "inherited"}.

    Three queries, two with the way to the node. What is given above a folder that stops inheritance does not hold, so it
    is not listed.
    """
    held = (way or way_to(node)).held
    rows: list[dict[str, Any]] = []
    for model, holder in ((NodeUserObjectPermission, "user"), (NodeGroupObjectPermission, "group")):
        name = "user__username" if holder == "user" else "group__name"
        found = model.objects.filter(content_object__path__in=held).values_list(
            "pk", "permission__codename", f"{holder}_id", name, "content_object__path"
        )
        rows += [
            {
                "id": f"{holder}-{pk}",
                "role": next(role for role, code in PERMISSION_OF.items() if code == codename),
                holder: holder_name,
                f"{holder}_id": holder_id,
                "from": path,
                "inherited": path != node.path,
            }
            for pk, codename, holder_id, holder_name, path in found
        ]
    return sorted(rows, key=lambda row: (-len(row["from"]), row["role"], str(row.get("user") or row.get("group"))))


def operations(user: User) -> QuerySet[Operation]:
    """Operations on what this person may see, and his own; newest first."""
    rows = Operation.objects.select_related("actor", "hypervisor")
    if access_of(user).everything:
        return rows
    return rows.filter(Q(actor=user) | within("path", access_of(user).intervals("see")))


def with_running(rows: QuerySet[Operation]) -> QuerySet[Operation]:
    """The operations with `running_now`: how many machines of a folder's operation a hypervisor works on now."""
    begun = Operation.objects.filter(parent=OuterRef("pk"), status=Status.RUNNING).order_by().values("parent")
    counted = Subquery(begun.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
    return rows.annotate(running_now=Coalesce(counted, 0))


def results(operation: Operation, user: User) -> QuerySet[Operation]:
    """The per-VM operations of a verb on a folder: all for who asked for it, for others those they may see."""
    rows = operation.children.select_related("node").order_by("path")
    return rows if operation.actor_id == user.pk else visible(user, rows)


def outcome(operation: Operation, user: User) -> dict[str, Any] | None:
    """What came of an operation. Of the machines that were left out, only those are named that this person may see."""
    if not operation.result or "skipped" not in operation.result or operation.actor_id == user.pk:
        return operation.result
    groups = [
        {**group, "paths": [path for path in group["paths"] if can(user, "see", path)]}
        for group in operation.result["skipped"]
    ]
    return {**operation.result, "skipped": groups}


def open_operations(user: User) -> QuerySet[Operation]:
    """What is going on now, parents and single ones."""
    return operations(user).filter(status__in=OPEN, parent=None)


def history(user: User, node: Node) -> QuerySet[Entry]:
    """What happened to this node, newest first."""
    return journal.visible_to(user).filter(node_id=node.pk).order_by("-id")
