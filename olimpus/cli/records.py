"""`journal`: who did what to which path, when, from where."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Annotated, Any, Final

import typer

from olimpus.cli.completion import complete_path
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import exact
from olimpus.cli.options import Output
from olimpus.cli.output import Column, Format
from olimpus.cli.panels import RECORDS
from olimpus.cli.paths import checked
from olimpus.cli.words import gettext as _

AGE: Final = re.compile(r"(\d{1,6})([smhdw])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MOMENT_HELP: Final = _("2h, 3d (so long ago), 2026-11-21 or 2026-11-21T08:00.")
#: Seconds between two looks with --follow.
PAUSE: Final = 1.0
#: An entry may appear after others with higher ids, but not after more than these.
LATE: Final = 100


def journal(
    ctx: typer.Context,
    path: Annotated[
        str, typer.Argument(metavar="[PATH]", autocompletion=complete_path, help=_("At this path and below it."))
    ] = "",
    since: Annotated[str, typer.Option("--since", metavar="WHEN", help=MOMENT_HELP)] = "",
    until: Annotated[str, typer.Option("--until", metavar="WHEN", help=MOMENT_HELP)] = "",
    actor: Annotated[str, typer.Option("--actor", metavar="USER", help=_("Only what this person did."))] = "",
    verb: Annotated[str, typer.Option("--verb", help=_("Only this: vm.start, or a beginning: 'vm.*'."))] = "",
    via: Annotated[str, typer.Option("--via", help=_("Only through this door: api, portal, …"))] = "",
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, help=_("At most so many, the newest."))] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=_("Go on with what happens, until Ctrl-C."))] = False,
    csv: Annotated[bool, typer.Option("--csv", help=_("All of it as CSV."))] = False,
    output: Output = Format.TABLE,
) -> None:
    """Print the journal, the newest entry first; with --follow the newest last."""
    here = Context.of(ctx, output)
    query = {"path": checked(path) if path else "", "since": moment(since), "until": moment(until)}
    query |= {"actor": actor, "verb": verb, "via": via}
    wanted = {name: value for name, value in query.items() if value}
    if csv:
        _export(here, wanted)
        return
    rows = list(islice(here.client.paged("/journal", page_size=min(limit, 500), **wanted), limit))
    if not follow:
        here.out.rows(columns(), rows)
        return
    _print_more(here, rows[::-1])
    for more in _newer(here, wanted, rows[0]["id"] if rows else 0):
        _print_more(here, more)


def columns() -> list[Column]:
    """Of entries of the journal."""
    return [
        Column(_("When"), lambda row: exact(row["at"])),
        Column(_("Who"), "actor"),
        Column(_("What"), "verb"),
        Column(_("Path"), "path"),
        Column(_("Details"), lambda row: details(row["data"]), cut=True),
        Column(_("Through"), "via", wide=True),
        Column(_("From"), "source", wide=True),
        Column(_("Id"), lambda row: str(row["id"]), wide=True, right=True),
    ]


def details(data: Mapping[str, Any]) -> str:
    """What else an entry says, in a line."""
    parts = []
    for name, value in data.items():
        if isinstance(value, Mapping):
            value = value.get("message") or value.get("status") or value.get("id") or ""
        parts.append(f"{name}={', '.join(map(str, value)) if isinstance(value, list) else value}")
    return " ".join(parts)


def moment(text: str) -> str:
    """A moment as the API takes it, of `2h`, a date or a date with time (local unless it says). Raises Failure."""
    if not text:
        return ""
    if age := AGE.fullmatch(text.strip()):
        return (datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})).isoformat()
    try:
        return datetime.fromisoformat(text.strip()).astimezone().isoformat()
    except (ValueError, OverflowError) as error:
        raise Failure(_("This is no moment."), Exit.USAGE, where=text, hint=MOMENT_HELP) from error


def _newer(here: Context, wanted: dict[str, str], last: int) -> Iterator[list[dict[str, Any]]]:
    """What comes after the entry `last`, oldest first. Entries that appear late, with a lower id, are told as well."""
    had: set[int] = {last}
    while True:
        time.sleep(PAUSE)
        floor = max(last, max(had) - LATE)
        rows = here.client.paged("/journal", page_size=LATE, **wanted)
        fresh = [row for row in takewhile(lambda row, floor=floor: row["id"] > floor, rows) if row["id"] not in had]
        had = {pk for pk in had if pk > floor - LATE} | {row["id"] for row in fresh} | {max(had)}
        if fresh:
            yield fresh[::-1]


def _print_more(here: Context, rows: list[dict[str, Any]]) -> None:
    """JSON: one document a line, so that programs can read it as it comes."""
    if here.out.form == Format.JSON:
        here.out.lines(json.dumps(row, ensure_ascii=False) for row in rows)
    elif here.out.form == Format.YAML and rows:
        here.out.data(rows)
    elif here.out.for_people:
        here.out.lines("  ".join(part for part in _cells(row) if part) for row in rows)


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [exact(row["at"]), row["actor"], row["verb"], row["path"], details(row["data"])]


def _export(here: Context, wanted: dict[str, str]) -> None:
    with here.client.stream("/journal/export", format="csv", **wanted) as chunks:
        for chunk in chunks:
            try:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            except BrokenPipeError as error:
                raise Failure("", Exit.BROKEN_PIPE) from error


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("journal", help=_("Who did what, when, where."), rich_help_panel=RECORDS)(journal)
