"""The shape of the tree: the only writer of parent, name, path and nested-set numbers.

There is one tree. Its root is the folder `/`, numbered from 1. Every change is a permutation of positions, written by
one `UPDATE` under one lock, so that django-mptt's queries are right at any moment. Permissions and the journal are the
callers' job. Functions take nodes or their ids, read fresh rows under the lock, and return fresh rows. When they begin
the transaction themselves, a deadlock makes them start again. Bad input raises before anything is written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.db import connection, models, transaction
from django.db.models import F, Max, Q, Value
from django.db.models.functions import Concat, Length, Substr
from django.utils import timezone
from django.utils.translation import gettext as _

from descriptors import names
from descriptors.models import Descriptor, Folder, Kind, Node
from descriptors.states import State
from descriptors.steps import Step, inside
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, NotFound

T = TypeVar("T")

#: Rows written by one INSERT, at most (SQLite's limit on variables makes it less there).
BATCH = 1000
#: Values in one `IN (…)`: below every database's limit on variables.
CHUNK = 900
#: Paths named in one error.
SHOWN = 20

#: All nodes, without django-mptt's default order.
_nodes = Node._base_manager


@dataclass
class Draft:
    """A node to be. `inherit_grants` is for folders, `uid` and nothing below for descriptors."""

    name: str
    kind: Kind = Kind.FOLDER
    definition: dict[str, Any] = field(default_factory=dict)
    children: list[Draft] = field(default_factory=list)
    inherit_grants: bool = True
    uid: UUID | None = None


@dataclass(frozen=True)
class _Seat:
    """A draft with its row, numbered from 0 within what is added to `parent` (a node that exists already)."""

    draft: Draft
    node: Node
    parent: Node


# -- lock and look-up ------------------------------------------------------------------------------------------------
@contextmanager
def lock() -> Iterator[Node]:
    """A transaction in which nobody else changes the tree's shape; yields the root. May be nested."""
    with transaction.atomic():
        root = _nodes.select_for_update().filter(path=names.ROOT).first()
        if root is None:
            raise NotFound(_("There is no root folder."), where=names.ROOT, hint="manage.py check_tree --repair")
        yield root


def plant() -> Node:
    """The root, made when it is missing. May be repeated."""
    with transaction.atomic():
        root, new = _nodes.get_or_create(
            path=names.ROOT, defaults={"name": "", "kind": Kind.FOLDER, "lft": 1, "rght": 2, "tree_id": 1, "level": 0}
        )
        if new:
            _insert_children(Folder, [{"node_ptr": root.pk}])
        return root


def by_path(path: str) -> Node:
    """The node at `path` (a trailing slash is accepted): one indexed query. `NotFound` says how far the path exists."""
    path = names.clean_path(path)
    node = _nodes.filter(path=path).first()
    if node is not None and node.path == path:
        return node
    nearest = _nodes.filter(path__in=names.above(path)).order_by("-level").first()
    raise NotFound(
        _("There is no %(path)s.") % {"path": path},
        where=path,
        hint=_("The path exists as far as %(path)s.") % {"path": nearest.path} if nearest else "",
    )


def _fresh(nodes: Iterable[int | Node]) -> dict[int, Node]:
    """Current rows by id. `NotFound` when one has gone."""
    asked = {_key(node): node for node in nodes}
    found = _nodes.in_bulk(list(asked))
    gone = [str(node) for key, node in asked.items() if key not in found]
    if gone:
        raise NotFound(_("No such node, perhaps it was removed meanwhile."), where=", ".join(gone[:SHOWN]))
    return found


def _key(node: int | Node) -> int:
    return node.pk if isinstance(node, Node) else node


def _require_folder(node: Node) -> None:
    if not node.is_folder:
        raise Conflict(_("Only folders hold other nodes, this is a machine."), where=node.path)


