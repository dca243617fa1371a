"""`ops`: operations, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any

import typer

from olimpus.cli import following
from olimpus.cli.aliases import command_group
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import ago, exact
from olimpus.cli.options import Output
from olimpus.cli.output import Cell, Column, Format, Styled
from olimpus.cli.panels import RECORDS
from olimpus.cli.paths import checked
from olimpus.cli.verbs import Timeout, Wait
from olimpus.cli.words import gettext as _

COLOURS = {"succeeded": "green", "partial": "yellow", "failed": "red", "running": "blue", "cancelled": "dim"}
Id = Annotated[str, typer.Argument(metavar="ID", help=_("The id, or how it begins."))]
Limit = Annotated[int, typer.Option("--limit", "-l", min=1, max=100_000, help=_("At most so many, the newest."))]

app = command_group()


def columns() -> list[Column]:
    """Of a list of operations."""
    return [
        Column(_("Id"), lambda row: str(row["id"])[:8]),
        Column(_("Verb"), "verb"),
        Column(_("Path"), "path"),
        Column(_("Status"), _status),
        Column(_("Machines"), _progress, right=True),
        Column(_("Who"), "actor"),
        Column(_("Asked for"), lambda row: ago(row["created_at"])),
        Column(_("Whole id"), "id", wide=True),
        Column(_("Hypervisor"), "hypervisor", wide=True),
        Column(_("Exact time"), lambda row: exact(row["created_at"]), wide=True),
        Column(_("Reason"), lambda row: Styled(following.reason(row), "red"), cut=True),
    ]


def _status(row: Mapping[str, Any]) -> Styled:
    return Styled(following.WORDS.get(row["status"], row["status"]), COLOURS.get(row["status"], ""))


def _progress(row: Mapping[str, Any]) -> str:
    return f"{following.ended(row)}/{following.total(row)}" if row["counts"] else ""


@app.command("list", help=_("List operations, the newest first."))
def list_(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="[PATH]", help=_("At this path and below it."))] = "",
    status: Annotated[
        str, typer.Option("--status", metavar="STATUS,…", help=_("Only these: queued,running,failed"))
    ] = "",
    verb: Annotated[str, typer.Option("--verb", help=_("Only this verb."))] = "",
    actor: Annotated[str, typer.Option("--actor", metavar="USER", help=_("Only what this person asked for."))] = "",
    limit: Limit = 30,
    output: Output = Format.TABLE,
) -> None:
    """Operations on what one may see, and one's own."""
    here = Context.of(ctx, output)
    query = {"path": checked(path) if path else None, "verb": verb.replace("-", "_") or None, "actor": actor or None}
    rows = here.client.paged("/operations", status=status or None, page_size=min(limit, 500), **query)
    here.out.rows(columns(), list(islice(rows, limit)))


@app.command("show", help=_("Show an operation and what came of each machine."))
def show(ctx: typer.Context, id: Id, output: Output = Format.TABLE) -> None:
    """One operation; of a folder's, the results machine by machine."""
    here = Context.of(ctx, output)
    row = found(here, id)
    results = list(here.client.paged(f"/operations/{row['id']}/results")) if row["counts"] else []
    if not here.out.for_people:
        here.out.data(row | {"results": results})
        return
    here.out.facts(_facts(row), row)
    here.out.lines(following.left_out(row))
    here.out.rows([column for column in columns() if column.title in (_("Path"), _("Status"), _("Reason"))], results)


def _facts(row: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    return [
        (_("Operation"), str(row["id"])),
        (_("Verb"), row["verb"]),
        (_("Path"), row["path"]),
        (_("Status"), _status(row)),
        (_("Machines"), _progress(row)),
        (_("Who"), row["actor"]),
        (_("Asked for"), exact(row["created_at"])),
        (_("Ended"), exact(row["finished_at"])),
        (_("Attempts"), str(row["attempts"] or "")),
        (_("Reason"), Styled(following.reason(row), "red")),
    ]


@app.command("cancel", help=_("End an operation: what nobody has begun is undone at once."))
def cancel(ctx: typer.Context, id: Id, output: Output = Format.TABLE) -> None:
    """What is being done stops at its next pause."""
    here = Context.of(ctx, output)
    row = here.client.post(f"/operations/{found(here, id)['id']}/cancel")
    told = {"what": following.told(row), "status": following.WORDS.get(row["status"], row["status"])}
    here.out.done(_("%(what)s: to be cancelled, now %(status)s.") % told, row)


@app.command("retry", help=_("Ask again for what failed: a new operation."))
def retry(
    ctx: typer.Context,
    id: Id,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = Format.TABLE,
) -> int:
    """On the machines that failed, with the same arguments."""
    here = Context.of(ctx, output)
    row = here.client.post(f"/operations/{found(here, id)['id']}/retry")
    if wait or timeout is not None:
        return following.sum_up(here, following.follow(here, row, timeout=timeout))
    here.out.done(_("Asked for: %(what)s") % {"what": following.told(row)}, row)
    here.out.note(_("Follow it: olimpus ops wait %(id)s") % {"id": row["id"]})
    return Exit.OK


@app.command("wait", help=_("Wait for the end of an operation; 1 when a machine failed."))
def wait_(ctx: typer.Context, id: Id, timeout: Timeout = None, output: Output = Format.TABLE) -> int:
    """With a progress bar, or a line for each machine."""
    here = Context.of(ctx, output)
    return following.sum_up(here, following.follow(here, found(here, id), timeout=timeout))


def found(here: Context, id: str) -> dict[str, Any]:
    """The operation of an id, or of its beginning among the newest. Raises Failure when it is none, or several."""
    wanted = id.lower()
    if len(wanted) == 36:
        return dict(here.client.get(f"/operations/{wanted}"))
    rows = [row for row in islice(here.client.paged("/operations"), 1000) if str(row["id"]).startswith(wanted)]
    if not wanted or not rows:
        hint = _("See: olimpus ops list")
        raise Failure(_("There is no such operation, or you may not see it."), Exit.NOT_FOUND, where=id, hint=hint)
    if len(rows) > 1:
        raise Failure(_("Several operations begin so."), Exit.USAGE, where=id)
    return rows[0]


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="ops", help=_("Operations and what came of them."), rich_help_panel=RECORDS)
