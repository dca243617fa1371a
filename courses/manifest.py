"""course.yaml: what a course consists of, read into dataclasses with every fault named by file, line and column.

No database: a function of the text. `docs/courses.md` documents the format.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext as _

from courses.roster import Student
from descriptors.definition import nearest, validate
from descriptors.documents import Positions, load_with_lines, locate
from descriptors.models import Kind
from descriptors.names import ROOT, check_length, clean_name, clean_path, join
from descriptors.permissions import OPERATIONS, ROLES
from olimpus.errors import Invalid
from olimpus.faults import Faults

Definition = dict[str, Any]
Keys = tuple[str | int, ...]

KEYS: Final = (
    *("course", "title", "term", "folder", "common", "prototypes", "machines", "student_folder", "student"),
    *("grants", "shared"),
)
SHARED_KEYS: Final = ("common", "folders", "machines")
GRANT_KEYS: Final = ("students", "managers")
GROUP: Final = "group:"
#: `folder:` when the file does not say.
PARENT: Final = "/courses"
MAX_TITLE: Final = 200
MAX_MACHINES: Final = 100
PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Item:
    """A folder or machine that exists once in the course; `keys` lead to its definition in the file."""

    path: str
    kind: Kind
    definition: Definition
    keys: Keys


@dataclass(frozen=True)
class Holder:
    """A user or a group, by name, that manages the course."""

    name: str
    is_group: bool
    keys: Keys


@dataclass(frozen=True)
class Course:
    """A course file. Definitions are validated and in their normal form; paths are clean."""

    name: str
    title: str
    term: str
    folder: str
    common: Definition
    student_folder: str
    student: Definition
    machines: Mapping[str, Definition]
    shared: tuple[Item, ...]
    students_role: str | None
    managers: tuple[Holder, ...]
    positions: Positions = field(compare=False, repr=False)

    def where(self, *keys: str | int) -> str:
        """The place of an entry of the file, for messages: "course.yaml:12:3: machines.web"."""
        dotted = ".".join(str(key) for key in keys)
        return f"{self.positions.where(keys)}: {dotted}" if dotted else self.positions.name

    def folder_name(self, student: Student) -> str:
        """The name of a student's folder. Invalid when the pattern names what the roster has not, or gives no name."""
        fields = student.fields
        for asked in PLACEHOLDER.findall(self.student_folder):
            if asked not in fields:
                message = _("The roster has no “%(field)s”.") % {"field": asked}
                raise Invalid(message, where=self.where("student_folder"), hint=nearest(asked, fields))
        return clean_name(PLACEHOLDER.sub(lambda found: fields[found[1]], self.student_folder))


def read_course(text: str | bytes, *, name: str = "course.yaml") -> Course:
    """The course that a YAML or JSON file describes.

    Raises TooLarge, or Invalid with all faults in `errors`, each with `where` "name:line:column: field".
    """
    data, positions = load_with_lines(text, name=name)
    return _Reader(data, positions).course()


