"""Nodes and operations as the API shows them: plain dictionaries from a handful of queries, no work per row but these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.core.paginator import Page, Paginator

from accounts.models import User
from descriptors import selectors
from descriptors.models import Nic, Node, Operation
from olimpus.pagination import Pagination

#: Column → name in the answer. Folders have no row in the table of machines: there it is null.
PLAIN = {
    "id": "id",
    "path": "path",
    "name": "name",
    "kind": "kind",
    "parent_id": "parent",
    "version": "version",
    "descriptor__state": "state",
    "descriptor__state_since": "state_since",
    "descriptor__reason": "reason",
    "descriptor__hypervisor__name": "hypervisor",
    "descriptor__vm_ref": "vm_ref",
    "descriptor__drifted": "drifted",
    "descriptor__unheard": "unheard",
}
OBSERVED = "descriptor__observed"
OPERATION = ("descriptor__open_operation__id", "descriptor__open_operation__verb", "descriptor__open_operation__status")


def node_rows(ids: Collection[int]) -> list[dict[str, Any]]:
    """The nodes with these ids, in this order; two queries. Ids that are gone are left out."""
    columns = Node.objects.filter(pk__in=ids).order_by().values_list(*PLAIN, OBSERVED, *OPERATION)
    cards = _addresses(ids)
    rows = {row[0]: _node(row, cards.get(row[0], [])) for row in columns}
    return [rows[pk] for pk in ids if pk in rows]


def node_row(node: Node) -> dict[str, Any]:
    """One node."""
    return node_rows([node.pk])[0]


def _node(row: tuple[Any, ...], given: list[str]) -> dict[str, Any]:
    shown = dict(zip(PLAIN.values(), row, strict=False))
    observed, operation = row[len(PLAIN)], row[len(PLAIN) + 1 :]
    seen = (observed or {}).get("addresses") or []
    shown["host"] = (observed or {}).get("host")
    shown["addresses"] = list(dict.fromkeys([*given, *seen]))
    known = operation[0] is not None
    shown["operation"] = dict(zip(("id", "verb", "status"), operation, strict=True)) if known else None
    return shown


def _addresses(ids: Iterable[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    cards = Nic.objects.filter(descriptor__in=ids, ip__isnull=False).order_by("position")
    for pk, ip in cards.values_list("descriptor_id", "ip"):
        found[pk].append(ip)
    return found


class NodePaginator(Paginator):
    """Counts and cuts by the bare query, which the index answers; the page's rows are read by their ids."""

    def _get_page(self, *args: Any, **kwargs: Any) -> Page:
        page = super()._get_page(*args, **kwargs)
        page.object_list = node_rows(list(page.object_list.values_list("pk", flat=True)))
        return page


class NodePagination(Pagination):
    """Pages of nodes."""

    django_paginator_class = NodePaginator


def operation_row(operation: Operation, user: User) -> dict[str, Any]:
    """One operation as this person may see it; `actor` and `hypervisor` are joined by the selector."""
    return {
        "id": operation.pk,
        "parent": operation.parent_id,
        "node": operation.node_id,
        "path": operation.path,
        "verb": operation.verb,
        "arguments": operation.arguments,
        "actor": operation.actor.get_username() if operation.actor else None,
        "status": operation.status,
        "hypervisor": operation.hypervisor.name if operation.hypervisor else None,
        "attempts": operation.attempts,
        "cancel_requested": operation.cancel_requested,
        "error": operation.error,
        "result": selectors.outcome(operation, user),
        "counts": _counts(operation) if operation.total else None,
        "created_at": operation.created_at,
        "started_at": operation.started_at,
        "finished_at": operation.finished_at,
        "deadline": operation.deadline,
    }


def _counts(operation: Operation) -> dict[str, int]:
    """How the machines of a verb on a folder fare; skipped ones never took part."""
    return {name: getattr(operation, name) for name in ("total", "succeeded", "failed", "cancelled", "skipped")}