# -- insert ----------------------------------------------------------------------------------------------------------
@retry_on_deadlock
def insert(groups: Sequence[tuple[int | Node, Sequence[Draft]]]) -> list[Node]:
    """Adds drafts with all that is below them, after the existing children of each parent; the nodes in document order.

    Any number of parents and of nodes: the number of queries grows with each thousand nodes and with the depth of the
    drafts only. Raises `NotFound` (parent), `Conflict` (parent is no folder, names taken), `Invalid` (names, lengths).
    """
    with lock():
        parents = _fresh(parent for parent, _drafts in groups)
        seats: list[_Seat] = []
        widths: Counter[int] = Counter()
        for given, drafts in groups:
            parent = parents[_key(given)]
            _require_folder(parent)
            for draft in drafts:
                widths[parent.pk] = _seat(draft, parent, parent, widths[parent.pk], seats)
        _require_free(seats)
        _make_room(seats, parents, widths)
        _write(seats)
        return [seat.node for seat in seats]


def check_insert(parent: Node, drafts: Sequence[Draft]) -> None:
    """Raises as `insert` does for drafts below one parent. Changes nothing."""
    _require_folder(parent)
    seats: list[_Seat] = []
    for draft in drafts:
        _seat(draft, parent, parent, 0, seats)
    _require_free(seats)


def _seat(draft: Draft, above: Node, parent: Node, left: int, seats: list[_Seat]) -> int:
    """Seats a draft and all below it from position `left`, in document order; returns the next free position."""
    name = names.clean_name(draft.name)
    path = names.join(above.path, name)
    # Also bounds the depth of this recursion.
    names.check_length(path)
    node = Node(
        kind=draft.kind,
        name=name,
        path=path,
        definition=draft.definition,
        has_rights="rights" in draft.definition,
        level=above.level + 1,
        tree_id=parent.tree_id,
        lft=left,
    )
    if draft.children:
        _require_folder(node)
    seats.append(_Seat(draft, node, parent))
    if above is parent:
        node.parent_id = parent.pk
    else:
        node.parent = above
    left += 1
    for child in draft.children:
        left = _seat(child, node, parent, left, seats)
    node.rght = left
    return left + 1


def _require_free(seats: Sequence[_Seat]) -> None:
    """`Conflict` when two drafts want one path, or a node has it already."""
    wanted = Counter(seat.node.path for seat in seats)
    taken = [path for path, times in wanted.items() if times > 1]
    if taken:
        raise _clash(_("Two nodes of one folder would have the same name."), taken)
    # Below a new node nothing exists yet.
    for chunk in _chunks([seat.node.path for seat in seats if seat.node.level == seat.parent.level + 1], CHUNK):
        taken += _nodes.filter(path__in=chunk).values_list("path", flat=True)
    if taken:
        raise _clash(_("There is a node of this name already."), taken)


def _clash(message: str, paths: Sequence[str], **parameters: Any) -> Conflict:
    """A conflict about paths, of which the first twenty are named one by one."""
    where = paths[0] if len(paths) == 1 else _("%(total)d paths") % {"total": len(paths)}
    return Conflict(message, where=where, errors=[{"where": path, "message": message} for path in paths[:SHOWN]])


def _make_room(seats: Sequence[_Seat], parents: dict[int, Node], widths: Counter[int]) -> None:
    """Opens a gap at the end of each parent and numbers the seats into it."""
    growing = sorted((parents[key] for key, width in widths.items() if width), key=lambda parent: parent.rght)
    shifts = [0, *accumulate(widths[parent.pk] for parent in growing)]
    _shift([parent.rght for parent in growing], shifts)
    base = {parent.pk: parent.rght + shift for parent, shift in zip(growing, shifts, strict=False)}
    for seat in seats:
        seat.node.lft += base[seat.parent.pk]
        seat.node.rght += base[seat.parent.pk]


def _shift(breakpoints: Sequence[int], shifts: Sequence[int], before: int | None = None) -> None:
    """Adds to every position the shift of its step; positions from `before` on are known to stay."""
    if not breakpoints:
        return
    touched = _nodes.filter(rght__gte=breakpoints[0])
    if before is not None:
        touched = touched.filter(lft__lt=before)
    touched.update(
        lft=F("lft") + Step(F("lft"), breakpoints, shifts), rght=F("rght") + Step(F("rght"), breakpoints, shifts)
    )


