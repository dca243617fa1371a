"""A plan as people see it: where each node lands and why, and all that does not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from olimpus.cli.cloud.sizes import of_mib
from olimpus.cli.context import Context
from olimpus.cli.moments import number
from olimpus.cli.output import Column, Styled
from olimpus.cli.words import gettext as _

Plan = Mapping[str, Any]
#: Change → (sign, colour, word).
CHANGES: Final = {
    "add": ("+", "green", _("new")),
    "change": ("~", "yellow", _("changes")),
    "anew": ("±", "yellow", _("made anew")),
    "remove": ("−", "red", _("goes")),
    "keep": ("=", "dim", _("stays")),
}


def show(here: Context, plan: Plan) -> None:
    """Print a plan: its nodes, the networks that change, and what is refused."""
    if not here.out.for_people:
        here.out.data(plan)
        return
    here.out.rows(columns(), plan["rows"])
    moved = [row for row in plan["networks"] if row["change"] != "keep"]
    if moved:
        here.out.lines([""])
        here.out.rows(
            [Column(_("Network"), "name"), Column(_("Change"), _change), Column(_("Addresses"), "cidr")], moved
        )
    for told in (*notes(plan), *refusals(plan)):
        here.out.note(told)


def columns() -> list[Column]:
    """Of the nodes of a plan."""
    return [
        Column(_("Node"), "node"),
        Column(_("Change"), _change),
        Column(_("Hypervisor"), "hypervisor"),
        Column(_("Place"), "place"),
        Column(_("Flavor"), "flavor"),
        Column(_("vCPUs"), lambda row: number(row["cpus"]) if row["cpus"] else "", right=True),
        Column(_("RAM"), lambda row: of_mib(row["memory_mib"]) if row["memory_mib"] else "", right=True),
        Column(_("Reason"), "reason", cut=True),
        Column(_("Reason of the flavor"), "flavor_reason", wide=True),
    ]


def _change(row: Mapping[str, Any]) -> Styled:
    sign, colour, word = CHANGES.get(row["change"], ("?", "", row["change"]))
    restarts = f", {_('restarts')}" if row.get("restart") else ""
    return Styled(f"{sign} {word}{restarts}", colour)


def notes(plan: Plan) -> Iterator[str]:
    """What is to be known of nodes besides."""
    yield from (f"{row['node']}: {row['note']}" for row in plan["rows"] if row.get("note"))


def refusals(plan: Plan) -> Iterator[str]:
    """All that does not fit, a line for each reason with the nodes that it is about."""
    groups: dict[str, list[str]] = defaultdict(list)
    for row in plan["refusals"]:
        groups[row["message"]].append(row["node"] or row["hypervisor"])
    for message, places in groups.items():
        where = f"{', '.join(filter(None, places))}: ".removeprefix(": ")
        yield f"{_('Does not fit')}: {where}{message}"


def lost(plan: Plan) -> list[str]:
    """Nodes whose machines are destroyed."""
    return [str(row["node"]) for row in plan["rows"] if row["change"] == "remove"]


def disturbed(plan: Plan) -> list[str]:
    """Nodes that run and are restarted, or made anew."""
    return [str(row["node"]) for row in plan["rows"] if row["restart"] or row["change"] == "anew"]
