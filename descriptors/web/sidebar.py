"""The folders on the left: what this person may see, open along the way to the current page."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from accounts.preferences import preference
from descriptors.access import end_of, key_of
from descriptors.models import Descriptor, Kind, Node
from descriptors.permissions import access_of, can, visible, within
from descriptors.states import State

#: Folders listed below one folder; the folder's own page has all of them, paged.
MOST: Final = 150
#: Places where somebody's view of the tree begins.
MOST_TOPS: Final = 60

#: Failed machines that are counted for the marks.
MOST_FAILED: Final = 1000

#: Characters of a path that fit at the top; of a longer one only its name is shown.
LONGEST_TOP: Final = 24

Item = dict[str, Any]


def folder_tree(user: User, node: Node | None) -> list[Item]:
    """The tree as nested items: {id, path, label, inner, open, current, failed, children, more}. Two queries.

    Open are the folders on the way to `node` and those that this person left open.
    """
    below: dict[int, list[Item]] = defaultdict(list)
    on_the_way = (Q(parent__parent=None) if node is None else _parent_on_the_way(node)) | Q(parent__in=opened(user))
    tops = []
    for item in _items(visible(user, _folders().filter(on_the_way | _is_top(user)))):
        if item["path"] == "/" or not can(user, "see", item["path"].rpartition("/")[0] or "/"):
            tops.append(item)
        else:
            below[item["parent_id"]].append(item)
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


def _is_top(user: User) -> Q:
    """A condition: the folder's parent is not visible."""
    if access_of(user).everything:
        return Q(parent=None)
    return Q(parent=None) | ~within("parent__path", access_of(user).intervals("see"))


def _folders() -> QuerySet[Node]:
    folder_below = Node.objects.filter(parent=OuterRef("pk"), kind=Kind.FOLDER).order_by()
    # Read from the folders' own table: they are few beside the machines.
    return Node.objects.filter(folder__isnull=False).annotate(inner=Exists(folder_below)).order_by("path")


def _parent_on_the_way(node: Node) -> Q:
    return Q(parent__tree_id=node.tree_id, parent__lft__lte=node.lft, parent__rght__gte=node.rght)


def _items(rows: QuerySet[Node]) -> list[Item]:
    return [
        {"id": pk, "parent_id": parent, "path": path, "label": name, "inner": inner, "open": False, "children": []}
        for pk, parent, path, name, inner in rows.values_list("pk", "parent_id", "path", "name", "inner")
    ]


def _open(item: Item, below: dict[int, list[Item]], node: Node | None) -> None:
    item["current"] = node is not None and item["id"] == node.pk
    inner = below.get(item["id"], [])
    item["children"], item["more"] = inner[:MOST], max(0, len(inner) - MOST)
    item["open"] = bool(inner)
    for child in item["children"]:
        _open(child, below, node)