def _write(seats: Sequence[_Seat]) -> None:
    """Inserts the rows, level by level because a child needs its parent's id."""
    levels: defaultdict[int, list[Node]] = defaultdict(list)
    for seat in seats:
        levels[seat.node.level].append(seat.node)
    for level in sorted(levels):
        _nodes.bulk_create(levels[level], batch_size=BATCH)
        if not connection.features.can_return_rows_from_bulk_insert:
            _read_ids(levels[level])
    folders = [{"node_ptr": s.node.pk, "inherit_grants": s.draft.inherit_grants} for s in seats if s.node.is_folder]
    machines = [{"node_ptr": s.node.pk, "uid": s.draft.uid or uuid4()} for s in seats if not s.node.is_folder]
    _insert_children(Folder, folders)
    _insert_children(Descriptor, machines)


def _read_ids(nodes: Sequence[Node]) -> None:
    """Fills in the ids of inserted rows on databases that do not return them."""
    for chunk in _chunks(nodes, CHUNK):
        ids = dict(_nodes.filter(path__in=[node.path for node in chunk]).values_list("path", "pk"))
        for node in chunk:
            node.pk = ids[node.path]


def _insert_children(model: type[models.Model], rows: Sequence[dict[str, Any]]) -> None:
    """Rows of a child table; fields that are not given take their defaults, the same for all.

    Django's `bulk_create` refuses child tables (it would not know their parents' ids).
    """
    if not rows:
        return
    fields = model._meta.local_concrete_fields
    shared = {f.name: f.get_db_prep_save(f.get_default(), connection) for f in fields if f.name not in rows[0]}
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(f.column)) for f in fields)
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({', '.join(['%s'] * len(fields))})"  # noqa: S608 (our own names)
    with connection.cursor() as cursor:
        cursor.executemany(
            sql,
            [
                [shared[f.name] if f.name in shared else f.get_db_prep_save(row[f.name], connection) for f in fields]
                for row in rows
            ],
        )


# -- move ------------------------------------------------------------------------------------------------------------
@retry_on_deadlock
def move(node: int | Node, parent: int | Node, *, name: str | None = None) -> Node:
    """Makes `node` the last child of `parent`, renamed when `name` is given; nothing happens when it is there already.

    A node that stays with its parent keeps its place among its siblings. A constant number of queries. Raises
    `NotFound`, `Conflict` (the root, below itself, not into a folder, name taken) and `Invalid` (name, longest path).
    """
    with lock():
        found = _fresh([node, parent])
        return _settle(found[_key(node)], found[_key(parent)], name)


@retry_on_deadlock
def rename(node: int | Node, name: str) -> Node:
    """Gives `node` another name; it keeps its place among its siblings. Raises as `move` does."""
    with lock() as root:
        (old,) = _fresh([node]).values()
        return _settle(old, old.parent or root, name)


def destination(node: Node, parent: Node, name: str | None = None) -> str:
    """The path that `move` would give to `node`; raises as `move` does. Changes nothing."""
    _require_movable(node, parent)
    path = names.join(parent.path, names.clean_name(node.name if name is None else name))
    if path != node.path:
        _require_path(path, node)
    return path


def _settle(old: Node, above: Node, name: str | None) -> Node:
    """`move` with current rows, under the lock."""
    path = destination(old, above, name)
    new = path.rpartition("/")[2]
    if path == old.path:
        return old
    if above.pk != old.parent_id:
        _relocate(old, above)
    _rewrite(old, above, new, path)
    return _nodes.get(pk=old.pk)


def _require_movable(node: Node, parent: Node) -> None:
    """`Conflict` when the move makes no tree."""
    if node.parent_id is None:
        raise Conflict(_("The root folder cannot be moved or renamed."), where=node.path)
    _require_folder(parent)
    if node.lft <= parent.lft and parent.rght <= node.rght:
        raise Conflict(
            _("%(node)s cannot be moved below itself, to %(parent)s.") % {"node": node.path, "parent": parent.path},
            where=node.path,
        )


def _require_path(path: str, node: Node) -> None:
    """`Conflict` when the path is taken, `Invalid` when it makes a path of the branch too long."""
    if _nodes.filter(path=path).exclude(pk=node.pk).exists():
        raise _clash(_("There is a node of this name already."), [path])
    longest = _branch(node).aggregate(longest=Max(Length("path")))["longest"]
    names.check_length(path, longest - len(node.path) + len(path))


def _branch(node: Node) -> models.QuerySet[Node]:
    """A node and all below it."""
    return _nodes.filter(lft__range=(node.lft, node.rght))


