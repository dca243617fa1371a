"""`user`: accounts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from olimpus.cli import lookups
from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes, confirm, secret
from olimpus.cli.client import data_of
from olimpus.cli.context import Context
from olimpus.cli.editing import DryRun
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import ago
from olimpus.cli.options import Output
from olimpus.cli.output import Column, Format, Styled
from olimpus.cli.panels import ADMINISTRATION
from olimpus.cli.words import gettext as _

Name = Annotated[str, typer.Argument(metavar="USER", help=_("A user name."))]
Email = Annotated[str | None, typer.Option("--email", help=_("E-mail address."))]
First = Annotated[str | None, typer.Option("--first-name", help=_("First name."))]
Last = Annotated[str | None, typer.Option("--last-name", help=_("Last name."))]
Kind = Annotated[str | None, typer.Option("--kind", metavar="simple|manager", help=_("What the account is."))]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help=_("Read the password from the standard input."))]
COLUMNS_HELP = _("Columns: username, email, first name, last name, kind, groups.")

app = command_group()


@app.command("list", help=_("List accounts."))
def list_(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help=_("Part of a user name or name."))] = "",
    group: Annotated[str | None, typer.Option("--group", "-g", help=_("Only members of this group."))] = None,
    kind: Kind = None,
    output: Output = Format.TABLE,
) -> None:
    """Those that one may see."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("User"), "username"),
        Column(_("Name"), _full_name),
        Column(_("Role"), "role"),
        Column(_("Account"), _open),
        Column(_("Id"), lambda row: str(row["id"]), wide=True, right=True),
    ]
    here.out.rows(columns, here.client.paged("/users", q=text or None, group=group, kind=kind))


def _full_name(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or f"{row.get('first_name', '')} {row.get('last_name', '')}".strip())


def _open(row: Mapping[str, Any]) -> Styled:
    return Styled(_("open"), "green") if row["is_active"] else Styled(_("closed"), "red")


