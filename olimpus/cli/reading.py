"""`ls`, `tree`, `find`: nodes in lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from olimpus.cli import states
from olimpus.cli.context import Context
from olimpus.cli.options import NodePath, NodePaths, Output, Quiet
from olimpus.cli.output import Column, Format
from olimpus.cli.panels import LOOKING
from olimpus.cli.paths import Row, below, brief, checked, contents, expand, explained, is_pattern, relative
from olimpus.cli.table import printable
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext

StateOption = Annotated[
    str, typer.Option("--state", metavar="STATE,…", help=_("Only machines in these states: running,failed"))
]
HypervisorOption = Annotated[str, typer.Option("--hypervisor", metavar="NAME", help=_("Only machines on it."))]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY[=VALUE]", help=_("Only what carries this label."))
]
CustomOption = Annotated[
    list[str] | None, typer.Option("--custom", metavar="KEY[=VALUE]", help=_("Only what has this custom field."))
]


def ls(
    ctx: typer.Context,
    paths: NodePaths = ("/",),  # type: ignore[assignment]
    recursive: Annotated[bool, typer.Option("--recursive", "-R", help=_("All that is below, too."))] = False,
    itself: Annotated[bool, typer.Option("--directory", "-d", help=_("The folder itself, not what is in it."))] = False,
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """List what is in folders. A pattern lists what matches it."""
    here = Context.of(ctx, output)
    rows = [row for path in paths for row in _listed(here, path, recursive=recursive, itself=itself)]
    alone = len(paths) == 1 and not is_pattern(paths[0]) and not recursive
    if quiet:
        here.out.lines(row["path"] for row in rows)
        return
    here.out.rows(states.columns(_name_column(checked(paths[0])) if alone else _path_column()), rows)


def _listed(here: Context, path: str, *, recursive: bool, itself: bool) -> list[Row]:
    """What one argument of `ls` lists: a folder's content, a machine, what matches a pattern."""
    if is_pattern(path):
        return expand(here, [path])
    path = checked(path)
    if itself or recursive:
        return below(here, path, depth=0 if itself else None)
    with explained(path):
        return contents(here.client, path)


def tree(
    ctx: typer.Context,
    path: NodePath = "/",
    depth: Annotated[int | None, typer.Option("--depth", "-L", min=1, help=_("How many levels."))] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show a branch as a tree."""
    here = Context.of(ctx, output)
    path = checked(path)
    rows = below(here, path, depth=depth)
    if not here.out.for_people:
        here.out.data(rows)
        return
    shown = [row for row in rows if row["path"] != path]
    machines = sum(row["kind"] != "folder" for row in shown)
    here.out.lines([path])
    here.out.write("".join(f"{line}\n" for line in _drawn(shown, path, here)))
    here.out.lines(["", _counted(len(shown) - machines, machines)])
    if depth and any(row["kind"] == "folder" and row["path"].count("/") == _levels(path) + depth for row in shown):
        here.out.note(_("What is deeper is not counted: --depth %(depth)d.") % {"depth": depth})


def _levels(path: str) -> int:
    return 0 if path == "/" else path.count("/")


def _counted(folders: int, machines: int) -> str:
    told = [
        ngettext("%(count)d folder", "%(count)d folders", folders) % {"count": folders},
        ngettext("%(count)d machine", "%(count)d machines", machines) % {"count": machines},
    ]
    return ", ".join(told)


def _drawn(rows: Sequence[Row], top: str, here: Context) -> Iterator[str]:
    """A line for each row. `rows` are in the order of a walk; a row whose parent may not be seen hangs from the nearest
    folder that may."""
    parents = _parents(rows, top)
    last = {parent: path for path, parent in parents.items()}
    tails = {name: _tail(name, here) for name in {row["state"] for row in rows}}
    stems = {top: ""}
    for row in rows:
        path = row["path"]
        parent = parents[path]
        ends = last[parent] == path
        text, colour = states.named(row, relative(path, parent))
        shown = here.out.paint(printable(text), colour) if colour else printable(text)
        if path in last:
            stems[path] = stems[parent] + ("    " if ends else "│   ")
        yield f"{stems[parent]}{'└── ' if ends else '├── '}{shown}{tails[row['state']]}"


def _parents(rows: Sequence[Row], top: str) -> dict[str, str]:
    """Path → the nearest path above it that is shown, too."""
    found = {top: ""}
    for row in rows:
        path = row["path"]
        above = path.rpartition("/")[0] or "/"
        while above not in found:
            above = above.rpartition("/")[0] or "/"
        found[path] = above
    del found[top]
    return found


def _tail(state: str | None, here: Context) -> str:
    word, colour = states.state(state)
    return f"  {here.out.paint(word, colour)}" if word else ""


def find(
    ctx: typer.Context,
    path: NodePath = "/",
    name: Annotated[
        str, typer.Option("--name", "-n", metavar="TEXT", help=_("Part of the name, or a pattern: 'web-*'"))
    ] = "",
    state: StateOption = "",
    hypervisor: HypervisorOption = "",
    label: LabelOption = None,
    custom: CustomOption = None,
    kind: Annotated[str, typer.Option("--kind", metavar="folder|machine", help=_("Only these."))] = "",
    quiet: Quiet = False,
    output: Output = Format.TABLE,
) -> None:
    """Find nodes below a folder by name, state, hypervisor, labels and custom fields."""
    here = Context.of(ctx, output)
    query: dict[str, Any] = {
        "state": state or None,
        "hypervisor": hypervisor or None,
        "label": label or None,
        "custom": custom or None,
        "kind": {"machine": "descriptor"}.get(kind, kind) or None,
    }
    rows = _found(here, checked(path), name, query)
    if quiet:
        here.out.lines(row["path"] for row in rows)
        return
    here.out.rows(states.columns(_path_column()), rows)


def _found(here: Context, path: str, name: str, query: dict[str, Any]) -> list[Row]:
    if is_pattern(name):
        below(here, path, depth=1)  # a folder that is not there is told, not taken for one in which nothing matches
        return brief(here, glob=f"{path.rstrip('/')}/**/{name}", **query)
    return below(here, path, q=name or None, **query)


def _name_column(folder: str) -> Column:
    """The name within the folder that is listed; a machine that is listed itself has its whole path."""
    return Column(_("Name"), lambda row: states.named(row, relative(row["path"], folder)))


def _path_column() -> Column:
    return Column(_("Path"), states.path)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ls", help=_("List what is in folders, or what matches patterns."), rich_help_panel=LOOKING)(ls)
    app.command("tree", help=_("Show a branch as a tree."), rich_help_panel=LOOKING)(tree)
    app.command("find", help=_("Find nodes by name, state, hypervisor or label."), rich_help_panel=LOOKING)(find)
