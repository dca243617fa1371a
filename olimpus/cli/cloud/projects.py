"""`project`, `quota`, `keypair`: owners in a cloud, what they may use, and the account's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes
from olimpus.cli.cloud.answers import PROJECT, ask, asked, command, found, given, label, remove, show
from olimpus.cli.cloud.options import Hypervisor, Refresh
from olimpus.cli.completion import complete_name
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import number
from olimpus.cli.options import Output
from olimpus.cli.output import Column, Format, Styled
from olimpus.cli.panels import CLOUDS
from olimpus.cli.words import gettext as _

#: As it is written and as the API has it.
UNLIMITED: Final = {"unlimited": -1}
#: From this part of a limit on it is told that little is left.
MUCH: Final = 0.8
LIMITS_HELP: Final = _("Limits: instances=10 cores=20 ram=51200 gigabytes=unlimited")

Name = Annotated[
    str,
    typer.Argument(
        metavar="PROJECT", autocompletion=complete_name("openstack/projects"), help=_("Name or id of a project.")
    ),
]

projects = command_group()
quotas = command_group()
keypairs = command_group()


# -- projects ----------------------------------------------------------------------------------------------------------


@command(projects, "ls", help=_("List the projects of a cloud."))
def ls(
    ctx: typer.Context, hypervisor: Hypervisor = "", refresh: Refresh = False, output: Output = Format.TABLE
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Name"), label),
        Column(_("State"), lambda row: "" if row["enabled"] else Styled(_("switched off"), "yellow")),
        Column(_("Description"), "description", cut=True),
        Column(_("Id"), "id", wide=True),
    ]
    show(here, columns, asked(here, "projects", hypervisor, refresh=refresh))


@command(projects, "create", help=_("Make a project with quotas, and users of the cloud in it."))
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("Its name."))],
    limits: Annotated[list[str] | None, typer.Argument(metavar="[RESOURCE=LIMIT…]", help=LIMITS_HELP)] = None,
    description: Annotated[str, typer.Option("--description", help=_("What it is."))] = "",
    users: Annotated[
        list[str] | None, typer.Option("--user", "-u", help=_("A user of the cloud who gets the role; repeatable."))
    ] = None,
    role: Annotated[str, typer.Option("--role", help=_("The users' role; left out: member."))] = "",
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """May be repeated: what is there gets the quotas and users."""
    here = Context.of(ctx, output)
    body = {"name": name, **given(description=description, users=users, role=role)}
    if limits:
        body["quotas"] = _limits(limits)
    row = ask(here, "POST", ["projects"], hypervisor, body)
    here.out.done(_("%(name)s: made.") % {"name": label(row)}, row)


@command(projects, "rm", help=_("Delete a project that has nothing in it."))
def rm(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", yes: Yes = False) -> None:
    """By name or id."""
    here = Context.of(ctx)
    remove(here, PROJECT, name, hypervisor, _("Delete the project %(name)s from the cloud?"), yes=yes)


# -- quotas ------------------------------------------------------------------------------------------------------------


@command(quotas, "show", help=_("Show what a project may use, and uses."))
def quota_show(
    ctx: typer.Context,
    project: Name,
    hypervisor: Hypervisor = "",
    refresh: Refresh = False,
    output: Output = Format.TABLE,
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    row = found(here, PROJECT, project, hypervisor)
    show(here, _columns(), asked(here, f"quotas/{row['id']}", hypervisor, refresh=refresh))


def _columns() -> list[Column]:
    return [
        Column(_("Service"), "service"),
        Column(_("Resource"), "resource"),
        Column(_("Used"), _used, right=True),
        Column(_("Limit"), lambda row: _("unlimited") if row["limit"] is None else number(row["limit"]), right=True),
        Column(_("Free"), lambda row: "" if row["free"] is None else number(row["free"]), right=True),
    ]


def _used(row: Mapping[str, Any]) -> Styled:
    used, limit = row["used"], row["limit"]
    if not used or limit is None:
        return Styled(number(used))
    return Styled(number(used), "red" if used >= limit else "yellow" if used >= MUCH * limit else "")


@command(quotas, "set", help=_("Write limits of a project; those that are not named stay."))
def quota_set(
    ctx: typer.Context,
    project: Name,
    limits: Annotated[list[str], typer.Argument(metavar="RESOURCE=LIMIT…", help=LIMITS_HELP)],
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """Those that were written are printed."""
    here = Context.of(ctx, output)
    wanted = _limits(limits)
    row = found(here, PROJECT, project, hypervisor)
    answer = ask(here, "PATCH", ["quotas", row["id"]], hypervisor, {"quotas": wanted})
    show(here, _columns(), answer, [row for row in answer["results"] if row["resource"] in wanted])


def _limits(given: list[str]) -> dict[str, int]:
    return dict(_limit(text) for text in given)


def _limit(text: str) -> tuple[str, int]:
    name, _equals, value = text.partition("=")
    try:
        return name, UNLIMITED[value] if value in UNLIMITED else int(value)
    except ValueError as error:
        raise Failure(_("This is no limit."), Exit.USAGE, where=text, hint=LIMITS_HELP) from error


# -- keys --------------------------------------------------------------------------------------------------------------


@command(keypairs, "ls", help=_("List the key pairs of the cloud's account."))
def keypair_ls(
    ctx: typer.Context, hypervisor: Hypervisor = "", refresh: Refresh = False, output: Output = Format.TABLE
) -> None:
    """For those in charge of the cloud."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Name"), "name"),
        Column(_("Type"), "type"),
        Column(_("Fingerprint"), "fingerprint"),
    ]
    show(here, columns, asked(here, "keypairs", hypervisor, refresh=refresh))


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(projects, name="project", help=_("Projects of a cloud."), rich_help_panel=CLOUDS)
    program.add_typer(quotas, name="quota", help=_("What a project may use."), rich_help_panel=CLOUDS)
    program.add_typer(keypairs, name="keypair", help=_("Public keys for machines."), rich_help_panel=CLOUDS)
