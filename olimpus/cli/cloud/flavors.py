"""`flavor`: named sizes, and which one suits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes, confirm
from olimpus.cli.cloud.answers import FLAVOR, Row, ask, asked, command, found, given, show, tell_age
from olimpus.cli.cloud.options import Hypervisor, Refresh
from olimpus.cli.cloud.sizes import of_gib, of_mib
from olimpus.cli.completion import complete_name
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit
from olimpus.cli.moments import number
from olimpus.cli.options import Output
from olimpus.cli.output import Column, Format
from olimpus.cli.panels import CLOUDS
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext

Name = Annotated[
    str,
    typer.Argument(metavar="FLAVOR", autocompletion=complete_name("openstack/flavors"), help=_("Name of a flavor.")),
]
Vcpus = Annotated[int | None, typer.Option("--vcpus", metavar="N", min=1, help=_("Virtual processors."))]
Ram = Annotated[int | None, typer.Option("--ram", metavar="MIB", min=1, help=_("Memory in MiB."))]
Disk = Annotated[float | None, typer.Option("--disk", metavar="GIB", min=0, help=_("System disk in GiB."))]

app = command_group()


@command(app, "ls", help=_("List flavors, the cheapest first: those of the cloud, and the predefined ones."))
def ls(
    ctx: typer.Context,
    stats: Annotated[bool, typer.Option("--stats", help=_("Count the machines that have each."))] = False,
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """Counting is for those in charge of the cloud."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Name"), "name"),
        Column(_("vCPUs"), lambda row: number(row["vcpus"]), right=True),
        Column(_("RAM"), lambda row: of_mib(row["ram"]), right=True),
        Column(_("Disk"), lambda row: of_gib(row["disk"]), right=True),
        Column(_("Machines"), lambda row: number(row["instances"]) if "instances" in row else "", right=True),
        Column(_("Comes from"), _origin),
        Column(_("Id"), "id", wide=True),
    ]
    show(here, columns, asked(here, "flavors", hypervisor, stats=stats, refresh=refresh))


def _origin(row: Any) -> str:
    if not row["on_cloud"]:
        return _("predefined, not on the cloud")
    return _("cloud, as predefined") if row["predefined"] else _("cloud")


@command(app, "recommend", help=_("Tell the cheapest flavor that is large enough, the next one, and why."))
def recommend(
    ctx: typer.Context,
    vcpus: Vcpus = None,
    ram: Ram = None,
    disk: Disk = None,
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> int:
    """6 when none is large enough; then what is missing."""
    here = Context.of(ctx, output)
    wanted = given(vcpus=vcpus, ram=ram, disk=disk)
    answer = ask(here, "POST", ["flavors", "recommend"], hypervisor, {"requirements": wanted})
    if here.out.for_people:
        here.out.lines(_advice(answer))
    else:
        here.out.data(answer)
    tell_age(here, answer)
    return Exit.OK if answer["recommended"] else Exit.NOT_FOUND


def _advice(answer: Row) -> Iterator[str]:
    if answer["recommended"]:
        yield f"{_sized(answer['recommended'])}. {answer['reason']}"
    else:
        yield answer["reason"]
        yield from (f"  {short['text']}" for short in answer["missing"])
    if answer["runner_up"]:
        told = {"flavor": _sized(answer["runner_up"]), "reason": answer["runner_up_reason"]}
        yield (_("Next: %(flavor)s. %(reason)s") % told).strip()


def _sized(row: Row) -> str:
    vcpus = ngettext("%d vCPU", "%d vCPUs", row["vcpus"]) % row["vcpus"]
    return f"{row['name']}: {vcpus}, {of_mib(row['ram'])}, {of_gib(row['disk'])}"


@command(app, "create", help=_("Make a flavor on the cloud; a predefined one by its name alone."))
def create(
    ctx: typer.Context,
    name: Name,
    vcpus: Vcpus = None,
    ram: Ram = None,
    disk: Disk = None,
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """May be repeated."""
    here = Context.of(ctx, output)
    body = {"name": name, **given(vcpus=vcpus, ram=ram, disk=disk)}
    row = ask(here, "POST", ["flavors"], hypervisor, body)
    here.out.done(_("%(name)s: made.") % {"name": _sized(row)}, row)


@command(app, "rm", help=_("Forget a flavor; machines that have it keep it."))
def rm(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", yes: Yes = False) -> None:
    """By name or id."""
    here = Context.of(ctx)
    row = found(here, FLAVOR, name, hypervisor)
    confirm(_("Forget the flavor %(name)s?") % {"name": row["name"]}, yes=yes)
    ask(here, "DELETE", ["flavors", row["name"]], hypervisor)
    here.out.done(_("%(name)s: forgotten.") % {"name": row["name"]})


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="flavor", help=_("Flavors: named sizes."), rich_help_panel=CLOUDS)
