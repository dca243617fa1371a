"""Tables of people as spreadsheets and campus systems write them: CSV bytes → named columns and rows with line numbers.

A function of the bytes, bounded; what the columns mean is the caller's business. `docs/courses.md` documents encodings
and separators.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from olimpus.errors import Invalid, TooLarge
from olimpus.faults import Faults

MAX_COLUMNS: Final = 64
MAX_CELL: Final = 1_000  # characters

SEPARATORS: Final = ",;\t"
#: Excel's own note about the separator, in the first line.
SEP_LINE: Final = re.compile(r"\Asep=(.)\r?\n?", re.IGNORECASE)
#: Anything that is no character of a text: controls but tab and line ends.
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")

#: Field → what its column may be called, simplified, the most telling name first.
Aliases = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Record:
    """One row that is not empty: its line in the file, its place for messages, field or simplified title → cell."""

    line: int
    where: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """A file that could be read. `columns`: field or simplified title → index of its column."""

    name: str
    line: int
    header: Sequence[str]
    columns: Mapping[str, int]
    rows: Sequence[tuple[int, list[str]]]

    @property
    def where(self) -> str:
        """The place of the header, for messages."""
        return f"{self.name}:{self.line}"

    def titles(self) -> str:
        """The first titles of the header, for people."""
        return ", ".join(f"“{title[:40]}”" for title in self.header[:10] if title) or "–"

    def records(self, faults: Faults) -> Iterator[Record]:
        """The rows whose shape is right; the others go to `faults`, which ends the reading when it is full."""
        for line, cells in self.rows:
            if faults.full:
                return
            where = f"{self.name}:{line}"
            if not any(cells):
                faults.add(where, _("The row is empty."), _("Remove it; empty rows are accepted at the end only."))
            elif self._has_shape(cells, where, faults):
                given = {name: cells[i] if i < len(cells) else "" for name, i in self.columns.items()}
                yield Record(line, where, given)

    def _has_shape(self, cells: Sequence[str], where: str, faults: Faults) -> bool:
        before = len(faults.found)
        if any(cells[len(self.header) :]):
            message = _("The row has more cells than the header, which has %(width)d.") % {"width": len(self.header)}
            faults.add(where, message, _("Put quotes around a text that contains the separator."))
        for column, index in self.columns.items():
            if index < len(cells) and len(cells[index]) > MAX_CELL:
                faults.add(f"{where}: {column}", _("More than %(limit)d characters.") % {"limit": MAX_CELL})
        return len(faults.found) == before


def read_sheet(data: bytes, aliases: Aliases, *, name: str, max_bytes: int, max_rows: int, needed: str) -> Sheet:
    """Read a CSV file whose first row names the columns; `needed` is the hint for a file without them.

    Raises TooLarge, or Invalid with `where` "name:line". Never anything else, whatever is given.
    """
    if len(data) > max_bytes:
        raise TooLarge(_("The file is larger than %(limit)d MiB.") % {"limit": max_bytes >> 20}, where=name)
    text = _decoded(data, name)
    separator, text, skipped = _separator_line(text)
    rows = list(_rows(text, separator or _guess(text, aliases), name, skipped, max_rows))
    if not rows:
        raise Invalid(_("The file is empty."), where=name, hint=needed)
    (line, header), *body = rows
    return Sheet(name, line, header, _columns(header, aliases, f"{name}:{line}"), body)


def simplified(text: str) -> str:
    """A column name without case, accents and punctuation: "Código del Alumno" → "codigo del alumno"."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[\W_]+", " ", bare.casefold()).split())


# -- text ------------------------------------------------------------------------------------------------------------


def _decoded(data: bytes, name: str) -> str:
    """The text: by its byte order mark, as UTF-16 when every other byte is NUL, as UTF-8, or else as Windows-1252."""
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            failed = error
            continue
        _refuse_controls(text, name)
        return text.removeprefix("\ufeff")
    line = data.count(b"\n", 0, failed.start) + 1
    raise Invalid(
        _("The file is not text in a known encoding."), where=f"{name}:{line}", hint=_("Save it as CSV UTF-8.")
    )


