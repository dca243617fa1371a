"""Computed definitions with the origin of each value, and what of them the hypervisor has not been given yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.http import int_to_base36

from accounts.models import Entry
from descriptors.cascade import Cascade, Computed, Layer, compute, facts_of
from descriptors.definition import at, changed
from descriptors.models import Descriptor, Node
from descriptors.names import above
from descriptors.nics import as_given
from olimpus.errors import Invalid, OlimpusError


def chain(node: Node) -> list[Layer]:
    """The layers from the root to the node, in one query."""
    rows = Node.objects.filter(path__in=[*above(node.path), node.path]).order_by("level")
    return [Layer(path, definition) for path, definition in rows.values_list("path", "definition")]


def computed(node: Node) -> Computed:
    """The computed definition of one node with the origin of each value; one query. Invalid when it cannot be computed."""
    facts = None if node.is_folder else facts_of(node.path)
    return compute(chain(node), facts=facts)


def computed_many(items: Iterable[Node]) -> dict[int, Computed | OlimpusError]:
    """Computed definitions of many descriptors, or the error of each that has none; two queries for any number.

    `items` need `path`, `name` and `definition`.
    """
    items = list(items)
    cascade = Cascade(folders_above(items))
    return {node.pk: _computed_or_error(cascade, node) for node in items}


def folders_above(items: Sequence[Node]) -> dict[str, dict[str, Any]]:
    """Definitions by path of all folders above these nodes."""
    paths = {parent for node in items for parent in parents(node.path)}
    found: dict[str, dict[str, Any]] = {}
    wanted = sorted(paths)
    for start in range(0, len(wanted), 10000):  # SQLite takes 32,766 parameters a statement
        rows = Node.objects.filter(path__in=wanted[start : start + 10000]).order_by()
        found.update(rows.values_list("path", "definition"))
    return found


def parents(path: str) -> Iterable[str]:
    """The paths of all folders above, the nearest first."""
    while path not in ("", "/"):
        path = path.rpartition("/")[0] or "/"
        yield path


def _computed_or_error(cascade: Cascade, node: Node) -> Computed | OlimpusError:
    try:
        return cascade.of(node.path.rpartition("/")[0] or "/", node.name, node.definition)
    except Invalid as error:
        return error


def owners(found: Iterable[Computed | OlimpusError]) -> dict[str, str]:
    """Path → mark of the folders whose networks are their `own`; one query, and none when there are none."""
    paths = {path for each in found if isinstance(each, Computed) for path in _owned(each).values()}
    rows = Node.objects.filter(path__in=paths).values_list("path", "pk", "created_at") if paths else []
    return {path: _mark(pk, created) for path, pk, created in rows}


def _mark(pk: int, created: datetime) -> str:
    """Seven letters and digits that no other folder has: ids alone begin anew in each installation."""
    digest = hashlib.sha256(f"{pk} {created.astimezone(UTC).isoformat()}".encode()).digest()
    return int_to_base36(int.from_bytes(digest[:8]))[-7:]


def marks(computed: Computed, owners: Mapping[str, str]) -> dict[str, str]:
    """Network → what tells it from all others of its name, of those that are some folder's own.

    It is made of what a folder keeps: whoever moves the folder moves its networks along, whoever copies it gets others.
    """
    return {name: owners[path] for name, path in _owned(computed).items() if path in owners}


def _owned(computed: Computed) -> dict[str, str]:
    """Network → path of the folder that says it is its own."""
    networks: Mapping[str, Any] = computed.values.get("networks") or {}
    owned = [name for name in networks if networks[name].get("own")]
    return {name: computed.origins.get(at(at("networks", name), "own"), "").partition("#")[0] for name in owned}


def pending(descriptor: Descriptor, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the definition wants and the hypervisor has not been given yet: {parameter: {"applied", "wanted", "kind"}}."""
    if descriptor.applied is None:
        return {}
    values = as_given(values, descriptor.applied)
    differ = changed(descriptor.applied, values)
    return {
        name: {"applied": descriptor.applied.get(name), "wanted": values.get(name), "kind": kind}
        for kind in ("creation", "run")
        for name in sorted(differ[kind])
    }


def rewrites(descriptor: Descriptor, values: Mapping[str, Any]) -> bool:
    """Whether a start has changed run parameters to write, unless the definition forbids it."""
    forbidden = values.get("reapply_on_start") is False
    return not forbidden and any(row["kind"] == "run" for row in pending(descriptor, values).values())


def last_editor(node: Node) -> str:
    """Who saved the definition last; "" when the journal does not tell. One query."""
    entries = Entry.objects.filter(node_id=node.pk, verb="definition.edit").order_by("-id")
    return entries.values_list("actor_name", flat=True).first() or ""
