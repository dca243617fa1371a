"""What an import would do: course + students + what is there already → a plan. Pure and deterministic; nothing is written.

A plan only adds and updates. What the files no longer name is listed and left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext as _

from accounts.roles import Role
from courses.manifest import Course, Definition, Keys
from courses.roster import Student
from descriptors.cascade import Cascade
from descriptors.definition import changed
from descriptors.models import Kind
from descriptors.names import above, check_length, join
from olimpus.errors import Conflict, Invalid, TooLarge
from olimpus.faults import Faults

#: More nodes than this are not imported in one go.
MAX_NODES: Final = 100_000
#: Names shown one by one in an error.
SHOWN: Final = 20


@dataclass(frozen=True)
class Found:
    """A node that is there."""

    id: int
    kind: str
    definition: Definition
    version: int = 1


@dataclass(frozen=True)
class Grant:
    """A role at a path for a user or a group, by name."""

    path: str
    role: str
    holder: str
    is_group: bool = False


@dataclass(frozen=True)
class Snapshot:
    """What is there: nodes above, at and below the course folder, all accounts, all groups, the grants on those nodes."""

    nodes: Mapping[str, Found] = field(default_factory=dict)
    emails: Mapping[str, str] = field(default_factory=dict)  # user name → e-mail
    groups: frozenset[str] = frozenset()
    grants: frozenset[Grant] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """A node that the files ask for. `definition` None: any; `keys` lead to it in the course file."""

    path: str
    kind: Kind
    definition: Definition | None
    keys: Keys = ()


@dataclass(frozen=True)
class Update:
    """A node whose definition is not what the course file says."""

    path: str
    found: Found
    after: Definition

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that change, sorted."""
        return sorted(set().union(*changed(self.found.definition, self.after).values()))


@dataclass(frozen=True)
class Plan:
    """What is to be done, in the order in which it is done."""

    course: Course
    create: tuple[Wanted, ...]
    update: tuple[Update, ...]
    users: tuple[Student, ...]
    grants: tuple[Grant, ...]
    unchanged: int
    missing: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.create or self.update or self.users or self.grants)

    def counts(self) -> dict[str, int]:
        """How much of each: folders, machines, users, grants, updates, unchanged, missing."""
        kinds = Counter(wanted.kind for wanted in self.create)
        return {
            "folders": kinds[Kind.FOLDER],
            "machines": kinds[Kind.DESCRIPTOR],
            "users": len(self.users),
            "grants": len(self.grants),
            "updates": len(self.update),
            "unchanged": self.unchanged,
            "missing": len(self.missing),
        }

    def as_data(self) -> dict[str, Any]:
        """The plan as plain data, for programs."""
        return {
            "course": self.course.folder,
            "counts": self.counts(),
            "create": [{"path": wanted.path, "kind": str(wanted.kind)} for wanted in self.create],
            "update": [{"path": update.path, "parameters": update.parameters} for update in self.update],
            "users": [student.username for student in self.users],
            "grants": [
                {"path": grant.path, "role": grant.role, "group" if grant.is_group else "user": grant.holder}
                for grant in self.grants
            ],
            "missing": list(self.missing),
        }


def make_plan(course: Course, students: Sequence[Student], there: Snapshot, *, roster: str = "roster.csv") -> Plan:
    """What must be created and updated so that everything is as the two files say.

    Raises Invalid (two students in one folder, unknown managers, a definition that cannot be computed, an account that
    differs in upper and lower case only, an e-mail of somebody else), Conflict (a node of another kind at a path),
    TooLarge. All faults at once.
    """
    folders = _student_folders(course, students, roster)
    wanted = [*_wanted(course, students, folders)]
    if len(wanted) > MAX_NODES:
        raise TooLarge(_("An import has at most %(limit)d nodes.") % {"limit": MAX_NODES}, where=course.positions.name)
    _check_kinds(wanted, there)
    _check_computable(course, wanted, there)
    users = _new_users(students, there, roster)
    _check_managers(course, students, there)
    update, unchanged = _compared(wanted, there)
    return Plan(
        course=course,
        create=tuple(item for item in wanted if item.path not in there.nodes),
        update=update,
        users=users,
        grants=tuple(grant for grant in _grants(course, students, folders) if grant not in there.grants),
        unchanged=unchanged,
        missing=_missing(course, wanted, there),
    )


# -- what the files ask for ------------------------------------------------------------------------------------------


def _student_folders(course: Course, students: Sequence[Student], roster: str) -> list[str]:
    """The path of each student's folder. Invalid when two students, or a student and something shared, would share it."""
    faults = Faults()
    taken = {item.path: course.where(*item.keys) for item in course.shared}
    paths = []
    for student in students:
        where = f"{roster}:{student.line}"
        try:
            path = join(course.folder, course.folder_name(student))
        except Invalid as error:
            # A pattern that asks for a column that is not there fails for everybody: said once.
            of_pattern = error.where == course.where("student_folder")
            faults.add(error.where if of_pattern else where, error.message, error.hint)
            if of_pattern:
                break
            continue
        if path in taken:
            message = _("The folder %(path)s is that of %(other)s already.") % {"path": path, "other": taken[path]}
            faults.add(where, message, _("Choose another “student_folder” pattern."))
        taken.setdefault(path, where)
        paths.append(path)
    faults.raise_if_any()
    return paths


