"""Everything that commands print: tables for people, JSON and YAML for scripts.

JSON and YAML are the data of the API as it is, whatever the language; tables are for eyes and may change.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TextIO

from olimpus.cli.errors import Exit, Failure
from olimpus.cli.table import drawn, printable
from olimpus.cli.yaml import as_yaml

COLOURS = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}


#: Where characters are that may not be printable; all of ASCII's but one are escaped by JSON.
UNSEEN = re.compile(r"[^\n -~]")


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


class Styled(NamedTuple):
    """A cell in a colour (a key of `COLOURS`); the colour never says anything that the text does not."""

    text: str
    colour: str = ""


Cell = str | Styled | None
NOTHING = Styled("")


@dataclass(frozen=True)
class Column:
    """A column of a table: a key of the row, or a function of it."""

    title: str
    value: str | Callable[[Mapping[str, Any]], Cell]
    #: How a value looks; asked once for each different one. Only with a key, whose values can be hashed.
    looks: Callable[[Any], Cell] | None = None
    #: Only with `-o wide`.
    wide: bool = False
    #: Numbers stand to the right.
    right: bool = False
    #: May be cut to fit into the terminal. Names and paths never are.
    cut: bool = False

    def cells(self, rows: Sequence[Mapping[str, Any]]) -> list[Styled]:
        """The cells of these rows."""
        value = self.value
        if not isinstance(value, str):
            return [_styled(value(row)) for row in rows]
        found = [row.get(value) for row in rows]
        if self.looks is None:
            return [_styled(one) for one in found]
        ready = {one: _styled(self.looks(one)) for one in set(found)}
        return [ready[one] for one in found]


class Out:
    """Where a command prints. What it found goes to the standard output, what it has to say to the standard error."""

    def __init__(self, form: Format = Format.TABLE, stream: TextIO | None = None):
        self.form = form
        self._stream = stream or sys.stdout
        self.colours = coloured(self._stream)

    @property
    def for_people(self) -> bool:
        """Whether a table is wanted, not data."""
        return self.form in (Format.TABLE, Format.WIDE)

    def rows(self, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], *, headings: bool = True) -> None:
        """Print rows of the API as a table; as JSON and YAML whole. No rows: nothing, or an empty list."""
        found = list(rows)
        if self.for_people:
            self.write(self.drawn(columns, found, headings=headings))
        else:
            self.data(found)

    def drawn(self, columns: Sequence[Column], found: Sequence[Mapping[str, Any]], *, headings: bool = True) -> str:
        """The rows as a table; "" for no rows."""
        shown = [column for column in columns if self.form == Format.WIDE or not column.wide]
        cells = [column.cells(found) for column in shown]
        # What no row has is left out: folders have no state.
        used = [
            index for index, column in enumerate(cells) if found and (index == 0 or any(cell.text for cell in column))
        ]
        head = [[Styled(column.title.upper(), "bold")] if headings else [] for column in shown]
        return drawn(
            [head[index] + cells[index] for index in used],
            [shown[index].right for index in used],
            [shown[index].cut for index in used],
            width=self.width,
            paint=self.paint,
        )

    def facts(self, facts: Iterable[tuple[str, Cell]], data: Any) -> None:
        """Print what is known of one thing, a line for each fact that is not empty; `data` as JSON and YAML."""
        if not self.for_people:
            self.data(data)
            return
        cells = [(Styled(label, "bold"), _styled(cell)) for label, cell in facts]
        told = [(label, cell) for label, cell in cells if cell.text]
        columns = [[label for label, _cell in told], [cell for _label, cell in told]]
        self.write(drawn(columns, [False, False], [False, False], width=None, paint=self.paint))

    def document(self, data: Any) -> None:
        """Print a document: as JSON where that is asked for, otherwise as YAML."""
        self.write(as_json(data) if self.form == Format.JSON else as_yaml(data))

    def data(self, data: Any) -> None:
        """Print data for scripts."""
        self.document(data)

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines as they are, but for characters that would steer a terminal."""
        self.write("".join(f"{printable(line)}\n" for line in lines))

    def done(self, told: str, data: Any = None) -> None:
        """Say what was done; where data is asked for, print it instead."""
        if self.for_people:
            self.write(f"{printable(told)}\n")
        else:
            self.data(data)

    def note(self, text: str) -> None:
        """Say something beside the results."""
        print(printable(text), file=sys.stderr, flush=True)

    def write(self, text: str) -> None:
        """Print text that is ready. Raises Failure when who reads it has gone."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError as error:
            raise Failure("", Exit.BROKEN_PIPE) from error

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour where the terminal has some."""
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self.colours and colour else text

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None when nobody looks."""
        return _width() if self._stream.isatty() else None


def coloured(stream: TextIO) -> bool:
    """Whether to use colours: on a terminal, unless NO_COLOR is set; anywhere when FORCE_COLOR is."""
    no, force, term = (os.environ.get(name, "") for name in ("NO_COLOR", "FORCE_COLOR", "TERM"))
    return not no and (bool(force) or (stream.isatty() and term != "dumb"))


def as_json(data: Any) -> str:
    """Readable JSON; letters of all languages as they are, what would steer a terminal escaped."""
    return f"{unsteering(json.dumps(data, indent=2, ensure_ascii=False))}\n"


def unsteering(text: str) -> str:
    """JSON with what is not printable escaped, as JSON itself does only below U+0020: U+009B steers, U+202E turns round."""
    return text if text.isascii() and "\x7f" not in text else UNSEEN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    if letter.isprintable():
        return letter
    return "\\u007f" if letter == "\x7f" else json.dumps(letter)[1:-1]


def _styled(cell: Any) -> Styled:
    if cell.__class__ is Styled:
        return cell
    return NOTHING if cell is None or cell == "" else Styled(str(cell))


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80
