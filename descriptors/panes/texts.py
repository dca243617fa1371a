"""Text of definitions as it is typed: read with its lines, told apart from other texts, its faults as sentences."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from descriptors.documents import Positions, load_with_lines, locate
from olimpus.errors import Invalid, OlimpusError

#: How the parser of documents says where, when the document is called "line".
PLACE = re.compile(r"^line:(\d+):(\d+):? ?")


def parsed(text: str) -> tuple[dict[str, Any], Positions]:
    """The mapping that a text says and where everything stands. Invalid with line and column."""
    data, positions = load_with_lines(text, name="line")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise Invalid(_("A definition is a mapping: “name: value” on each line."))
    return data, positions


def fingerprint(text: str) -> str:
    """Tells whether the text is the one whose plan was shown; ends of lines do not count."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where in the text: `line` and `column` count from 1, 0 when it is about the whole."""

    message: str
    where: str = ""
    hint: str = ""
    line: int = 0
    column: int = 0

    @property
    def text(self) -> str:
        """Name of the value, message and hint, without the place in the text."""
        said = f"{self.where}: {self.message}" if self.where else self.message
        return f"{said}{'' if said[-1:] in '.?!' else '.'} {self.hint}" if self.hint else said

    @property
    def sentence(self) -> str:
        """As `text`, beginning with line and column."""
        if not self.line:
            return self.text
        place = _("Line %(line)s, column %(column)s") % {"line": self.line, "column": self.column}
        return f"{place}: {self.text}"


def faults_of(error: OlimpusError, positions: Positions | None = None) -> list[Fault]:
    """Every fault of an error, those of an invalid definition with the line they stand in."""
    if isinstance(error, Invalid) and positions is not None and error.errors:
        error = locate(error, positions)
    told = error.errors or [{"message": error.message, "where": error.where, "hint": error.hint}]
    return [_fault(one, positions) for one in told]


def _fault(told: dict[str, Any], positions: Positions | None) -> Fault:
    where, message, hint = str(told.get("where", "")), str(told["message"]), str(told.get("hint") or "")
    if found := PLACE.match(where):
        return Fault(message, where[found.end() :], hint, int(found[1]), int(found[2]))
    line, column = _stands(where, positions)
    return Fault(message, where, hint, line, column)


def _stands(where: str, positions: Positions | None) -> tuple[int, int]:
    """Where the parameter stands that an error without position names ("/courses: rights.user.grant", "prototype")."""
    keys = tuple(key for key in where.rpartition(": ")[2].split(".") if key)
    if positions is None or not keys or keys[0].startswith("/"):
        return 0, 0
    found, whole = positions.lookup(keys), positions.lookup(())
    return found if found != whole else (0, 0)


def sentence(fault: dict[str, Any]) -> str:
    """Place, message and hint of a fault in one line."""
    return _fault(fault, None).sentence
