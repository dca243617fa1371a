"""`login`, `logout`, `whoami`: who one is to the server."""

from __future__ import annotations

import getpass
import platform
import sys
from typing import Annotated, Any

import typer

from olimpus.cli.client import Client
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import Output
from olimpus.cli.output import Format, printable
from olimpus.cli.panels import ACCOUNT
from olimpus.cli.settings import Settings
from olimpus.cli.store import SignIn
from olimpus.cli.words import gettext as _

#: Characters that the server keeps of a token's name.
NAME_LENGTH = 100


def login(
    ctx: typer.Context,
    server: Annotated[str, typer.Argument(metavar="[URL]", help=_("The server."))] = "",
    user: Annotated[str, typer.Option("--user", "-u", help=_("User name; asked for when left out."))] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help=_("Read the password from the standard input."))
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help=_("Keep a token from the standard input; no password is needed."))
    ] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help=_("A token that may look and change nothing."))
    ] = False,
    expires: Annotated[
        str, typer.Option("--expires", metavar="DATE", help=_("When the token ends: 2027-01-31. Left out: never."))
    ] = "",
) -> None:
    """Make a token for this computer and keep it; its server is that of the commands that follow."""
    before: Settings = ctx.obj
    settings = Settings(server or before.server, before.plain_http, before.store)
    settings.require_privacy()
    if token_stdin:
        kept = _given(settings)
    else:
        kept = _made(settings, *_credentials(user, password_stdin), read_only=read_only, expires=expires)
    old = settings.sign_in
    settings.store.keep(settings.address, kept)
    if old is not None and old.token_id != kept.token_id:
        _revoke(settings, old, missing_is_fine=True)
    told = {"user": kept.user, "server": settings.address}
    print(printable(_("Signed in to %(server)s as %(user)s.") % told))


def logout(ctx: typer.Context) -> None:
    """Revoke the kept token and forget it."""
    settings: Settings = ctx.obj
    kept = settings.sign_in
    if kept is None:
        print(_("You are not signed in to %(server)s.") % {"server": settings.address})
        return
    settings.store.forget(settings.address)
    try:
        _revoke(settings, kept)
    except Failure as failure:
        if failure.code == Exit.SIGNED_OUT:
            print(_("Signed out of %(server)s; the token was no longer valid.") % {"server": settings.address})
            return
        failure.hint = _("The token is forgotten here, but not revoked: do that in your profile.")
        raise
    print(_("Signed out of %(server)s; the token is revoked.") % {"server": settings.address})


def whoami(ctx: typer.Context, output: Output = Format.TABLE) -> None:
    """Show who one is, where, and what one may be."""
    here = Context.of(ctx, output)
    me = here.client.get("/auth/me")
    name = f"{me['first_name']} {me['last_name']}".strip()
    groups = ", ".join(group["name"] for group in me["groups"])
    facts = [
        (_("User"), me["username"]),
        (_("Name"), name),
        (_("Role"), me["role"]),
        (_("Groups"), groups),
        (_("E-mail"), me["email"]),
        (_("Server"), here.settings.address),
    ]
    here.out.facts(facts, me)


def _credentials(user: str, from_stdin: bool) -> tuple[str, str]:
    """Name and password: asked for on a terminal, otherwise the password is a line of the standard input."""
    if from_stdin:
        if not user:
            raise Failure(_("--password-stdin needs --user."), Exit.USAGE)
        return user, _line_of_input()
    if not sys.stdin.isatty():
        hint = _("In scripts: --user NAME --password-stdin, or OLIMPUS_TOKEN.")
        raise Failure(_("Nobody can be asked for the password here."), Exit.USAGE, hint=hint)
    user = user or typer.prompt(_("User"), default=getpass.getuser())
    return user, getpass.getpass(_("Password: "))


def _line_of_input() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Failure(_("The standard input is empty."), Exit.USAGE)
    return line


def _made(settings: Settings, user: str, password: str, *, read_only: bool, expires: str) -> SignIn:
    """A personal token, made during a short sign-in that ends again."""
    pair = Client(settings.address).post("/auth/login", {"username": user, "password": password})
    client = Client(settings.address, pair["token"])
    wanted: dict[str, Any] = {"name": f"olimpus, {platform.node()}"[:NAME_LENGTH], "read_only": read_only}
    if expires:
        wanted["expires_at"] = expires if "T" in expires else f"{expires}T00:00:00Z"
    made = client.post("/auth/tokens", wanted)
    client.post("/auth/logout", {"refresh": pair["refresh"]})
    return SignIn(made["token"], made["id"], pair["user"]["username"], made["expires_at"], settings.plain_http)


def _given(settings: Settings) -> SignIn:
    """A token that somebody made elsewhere; the server says whose it is."""
    token = _line_of_input()
    me = Client(settings.address, token).get("/auth/me")
    return SignIn(token, 0, me["username"], None, settings.plain_http)


def _revoke(settings: Settings, kept: SignIn, *, missing_is_fine: bool = False) -> None:
    """End a token by itself. One that we did not make is not ours to end."""
    if not kept.token_id:
        return
    try:
        Client(settings.address, kept.token).delete(f"/auth/tokens/{kept.token_id}")
    except Failure as failure:
        if failure.code != Exit.NOT_FOUND and not missing_is_fine:
            raise


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("login", help=_("Sign in and keep a token for this computer."), rich_help_panel=ACCOUNT)(login)
    app.command("logout", help=_("Revoke the kept token and forget it."), rich_help_panel=ACCOUNT)(logout)
    app.command("whoami", help=_("Show who you are to the server."), rich_help_panel=ACCOUNT)(whoami)
