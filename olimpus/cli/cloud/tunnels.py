"""`tunnel`: the ways through bastions."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.cloud.answers import Row
from olimpus.cli.cloud.options import Hypervisor
from olimpus.cli.cloud.sizes import of_bytes
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import ago, exact, number
from olimpus.cli.options import Output
from olimpus.cli.output import Column, Format, Out, Styled, printable, unsteering
from olimpus.cli.panels import CLOUDS
from olimpus.cli.words import gettext as _
from olimpus.cli.yaml import as_yaml

#: Seconds between two looks; what is told is about as old.
PAUSE: Final = 2.0
LOOKS: Final = {
    "up": ("●", "green", _("up")),
    "connecting": ("↻", "yellow", _("connecting")),
    "down": ("✕", "red", _("down")),
    "idle": ("○", "dim", _("not needed yet")),
}

app = command_group()


@app.command("status", help=_("Show the tunnels through bastions and the services behind them."))
def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help=_("Go on, live, until Ctrl-C."))] = False,
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """Of all hypervisors that one is in charge of."""
    here = Context.of(ctx, output)
    tunnels = _tunnels(here, hypervisor)
    if not watch:
        _show(here.out, tunnels)
    elif here.out.for_people and sys.stdout.isatty():
        _live(here, hypervisor, tunnels)
    else:
        _lines(here, hypervisor, tunnels)


def _tunnels(here: Context, hypervisor: str) -> list[Row]:
    """Raises Failure when there is none of this name."""
    known: list[Row] = here.client.get("/ssh-tunnel/status")["tunnels"]
    rows = [row for row in known if hypervisor in ("", row["hypervisor"])]
    if hypervisor and not rows:
        hint = _("One of: %s.") % ", ".join(row["hypervisor"] for row in known) if known else ""
        why = _("There is no such hypervisor behind a bastion.")
        raise Failure(why, Exit.NOT_FOUND, where=hypervisor, hint=hint)
    return rows


def _show(out: Out, tunnels: Sequence[Row]) -> None:
    if not out.for_people:
        out.data(tunnels)
    elif tunnels:
        out.rows(_columns(), list(_rows(tunnels)))
    else:
        out.note(_("No hypervisor is behind a bastion."))


def _columns() -> list[Column]:
    return [
        Column(_("Tunnel"), "name"),
        Column(_("State"), lambda row: _state(row["state"])),
        Column(_("Since"), lambda row: ago(row["since"])),
        Column(_("Latency"), lambda row: _milliseconds(row["latency_ms"]), right=True),
        Column(_("Open"), lambda row: number(row["connections"]), right=True),
        Column(_("In"), lambda row: of_bytes(row["bytes_in"]), right=True),
        Column(_("Out"), lambda row: of_bytes(row["bytes_out"]), right=True),
        Column(_("Reconnects"), lambda row: number(row["reconnects"]), right=True),
        Column(_("Where"), "where", wide=True),
        Column(_("Last error"), _error, cut=True),
    ]


def _rows(tunnels: Sequence[Row]) -> Iterator[Row]:
    """A row for each tunnel, and below it one for each service."""
    for tunnel in tunnels:
        yield {**tunnel, "name": tunnel["hypervisor"], "where": " → ".join(tunnel["hops"])}
        for service in tunnel["services"]:
            where = f"{service['host']}:{service['port']}"
            yield {**service, "name": f"· {service['service'] or where}", "where": where}


def _state(name: str) -> Styled:
    sign, colour, word = LOOKS.get(name, ("?", "", name))
    return Styled(f"{sign} {word}", colour)


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{number(round(value, 1))} ms"


def _error(row: Any) -> str:
    return f"{row['last_error']} ({ago(row['last_error_at'])})" if row["last_error"] else ""


# -- live --------------------------------------------------------------------------------------------------------------


def _looks(here: Context, hypervisor: str) -> Iterator[list[Row]]:
    """The tunnels, again and again; a server that is away for a while is told once and asked on."""
    lost = False
    while True:
        time.sleep(PAUSE)
        try:
            found = _tunnels(here, hypervisor)
        except Failure as failure:
            if failure.code != Exit.UNREACHABLE:
                raise
            if not lost:
                here.out.note(str(failure))
            lost = True
            continue
        if lost:
            here.out.note(_("Connected again."))
        lost = False
        yield found


def _live(here: Context, hypervisor: str, tunnels: list[Row]) -> None:
    from rich.live import Live

    with Live(_drawn(here.out, tunnels), auto_refresh=False) as live:
        for found in _looks(here, hypervisor):
            live.update(_drawn(here.out, found), refresh=True)


def _drawn(out: Out, tunnels: Sequence[Row]) -> Any:
    """The table as it is printed, for a place of the screen that is drawn anew."""
    from rich.text import Text

    return Text.from_ansi(out.drawn(_columns(), list(_rows(tunnels))), no_wrap=True, overflow="ellipsis")


def _lines(here: Context, hypervisor: str, tunnels: list[Row]) -> None:
    """Where nobody looks: what there is, then every change of a state and every new connection."""
    before = _tell(here, tunnels, {})
    for found in _looks(here, hypervisor):
        before = _tell(here, found, before)


def _tell(here: Context, tunnels: list[Row], before: dict[str, Any]) -> dict[str, Any]:
    """Print the tunnels that are in another state than before, or connected anew; returns how they are."""
    now = {row["hypervisor"]: (row["state"], row["reconnects"]) for row in tunnels}
    for row in tunnels:
        if before.get(row["hypervisor"]) != now[row["hypervisor"]]:
            here.out.write(_written(here, row))
    return now


def _written(here: Context, row: Row) -> str:
    if here.out.form == Format.JSON:
        return f"{unsteering(json.dumps(row, ensure_ascii=False))}\n"
    if here.out.form == Format.YAML:
        return f"---\n{as_yaml(row)}"
    parts = [exact(row["since"]), row["hypervisor"], _state(row["state"]).text, row["last_error"]]
    return f"{printable('  '.join(part for part in parts if part))}\n"


# -- doing -------------------------------------------------------------------------------------------------------------


@app.command("reconnect", help=_("Let every process connect a tunnel anew; calls on their way are repeated."))
def reconnect(ctx: typer.Context, hypervisor: Hypervisor = "", output: Output = Format.TABLE) -> None:
    """Within about two seconds."""
    here = Context.of(ctx, output)
    row = here.client.post("/ssh-tunnel/reconnect", {"hypervisor": hypervisor} if hypervisor else {})
    here.out.done(_("%(name)s: connects anew.") % {"name": row["hypervisor"]}, row)
    here.out.note(_("Follow it: olimpus tunnel status --watch"))


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="tunnel", help=_("Tunnels through bastions."), rich_help_panel=CLOUDS)
