"""The folders on the left: what this person may see, open along the way to the current page."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Any, Final

from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Value

from accounts.models import User
from accounts.preferences import preference
from descriptors.access import end_of, key_of
from descriptors.models import Descriptor, Kind, Node
from descriptors.names import above
from descriptors.permissions import access_of, visible, within
from descriptors.states import State

#: Folders listed below one folder; the folder's own page has all of them, paged.
MOST: Final = 150
#: Places where somebody's view of the tree begins.
MOST_TOPS: Final = 60

#: Failed machines that are counted for the marks.
MOST_FAILED: Final = 1000

#: Characters of a path that fit at the top; of a longer one only its name is shown.
LONGEST_TOP: Final = 24

#: What is read of a folder.
COLUMNS: Final = ("pk", "parent_id", "path", "name", "inner")
Item = dict[str, Any]


def folder_tree(user: User, node: Node | None) -> list[Item]:
    """The tree as nested items: {id, path, label, inner, open, current, failed, children, more}. Two queries.

    Open are the folders on the way to `node` and those that this person left open.
    """
    below: dict[int, list[Item]] = defaultdict(list)
    way = ["/"] if node is None else [*above(node.path), node.path]
    outer = Node.objects.filter(Q(path__in=way) | Q(pk__in=opened(user))).order_by().values("pk")
    inner = visible(user, _folders().filter(parent__in=outer))
    # One statement of two parts, each answered from an index.
    parts = [
        rows.order_by().annotate(top=Value(top, IntegerField())).values_list(*COLUMNS, "top")
        for rows, top in ((inner, 0), (visible(user, _tops(user)), 1))
    ]
    tops: list[Item] = []
    for *row, top in parts[0].union(parts[1], all=True).order_by("path"):
        item = _item(*row)
        (tops if top else below[item["parent_id"]]).append(item)
    del tops[MOST_TOPS:]
    for item in tops:
        item["label"] = item["path"] if len(item["path"]) <= LONGEST_TOP else f"…/{item['label']}"
        _open(item, below, node)
    mark_failed(tops, failed_paths(user))
    return tops


def children(user: User, parent: Node) -> tuple[list[Item], int]:
    """The folders right below `parent` and how many were left out; two queries."""
    items = _items(visible(user, _folders().filter(parent=parent)))
    mark_failed(items, failed_paths(user))
    return items[:MOST], len(items) - len(items[:MOST])


def opened(user: User) -> list[int]:
    """The folders that this person has opened in the tree; no query."""
    return [pk for pk in preference(user, "tree", []) if isinstance(pk, int)]


def failed_paths(user: User) -> list[str]:
    """The paths of failed machines, sorted; beyond a number that nobody counts they are left out. One query."""
    failed = visible(user, Descriptor.objects.filter(state=State.FAILED)).order_by()
    return sorted(failed.values_list("path", flat=True)[:MOST_FAILED])


def mark_failed(items: list[Item], failed: list[str]) -> None:
    """Write on each item how many failed machines are below it."""
    for item in items:
        key = key_of(item["path"])
        item["failed"] = bisect_left(failed, end_of(key)) - bisect_left(failed, key)
        mark_failed(item["children"], failed)


def _tops(user: User) -> QuerySet[Node]:
    """The folders whose parent is not visible."""
    if access_of(user).everything:
        return _folders().filter(parent=None)
    return _folders().filter(Q(parent=None) | ~within("parent__path", access_of(user).intervals("see")))


def _folders() -> QuerySet[Node]:
    folder_below = Node.objects.filter(parent=OuterRef("pk"), kind=Kind.FOLDER).order_by()
    # Read from the folders' own table: they are few beside the machines.
    return Node.objects.filter(folder__isnull=False).annotate(inner=Exists(folder_below)).order_by("path")


def _parent_on_the_way(node: Node) -> Q:
    return Q(parent__tree_id=node.tree_id, parent__lft__lte=node.lft, parent__rght__gte=node.rght)


def _items(rows: QuerySet[Node]) -> list[Item]:
    return [_item(*row) for row in rows.values_list(*COLUMNS)]


def _item(pk: int, parent: int | None, path: str, name: str, inner: bool) -> Item:
    return {"id": pk, "parent_id": parent, "path": path, "label": name, "inner": inner, "open": False, "children": []}


def _open(item: Item, below: dict[int, list[Item]], node: Node | None) -> None:
    item["current"] = node is not None and item["id"] == node.pk
    inner = below.get(item["id"], [])
    item["children"], item["more"] = inner[:MOST], max(0, len(inner) - MOST)
    item["open"] = bool(inner)
    for child in item["children"]:
        _open(child, below, node)
