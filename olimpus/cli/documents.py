"""`apply`, `diff`, `export`: whole branches as documents, and what waits or has drifted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from olimpus.cli import plans
from olimpus.cli.asking import Yes, agree
from olimpus.cli.client import data_of
from olimpus.cli.context import Context
from olimpus.cli.editing import YAML, DryRun
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import NodePath, Output
from olimpus.cli.output import Column, Format
from olimpus.cli.panels import SHAPING
from olimpus.cli.paths import Row, brief, one
from olimpus.cli.words import gettext as _

FILE_HELP: Final = _("A YAML or JSON document; - reads the standard input.")
#: A document may not be larger on the server, either.
MOST_BYTES: Final = 5 * 1024 * 1024


def apply(
    ctx: typer.Context,
    file: Annotated[str, typer.Option("--file", "-f", metavar="FILE", help=FILE_HELP)],
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Create what a document names and is missing, change what differs; all or nothing. May be repeated."""
    here = Context.of(ctx, output)
    if not (dry_run or yes) and sys.stdin.isatty():
        _ask(here, file)
    plan = _applied(here, file, dry_run=dry_run)
    if not here.out.for_people:
        here.out.data(plan)
        return
    here.out.lines(plans.of_document(plan))
    if dry_run:
        here.out.note(_("Nothing was changed."))


def _ask(here: Context, file: str) -> None:
    """Where machines on a hypervisor get a change later, or not without being asked, show the plan and ask."""
    plan = _applied(here, file, dry_run=True)
    if plan["update"] and plans.waiting(plan["effects"]):
        for line in plans.told(plan["effects"]):
            here.out.note(line)
        agree(_("Save this?"), yes=False)


def diff(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="[PATH]", help=_("What waits and what has drifted there."))] = "",
    file: Annotated[str, typer.Option("--file", "-f", metavar="FILE", help=FILE_HELP)] = "",
    exit_code: Annotated[bool, typer.Option("--exit-code", help=_("End with 1 when there is a difference."))] = False,
    output: Output = Format.TABLE,
) -> int:
    """Show what applying a document would change; or what the machines at a path have not been given yet, and drift."""
    here = Context.of(ctx, output)
    if bool(path) == bool(file):
        raise Failure(_("Name either a path or a document (-f)."), Exit.USAGE)
    differs = _diff_document(here, file) if file else _diff_branch(here, path)
    return Exit.FAILED if differs and exit_code else Exit.OK


def _diff_document(here: Context, file: str) -> bool:
    plan = _applied(here, file, dry_run=True)
    if here.out.for_people:
        here.out.lines(plans.of_document(plan))
    else:
        here.out.data(plan)
    return bool(plan["create"] or plan["update"])


def _diff_branch(here: Context, path: str) -> bool:
    node = one(here, path)
    rows = [row for machine in _machines(here, node) for row in _differences(here, machine)]
    columns = [
        Column(_("Path"), "path"),
        Column(_("Kind"), lambda row: _("drift") if row["what"] == "drift" else _("pending")),
        Column(_("Parameter"), "name"),
        Column(_("There"), lambda row: _shown(row["there"])),
        Column(_("Wanted"), lambda row: _shown(row["wanted"])),
    ]
    here.out.rows(columns, rows)
    if not rows:
        here.out.note(_("%(path)s: nothing waits, nothing has drifted.") % {"path": node["path"]})
    return bool(rows)


def _machines(here: Context, node: Row) -> Iterator[Row]:
    """Those that exist on a hypervisor: the others have been given nothing."""
    if node["kind"] != "folder":
        yield node
        return
    for row in brief(here, path=node["path"], kind="descriptor"):
        if row["state"] != "provisioned":
            yield here.client.get(f"/nodes/{row['id']}")


def _differences(here: Context, machine: Row) -> Iterator[dict[str, Any]]:
    for field in machine["drift"]:
        yield _row(machine, "drift", field["field"], field["observed"], field["expected"])
    if machine["pending"]:
        pending: Mapping[str, Any] = here.client.get(f"/nodes/{machine['id']}/definition")["pending"]
        for name, change in pending.items():
            yield _row(machine, "pending", name, change["applied"], change["wanted"])


def _row(machine: Row, what: str, name: str, there: Any, wanted: Any) -> dict[str, Any]:
    return {"path": machine["path"], "what": what, "name": name, "there": there, "wanted": wanted}


def _shown(value: Any) -> str:
    return "–" if value is None else str(value)


def export(ctx: typer.Context, path: NodePath, output: Output = Format.TABLE) -> None:
    """Print a branch as a document that `apply` takes."""
    here = Context.of(ctx, output)
    node = one(here, path)
    if here.out.form == Format.JSON:
        here.out.data(here.client.get(f"/nodes/{node['id']}/export"))
        return
    here.out.write(here.client.request("GET", f"/nodes/{node['id']}/export", headers={"Accept": YAML}).text)


def _applied(here: Context, file: str, *, dry_run: bool) -> Any:
    """What the server says of the document. A fault names the file, with line and column."""
    content = _content(file)
    try:
        return data_of(
            here.client.request(
                "POST", "/apply", params={"dry_run": dry_run}, content=content, headers={"Content-Type": YAML}
            )
        )
    except Failure as failure:
        name = _("standard input") if file == "-" else file
        failure.where = _named(failure.where, name)
        failure.faults = tuple(_named(fault, name) for fault in failure.faults)
        raise


def _named(text: str, name: str) -> str:
    return f"{name}{text.removeprefix('body')}" if text.startswith("body") else text


def _content(file: str) -> bytes:
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Failure(
            _("The file cannot be read: %(why)s.") % {"why": error.strerror}, Exit.USAGE, where=file
        ) from error
    if len(content) > MOST_BYTES:
        raise Failure(_("The document is larger than 5 MiB."), Exit.USAGE, where=file)
    return content


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("apply", help=_("Create and change what a document says."), rich_help_panel=SHAPING)(apply)
    app.command("diff", help=_("Show what would change, what waits, what has drifted."), rich_help_panel=SHAPING)(diff)
    app.command("export", help=_("Print a branch as a document."), rich_help_panel=SHAPING)(export)
