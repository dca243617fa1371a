"""What an import understood, what it left out, and what it could not keep as it was, each with its line where known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from olimpus.words import gettext as _

#: Notes of one sort that are told; of the others it is told how many there are.
MOST: Final = 200


@dataclass(frozen=True)
class Note:
    """A sentence about the file, and the line it is about."""

    what: str
    line: int | None = None


@dataclass
class Report:
    """The notes of one import, in the order of the file."""

    understood: list[Note] = field(default_factory=list)
    ignored: list[Note] = field(default_factory=list)
    unmapped: list[Note] = field(default_factory=list)
    _more: Counter[str] = field(default_factory=Counter)

    def understand(self, what: str, line: int | None = None) -> None:
        """The file says this, and so does the slice."""
        self._note("understood", partial(Note, what, line))

    def ignore(self, what: str, line: int | None = None) -> None:
        """The file says this; the slice does not."""
        self._note("ignored", partial(Note, what, line))

    def ignore_what(self, note: Callable[[], Note]) -> None:
        """As `ignore`; the note is made only if it is among those that are told."""
        self._note("ignored", note)

    def unmap(self, what: str, line: int | None = None) -> None:
        """The slice says it otherwise, or somebody must say what stands for it."""
        self._note("unmapped", partial(Note, what, line))

    def _note(self, sort: str, note: Callable[[], Note]) -> None:
        notes: list[Note] = getattr(self, sort)
        if len(notes) < MOST:
            notes.append(note())
        else:
            self._more[sort] += 1

    def as_data(self) -> dict[str, Any]:
        """For the API: each sort as a list of {what, line}."""
        return {sort: self._told(sort) for sort in ("understood", "ignored", "unmapped")}

    def _told(self, sort: str) -> list[dict[str, Any]]:
        told = [{"what": note.what, "line": note.line} for note in getattr(self, sort)]
        if more := self._more[sort]:
            told.append({"what": _("%d more.") % more, "line": None})
        return told
