"""How the states of machines look: a colour, a sign and a word, never the colour alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from olimpus.cli.moments import ago, exact
from olimpus.cli.output import Column, Styled
from olimpus.cli.words import gettext as _

#: State → (sign, colour, word).
LOOKS: Final = {
    "provisioned": ("○", "dim", _("Provisioned")),
    "created": ("◌", "", _("Created")),
    "starting": ("↑", "blue", _("Starting")),
    "running": ("●", "green", _("Running")),
    "paused": ("‖", "yellow", _("Paused")),
    "stopping": ("↓", "blue", _("Stopping")),
    "stopped": ("■", "dim", _("Stopped")),
    "failed": ("✗", "red", _("Failed")),
}


@cache
def state(name: str | None) -> Styled:
    """A state as people see it; empty for folders, which have none."""
    if not name:
        return Styled("")
    sign, colour, word = LOOKS.get(name, ("?", "", name))
    return Styled(f"{sign} {word.lower()}", colour)


def path(row: Mapping[str, Any]) -> Styled:
    """The path of a row; folders end with a slash."""
    return named(row, str(row["path"]))


def named(row: Mapping[str, Any], text: str) -> Styled:
    """What stands for a node: folders end with a slash."""
    if row["kind"] != "folder":
        return Styled(text)
    return Styled(text if text.endswith("/") else f"{text}/", "cyan")


def columns(name: Column) -> list[Column]:
    """The columns of a list of nodes after its first one."""
    return [
        name,
        Column(_("State"), "state", state),
        Column(_("Since"), "state_since", ago),
        Column(_("Hypervisor"), "hypervisor", _as_it_is),
        Column(_("Operation"), "verb", _as_it_is, wide=True),
        Column(_("Id"), "id", wide=True, right=True),
        Column(_("Exact time"), "state_since", exact, wide=True),
        Column(_("Reason"), "reason", _in_red, cut=True),
    ]


def _as_it_is(name: str | None) -> str | None:
    return name


def _in_red(reason: str | None) -> Styled | None:
    return Styled(reason, "red") if reason else None
