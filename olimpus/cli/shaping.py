"""`cp`, `mv`, `mkdir`, `rm`: the shape of the tree, in the manner of a shell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from olimpus.cli import plans, states
from olimpus.cli.asking import Yes, confirm, confirm_number
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import NodePath, NodePaths, Output
from olimpus.cli.output import Format
from olimpus.cli.panels import SHAPING
from olimpus.cli.paths import Row, brief, checked, expand
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext


def cp(
    ctx: typer.Context,
    sources: NodePaths,
    target: NodePath,
    keep_addresses: Annotated[
        bool, typer.Option("--keep-addresses", help=_("The same MACs and addresses: only one of both can be created."))
    ] = False,
    _recursive: Annotated[bool, typer.Option("--recursive", "-r", hidden=True)] = False,  # as hands type it; always so
    output: Output = Format.TABLE,
) -> None:
    """Copy definitions, with all that is below: into a folder, or under a new name."""
    here = Context.of(ctx, output)
    made = []
    for source, place in _moves(here, sources, target):
        made.append(here.client.post(f"/nodes/{source['id']}/copy", place | {"new_addresses": not keep_addresses}))
        if here.out.for_people:
            here.out.done(f"{source['path']} → {made[-1]['path']}")
    _data(here, made)


def mv(ctx: typer.Context, sources: NodePaths, target: NodePath, output: Output = Format.TABLE) -> None:
    """Move or rename, with all that is below. Machines keep running."""
    here = Context.of(ctx, output)
    moved = []
    for source, place in _moves(here, sources, target):
        moved.append(_moved(here, source, place))
        if here.out.for_people:
            here.out.done(f"{source['path']} → {moved[-1]['path']}")
    _data(here, moved)


def _moved(here: Context, source: Row, place: dict[str, Any]) -> Row:
    """Within its folder a node is renamed."""
    if place["parent_path"] == _split(source["path"])[0]:
        return dict(here.client.patch(f"/nodes/{source['id']}", {"name": place["name"]}))
    return dict(here.client.post(f"/nodes/{source['id']}/move", place))


def _moves(here: Context, sources: Sequence[str], target: str) -> list[tuple[Row, dict[str, Any]]]:
    """Each node with its place: in the target where that is a folder, else the target itself."""
    rows, place = expand(here, sources), _existing(here, target)
    if place is not None and place["kind"] == "folder":
        return [(row, {"parent_path": place["path"], "name": _split(row["path"])[1]}) for row in rows]
    if place is not None:
        raise Failure(_("There is a machine of this name."), Exit.REFUSED, where=place["path"])
    if len(rows) > 1:
        raise Failure(_("For several nodes, the target has to be a folder."), Exit.USAGE, where=target)
    parent, name = _split(checked(target))
    return [(rows[0], {"parent_path": parent, "name": name})]


def _existing(here: Context, path: str) -> Row | None:
    try:
        return expand(here, [path])[0]
    except Failure as failure:
        if failure.code == Exit.NOT_FOUND:
            return None
        raise


def _split(path: str) -> tuple[str, str]:
    """The folder and the name."""
    folder, _slash, name = path.rpartition("/")
    return folder or "/", name


def mkdir(
    ctx: typer.Context,
    paths: NodePaths,
    parents: Annotated[
        bool, typer.Option("--parents", "-p", help=_("Make the folders above, too; what is there already is fine."))
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Make folders."""
    here = Context.of(ctx, output)
    made = []
    for path in map(checked, paths):
        for wanted in _missing(here, path) if parents else [path]:
            made.append(here.client.post("/folders", {"path": wanted}))
            if here.out.for_people:
                here.out.done(_("%(path)s/: made.") % {"path": made[-1]["path"]})
    _data(here, made)


def _missing(here: Context, path: str) -> Iterator[str]:
    """The folders on the way that are not there, top down. Above what may be seen they are taken for given."""
    parts = path.strip("/").split("/")
    way = ["/" + "/".join(parts[: length + 1]) for length in range(len(parts))]
    missing: list[str] = []
    for step in reversed(way):
        there = _existing(here, step)
        if there is not None and there["kind"] != "folder":
            raise Failure(_("This is a machine, not a folder."), Exit.REFUSED, where=step)
        if there is not None:
            break
        missing.insert(0, step)
    yield from missing


def rm(
    ctx: typer.Context,
    paths: NodePaths,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help=_("Folders with all that is below."))] = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Delete nodes from the tree. Machines that exist on a hypervisor have to be destroyed before."""
    here = Context.of(ctx, output)
    rows = _outermost(expand(here, paths))
    lost = [(row, brief(here, path=row["path"]) if row["kind"] == "folder" else []) for row in rows]
    full = next((row for row, below in lost if below and not recursive), None)
    if full is not None:
        raise Failure(_("The folder is not empty."), Exit.USAGE, where=full["path"], hint=_("With all below: rm -r"))
    _ask(here, [node for row, below in lost for node in (row, *below)], yes=yes)
    deleted = 0
    for row in rows:
        deleted += here.client.delete(f"/nodes/{row['id']}")["deleted"]
        if here.out.for_people:
            here.out.done(_("%(path)s: deleted.") % {"path": row["path"]})
    _data(here, {"deleted": deleted})


def _outermost(rows: list[Row]) -> list[Row]:
    """Without what lies below another one."""
    folders = {row["path"] for row in rows if row["kind"] == "folder"}
    return [row for row in rows if not any(above in folders for above in _above(row["path"]))]


def _above(path: str) -> Iterator[str]:
    while path != "/":
        path = _split(path)[0]
        yield path


def _ask(here: Context, lost: list[Row], *, yes: bool) -> None:
    """Name what is lost: one thing by its path, many by their number."""
    if yes:
        return
    machines = sum(row["kind"] != "folder" for row in lost)
    folders = len(lost) - machines
    told = {
        "folders": ngettext("%d folder", "%d folders", folders) % folders,
        "machines": ngettext("%d machine", "%d machines", machines) % machines,
    }
    if len(lost) == 1:
        confirm(_("Delete %(path)s with its definition?") % {"path": lost[0]["path"]}, yes=yes)
        return
    for line in plans.some([states.path(row).text for row in lost], len(lost)):
        here.out.note(line)
    question = _("Delete %(folders)s and %(machines)s with their definitions?") % told
    confirm_number(question, len(lost), yes=yes)


def _data(here: Context, data: Any) -> None:
    if not here.out.for_people:
        here.out.data(data)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("mkdir", help=_("Make folders."), rich_help_panel=SHAPING)(mkdir)
    app.command("cp", help=_("Copy definitions."), rich_help_panel=SHAPING)(cp)
    app.command("mv", help=_("Move or rename."), rich_help_panel=SHAPING)(mv)
    app.command("rm", help=_("Delete from the tree."), rich_help_panel=SHAPING)(rm)
