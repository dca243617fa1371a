"""The list of students: CSV bytes as spreadsheets and campus systems write them → students, or every fault at once.

No database: a function of the bytes. `docs/courses.md` documents encodings, separators and column names.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.models import username_validator
from courses.faults import Faults
from descriptors import names
from olimpus.errors import Invalid, TooLarge

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 64
MAX_CELL: Final = 1_000  # characters
MAX_NAME: Final = 150
MAX_EMAIL: Final = 254

SEPARATORS: Final = ",;\t"
#: Excel's own note about the separator, in the first line.
SEP_LINE: Final = re.compile(r"\Asep=(.)\r?\n?", re.IGNORECASE)
#: Anything that is no character of a text: controls but tab and line ends.
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")

#: What a column may be called, the most telling name first; case, accents and punctuation do not matter.
COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "username": (
        *("usuario", "username", "user", "user name", "nombre de usuario", "login", "login id", "sis login id"),
        *("codigo", "codigo de alumno", "codigo del alumno", "codigo alumno", "codigo de estudiante"),
        *("codigo del estudiante", "codigo estudiante", "codigo pucp", "student id", "student code"),
        *("student number", "id number", "numero de id", "matricula", "code", "id"),
    ),
    "last_name": ("apellidos", "apellido s", "apellido", "last name", "lastname", "surname", "surnames", "family name"),
    "first_name": ("nombres", "nombre s", "nombre", "first name", "firstname", "given name", "given names"),
    "full_name": (
        *("apellidos y nombres", "apellidos nombres", "nombre completo", "nombres y apellidos", "alumno"),
        *("estudiante", "full name", "fullname", "student name", "name", "student"),
    ),
    "email": (
        *("correo", "correo electronico", "correo institucional", "direccion de correo", "email", "e mail"),
        *("email address", "mail", "correo pucp", "correo e"),
    ),
    "group": ("grupo", "horario", "seccion", "group", "section", "class"),
}


@dataclass(frozen=True)
class Student:
    """One row of the roster. `extra` holds the columns that have no meaning here, by their simplified names."""

    username: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    group: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    line: int = 0

    @property
    def fields(self) -> dict[str, str]:
        """Everything a naming pattern may refer to."""
        own = {name: getattr(self, name) for name in ("username", "first_name", "last_name", "email", "group")}
        return {**self.extra, **own}


def read_roster(data: bytes, *, name: str = "roster.csv") -> list[Student]:
    """The students of a CSV file, in its order.

    Raises TooLarge, or Invalid with up to 50 faults in `errors`, each with `where` "name:line: column". Never anything
    else, whatever is given.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(_("The roster is larger than %(limit)d MiB.") % {"limit": MAX_BYTES >> 20}, where=name)
    text = _decoded(data, name)
    separator, text, skipped = _separator_line(text)
    rows = list(_rows(text, separator or _guess(text), name, skipped))
    if not rows:
        raise Invalid(_("The roster is empty."), where=name, hint=_needed())
    (line, header), *body = rows
    columns = _columns(header, f"{name}:{line}")
    return _students(body, columns, len(header), name)


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
        _("The roster is not text in a known encoding."), where=f"{name}:{line}", hint=_("Save it as CSV UTF-8.")
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
        message = _("The control character U+%(code)04X does not belong into a roster.") % {"code": ord(found[0])}
        raise Invalid(message, where=f"{name}:{line}", hint=_("Save it as CSV from the spreadsheet."))


def _separator_line(text: str) -> tuple[str, str, int]:
    """The separator that the first line names ("" if it names none), the text after it, and how many lines it took."""
    if found := SEP_LINE.match(text):
        return found[1], text[found.end() :], 1
    return "", text, 0


def _guess(text: str) -> str:
    """The separator under which the header has most columns that we know, then most columns."""

    def worth(separator: str) -> tuple[int, int]:
        header = next(filter(any, _csv(text, separator)), [])
        return len(_known(header)), len(header)

    return max(SEPARATORS, key=worth)


def _csv(text: str, separator: str) -> Iterator[list[str]]:
    """The rows until the first one that is malformed: enough to look at the header."""
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error:
        return


