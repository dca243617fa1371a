"""What a cloud has, as the API tells it: rows with their age, things by name instead of by id, changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import quote

import typer

from olimpus.cli.asking import confirm
from olimpus.cli.client import data_of
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import duration
from olimpus.cli.output import Column
from olimpus.cli.words import gettext as _

Row = dict[str, Any]
Answer = dict[str, Any]
#: Seconds that a cloud may take for a change; a volume is filled from an image, say.
PATIENCE: Final = 600
#: What the commands of people and groups call it: understood, not shown in the help.
ALIASES: Final = {"ls": "list", "rm": "delete"}


@dataclass(frozen=True)
class Kind:
    """Where the API lists such things, and what is said when there is none of a name."""

    address: str
    missing: str


FLAVOR: Final = Kind("flavors", _("There is no such flavor."))
IMAGE: Final = Kind("images", _("There is no such image."))
NETWORK: Final = Kind("networks", _("There is no such network."))
SUBNET: Final = Kind("subnets", _("There is no such subnet."))
ROUTER: Final = Kind("routers", _("There is no such router."))
VOLUME: Final = Kind("volumes", _("There is no such volume."))
SNAPSHOT: Final = Kind("volume-snapshots", _("There is no such snapshot."))
PROJECT: Final = Kind("projects", _("There is no such project."))


# -- looking -----------------------------------------------------------------------------------------------------------


def asked(here: Context, address: str, hypervisor: str, **query: Any) -> Answer:
    """A list with what is known of its age: `source`, `age_seconds`, `error`, `results`. Raises Failure."""
    given = {name: value or None for name, value in {"hypervisor": hypervisor, **query}.items()}
    return here.client.listed(f"/openstack/{address}", **given)


def show(here: Context, columns: Sequence[Column], answer: Answer, rows: Iterable[Row] | None = None) -> None:
    """Print the rows, and how old they are; `rows` are those for people where they are not those of the API."""
    here.out.rows(columns, answer["results"] if rows is None or not here.out.for_people else rows)
    tell_age(here, answer)


def tell_age(here: Context, answer: Answer) -> None:
    """Say on the standard error where an answer comes from that the cloud has not given just now."""
    if (told := _age(answer)) and (here.out.for_people or answer["source"] != "cached"):
        here.out.note(told)


def _age(answer: Answer) -> str:
    source, seconds, why = answer["source"], answer["age_seconds"] or 0, answer["error"]
    if source == "predefined":
        told = _("Predefined values: no cloud has been heard.")
    elif source == "last_known":
        told = _("Last known, %(age)s old.") % {"age": duration(seconds)}
    elif source == "cached" and seconds >= 1:
        told = _("As of %(age)s ago.") % {"age": duration(seconds)}
    else:
        return ""
    return f"{told} {why}".strip()


def found(here: Context, kind: Kind, wanted: str, hypervisor: str) -> Row:
    """The one thing of this id or name. Raises Failure, with the nearest name or the ids of several."""
    rows = asked(here, kind.address, hypervisor)["results"]
    match = _matching(rows, wanted) or _matching(_fresh(here, kind, hypervisor), wanted)
    if not match:
        near = get_close_matches(wanted, [row["name"] for row in rows], 1, 0.5)
        hint = _("Did you mean “%(name)s”?") % {"name": near[0]} if near else ""
        raise Failure(kind.missing, Exit.NOT_FOUND, where=wanted, hint=hint)
    if len(match) > 1:
        hint = ", ".join(row["id"] for row in match)
        raise Failure(_("Several have this name: name the id."), Exit.USAGE, where=wanted, hint=hint)
    return match[0]


def _matching(rows: Sequence[Row], wanted: str) -> list[Row]:
    """By id, else by name."""
    return [row for row in rows if row["id"] == wanted] or [row for row in rows if row["name"] == wanted]


def _fresh(here: Context, kind: Kind, hypervisor: str) -> list[Row]:
    """What the cloud says now; nothing for those who may not have it asked."""
    try:
        return list(asked(here, kind.address, hypervisor, refresh=True)["results"])
    except Failure as failure:
        if failure.code == Exit.FORBIDDEN:
            return []
        raise


def label(row: Mapping[str, Any]) -> str:
    """Its name; the id of what has none."""
    return str(row["name"] or row["id"])


# -- changing ----------------------------------------------------------------------------------------------------------


def ask(here: Context, method: str, parts: Sequence[str], hypervisor: str, body: Any = None) -> Any:
    """Let something be done; the address is made of the parts. None when the answer is empty. Raises Failure."""
    address = "/".join(quote(part, safe="") for part in ("openstack", *parts))
    params = {"hypervisor": hypervisor or None}
    return data_of(here.client.request(method, f"/{address}", params=params, body=body, seconds=PATIENCE))


def remove(here: Context, kind: Kind, wanted: str, hypervisor: str, question: str, *, yes: bool) -> None:
    """Delete the one thing of this id or name, once people agree to the question, which may name its fields. Failure."""
    row = found(here, kind, wanted, hypervisor)
    told = {**row, "name": label(row)}
    confirm(question % told, yes=yes)
    ask(here, "DELETE", [kind.address, row["id"]], hypervisor)
    here.out.done(_("%(name)s: deleted.") % told)


def given(**fields: Any) -> Row:
    """The fields that were named."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], ())}


def command(app: typer.Typer, name: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`app.command`; `ls` and `rm` are also understood as `list` and `delete`."""

    def both(function: Callable[..., Any]) -> Callable[..., Any]:
        app.command(name, help=help)(function)
        if name in ALIASES:
            app.command(ALIASES[name], help=help, hidden=True)(function)
        return function

    return both
