"""`volume`: disks that live on their own, and moments of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes
from olimpus.cli.cloud.answers import (
    IMAGE,
    SNAPSHOT,
    VOLUME,
    Row,
    ask,
    asked,
    command,
    found,
    given,
    label,
    remove,
    show,
)
from olimpus.cli.cloud.options import Hypervisor, Owner, Project, Refresh
from olimpus.cli.cloud.sizes import of_gib
from olimpus.cli.completion import complete_name, complete_path
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import ago, exact
from olimpus.cli.options import Output
from olimpus.cli.output import Cell, Column, Format, Styled
from olimpus.cli.panels import CLOUDS
from olimpus.cli.paths import one
from olimpus.cli.words import gettext as _

COLOURS = {"available": "green", "in-use": "green", "error": "red", "error_deleting": "red", "error_extending": "red"}
SNAPSHOTS = complete_name("openstack/volume-snapshots")
MACHINE_HELP = _("A machine: its path, or the id of its server.")

Name = Annotated[
    str,
    typer.Argument(
        metavar="VOLUME", autocompletion=complete_name("openstack/volumes"), help=_("Name or id of a volume.")
    ),
]
Size = Annotated[int, typer.Argument(metavar="GIB", min=1, help=_("Its size in GiB."))]

app = command_group()


@command(app, "ls", help=_("List volumes and the machines that have them."))
def ls(
    ctx: typer.Context,
    project: Project = "",
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    answer = asked(here, "volumes", hypervisor, project=project, refresh=refresh)
    paths = _paths(here, answer["results"], hypervisor)
    columns = [
        Column(_("Name"), label),
        Column(_("Status"), _status),
        Column(_("Size"), lambda row: of_gib(row["size"]), right=True),
        Column(_("In"), lambda row: _places(row, paths)),
        Column(_("Type"), "type"),
        Column(_("Made"), lambda row: ago(row["created_at"])),
        Column(_("Bootable"), lambda row: _("yes") if row["bootable"] else "", wide=True),
        Column(_("Id"), "id", wide=True),
    ]
    show(here, columns, answer)


def _status(row: Mapping[str, Any]) -> Styled:
    return Styled(row["status"], COLOURS.get(row["status"], "blue"))


def _paths(here: Context, volumes: list[Row], hypervisor: str) -> dict[str, str]:
    """Id of a server → path in the tree, of those that one may see; asked for where people look at some that are used."""
    if not here.out.for_people or not any(row["attachments"] for row in volumes):
        return {}
    rows = here.client.paged("/openstack/instances", hypervisor=hypervisor or None)
    return {row["ref"]: row["path"] for row in rows if row["ref"] and row["path"]}


def _places(row: Mapping[str, Any], paths: Mapping[str, str]) -> str:
    return ", ".join(f"{paths.get(one['instance'], one['instance'])} {one['device']}" for one in row["attachments"])


@command(app, "show", help=_("Show a volume."))
def show_(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", output: Output = Format.TABLE) -> None:
    """By name or id."""
    here = Context.of(ctx, output)
    row = found(here, VOLUME, name, hypervisor)
    facts: list[tuple[str, Cell]] = [
        (_("Name"), row["name"]),
        (_("Status"), _status(row)),
        (_("Size"), of_gib(row["size"])),
        (_("In"), _places(row, _paths(here, [row], hypervisor))),
        (_("Type"), row["type"]),
        (_("Bootable"), _("yes") if row["bootable"] else _("no")),
        (_("Made"), exact(row["created_at"])),
        (_("Id"), row["id"]),
    ]
    here.out.facts(facts, row)


@command(app, "create", help=_("Make a volume: empty, or filled from an image or a snapshot."))
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("Its name."))],
    size: Size,
    type: Annotated[str, typer.Option("--type", help=_("Kind of disk, as the cloud calls it."))] = "",
    image: Annotated[
        str,
        typer.Option(
            "--image", autocompletion=complete_name("openstack/images"), help=_("An image, by name or id, to fill it.")
        ),
    ] = "",
    snapshot: Annotated[
        str,
        typer.Option(
            "--snapshot", autocompletion=SNAPSHOTS, help=_("A snapshot of a volume, by name or id, to fill it.")
        ),
    ] = "",
    project: Owner = "",
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """Waits until it is ready for use."""
    here = Context.of(ctx, output)
    body = {"name": name, "size": size, **given(type=type, project=project)}
    if image:
        body["image"] = found(here, IMAGE, image, hypervisor)["id"]
    if snapshot:
        body["snapshot"] = found(here, SNAPSHOT, snapshot, hypervisor)["id"]
    row = ask(here, "POST", ["volumes"], hypervisor, body)
    here.out.done(_("%(name)s: made, %(size)s.") % {"name": label(row), "size": of_gib(row["size"])}, row)


@command(app, "rm", help=_("Delete a volume; refused while it is in a machine or has snapshots."))
def rm(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", yes: Yes = False) -> None:
    """By name or id."""
    here = Context.of(ctx)
    remove(here, VOLUME, name, hypervisor, _("Delete the volume %(name)s with all that is on it?"), yes=yes)


# -- in and out of machines --------------------------------------------------------------------------------------------


@command(app, "attach", help=_("Put a volume into a machine."))
def attach(
    ctx: typer.Context,
    name: Name,
    machine: Annotated[str, typer.Argument(metavar="MACHINE", autocompletion=complete_path, help=MACHINE_HELP)],
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """May be repeated."""
    here = Context.of(ctx, output)
    row = _moved(here, name, "attach", {"instance": _server(here, machine)}, hypervisor)
    here.out.done(f"{label(row)} → {machine}", row)


@command(app, "detach", help=_("Take a volume out of the machine that has it."))
def detach(
    ctx: typer.Context,
    name: Name,
    machine: Annotated[str, typer.Argument(metavar="[MACHINE]", autocompletion=complete_path, help=MACHINE_HELP)] = "",
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """May be repeated."""
    here = Context.of(ctx, output)
    body = {"instance": _server(here, machine)} if machine else {}
    row = _moved(here, name, "detach", body, hypervisor)
    here.out.done(_("%(name)s: in no machine.") % {"name": label(row)}, row)


def _server(here: Context, machine: str) -> str:
    """The id of its server. Raises Failure when the machine is not on a cloud."""
    if not machine.startswith("/"):
        return machine
    row = one(here, machine)
    if not row.get("vm_ref"):
        raise Failure(_("This machine is not on a hypervisor."), Exit.REFUSED, where=machine)
    return str(row["vm_ref"])


def _moved(here: Context, name: str, verb: str, body: Row, hypervisor: str) -> Row:
    """The volume as it is after the verb."""
    row = found(here, VOLUME, name, hypervisor)
    return dict(ask(here, "POST", ["volumes", row["id"], verb], hypervisor, body))


@command(app, "extend", help=_("Let a volume grow."))
def extend(
    ctx: typer.Context, name: Name, size: Size, hypervisor: Hypervisor = "", output: Output = Format.TABLE
) -> None:
    """To this size; it never shrinks."""
    here = Context.of(ctx, output)
    row = _moved(here, name, "extend", {"size": size}, hypervisor)
    here.out.done(_("%(name)s: %(size)s.") % {"name": label(row), "size": of_gib(row["size"])}, row)


# -- moments -----------------------------------------------------------------------------------------------------------


@command(app, "snapshot", help=_("Keep a moment of a volume."))
def snapshot(
    ctx: typer.Context,
    name: Name,
    called: Annotated[str, typer.Option("--name", "-n", help=_("The snapshot's name."))],
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """The volume goes on."""
    here = Context.of(ctx, output)
    row = _moved(here, name, "snapshot", {"name": called}, hypervisor)
    here.out.done(_("%(name)s: made.") % {"name": label(row)}, row)


@command(app, "snapshots", help=_("List the snapshots of volumes."))
def snapshots(
    ctx: typer.Context,
    project: Project = "",
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    answer = asked(here, "volume-snapshots", hypervisor, project=project, refresh=refresh)
    known = asked(here, "volumes", hypervisor)["results"] if here.out.for_people and answer["results"] else []
    names = {row["id"]: label(row) for row in known}
    columns = [
        Column(_("Name"), label),
        Column(_("Volume"), lambda row: names.get(row["volume_id"], row["volume_id"])),
        Column(_("Status"), _status),
        Column(_("Size"), lambda row: of_gib(row["size"]), right=True),
        Column(_("Made"), lambda row: ago(row["created_at"])),
        Column(_("Id"), "id", wide=True),
    ]
    show(here, columns, answer)


@command(app, "delete-snapshot", help=_("Delete a snapshot of a volume."))
def delete_snapshot(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="SNAPSHOT", autocompletion=SNAPSHOTS, help=_("Name or id of a snapshot."))
    ],
    hypervisor: Hypervisor = "",
    yes: Yes = False,
) -> None:
    """The volume stays as it is."""
    here = Context.of(ctx)
    remove(here, SNAPSHOT, name, hypervisor, _("Delete the snapshot %(name)s?"), yes=yes)


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="volume", help=_("Volumes: disks that live on their own."), rich_help_panel=CLOUDS)