def _relocate(node: Node, parent: Node) -> None:
    """Renumbers so that the branch is last below `parent`; `node` in memory takes its new numbers."""
    width, target = node.rght - node.lft + 1, parent.rght
    if target > node.rght:
        distance = target - node.rght - 1
        _shift([node.lft, node.rght + 1, target], [0, distance, -width, 0], before=target)
    else:
        distance = target - node.lft
        _shift([target, node.lft, node.rght + 1], [0, width, distance, 0], before=node.rght + 1)
    node.lft, node.rght = node.lft + distance, node.rght + distance


def _rewrite(node: Node, parent: Node, name: str, path: str) -> None:
    """Writes paths and levels of the branch, and the node's own new place."""
    _branch(node).update(
        path=Concat(Value(path), Substr("path", len(node.path) + 1)),
        level=F("level") + (parent.level + 1 - node.level),
    )
    _nodes.filter(pk=node.pk).update(
        parent_id=parent.pk, name=name, version=F("version") + 1, updated_at=timezone.now()
    )


# -- remove ----------------------------------------------------------------------------------------------------------
@retry_on_deadlock
def remove(nodes: Sequence[int | Node]) -> None:
    """Deletes nodes with all below them, and what other tables hold about them as their `on_delete` says.

    Raises `NotFound`, and `Conflict` for the root, for a branch in which a VM may exist on a hypervisor or an operation
    is open, and for rows that others protect. Delete signals of nodes are not sent.
    """
    with lock():
        tops = _topmost(_fresh(nodes).values())
        if any(top.parent_id is None for top in tops):
            raise Conflict(_("The root folder cannot be removed."), where=names.ROOT)
        intervals = [(top.lft, top.rght) for top in tops]
        _require_removable(intervals)
        _delete(intervals)
        shifts = accumulate((left - right - 1 for left, right in intervals), initial=0)
        _shift([right + 1 for _left, right in intervals], list(shifts))


def _topmost(nodes: Iterable[Node]) -> list[Node]:
    """Those that are not below another one, in tree order."""
    tops: list[Node] = []
    for node in sorted(nodes, key=lambda node: node.lft):
        if not tops or node.lft > tops[-1].rght:
            tops.append(node)
    return tops


def _require_removable(intervals: Sequence[tuple[int, int]]) -> None:
    """`Conflict` naming machines that stand or are being worked on."""
    machines = Descriptor._base_manager.filter(inside("lft", intervals))
    # Waits for whoever is changing these machines, and makes them wait for us.
    list(machines.select_for_update().values_list("pk", flat=True))
    busy = machines.filter(~Q(state=State.PROVISIONED) | Q(open_operation__isnull=False)).order_by("lft")
    paths = list(busy.values_list("path", flat=True))
    if paths:
        message = _("A machine exists on a hypervisor or an operation is open.")
        error = _clash(message, paths)
        error.hint = _("Destroy these machines first, or wait for the operation.")
        raise error


def _delete(intervals: Sequence[tuple[int, int]]) -> None:
    """Deletes rows in the order of their foreign keys; numbers of the other nodes stay."""
    branch = _nodes.filter(inside("lft", intervals))
    ids = list(branch.values_list("pk", flat=True))
    for chunk in _chunks(ids, CHUNK):
        for model in (Folder, Descriptor, Node):
            _detach(model, chunk)
        for child in (Folder, Descriptor):
            child._base_manager.filter(pk__in=chunk)._raw_delete(connection.alias)
    # MariaDB checks the reference to the parent row by row, so children and parents are parted first.
    branch.update(parent=None)
    branch._raw_delete(connection.alias)


def _detach(model: type[models.Model], ids: Sequence[int]) -> None:
    """Does to the rows that refer to `model` what their `on_delete` says."""
    for relation in model._meta.get_fields(include_hidden=True):
        if not isinstance(relation, models.ManyToOneRel) or relation.model is not model:
            continue
        if relation.related_model is Node or getattr(relation, "parent_link", False):
            continue
        rows = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": ids})
        if relation.on_delete is models.SET_NULL:
            rows.update(**{relation.field.name: None})
        elif relation.on_delete is models.CASCADE:
            rows.delete()
        elif rows.exists():
            raise Conflict(
                _("Still used by: %(what)s.") % {"what": relation.related_model._meta.verbose_name_plural},
                where=str(rows.first()),
            )


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
