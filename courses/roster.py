"""The list of students: CSV bytes as spreadsheets and campus systems write them → students, or every fault at once.

No database: a function of the bytes. `docs/courses.md` documents encodings, separators and column names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.models import username_validator
from descriptors import names
from olimpus.errors import Invalid
from olimpus.faults import Faults
from olimpus.sheets import Record, Sheet, read_sheet

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_ROWS: Final = 20_000
MAX_NAME: Final = 150
MAX_EMAIL: Final = 254

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
    sheet = read_sheet(data, COLUMNS, name=name, max_bytes=MAX_BYTES, max_rows=MAX_ROWS, needed=_needed())
    if "username" not in sheet.columns:
        message = _("No column tells the user names; the header has %(columns)s.") % {"columns": sheet.titles()}
        raise Invalid(message, where=sheet.where, hint=_needed())
    return _students(sheet)


def _needed() -> str:
    return _(
        "The first row names the columns: one called “username”, “usuario”, “código” or “student id” is needed; "
        "“nombres”, “apellidos”, “correo” and “grupo” (or the same in English) are welcome."
    )


# -- rows ------------------------------------------------------------------------------------------------------------


def _students(sheet: Sheet) -> list[Student]:
    faults = Faults()
    seen: dict[tuple[str, str], int] = {}
    students = []
    for record in sheet.records(faults):
        student = _student(record)
        _check_student(student, record.where, faults)
        _check_unique(student, record.where, sheet.name, seen, faults)
        students.append(student)
    if not students and not faults.found:
        faults.add(sheet.name, _("The roster has a header and no student."))
    faults.raise_if_any()
    return students


def _student(record: Record) -> Student:
    given = dict(record.cells)
    values = {name: given.pop(name, "") for name in COLUMNS}
    first, last = _split(values.pop("full_name"))
    values["first_name"] = values["first_name"] or ("" if values["last_name"] else first)
    values["last_name"] = values["last_name"] or last
    return Student(**values, extra=given, line=record.line)


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
