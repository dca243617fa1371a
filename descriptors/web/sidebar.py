"""The folders on the left: what this person may see, open along the way to the current page."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from descriptors.models import Kind, Node
from descriptors.permissions import access_of, visible, within

#: Folders listed below one folder; the folder's own page has all of them, paged.
MOST: Final = 150
#: Places where somebody's view of the tree begins.
MOST_TOPS: Final = 60

#: Characters of a path that fit at the top; of a longer one only its name is shown.
LONGEST_TOP: Final = 24

Item = dict[str, Any]


def folder_tree(user: User, node: Node | None) -> list[Item]:
    """The tree as nested items: {id, path, label, inner, open, current, children, more}. Two queries."""
    below: dict[int, list[Item]] = defaultdict(list)
    on_the_way = Q(parent__parent=None) if node is None else _parent_on_the_way(node)
    for item in _items(visible(user, _folders().filter(on_the_way, parent__isnull=False))):
        below[item["parent_id"]].append(item)
    tops = _items(tops_of(user)[:MOST_TOPS])
    for item in tops:
        item["label"] = item["path"] if len(item["path"]) <= LONGEST_TOP else f"…/{item['label']}"
        _open(item, below, node)
    return tops


def children(user: User, parent: Node) -> tuple[list[Item], int]:
    """The folders right below `parent` and how many were left out; one query."""
    items = _items(visible(user, _folders().filter(parent=parent)))
    return items[:MOST], len(items) - len(items[:MOST])


def tops_of(user: User) -> QuerySet[Node]:
    """The visible folders whose parent is not visible."""
    if access_of(user).everything:
        return _folders().filter(parent=None)
    hidden = Q(parent=None) | ~within("parent__path", access_of(user).intervals("see"))
    return visible(user, _folders()).filter(hidden)


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
