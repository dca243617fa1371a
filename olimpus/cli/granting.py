"""`grants`: who may do what where, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import NodePath, Output
from olimpus.cli.output import Column, Format, Styled
from olimpus.cli.panels import ADMINISTRATION
from olimpus.cli.paths import Row, one
from olimpus.cli.words import gettext as _

User = Annotated[str, typer.Option("--user", "-u", metavar="NAME", help=_("A user."))]
Group = Annotated[str, typer.Option("--group", "-g", metavar="NAME", help=_("All members of a group."))]

app = command_group()


@app.command("list", help=_("List the roles that hold at a path, and where they were given."))
def list_(ctx: typer.Context, path: NodePath, output: Output = Format.TABLE) -> None:
    """Nearest first; for those who may grant there."""
    here = Context.of(ctx, output)
    _print(here, _grants(here, one(here, path)))


@app.command("add", help=_("Give a role on a branch to a user or a group."))
def add(
    ctx: typer.Context,
    path: NodePath,
    user: User = "",
    group: Group = "",
    role: Annotated[str, typer.Option("--role", "-r", metavar="user|manager", help=_("The role."))] = "user",
    output: Output = Format.TABLE,
) -> None:
    """May be repeated."""
    here = Context.of(ctx, output)
    node = one(here, path)
    rows = here.client.post(f"/nodes/{node['id']}/grants", {"role": role, **_holder(user, group)})
    told = {"who": user or group, "role": role, "path": node["path"]}
    here.out.done(_("%(who)s is %(role)s of %(path)s now.") % told, rows)


@app.command("remove", help=_("Take roles back that were given at this very path."))
def remove(
    ctx: typer.Context,
    path: NodePath,
    user: User = "",
    group: Group = "",
    role: Annotated[str, typer.Option("--role", "-r", metavar="user|manager", help=_("Only this role."))] = "",
    output: Output = Format.TABLE,
) -> None:
    """What is given above holds on; it is named."""
    here = Context.of(ctx, output)
    node = one(here, path)
    holder = _holder(user, group)
    rows = [row for row in _grants(here, node) if holder.items() <= row.items() and role in ("", row["role"])]
    own = [row for row in rows if not row["inherited"]]
    if not own:
        raise _not_here(node, rows, user or group)
    for row in own:
        here.client.delete(f"/nodes/{node['id']}/grants/{row['id']}")
    for row in rows:
        if row["inherited"]:
            here.out.note(_("%(role)s from %(path)s holds on.") % {"role": row["role"], "path": row["granted_at"]})
    told = {"who": user or group, "role": ", ".join(row["role"] for row in own), "path": node["path"]}
    here.out.done(_("%(who)s is no longer %(role)s of %(path)s.") % told, _grants(here, node))


def _not_here(node: Row, rows: list[Row], who: str) -> Failure:
    """Nothing to take back here; perhaps somewhere above."""
    above = ", ".join(row["granted_at"] for row in rows)
    hint = _("It was given at: %(paths)s") % {"paths": above} if above else ""
    return Failure(
        _("%(who)s was given no such role here.") % {"who": who}, Exit.NOT_FOUND, where=node["path"], hint=hint
    )


@app.command("why", help=_("Explain what somebody may do at a path: by which role, given where."))
def why(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help=_("A user."))],
    path: NodePath,
    output: Output = Format.TABLE,
) -> None:
    """One's own rights, or those of others where one may grant."""
    here = Context.of(ctx, output)
    node = one(here, path)
    rows = here.client.get(f"/nodes/{node['id']}/rights", user=user)
    columns = [
        Column(_("Operation"), "operation"),
        Column(_("May"), lambda row: Styled(_("yes"), "green") if row["allowed"] else Styled(_("no"), "dim")),
        Column(_("Role"), "role"),
        Column(_("Given at"), "granted_at"),
        Column(_("Because of"), _because),
    ]
    here.out.rows(columns, rows)


def _because(row: Mapping[str, Any]) -> str:
    if row["role"] == "superuser":
        return _("superusers may do everything")
    if row["set_at"]:
        return _("rights set at %(path)s") % {"path": row["set_at"]}
    return _("what the role may do by default") if row["role"] else _("no role here")


@app.command("inherit", help=_("Let roles from above hold in a folder, or stop them there."))
def inherit(
    ctx: typer.Context,
    path: NodePath,
    on: Annotated[bool, typer.Option("--on/--off", help=_("Whether roles given above hold here."))],
    output: Output = Format.TABLE,
) -> None:
    """Superusers are not stopped."""
    here = Context.of(ctx, output)
    node = one(here, path)
    row = here.client.post(f"/nodes/{node['id']}/inherit", {"on": on})
    told = _("%(path)s: roles from above hold.") if on else _("%(path)s: roles from above stop here.")
    here.out.done(told % {"path": node["path"]}, row)


def _grants(here: Context, node: Row) -> list[Row]:
    return list(here.client.get(f"/nodes/{node['id']}/grants"))


def _print(here: Context, rows: list[Row]) -> None:
    columns = [
        Column(_("Role"), "role"),
        Column(_("User"), "user"),
        Column(_("Group"), "group"),
        Column(_("Given at"), "granted_at"),
        Column(_("Id"), "id", wide=True),
    ]
    here.out.rows(columns, rows)


def _holder(user: str, group: str) -> dict[str, str]:
    if bool(user) == bool(group):
        raise Failure(_("Name either a user or a group."), Exit.USAGE, hint="--user NAME, --group NAME")
    return {"user": user} if user else {"group": group}


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="grants", help=_("Who may do what where, and why."), rich_help_panel=ADMINISTRATION)
