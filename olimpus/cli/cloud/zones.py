"""`zone`: availability zones, their hosts, and where the machines of a slice go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.cloud.answers import Answer, Row, ask, asked, command, given, show, tell_age
from olimpus.cli.cloud.options import Hypervisor, Refresh
from olimpus.cli.cloud.sizes import of_gib, of_mib
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import number
from olimpus.cli.options import Output
from olimpus.cli.output import Column, Format, Styled
from olimpus.cli.panels import CLOUDS
from olimpus.cli.words import gettext as _

app = command_group()


@command(app, "ls", help=_("List availability zones and their hosts."))
def ls(
    ctx: typer.Context,
    capacity: Annotated[bool, typer.Option("--capacity", help=_("With the room of each host."))] = False,
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """The room is for those in charge of the cloud."""
    here = Context.of(ctx, output)
    answer = asked(here, "availability-zones", hypervisor, capacity=capacity, refresh=refresh)
    if capacity:
        show(here, _room_columns(), answer, _hosts(answer))
        return
    columns = [
        Column(_("Zone"), "name"),
        Column(_("State"), lambda row: _state(row["available"])),
        Column(_("Hosts"), lambda row: ", ".join(_host(host) for host in row["hosts"])),
    ]
    show(here, columns, answer)


def _state(up: bool) -> Styled:
    return Styled(_("up"), "green") if up else Styled(_("down"), "red")


def _host(host: Row) -> str:
    if host["up"] and host["enabled"]:
        return str(host["name"])
    return f"{host['name']} ({_('switched off') if host['up'] else _('down')})"


def _room_columns() -> list[Column]:
    return [
        Column(_("Zone"), "zone"),
        Column(_("Host"), "host"),
        Column(_("Machines"), lambda row: number(row["instances"]), right=True),
        Column(_("vCPUs"), lambda row: _of(row, "vcpus", number), right=True),
        Column(_("RAM"), lambda row: _of(row, "ram", of_mib), right=True),
        Column(_("Disk"), lambda row: _of(row, "disk", of_gib), right=True),
    ]


def _of(row: Mapping[str, Any], what: str, written: Any) -> str:
    """Used and total; the total is left out where the cloud does not say."""
    used, total = row[f"{what}_used"], row[f"{what}_total"]
    return written(used) if total is None else f"{number(round(used, 1))} / {written(total)}"


def _hosts(answer: Answer) -> Iterator[Row]:
    """A row for each host, and one for all of them."""
    for zone in answer["results"]:
        yield from ({**host, "zone": zone["name"], "host": _host(host)} for host in zone["hosts"])
    totals = answer.get("totals")
    if totals:
        told = _("%(up)d of %(all)d up") % {"up": totals["hosts_up"], "all": totals["hosts"]}
        yield {**totals, "zone": _("all"), "host": told}


@command(app, "suggest", help=_("Tell in which zone each machine of a slice should go, and why."))
def suggest(
    ctx: typer.Context,
    nodes: Annotated[
        list[str],
        typer.Argument(metavar="NAME[=FLAVOR]…", help=_("Machines; without a flavor one is small: web=medium db")),
    ],
    topology: Annotated[
        str, typer.Option("--topology", help=_("How they hang together: linear, ring, star, tree, mesh…"))
    ] = "",
    links: Annotated[
        list[str] | None, typer.Option("--link", metavar="NAME,NAME", help=_("Two that hang together, too."))
    ] = None,
    high_availability: Annotated[
        bool, typer.Option("--high-availability", help=_("Spread them, so that a fault harms few."))
    ] = False,
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> int:
    """6 when not every machine finds a place."""
    here = Context.of(ctx, output)
    config = {"nodes": [_node(node) for node in nodes], "high_availability": high_availability}
    config |= given(topology=topology, links=[_link(link) for link in links or []])
    answer = ask(here, "POST", ["availability-zones", "suggest"], hypervisor, {"slice_config": config})
    columns = [
        Column(_("Machine"), "node"),
        Column(_("Zone"), lambda row: row["availability_zone"] or Styled(_("none"), "red")),
        Column(_("Flavor"), "flavor"),
        Column(_("Reason"), "reason"),
    ]
    if here.out.for_people:
        here.out.rows(columns, answer["results"])
    else:
        here.out.data(answer)
    tell_age(here, answer)
    return Exit.OK if answer["complete"] else Exit.NOT_FOUND


def _node(text: str) -> Row:
    name, _equals, flavor = text.partition("=")
    return {"name": name, **given(flavor=flavor)}


def _link(text: str) -> list[str]:
    first, comma, second = text.partition(",")
    if not comma:
        raise Failure(_("Two names with a comma between them are needed."), Exit.USAGE, where=text)
    return [first.strip(), second.strip()]


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="zone", help=_("Availability zones and hosts."), rich_help_panel=CLOUDS)
