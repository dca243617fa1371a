"""What the shell offers when Tab is pressed. Asks the server, briefly; whatever goes wrong, it offers nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import typer

from olimpus.cli.client import Client
from olimpus.cli.errors import Failure
from olimpus.cli.paths import contents
from olimpus.cli.settings import Settings

#: Who presses Tab does not wait longer.
SECONDS: Final = 1.5
MOST: Final = 500
#: The variable in which the shell's script says what it wants.
ASKED_BY: Final = "_OLIMPUS_COMPLETE"


def complete_path(ctx: typer.Context, incomplete: str) -> list[str]:
    """The paths that begin so. Folders end with a slash, so that one can go on."""
    try:
        found = _beginning(_client(ctx), incomplete or "/")
    except Failure:
        return []
    return [_for_shell(path) for path in found[:MOST]]


def complete_name(address: str, field: str = "name") -> Callable[[typer.Context, str], list[str]]:
    """A completion by a field of the rows of a list, of the cloud that `--hypervisor` names where that is given."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            answer = _client(ctx).get(f"/{address}", hypervisor=ctx.params.get("hypervisor") or None)
        except Failure:
            return []
        rows = answer.get("results") if isinstance(answer, dict) else answer
        names = dict.fromkeys(str(row.get(field, "")) for row in rows or () if isinstance(row, dict))
        return [_for_shell(name) for name in names if name and name.startswith(incomplete)][:MOST]

    return complete


def _beginning(client: Client, incomplete: str) -> list[str]:
    """A folder that is the only match is offered with its children: the shell then adds no space after it."""
    found = [path for path in _children(client, incomplete) if path.startswith(incomplete)]
    if len(found) == 1 and found[0].endswith("/"):
        found += _children(client, found[0])
    return found


def _children(client: Client, incomplete: str) -> list[str]:
    folder = incomplete.rpartition("/")[0] or "/"
    return [_shown(row) for row in contents(client, folder) if row["path"] != folder]


def _shown(row: dict[str, Any]) -> str:
    return f"{row['path']}/" if row["kind"] == "folder" else str(row["path"])


def _client(ctx: typer.Context) -> Client:
    """Like that of a command; options before the command are known, but their callback has not run."""
    given = ctx.find_root().params
    settings = Settings(server=given.get("server") or "", plain_http=bool(given.get("plain_http")))
    return Client(settings.address, settings.token, seconds=SECONDS, attempts=1)


def _for_shell(path: str) -> str:
    """bash puts words in as they are: spaces in names need a backslash."""
    return path.replace(" ", "\\ ") if os.environ.get(ASKED_BY) == "complete_bash" else path