class _Reader:
    """Reads one document section by section and collects the faults."""

    def __init__(self, data: Any, positions: Positions):
        self._data = data
        self._positions = positions
        self._faults = Faults()

    def course(self) -> Course:
        if not isinstance(self._data, dict):
            self._fault((), _("A course file is a mapping."), _("It begins with: course: TEL141"))
            self._faults.raise_if_any()
        self._known(self._data, (), KEYS)
        if self._data.get("course") in (None, ""):
            self._fault(
                ("course",) if "course" in self._data else (),
                _("“%(key)s” is missing.") % {"key": "course"},
                _("It is the name of the course, e.g. TEL141."),
            )
        name = self._name(self._text("course"), ("course",))
        term = self._text("term")
        folder = self._folder(name, term)
        course = Course(
            name=name,
            title=self._text("title", limit=MAX_TITLE),
            term=term,
            folder=folder,
            common=self._common(),
            student_folder=self._pattern(),
            student=self._definition(("student",)),
            machines=self._machines(),
            shared=tuple(self._shared(self._mapping(self._data, "shared", ()), ("shared",), folder, top=True)),
            students_role=self._students_role(),
            managers=tuple(self._managers()),
            positions=self._positions,
        )
        self._faults.raise_if_any()
        return course

    # -- faults --------------------------------------------------------------------------------------------------------

    def _fault(self, keys: Keys, message: str, hint: str = "") -> None:
        where = self._positions.where(keys)
        dotted = ".".join(str(key) for key in keys)
        self._faults.add(f"{where}: {dotted}" if dotted else where, message, hint)

    def _known(self, mapping: Mapping[str, Any], keys: Keys, known: Collection[str]) -> None:
        for key in mapping:
            if key not in known:
                self._fault((*keys, key), _("Unknown key “%(key)s”.") % {"key": key[:64]}, nearest(key, known))

    # -- values --------------------------------------------------------------------------------------------------------

    def _text(self, key: str, *, limit: int = 128) -> str:
        value = self._data.get(key)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.isprintable():
            self._fault((key,), _("Give a text on one line."), _("Put it in quotes."))
            return ""
        if len(value) > limit:
            self._fault((key,), _("More than %(limit)d characters.") % {"limit": limit})
        return value

    def _name(self, name: str, keys: Keys) -> str:
        try:
            return clean_name(name) if name else ""
        except Invalid as error:
            self._fault(keys, error.message, error.hint)
            return ""

    def _folder(self, name: str, term: str) -> str:
        """Where the course goes: as the file says, else below /courses by name and term."""
        given = self._text("folder", limit=768)
        keys = ("folder",) if given else ("term",)
        try:
            parts = [part for part in clean_path(given or f"{PARENT}/{name}/{term}").split("/") if part]
            path = ROOT
            for part in parts:
                path = join(path, clean_name(part))
            check_length(path)
        except Invalid as error:
            self._fault(keys, error.message, error.hint)
            return PARENT
        if path == ROOT:
            self._fault(keys, _("The root cannot be a course."), _("For example: /courses/TEL141"))
        return path

    def _mapping(self, holder: Mapping[str, Any], key: str, keys: Keys) -> dict[str, Any]:
        value = holder.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._fault((*keys, key), _("“%(key)s” is a mapping.") % {"key": key})
            return {}
        return value

    def _definition(self, keys: Keys) -> Definition:
        """The definition at `keys`, empty when there is none, in its normal form."""
        value = self._data
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        try:
            return validate(
                {} if value is None else value, where=".".join(map(str, keys)), rights_operations=OPERATIONS
            )
        except Invalid as error:
            self._faults.take(locate(error, self._positions, keys))
            return {}

    # -- sections ------------------------------------------------------------------------------------------------------

    def _common(self) -> Definition:
        """The definition of the course folder, `prototypes:` of the top level included."""
        common = self._definition(("common",))
        if "prototypes" not in self._data:
            return common
        if "prototypes" in common:
            self._fault(("prototypes",), _("Prototypes are in “common” already."), _("Write them in one place."))
        return common | {"prototypes": self._prototypes()}

    def _prototypes(self) -> Definition:
        try:
            return validate({"prototypes": self._data["prototypes"]})["prototypes"]
        except Invalid as error:
            self._faults.take(locate(error, self._positions))
            return {}

    def _machines(self) -> dict[str, Definition]:
        return dict(self._named_definitions(self._mapping(self._data, "machines", ()), ("machines",)))

    def _named_definitions(self, mapping: Mapping[str, Any], keys: Keys) -> Iterator[tuple[str, Definition]]:
        if len(mapping) > MAX_MACHINES:
            self._fault(keys, _("More than %(limit)d machines.") % {"limit": MAX_MACHINES})
            return
        seen: set[str] = set()
        for key in mapping:
            name = self._name(key, (*keys, key)) if key else ""
            if name in seen:
                self._fault((*keys, key), _("“%(name)s” is there twice.") % {"name": name})
            elif not key:
                self._fault((*keys, key), _("The name is empty."))
            seen.add(name)
            yield name, self._definition((*keys, key))

    def _shared(self, body: Mapping[str, Any], keys: Keys, path: str, *, top: bool = False) -> Iterator[Item]:
        """Folders before what they hold."""
        self._known(body, keys, SHARED_KEYS[1:] if top else SHARED_KEYS)
        machines = self._mapping(body, "machines", keys)
        for (name, definition), key in zip(
            self._named_definitions(machines, (*keys, "machines")), machines, strict=False
        ):
            yield Item(join(path, name), Kind.DESCRIPTOR, definition, (*keys, "machines", key))
        for key, inner in self._mapping(body, "folders", keys).items():
            here = (*keys, "folders", key)
            below = join(path, self._name(key, here))
            if key in machines:
                self._fault(here, _("A folder and a machine have the same name."))
            yield Item(below, Kind.FOLDER, self._definition((*here, "common")), (*here, "common"))
            if inner is not None and not isinstance(inner, dict):
                self._fault(here, _("A folder is a mapping."), ", ".join(SHARED_KEYS))
            yield from self._shared(inner if isinstance(inner, dict) else {}, here, below)

    def _pattern(self) -> str:
        """The naming pattern of the students' folders: one name, told apart by what the roster tells."""
        pattern = self._text("student_folder") or "{username}"
        bare = PLACEHOLDER.sub("", pattern)
        if not PLACEHOLDER.search(pattern) or "{" in bare or "}" in bare:
            message = _("The pattern names a field of the roster in braces.")
            self._fault(("student_folder",), message, _('For example: "{username}"'))
        elif "/" in bare:
            self._fault(("student_folder",), _("The pattern gives one name, hence it has no slash."))
        return pattern

    def _students_role(self) -> str | None:
        grants = self._mapping(self._data, "grants", ())
        self._known(grants, ("grants",), GRANT_KEYS)
        role = grants.get("students", "user")
        if role is not None and role not in ROLES:
            hint = _("One of %(roles)s, or null for none.") % {"roles": ", ".join(sorted(ROLES))}
            self._fault(("grants", "students"), _("There is no such role."), hint)
        return role

    def _managers(self) -> Iterator[Holder]:
        managers = self._mapping(self._data, "grants", ()).get("managers") or []
        if not isinstance(managers, list):
            self._fault(("grants", "managers"), _("“%(key)s” is a list of names.") % {"key": "managers"})
            return
        for index, name in enumerate(managers):
            keys = ("grants", "managers", index)
            if not isinstance(name, str) or not name.removeprefix(GROUP).strip():
                self._fault(keys, _("Give a user name, or “group:” and the name of a group."), _("Put it in quotes."))
                continue
            yield Holder(name.removeprefix(GROUP).strip(), name.startswith(GROUP), keys)