def _wanted(course: Course, students: Sequence[Student], folders: Sequence[str]) -> Iterator[Wanted]:
    """Every node, parents before children."""
    for path in above(course.folder)[1:]:
        yield Wanted(path, Kind.FOLDER, None)
    yield Wanted(course.folder, Kind.FOLDER, _course_definition(course), ("common",))
    for item in course.shared:
        yield Wanted(item.path, item.kind, item.definition, item.keys)
    longest = max(map(len, course.machines), default=0)
    for student, folder in zip(students, folders, strict=True):
        check_length(folder, len(folder) + 1 + longest)
        yield Wanted(folder, Kind.FOLDER, _student_definition(course, student), ("student",))
        for name, definition in course.machines.items():
            yield Wanted(join(folder, name), Kind.DESCRIPTOR, definition, ("machines", name))


def _course_definition(course: Course) -> Definition:
    """The course's common definition, with its title and term where applications look for them."""
    about = {"code": course.name, "title": course.title, "term": course.term}
    custom = {"course": {key: text for key, text in about.items() if text}} | (course.common.get("custom") or {})
    return course.common | {"custom": custom}


def _student_definition(course: Course, student: Student) -> Definition:
    """The common definition of a student's folder: whose it is, and the group as a label to filter by."""
    said = {"student": student.username}
    if name := ", ".join(part for part in (student.last_name, student.first_name) if part):
        said["description"] = _literal(name)  # shown beside the folder, and beside the VMs on their hypervisor
    definition: Definition = said | course.student
    if student.group:
        definition["labels"] = {"group": _literal(student.group)} | (course.student.get("labels") or {})
    return definition


def _literal(text: str) -> str:
    """The roster is data: what looks like a reference is not one."""
    return text.replace("${", "$${")


def _grants(course: Course, students: Sequence[Student], folders: Sequence[str]) -> Iterator[Grant]:
    for holder in course.managers:
        yield Grant(course.folder, Role.MANAGER, holder.name, holder.is_group)
    if course.students_role:
        for student, folder in zip(students, folders, strict=True):
            yield Grant(folder, course.students_role, student.username)


# -- compared with what is there -------------------------------------------------------------------------------------


def _check_kinds(wanted: Iterable[Wanted], there: Snapshot) -> None:
    other = [item.path for item in wanted if item.path in there.nodes and there.nodes[item.path].kind != item.kind]
    if other:
        message = _("There is a node of another kind at this path.")
        faults = [{"where": path, "message": message} for path in other[:SHOWN]]
        raise Conflict(message, where=other[0], hint=_("Rename one of the two."), errors=faults)


def _check_computable(course: Course, wanted: Sequence[Wanted], there: Snapshot) -> None:
    """Every machine of the course once: shared ones, and those of the first student, since all students' are alike."""
    folders = {path: found.definition for path, found in there.nodes.items() if found.kind == Kind.FOLDER}
    folders |= {
        item.path: item.definition for item in wanted if item.kind == Kind.FOLDER and item.definition is not None
    }
    cascade, faults, seen = Cascade(folders), Faults(), set[Keys]()
    for item in wanted:
        if item.kind == Kind.FOLDER or item.keys in seen:
            continue
        seen.add(item.keys)
        parent, _slash, name = item.path.rpartition("/")
        try:
            cascade.of(parent or "/", name, item.definition or {})
        except Invalid as error:
            faults.add(f"{course.where(*item.keys)}.{error.where}".rstrip("."), error.message, error.hint)
    faults.raise_if_any()


def _compared(wanted: Iterable[Wanted], there: Snapshot) -> tuple[tuple[Update, ...], int]:
    """The updates, and how many nodes are as they should be."""
    updates, unchanged = [], 0
    for item in wanted:
        found = there.nodes.get(item.path)
        if found is None:
            continue
        if item.definition is None or not any(changed(found.definition, item.definition).values()):
            unchanged += 1
        else:
            updates.append(Update(item.path, found, item.definition))
    return tuple(updates), unchanged


def _new_users(students: Sequence[Student], there: Snapshot, roster: str) -> tuple[Student, ...]:
    """The students without an account. Accounts that exist are left as they are."""
    folded = {name.casefold(): name for name in there.emails}
    owners = {email.casefold(): name for name, email in there.emails.items() if email}
    faults, new = Faults(), []
    for student in students:
        if student.username in there.emails:
            continue
        where = f"{roster}:{student.line}"
        if other := folded.get(student.username.casefold()):
            message = _("There is an account “%(name)s”.") % {"name": other}
            faults.add(f"{where}: username", message, _("Write it in the same upper and lower case."))
        elif student.email and (other := owners.get(student.email.casefold())):
            message = _("“%(email)s” belongs to the account “%(name)s”.") % {"email": student.email, "name": other}
            faults.add(f"{where}: email", message, _("Use that user name, or correct the address."))
        new.append(student)
    faults.raise_if_any()
    return tuple(new)


def _check_managers(course: Course, students: Iterable[Student], there: Snapshot) -> None:
    users = there.emails.keys() | {student.username for student in students}
    faults = Faults()
    for holder in course.managers:
        if holder.name not in (there.groups if holder.is_group else users):
            what = _("There is no group “%(name)s”.") if holder.is_group else _("There is no user “%(name)s”.")
            hint = _("For a group, write “group:” before its name.") if not holder.is_group else ""
            faults.add(course.where(*holder.keys), what % {"name": holder.name}, hint)
    faults.raise_if_any()


def _missing(course: Course, wanted: Iterable[Wanted], there: Snapshot) -> tuple[str, ...]:
    """The topmost nodes of the course folder that the files do not name, sorted."""
    named = {item.path for item in wanted}
    inside = f"{course.folder}/"
    lost = {path for path in there.nodes if path.startswith(inside) and path not in named}
    return tuple(sorted(path for path in lost if path.rpartition("/")[0] not in lost))