@app.command("show", help=_("Show an account."))
def show(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """With its groups."""
    here = Context.of(ctx, output)
    row = lookups.user(here, name)
    facts = [
        (_("User"), row["username"]),
        (_("Name"), _full_name(row)),
        (_("Role"), row["role"]),
        (_("Account"), _open(row)),
        (_("E-mail"), row.get("email")),
        (_("Groups"), ", ".join(group["name"] for group in row.get("groups", []))),
        (_("Last sign-in"), ago(row.get("last_login"))),
        (_("Id"), str(row["id"])),
    ]
    here.out.facts(facts, row)


@app.command("create", help=_("Make an account."))
def create(
    ctx: typer.Context,
    name: Name,
    email: Email = None,
    first_name: First = None,
    last_name: Last = None,
    kind: Kind = None,
    superuser: Annotated[bool, typer.Option("--superuser", help=_("May do everything."))] = False,
    invite: Annotated[bool, typer.Option("--invite", help=_("Mail a link for the first password instead."))] = False,
    password_stdin: FromStdin = False,
    output: Output = Format.TABLE,
) -> None:
    """With a password that is asked for, or an invitation."""
    here = Context.of(ctx, output)
    body = _fields(email=email, first_name=first_name, last_name=last_name, kind=kind)
    body |= {"username": name} | ({"is_superuser": True} if superuser else {})
    body |= {"invite": True} if invite else {"password": secret(_("Password"), from_stdin=password_stdin)}
    here.out.done(_("%(name)s: made.") % {"name": name}, here.client.post("/users", body))


@app.command("update", help=_("Change an account."))
def update(
    ctx: typer.Context,
    name: Name,
    username: Annotated[str | None, typer.Option("--username", help=_("The new user name."))] = None,
    email: Email = None,
    first_name: First = None,
    last_name: Last = None,
    kind: Kind = None,
    superuser: Annotated[bool | None, typer.Option("--superuser/--no-superuser", help=_("May do everything."))] = None,
    output: Output = Format.TABLE,
) -> None:
    """Only what is named."""
    here = Context.of(ctx, output)
    given = {"username": username, "email": email, "first_name": first_name, "last_name": last_name, "kind": kind}
    body = _fields(**given, is_superuser=superuser)
    if not body:
        raise Failure(_("Nothing to change is named."), Exit.USAGE, hint="--email, --kind, …")
    row = here.client.patch(f"/users/{lookups.user(here, name)['id']}", body)
    here.out.done(_("%(name)s: saved.") % {"name": row["username"]}, row)


@app.command("disable", help=_("Close an account: every session and token ends."))
def disable(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """May be repeated."""
    _switch(Context.of(ctx, output), name, "deactivate", _("%(name)s: closed."))


@app.command("enable", help=_("Open a closed account again."))
def enable(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """May be repeated."""
    _switch(Context.of(ctx, output), name, "activate", _("%(name)s: open."))


@app.command("unlock", help=_("Let somebody with too many wrong passwords try again at once."))
def unlock(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """May be repeated."""
    _switch(Context.of(ctx, output), name, "unlock", _("%(name)s: may try again."))


@app.command("invite", help=_("Mail the link with which the owner sets the first password."))
def invite(ctx: typer.Context, name: Name, output: Output = Format.TABLE) -> None:
    """Needs an e-mail address."""
    _switch(Context.of(ctx, output), name, "invite", _("%(name)s: the invitation is on its way."))


def _switch(here: Context, name: str, verb: str, told: str) -> None:
    row = here.client.post(f"/users/{lookups.user(here, name)['id']}/{verb}")
    here.out.done(told % {"name": name}, row)


@app.command("delete", help=_("Erase an account; the journal keeps its name."))
def delete(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """To keep it closed: disable."""
    here = Context.of(ctx)
    row = lookups.user(here, name)
    confirm(_("Erase %(name)s, with all that was granted to it?") % {"name": name}, yes=yes)
    here.client.delete(f"/users/{row['id']}")
    here.out.done(_("%(name)s: erased.") % {"name": name})


@app.command("import", help=_("Make and change accounts and groups from a CSV file, all or nothing."))
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=COLUMNS_HELP)],
    dry_run: DryRun = False,
    make_groups: Annotated[bool, typer.Option(help=_("Make groups that are not there."))] = True,
    output: Output = Format.TABLE,
) -> int:
    """May be repeated: the second time nothing changes."""
    here = Context.of(ctx, output)
    fields = {"dry_run": str(dry_run).lower(), "make_groups": str(make_groups).lower()}
    content, kind = _multipart(file, fields)
    done = data_of(here.client.request("POST", "/users/import", content=content, headers={"Content-Type": kind}))
    if here.out.for_people:
        here.out.lines(_imported(done))
    else:
        here.out.data(done)
    return Exit.REFUSED if done["faults"] else Exit.OK


def _imported(done: Mapping[str, Any]) -> Iterator[str]:
    for row in done["new"]:
        yield f"+ {row['username']}"
    for row in done["changed"]:
        yield f"~ {row['username']}"
    for group in done["new_groups"]:
        yield _("+ group %(name)s") % {"name": group}
    for fault in done["faults"]:
        yield f"! {fault.get('where', '')}: {fault.get('message', '')}"
    yield _("%(new)d new, %(changed)d changed, %(unchanged)d unchanged, %(faults)d faults.") % done["counts"]
    if not done["applied"]:
        yield _("Nothing was changed.")


def _multipart(file: Path, fields: Mapping[str, str]) -> tuple[bytes, str]:
    """The file and the fields as a form, and its media type. Raises Failure."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Failure(
            _("The file cannot be read: %(why)s.") % {"why": error.strerror}, Exit.USAGE, where=str(file)
        ) from error
    boundary = uuid.uuid4().hex
    name = file.name.replace('"', "").replace("\n", "")
    parts = [f'name="{field}"\r\n\r\n{value}'.encode() for field, value in fields.items()]
    parts.append(f'name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'.encode() + content)
    body = b"".join(b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (boundary.encode(), part) for part in parts)
    return body + b"--%s--\r\n" % boundary.encode(), f"multipart/form-data; boundary={boundary}"


def _fields(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="user", help=_("Accounts."), rich_help_panel=ADMINISTRATION)
