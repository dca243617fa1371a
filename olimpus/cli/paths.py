"""From what was typed to nodes: absolute paths, and patterns that the server resolves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from olimpus.cli.client import Client
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

Row = dict[str, Any]
WILDCARDS = frozenset("*?[")


def is_pattern(path: str) -> bool:
    """Whether the server has to look for what matches."""
    return not WILDCARDS.isdisjoint(path)


def checked(path: str) -> str:
    """An absolute path without a slash at its end (`/` stays). Raises Failure."""
    if not path.startswith("/"):
        hint = _shell_hint(path) or _("For example: /courses/TEL141")
        raise Failure(_("A path begins with a slash."), Exit.USAGE, where=path or '""', hint=hint)
    return path.rstrip("/") or "/"


def brief(ctx: Context, **query: Any) -> list[Row]:
    """The rows of `GET nodes/brief`. Raises Failure; a path that does not exist is one."""
    return ctx.client.rows("/nodes/brief", **query)


def contents(client: Client, folder: str) -> list[Row]:
    """What is in a folder; where nothing directly in it may be seen, the topmost of what may be seen below it."""
    return client.rows("/nodes/brief", path=folder, depth=1) or tops(client.rows("/nodes/brief", path=folder))


def tops(rows: Sequence[Row]) -> list[Row]:
    """The rows, in the order of the tree, that are below no other one."""
    found: list[Row] = []
    for row in rows:
        if not found or not row["path"].startswith(f"{found[-1]['path']}/"):
            found.append(row)
    return found


def relative(path: str, folder: str) -> str:
    """The path as seen from a folder above it; the whole path where that is none."""
    return path.removeprefix(folder if folder == "/" else f"{folder}/")


def expand(ctx: Context, patterns: Iterable[str], **filters: Any) -> list[Row]:
    """The nodes that paths and patterns name, each once, in the order of the arguments and then of the tree.

    Rows of `GET nodes/brief`: id, path, kind, state, state_since, hypervisor, verb, reason. Raises Failure where one
    names nothing that may be seen.
    """
    found: dict[int, Row] = {}
    for pattern in patterns:
        rows = _matching(ctx, checked(pattern), filters)
        found |= {row["id"]: row for row in rows}
    return list(found.values())


def one(ctx: Context, path: str) -> Row:
    """The one node that a path names, with all details. Raises Failure."""
    path = checked(path)
    if not is_pattern(path):
        with explained(path):
            return dict(ctx.client.get("/nodes/by-path", path=path))
    rows = expand(ctx, [path])
    if len(rows) > 1:
        raise Failure(_("%(count)d paths match; name one.") % {"count": len(rows)}, Exit.USAGE, where=path)
    return dict(ctx.client.get(f"/nodes/{rows[0]['id']}"))


def below(ctx: Context, path: str, **query: Any) -> list[Row]:
    """The rows of what is below a path, to the `depth` and with the filters of the query. Raises Failure."""
    with explained(path):
        return brief(ctx, path=path, **query)


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Say where a path may have come from when there is none of this name."""
    try:
        yield
    except Failure as failure:
        if failure.code == Exit.NOT_FOUND:
            failure.hint = _shell_hint(path) or failure.hint
            failure.where = failure.where or path
        raise


def _matching(ctx: Context, pattern: str, filters: dict[str, Any]) -> list[Row]:
    query = {"glob": pattern} if is_pattern(pattern) else {"path": pattern, "depth": 0}
    with explained(pattern):
        rows = brief(ctx, **query, **filters)
    if not rows:
        raise Failure(_("Nothing matches."), Exit.NOT_FOUND, where=pattern)
    return rows


def _shell_hint(path: str) -> str:
    """A file of this computer under this name: the shell has resolved the pattern before we saw it."""
    if path not in ("", "/") and os.path.lexists(path):
        return _("This is a file of this computer. Put patterns in quotes: '/courses/*'")
    return ""
