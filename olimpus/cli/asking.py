"""Questions before something is lost, and secrets that never stand on the command line."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from olimpus.cli.errors import Exit, Failure
from olimpus.cli.output import printable
from olimpus.cli.words import gettext as _

Yes = Annotated[bool, typer.Option("--yes", "-y", help=_("Do not ask."))]


def nothing_changed() -> Failure:
    """How a command ends after a “no”."""
    return Failure(_("Nothing was changed."), Exit.INTERRUPTED)


def confirm(question: str, *, yes: bool) -> None:
    """Go on only after a “yes”. Raises Failure after a “no”, and where nobody can be asked."""
    if yes:
        return
    _require_somebody()
    if not typer.confirm(printable(question), err=True):
        raise nothing_changed()


def agree(question: str, *, yes: bool) -> None:
    """As `confirm`, for what loses nothing: where nobody can be asked it goes on, so that scripts need no --yes."""
    confirm(question, yes=yes or not sys.stdin.isatty())


def confirm_number(question: str, number: int, *, yes: bool) -> None:
    """Go on only when the number of things that are lost is typed. Raises Failure as `confirm`."""
    if yes:
        return
    _require_somebody()
    told = _("%(question)s To go on, type their number (%(number)d)") % {"question": question, "number": number}
    if str(typer.prompt(printable(told), err=True, default="", show_default=False)).strip() != str(number):
        raise nothing_changed()


def secret(label: str, *, from_stdin: bool = False) -> str:
    """A password: typed unseen, twice, or one line of the standard input. Raises Failure where neither is possible."""
    if from_stdin:
        if line := sys.stdin.readline().rstrip("\r\n"):
            return line
        raise Failure(_("The standard input is empty."), Exit.USAGE)
    if not sys.stdin.isatty():
        hint = _("In scripts it is read from the standard input; see the command's --help.")
        raise Failure(_("Nobody can be asked for the password here."), Exit.USAGE, where=label, hint=hint)
    first = getpass.getpass(f"{label}: ")
    if first != getpass.getpass(_("Once more: ")):
        raise Failure(_("The two are not the same."), Exit.USAGE, where=label)
    return first


def _require_somebody() -> None:
    if not sys.stdin.isatty():
        raise Failure(_("This asks before it is done."), Exit.USAGE, hint=_("In scripts, agree with: --yes"))
