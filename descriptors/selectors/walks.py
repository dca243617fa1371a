"""Whole branches in one go, as a tree is walked: every node directly followed by all that is below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from accounts.models import User
from descriptors.globs import read_glob
from descriptors.models import Node
from descriptors.selectors.nodes import filtered, folder_path, get, inside, listing, nodes

Rows = list[tuple[Any, ...]]


def walk(
    user: User, columns: Sequence[str], *, path: str = "/", depth: int | None = None, **filters: Any
) -> tuple[str, Rows]:
    """The path as stored, and `columns` of what this person may see below it, in the order of a walk.

    `depth` None: at any depth; 1: the children; 0, and for a machine always: the node itself. `filters` as those of
    `listing`. NotFound for a path that is not there, Invalid for a filter that makes no sense.
    """
    path = folder_path(path)
    node = Node.objects.filter(path=path).first()
    if depth == 0 or (node is not None and not node.is_folder):
        found = filtered(nodes(user).filter(pk=get(user, path).pk), **filters)
    else:
        found = listing(user, path=path, recursive=depth != 1, **filters)
        if depth is not None and depth > 1:
            found = found.filter(level__lte=_level(path) + depth)
    return path, _walked(_rows(found, columns))


def matching(user: User, columns: Sequence[str], pattern: str, **filters: Any) -> tuple[str, Rows]:
    """The folder above all that can match, and `columns` of the nodes whose path matches, as `walk`.

    A pattern that meets nothing, or nothing that this person may see, gives no rows. Invalid for one that cannot be read.
    """
    glob = read_glob(pattern)
    found = filtered(nodes(user, below=glob.folder).filter(inside(glob.folder, itself=True)), **filters)
    if glob.depth is not None:
        found = found.filter(level=glob.depth)
    if glob.last:
        found = found.filter(name=glob.last)
    return glob.folder, _walked(row for row in _rows(found, columns) if glob.matches(row[0]))


def _rows(found: QuerySet[Node], columns: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    return found.order_by().values_list("path", *columns)


def _walked(rows: Iterable[tuple[Any, ...]]) -> Rows:
    """By path, where a slash comes before everything that a name can hold."""
    return [row[1:] for row in sorted(rows, key=lambda row: row[0].replace("/", "\0"))]


def _level(path: str) -> int:
    return 0 if path == "/" else path.count("/")
