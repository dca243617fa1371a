"""`slice ls`, `status`, `export`, `topologies` and `formats`: what there is and how it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import number
from olimpus.cli.options import Output
from olimpus.cli.output import Cell, Column, Format, Styled
from olimpus.cli.showing import way_in
from olimpus.cli.slices.options import SlicePath, address
from olimpus.cli.states import state
from olimpus.cli.words import gettext as _

#: Status of a slice → (sign, colour, word).
STATUSES: Final = {
    "empty": ("○", "dim", _("empty")),
    "defined": ("○", "dim", _("provisioned")),
    "deploying": ("↑", "blue", _("deploying")),
    "tearing_down": ("↓", "blue", _("tearing down")),
    "running": ("●", "green", _("running")),
    "stopped": ("■", "dim", _("stopped")),
    "partial": ("◐", "yellow", _("partly running")),
    "degraded": ("✗", "yellow", _("degraded")),
    "failed": ("✗", "red", _("failed")),
}
OURS: Final = ("own", "yaml")
#: Health of a node → what is said of it beside its state.
HEALTHS: Final = {
    "unknown": Styled(_("its hypervisor does not answer"), "yellow"),
    "drifted": Styled(_("has drifted"), "yellow"),
}


def ls(
    ctx: typer.Context,
    templates: Annotated[bool, typer.Option("--templates", help=_("Only templates."))] = False,
    output: Output = Format.TABLE,
) -> None:
    """The slices that one may see, by path."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Path"), "path"),
        Column(_("Status"), _status),
        Column(_("Nodes"), lambda row: number(row["nodes"]), right=True),
        Column(_("Links"), lambda row: number(row["links"]), right=True),
        Column(_("Hypervisor"), lambda row: ", ".join(row["hypervisors"])),
        Column(_("Description"), "description", cut=True),
        Column(_("Id"), lambda row: str(row["id"]), wide=True, right=True),
    ]
    here.out.rows(columns, here.client.paged("/slices", templates=templates or None))


def _status(row: Mapping[str, Any]) -> Styled:
    sign, colour, word = STATUSES.get(row["status"], ("?", "", row["status"]))
    return Styled(f"{sign} {word}", colour)


def status(ctx: typer.Context, path: SlicePath, output: Output = Format.TABLE) -> int:
    """Each node with its state, addresses, ways in and error; 1 when a node has failed."""
    here = Context.of(ctx, output)
    told = here.client.get(f"{address(here, path)}/status")
    if here.out.for_people:
        here.out.rows(_columns(), told["nodes"])
        here.out.note(_summary(told))
    else:
        here.out.data(told)
    return Exit.FAILED if told["progress"]["failed"] else Exit.OK


def _columns() -> list[Column]:
    return [
        Column(_("Node"), "name"),
        Column(_("State"), "state", state),
        Column(_("Operation"), lambda row: row["stage"]["verb"] if row["stage"] else ""),
        Column(_("Addresses"), lambda row: ", ".join(row["ips"])),
        Column(_("Hypervisor"), "hypervisor"),
        Column(_("Host"), "host"),
        Column(_("Way in"), _ways),
        Column(_("Reason"), _reason, cut=True),
    ]


def _ways(row: Mapping[str, Any]) -> str:
    """The console is everywhere, so it is told only where nothing else is."""
    ways = [way for way in row["ways"] if way["kind"] != "console"] or row["ways"]
    return ", ".join(way_in(way) for way in ways)


def _reason(row: Mapping[str, Any]) -> Cell:
    return Styled(row["error"], "red") if row["error"] else HEALTHS.get(row["health"])


def _summary(told: Mapping[str, Any]) -> str:
    counts = told["progress"]
    numbers = {"status": _status(told).text, "running": counts["running"], "total": counts["total"]}
    return _("%(status)s: %(running)d of %(total)d run") % numbers


def export(
    ctx: typer.Context,
    path: SlicePath,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=_("See: olimpus slice formats; left out: as FILE ends."))
    ] = "",
    file: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help=_("Where to; left out: the standard output."))
    ] = "-",
) -> None:
    """Write a slice as a file."""
    here = Context.of(ctx)
    form = form or _form_of(here, file)
    answer = here.client.request(
        "GET", f"{address(here, path)}/export", params={"format": form}, headers={"Accept": "*/*"}
    )
    if file == "-":
        here.out.write(answer.text)
        return
    try:
        Path(file).write_bytes(answer.content)
    except OSError as error:
        told = _("The file cannot be written: %(why)s.") % {"why": error.strerror}
        raise Failure(told, Exit.USAGE, where=file) from error
    here.out.note(_("%(file)s: written.") % {"file": file})


def _form_of(here: Context, file: str) -> str:
    """The format whose files end so: the longest ending wins (`.clab.yml` is no `.yml`), of several formats our own."""
    if file == "-":
        return "yaml"
    known = [(end, row["name"]) for row in _formats(here) if row["writes"] for end in row["endings"]]
    found = max(((len(end), name in OURS, name) for end, name in known if file.lower().endswith(end)), default=None)
    if found is None:
        hint = _("Name it: --format graphml. See: olimpus slice formats")
        raise Failure(_("The name of the file says no format."), Exit.USAGE, where=file, hint=hint)
    return str(found[-1])


def _formats(here: Context) -> list[dict[str, Any]]:
    return list(here.client.get("/slices/formats"))


def formats(ctx: typer.Context, output: Output = Format.TABLE) -> None:
    """What slices are read from and written as."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Format"), "name"),
        Column(_("Title"), "title"),
        Column(_("Files"), lambda row: ", ".join(row["endings"])),
        Column(_("Import"), lambda row: _("yes") if row["reads"] else ""),
        Column(_("Export"), lambda row: _("yes") if row["writes"] else ""),
    ]
    here.out.rows(columns, _formats(here))


def topologies(ctx: typer.Context, output: Output = Format.TABLE) -> None:
    """What `slice new` makes, with the parameters of each and what they are when nothing is said."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Topology"), "name"),
        Column(_("Title"), "title"),
        Column(_("Parameters"), lambda row: ", ".join(_parameters(row["schema"]))),
    ]
    here.out.rows(columns, list(here.client.get("/slices/topologies")))


def _parameters(schema: Mapping[str, Any]) -> list[str]:
    told = {name: said.get("default") for name, said in schema["properties"].items()}
    return [f"{name}={value}" if value not in (None, "") else name for name, value in told.items()]