def _rows(text: str, separator: str, name: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
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
                blank += [row] if started and len(blank) < MAX_ROWS else []
                continue
            yield from blank
            blank, started, count = [], True, count + 1
            if count > MAX_ROWS + 1:
                raise TooLarge(_("The roster has more than %(limit)d rows.") % {"limit": MAX_ROWS}, where=name)
            yield row
    except csv.Error as error:
        message = _("The row is not CSV: %(error)s.") % {"error": error}
        raise Invalid(
            message, where=f"{name}:{begins + skipped}", hint=_("Look for a quote without its pair.")
        ) from None


# -- header ----------------------------------------------------------------------------------------------------------


def _known(header: Sequence[str]) -> dict[str, int]:
    """Field → index of the column that gives it. Of several the most telling; a column serves one field."""
    titles = [simplified(title) for title in header[:MAX_COLUMNS]]
    found = {}
    for wanted, aliases in COLUMNS.items():
        for alias in aliases:
            if alias in titles and titles.index(alias) not in found.values():
                found[wanted] = titles.index(alias)
                break
    return found


def _columns(header: Sequence[str], where: str) -> dict[str, int]:
    """Field or simplified title → index of its column. Raises Invalid for a header that cannot be used."""
    if len(header) > MAX_COLUMNS:
        raise Invalid(_("The roster has more than %(limit)d columns.") % {"limit": MAX_COLUMNS}, where=where)
    known = _known(header)
    if "username" not in known:
        shown = ", ".join(f"“{title[:40]}”" for title in header[:10] if title)
        message = _("No column tells the user names; the header has %(columns)s.") % {"columns": shown or "–"}
        raise Invalid(message, where=where, hint=_needed())
    titles = [simplified(title) for title in header]
    twice = next((title for title in titles if title and titles.count(title) > 1), None)
    if twice:
        raise Invalid(_("Two columns are called “%(title)s”.") % {"title": twice[:40]}, where=where)
    extra = {title: index for index, title in enumerate(titles) if title and index not in known.values()}
    return {title: index for title, index in extra.items() if title not in known} | known


def _needed() -> str:
    return _(
        "The first row names the columns: one called “username”, “usuario”, “código” or “student id” is needed; "
        "“nombres”, “apellidos”, “correo” and “grupo” (or the same in English) are welcome."
    )


# -- rows ------------------------------------------------------------------------------------------------------------


def _students(
    rows: Sequence[tuple[int, list[str]]], columns: Mapping[str, int], width: int, name: str
) -> list[Student]:
    faults = Faults()
    seen: dict[tuple[str, str], int] = {}
    students = []
    for line, cells in rows:
        if faults.full:
            break
        where = f"{name}:{line}"
        if not any(cells):
            faults.add(where, _("The row is empty."), _("Remove it; empty rows are accepted at the end only."))
            continue
        if _check_shape(cells, columns, width, where, faults):
            student = _student(cells, columns, line)
            _check_student(student, where, faults)
            _check_unique(student, where, name, seen, faults)
            students.append(student)
    if not students and not faults.found:
        faults.add(name, _("The roster has a header and no student."))
    faults.raise_if_any()
    return students


def _check_shape(cells: Sequence[str], columns: Mapping[str, int], width: int, where: str, faults: Faults) -> bool:
    before = len(faults.found)
    if any(cells[width:]):
        message = _("The row has more cells than the header, which has %(width)d.") % {"width": width}
        faults.add(where, message, _("Put quotes around a text that contains the separator."))
    for column, index in columns.items():
        if index < len(cells) and len(cells[index]) > MAX_CELL:
            faults.add(f"{where}: {column}", _("More than %(limit)d characters.") % {"limit": MAX_CELL})
    return len(faults.found) == before


def _student(cells: Sequence[str], columns: Mapping[str, int], line: int) -> Student:
    given = {column: cells[index] if index < len(cells) else "" for column, index in columns.items()}
    values = {name: given.pop(name, "") for name in COLUMNS}
    first, last = _split(values.pop("full_name"))
    values["first_name"] = values["first_name"] or ("" if values["last_name"] else first)
    values["last_name"] = values["last_name"] or last
    return Student(**values, extra=given, line=line)


def _split(full_name: str) -> tuple[str, str]:
    """(first names, surnames). "Quispe Mamani, José" is split at its comma; without one nobody can know where."""
    last, comma, first = full_name.partition(",")
    return (first.strip(), last.strip()) if comma else (full_name, "")


def _check_student(student: Student, where: str, faults: Faults) -> None:
    _check_username(student.username, f"{where}: username", faults)
    for column in ("first_name", "last_name"):
        if len(getattr(student, column)) > MAX_NAME:
            faults.add(f"{where}: {column}", _("More than %(limit)d characters.") % {"limit": MAX_NAME})
    if student.email:
        _check_email(student.email, f"{where}: email", faults)


def _check_username(username: str, where: str, faults: Faults) -> None:
    if not username:
        faults.add(where, _("The user name is missing."))
        return
    try:
        username_validator(username)
        names.clean_name(username)
    except ValidationError as error:
        faults.add(where, f"“{username[:40]}”: {error.messages[0]}")
    except Invalid as error:
        faults.add(where, f"“{username[:40]}”: {error.message}", error.hint)


def _check_email(email: str, where: str, faults: Faults) -> None:
    try:
        if len(email) > MAX_EMAIL:
            raise ValidationError("")
        validate_email(email)
    except ValidationError:
        faults.add(where, _("“%(email)s” is not an e-mail address.") % {"email": email[:80]})


def _check_unique(student: Student, where: str, name: str, seen: dict[tuple[str, str], int], faults: Faults) -> None:
    for column in ("username", "email"):
        value = getattr(student, column)
        first = seen.setdefault((column, value.casefold()), student.line) if value else student.line
        if first != student.line:
            message = _("“%(value)s” is in line %(first)d already.") % {"value": value[:80], "first": first}
            faults.add(f"{where}: {column}", message, _("Each student is listed once, upper and lower case alike."))
