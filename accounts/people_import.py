"""Users and groups from a CSV file: what the file says, and what that would change. Nothing is written here.

The same file twice changes nothing the second time. Empty cells leave a value as it is, groups are joined and never
left, superusers and passwords are not touched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.models import User, username_validator
from accounts.roles import Kind
from olimpus.errors import Invalid
from olimpus.faults import Faults
from olimpus.sheets import Record, Sheet, read_sheet, simplified

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_ROWS: Final = 10_000
MAX_GROUPS: Final = 50  # of one person
#: Users looked up by one query.
CHUNK: Final = 500

#: What a column may be called, simplified, the most telling name first.
COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "username": ("username", "usuario", "user", "user name", "nombre de usuario", "login", "codigo", "student id"),
    "last_name": ("last name", "lastname", "last", "apellidos", "apellido", "surname", "surnames", "family name"),
    "first_name": ("first name", "firstname", "first", "nombres", "nombre", "given name", "given names"),
    "email": ("email", "e mail", "correo", "correo electronico", "email address", "mail"),
    "kind": ("kind", "tipo", "clase de cuenta", "type", "rol", "role"),
    "groups": ("groups", "grupos", "group", "grupo", "horario", "seccion", "section"),
}
#: What a cell of the column `kind` may say, simplified.
KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("manager", "gestor", "gestora", "teacher", "docente", "profesor", "profesora"), Kind.MANAGER),
    **dict.fromkeys(("simple", "simple user", "usuario simple", "user", "usuario", "student"), Kind.SIMPLE),
    **dict.fromkeys(("alumno", "alumna", "estudiante"), Kind.SIMPLE),
}
#: What of an account the file may set.
FIELDS: Final = ("first_name", "last_name", "email", "kind")
GROUP_SEPARATOR: Final = re.compile(r"[|;,]")


@dataclass(frozen=True)
class Person:
    """One row: `values` holds the fields that are not empty."""

    line: int
    username: str
    values: Mapping[str, str]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """What a row does to an account that is there: field → (before, after), and groups it joins."""

    user: User
    line: int
    fields: Mapping[str, tuple[str, str]]
    groups: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        fields = {name: {"before": before, "after": after} for name, (before, after) in self.fields.items()}
        return {"username": self.user.username, "line": self.line, "fields": fields, "groups": list(self.groups)}


@dataclass(frozen=True)
class PeoplePlan:
    """What an import would do. With `faults` it cannot be applied."""

    new: Sequence[Person] = ()
    changed: Sequence[Change] = ()
    unchanged: Sequence[str] = ()
    superusers: Sequence[str] = ()
    new_groups: Sequence[str] = ()
    ignored: Sequence[str] = ()
    faults: Sequence[Mapping[str, Any]] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.new or self.changed or self.new_groups)

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {
            "new": len(self.new),
            "changed": len(self.changed),
            "unchanged": len(self.unchanged),
            "superusers": len(self.superusers),
            "groups": len(self.new_groups),
            "faults": len(self.faults),
        }

    def as_data(self) -> dict[str, Any]:
        """Plain data, for programs."""
        return {
            "counts": self.counts(),
            "new": [{"username": p.username, "line": p.line, **p.values, "groups": [*p.groups]} for p in self.new],
            "changed": [change.as_data() for change in self.changed],
            "superusers": [*self.superusers],
            "new_groups": [*self.new_groups],
            "ignored": [*self.ignored],
            "faults": [dict(fault) for fault in self.faults],
        }

    def digest(self) -> str:
        """Tells two plans apart: whoever confirms one is not given another."""
        return hashlib.sha256(json.dumps(self.as_data(), sort_keys=True).encode()).hexdigest()


def make_plan(data: bytes, *, name: str = "users.csv", make_groups: bool = True) -> PeoplePlan:
    """What importing the file would do. Queries grow with the rows by one per 500 users.

    Faults of rows are in the plan; TooLarge or Invalid when the file cannot be read at all.
    """
    faults = Faults()
    sheet = _sheet(data, name)
    people = list(_people(sheet, faults))
    missing = _missing_groups(people)
    if not make_groups:
        _refuse_unknown(people, missing, name, faults)
    ignored = tuple(title for title in sheet.columns if title not in COLUMNS)
    if faults.found:
        return PeoplePlan(ignored=ignored, faults=tuple(faults.found))
    return _compared(people, missing, ignored)


def _sheet(data: bytes, name: str) -> Sheet:
    needed = _(
        "The first row names the columns: one called “username” or “usuario” is needed; “email”, “first name”, “last "
        "name”, “kind” and “groups” (or the same in Spanish) are welcome."
    )
    sheet = read_sheet(data, COLUMNS, name=name, max_bytes=MAX_BYTES, max_rows=MAX_ROWS, needed=needed)
    if "username" not in sheet.columns:
        message = _("No column tells the user names; the header has %(columns)s.") % {"columns": sheet.titles()}
        raise Invalid(message, where=sheet.where, hint=needed)
    return sheet


# -- rows ------------------------------------------------------------------------------------------------------------


def _people(sheet: Sheet, faults: Faults) -> Iterator[Person]:
    seen: dict[str, int] = {}
    for record in sheet.records(faults):
        person = _person(record, faults)
        first = seen.setdefault(person.username.casefold(), record.line)
        if first != record.line:
            message = _("“%(value)s” is in line %(first)d already.") % {"value": person.username[:80], "first": first}
            faults.add(f"{record.where}: username", message, _("Each user is listed once; groups share one cell."))
        yield person


def _person(record: Record, faults: Faults) -> Person:
    cells = record.cells
    _check_username(cells["username"], f"{record.where}: username", faults)
    values = {name: cells[name] for name in FIELDS if cells.get(name)}
    if "kind" in values:
        values["kind"] = _kind(values["kind"], f"{record.where}: kind", faults)
    for name in ("first_name", "last_name"):
        _check_length(name, values.get(name, ""), f"{record.where}: {name}", faults)
    if "email" in values:
        _check_email(values["email"], f"{record.where}: email", faults)
    groups = _groups(cells.get("groups", ""), f"{record.where}: groups", faults)
    return Person(record.line, cells["username"], values, groups)


def _check_username(username: str, where: str, faults: Faults) -> None:
    if not username:
        faults.add(where, _("The user name is missing."))
        return
    _check_length("username", username, where, faults)
    try:
        username_validator(username)
    except ValidationError as error:
        faults.add(where, f"“{username[:40]}”: {error.messages[0]}")


def _check_length(field: str, value: str, where: str, faults: Faults) -> None:
    limit = User._meta.get_field(field).max_length
    if len(value) > limit:
        faults.add(where, _("More than %(limit)d characters.") % {"limit": limit})


def _check_email(email: str, where: str, faults: Faults) -> None:
    _check_length("email", email, where, faults)
    try:
        validate_email(email)
    except ValidationError:
        faults.add(where, _("“%(email)s” is not an e-mail address.") % {"email": email[:80]})


def _kind(text: str, where: str, faults: Faults) -> str:
    kind = KINDS.get(simplified(text))
    if kind is None:
        message = _("“%(kind)s” is no kind of account.") % {"kind": text[:40]}
        faults.add(where, message, _("Write “manager” or “simple”."))
    return str(kind or "")


def _groups(text: str, where: str, faults: Faults) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in GROUP_SEPARATOR.split(text) if name.strip()))
    limit = Group._meta.get_field("name").max_length
    if any(len(name) > limit for name in names):
        faults.add(where, _("More than %(limit)d characters.") % {"limit": limit})
    if len(names) > MAX_GROUPS:
        faults.add(where, _("More than %(limit)d groups.") % {"limit": MAX_GROUPS})
    return names


# -- comparison ------------------------------------------------------------------------------------------------------


def _missing_groups(people: Iterable[Person]) -> tuple[str, ...]:
    wanted = sorted({name for person in people for name in person.groups})
    there: set[str] = set()
    for chunk in _chunks(wanted):
        there.update(Group.objects.filter(name__in=chunk).values_list("name", flat=True))
    return tuple(name for name in wanted if name not in there)


def _refuse_unknown(people: Iterable[Person], missing: Sequence[str], name: str, faults: Faults) -> None:
    unknown = set(missing)
    for person in people:
        for group in unknown & set(person.groups):
            message = _("There is no group “%(name)s”.") % {"name": group[:80]}
            faults.add(f"{name}:{person.line}: groups", message, _("Make it first, or let the import make groups."))


def _compared(people: Sequence[Person], missing: Sequence[str], ignored: Sequence[str]) -> PeoplePlan:
    there = _accounts([person.username for person in people])
    new, changed, unchanged, superusers = [], [], [], []
    for person in people:
        user = there.get(person.username)
        if user is None:
            new.append(person)
        elif user.is_superuser:
            superusers.append(user.username)
        elif (change := _change(person, user)).fields or change.groups:
            changed.append(change)
        else:
            unchanged.append(user.username)
    return PeoplePlan(tuple(new), tuple(changed), tuple(unchanged), tuple(superusers), missing, ignored)


def _change(person: Person, user: User) -> Change:
    fields = {
        name: (getattr(user, name), value) for name, value in person.values.items() if getattr(user, name) != value
    }
    belongs = {group.name for group in user.groups.all()}
    return Change(user, person.line, fields, tuple(name for name in person.groups if name not in belongs))


def _accounts(usernames: Sequence[str]) -> dict[str, User]:
    """The accounts with these names, with their groups."""
    found: dict[str, User] = {}
    for chunk in _chunks(usernames):
        users = User.objects.filter(username__in=chunk).prefetch_related("groups")
        found |= {user.username: user for user in users}
    return found


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
