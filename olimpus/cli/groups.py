"""`group`: groups of accounts."""

from __future__ import annotations

from typing import Annotated

import typer

from olimpus.cli import lookups
from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes, confirm
from olimpus.cli.context import Context
from olimpus.cli.moments import number
from olimpus.cli.options import Output
from olimpus.cli.output import Column, Format
from olimpus.cli.panels import ADMINISTRATION
from olimpus.cli.words import gettext as _

Name = Annotated[str, typer.Argument(metavar="GROUP", help=_("A group."))]
Users = Annotated[list[str], typer.Argument(metavar="USER…", help=_("User names."))]

app = command_group()


@app.command("list", help=_("List groups."))
def list_(ctx: typer.Context, output: Output = Format.TABLE) -> None:
    """Those that one may see."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Group"), "name"),
        Column(_("Members"), lambda row: number(row["member_count"]), right=True),
        Column(_("Id"), lambda row: str(row["id"]), wide=True, right=True),
    ]
    here.out.rows(columns, here.client.paged("/groups"))


@app.command("show", help=_("List the members of a group."))
def show(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """By user name."""
    here = Context.of(ctx, output)
    columns = [Column(_("User"), "username"), Column(_("Name"), "name"), Column(_("Role"), "role")]
    here.out.rows(columns, here.client.paged(f"/groups/{lookups.group(here, name)['id']}/members"))


@app.command("create", help=_("Make a group."))
def create(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """Without members."""
    here = Context.of(ctx, output)
    here.out.done(_("%(name)s: made.") % {"name": name}, here.client.post("/groups", {"name": name}))


@app.command("rename", help=_("Rename a group."))
def rename(
    ctx: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help=_("The new name."))],
    output: Output = Format.TABLE,
) -> None:
    """Grants stay."""
    here = Context.of(ctx, output)
    row = here.client.patch(f"/groups/{lookups.group(here, name)['id']}", {"name": new})
    here.out.done(f"{name} → {new}", row)


@app.command("delete", help=_("Delete a group; its members stay."))
def delete(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """What was granted to it is gone."""
    here = Context.of(ctx)
    row = lookups.group(here, name)
    confirm(_("Delete the group %(name)s, with all that was granted to it?") % {"name": name}, yes=yes)
    here.client.delete(f"/groups/{row['id']}")
    here.out.done(_("%(name)s: deleted.") % {"name": name})


@app.command("add", help=_("Put users into a group."))
def add(ctx: typer.Context, name: Name, users: Users) -> None:
    """May be repeated."""
    here = Context.of(ctx)
    row = lookups.group(here, name)
    ids = [lookups.user(here, user)["id"] for user in users]
    here.client.post(f"/groups/{row['id']}/members", {"users": ids})
    here.out.done(f"{name} + {', '.join(users)}")


@app.command("remove", help=_("Take users out of a group."))
def remove(ctx: typer.Context, name: Name, users: Users) -> None:
    """May be repeated."""
    here = Context.of(ctx)
    row = lookups.group(here, name)
    for user in users:
        here.client.delete(f"/groups/{row['id']}/members/{lookups.user(here, user)['id']}")
    here.out.done(f"{name} − {', '.join(users)}")


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="group", help=_("Groups of accounts."), rich_help_panel=ADMINISTRATION)
