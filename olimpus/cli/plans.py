"""What an edit does to machines, told before it happens, as in a review of code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext

Plan = Mapping[str, Any]
#: Paths named in each group; all are counted.
NAMED: Final = 10
#: Effect → what it means, in the order in which people care.
EFFECTS: Final = {
    "now": _("now"),
    "next_start": _("at the next start"),
    "reapply": _("only when reapplied while off, or at the next start"),
    "recreate": _("only by destroying and creating again"),
}


def affected(plan: Plan) -> int:
    """How many machines notice."""
    return int(sum(plan["counts"].values()))


def waiting(plan: Plan) -> int:
    """How many machines on a hypervisor get it later, or not without being asked."""
    return int(sum(number for effect, number in plan["counts"].items() if effect != "now"))


def told(plan: Plan) -> Iterator[str]:
    """The plan in lines: how many machines change when, which, because of what; what would break."""
    if not affected(plan):
        yield _("No machine changes.")
    for effect, number in plan["counts"].items():
        if number:
            yield from _group(effect, number, [row for row in plan["machines"] if row["effect"] == effect])
    if plan["broken"]:
        number = len(plan["broken"])
        yield ngettext(
            "%d machine could no longer be computed:", "%d machines could no longer be computed:", number
        ) % (number)
        yield from some([f"{fault['where']}: {fault['message']}" for fault in plan["broken"]], number)


def _group(effect: str, number: int, rows: list[Mapping[str, Any]]) -> Iterator[str]:
    when = EFFECTS.get(effect, effect)
    yield ngettext("%(n)d machine changes %(when)s:", "%(n)d machines change %(when)s:", number) % {
        "n": number,
        "when": when,
    }
    yield from some([f"{row['path']} ({', '.join(row['parameters'])})" for row in rows], number)


def some(lines: list[str], number: int) -> Iterator[str]:
    """The first lines, indented, and how many more there are."""
    for line in lines[:NAMED]:
        yield f"  {line}"
    if (rest := number - min(len(lines), NAMED)) > 0:
        yield "  " + ngettext("… and %d more", "… and %d more", rest) % rest


def of_document(plan: Plan) -> Iterator[str]:
    """What applying a document does: nodes made, definitions changed, machines that notice."""
    for row in plan["create"]:
        yield f"+ {row['path']}{'/' if row['kind'] == 'folder' else ''}"
    for path in plan["update"]:
        yield f"~ {path}"
    counts = {"new": len(plan["create"]), "changed": len(plan["update"]), "same": plan["unchanged"]}
    yield _("%(new)d new, %(changed)d changed, %(same)d unchanged.") % counts
    if plan["update"]:
        yield from told(plan["effects"])