def _encodings(data: bytes) -> tuple[str, ...]:
    if data.startswith(b"\xef\xbb\xbf"):
        return ("utf-8-sig",)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    head = data[:2000]
    if head.count(b"\0") * 3 > len(head):
        return ("utf-16-le",) if head[1:2] == b"\0" else ("utf-16-be",)
    return ("utf-8", "cp1252")


def _refuse_controls(text: str, name: str) -> None:
    if found := CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        message = _("The control character U+%(code)04X does not belong here.") % {"code": ord(found[0])}
        raise Invalid(message, where=f"{name}:{line}", hint=_("Save it as CSV from the spreadsheet."))


def _separator_line(text: str) -> tuple[str, str, int]:
    """The separator that the first line names ("" if it names none), the text after it, and how many lines it took."""
    if found := SEP_LINE.match(text):
        return found[1], text[found.end() :], 1
    return "", text, 0


def _guess(text: str, aliases: Aliases) -> str:
    """The separator under which the header has most columns that we know, then most columns."""

    def worth(separator: str) -> tuple[int, int]:
        header = next(filter(any, _csv(text, separator)), [])
        return len(_known(header, aliases)), len(header)

    return max(SEPARATORS, key=worth)


def _csv(text: str, separator: str) -> Iterator[list[str]]:
    """The rows until the first one that is malformed: enough to look at the header."""
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error:
        return


def _rows(text: str, separator: str, name: str, skipped: int, limit: int) -> Iterator[tuple[int, list[str]]]:
    """(line where it begins, cells without spaces around) of every row but empty ones at both ends of the file."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    except (TypeError, ValueError):
        raise Invalid(_("This separator is not possible."), where=f"{name}:1", hint=_("Use , or ;")) from None
    begins, blank = 1, list[tuple[int, list[str]]]()
    started, count = False, 0
    try:
        for cells in reader:
            row = (begins + skipped, [" ".join(unicodedata.normalize("NFC", cell).split()) for cell in cells])
            begins = reader.line_num + 1
            if not any(row[1]):
                blank += [row] if started and len(blank) < limit else []
                continue
            yield from blank
            blank, started, count = [], True, count + 1
            if count > limit + 1:
                raise TooLarge(_("The file has more than %(limit)d rows.") % {"limit": limit}, where=name)
            yield row
    except csv.Error as error:
        message = _("The row is not CSV: %(error)s.") % {"error": error}
        raise Invalid(
            message, where=f"{name}:{begins + skipped}", hint=_("Look for a quote without its pair.")
        ) from None


# -- header ----------------------------------------------------------------------------------------------------------


def _known(header: Sequence[str], aliases: Aliases) -> dict[str, int]:
    """Field → index of the column that gives it. Of several the most telling; a column serves one field."""
    titles = [simplified(title) for title in header[:MAX_COLUMNS]]
    found: dict[str, int] = {}
    for wanted, names in aliases.items():
        for alias in names:
            if alias in titles and titles.index(alias) not in found.values():
                found[wanted] = titles.index(alias)
                break
    return found


def _columns(header: Sequence[str], aliases: Aliases, where: str) -> dict[str, int]:
    """Field or simplified title → index of its column. Raises Invalid for a header that cannot be used."""
    if len(header) > MAX_COLUMNS:
        raise Invalid(_("The file has more than %(limit)d columns.") % {"limit": MAX_COLUMNS}, where=where)
    known = _known(header, aliases)
    titles = [simplified(title) for title in header]
    twice = next((title for title in titles if title and titles.count(title) > 1), None)
    if twice:
        raise Invalid(_("Two columns are called “%(title)s”.") % {"title": twice[:40]}, where=where)
    extra = {title: index for index, title in enumerate(titles) if title and index not in known.values()}
    return {title: index for title, index in extra.items() if title not in known} | known
