"""Is the tree sound? Everything `descriptors.tree` writes can be computed again from parents and names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from descriptors import names, tree
from descriptors.models import Descriptor, Folder, Kind, Node
from descriptors.steps import inside
from olimpus.db import retry_on_deadlock

_nodes = Node._base_manager
_NUMBERS = ("lft", "rght", "tree_id", "level")


@dataclass(frozen=True)
class Fault:
    """Something wrong at `path` (as stored)."""

    path: str
    what: str


@dataclass(frozen=True)
class _Place:
    """Where a node should be."""

    path: str
    lft: int
    rght: int
    tree_id: int
    level: int


def faults() -> list[Fault]:
    """Everything wrong with the shape of the tree; empty when it is sound. Reads all nodes, writes nothing."""
    nodes = _all_nodes()
    if not any(node.path == names.ROOT for node in nodes):
        return [Fault(names.ROOT, _("There is no root folder."))]
    places = _places(nodes)
    found = [fault for node in nodes for fault in _faults_of(node, places.get(node.pk))]
    return found + list(_wrong_kinds(nodes)) + list(_wrong_flags())


@retry_on_deadlock
def repair() -> int:
    """Writes paths, numbers and flags again where they are wrong; returns the number of changed rows. May be repeated.

    The order of siblings is kept as far as it can be read. What is lost (a parent, a child row) stays a fault.
    """
    tree.plant()
    with tree.lock():
        nodes = _all_nodes()
        places = _places(nodes)
        wrong = [node for node in nodes if node.pk in places and _differs(node, places[node.pk])]
        _free_paths([node.pk for node in wrong if node.path != places[node.pk].path])
        for node in wrong:
            place = places[node.pk]
            node.path, node.lft, node.rght = place.path, place.lft, place.rght
            node.tree_id, node.level = place.tree_id, place.level
        _nodes.bulk_update(wrong, ["path", *_NUMBERS], batch_size=tree.BATCH)
        return len({node.pk for node in wrong} | _repair_flags())


def _all_nodes() -> list[Node]:
    """Every node without its definition, in stored order."""
    return list(_nodes.order_by("lft", "pk").only("parent_id", "kind", "name", "path", *_NUMBERS))


def _places(nodes: list[Node]) -> dict[int, _Place]:
    """Where each node that hangs on the root should be; siblings in the given order."""
    children: defaultdict[int, list[Node]] = defaultdict(list)
    for child in nodes:
        if child.parent_id is not None:
            children[child.parent_id].append(child)
    root = next(node for node in nodes if node.path == names.ROOT)
    places: dict[int, _Place] = {}
    # Without recursion: a broken tree may be of any depth. A node is met twice, on the way in and on the way out.
    open_nodes: list[tuple[Node, str, int]] = []
    waiting: list[Node | None] = [root]
    position = 0
    while waiting:
        node = waiting.pop()
        position += 1
        # None: all below the last open node has been met.
        if node is None:
            done, path, left = open_nodes.pop()
            places[done.pk] = _Place(path, left, position, 1, len(open_nodes))
            continue
        path = names.join(open_nodes[-1][1], node.name) if open_nodes else names.ROOT
        open_nodes.append((node, path, position))
        waiting += [None, *reversed(children[node.pk])]
    return places


def _differs(node: Node, place: _Place) -> bool:
    stored = (node.path, node.lft, node.rght, node.tree_id, node.level)
    return stored != (place.path, place.lft, place.rght, place.tree_id, place.level)


def _faults_of(node: Node, place: _Place | None) -> Iterator[Fault]:
    """What is wrong with one row."""
    if place is None:
        yield Fault(node.path, _("It does not hang on the root: its parent is missing or below it."))
        return
    if node.path != place.path:
        yield Fault(node.path, _("The path should be %(path)s.") % {"path": place.path})
    for number in _NUMBERS:
        stored, expected = getattr(node, number), getattr(place, number)
        if stored != expected:
            message = _("%(number)s is %(stored)d, should be %(expected)d.")
            yield Fault(node.path, message % {"number": number, "stored": stored, "expected": expected})


def _wrong_kinds(nodes: list[Node]) -> Iterator[Fault]:
    """Machines with children, and nodes without exactly the child row of their kind."""
    folders = set(Folder._base_manager.values_list("node_ptr_id", flat=True))
    machines = set(Descriptor._base_manager.values_list("node_ptr_id", flat=True))
    parents = {node.parent_id for node in nodes}
    for node in nodes:
        if not node.is_folder and node.pk in parents:
            yield Fault(node.path, _("A machine cannot hold other nodes."))
        if (node.pk in folders, node.pk in machines) != (node.kind == Kind.FOLDER, node.kind == Kind.DESCRIPTOR):
            yield Fault(node.path, _("Its row of kind “%(kind)s” is missing, or it has two.") % {"kind": node.kind})


def _wrong_flags() -> Iterator[Fault]:
    """Nodes whose `has_rights` does not say what their definition says."""
    for flag in (True, False):
        for path in _flagged_wrongly(flag).order_by("lft").values_list("path", flat=True):
            yield Fault(path, _("has_rights does not match the definition."))


def _flagged_wrongly(flag: bool) -> QuerySet[Node]:
    rows = _nodes.filter(has_rights=flag)
    return rows.exclude(definition__has_key="rights") if flag else rows.filter(definition__has_key="rights")


def _repair_flags() -> set[int]:
    """Sets `has_rights` as the definitions say; the ids of the changed rows."""
    changed: set[int] = set()
    for flag in (True, False):
        ids = sorted(_flagged_wrongly(flag).values_list("pk", flat=True))
        _nodes.filter(inside("pk", [(key, key) for key in ids])).update(has_rights=not flag)
        changed.update(ids)
    return changed


def _free_paths(ids: list[int]) -> None:
    """Puts paths out of the way that others need: nodes may have to swap them."""
    aside = Concat(Value("?"), Cast(F("pk"), CharField(max_length=20)))
    _nodes.filter(inside("pk", [(key, key) for key in sorted(ids)])).update(path=aside)
