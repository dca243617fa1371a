"""Carrying out the plan of a course in one transaction, with a number of queries that grows with each thousand rows only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from smtplib import SMTPException
from typing import Any, Final, TypeVar

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import journal
from accounts.actions import invite, require_people_manager
from accounts.models import User
from courses.manifest import Course, Keys
from courses.plan import Found, Grant, Plan, Snapshot, Update
from courses.roster import Student
from descriptors import selectors, tree
from descriptors.actions import grant, grant_many
from descriptors.actions.editing import checked
from descriptors.actions.effects import EditPlan, machines_under
from descriptors.actions.effects import plan as plan_effects
from descriptors.actions.granting import require_giving
from descriptors.models import Descriptor, Node, NodeGroupObjectPermission, NodeUserObjectPermission
from descriptors.names import above
from descriptors.permissions import PERMISSION_OF, forget, require
from descriptors.states import OFF, State
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, OlimpusError, Stale

T = TypeVar("T")
#: Values in one `IN (…)`: below every database's limit on variables.
CHUNK: Final = 900
BATCH: Final = 1000
ROLE_OF: Final = {codename: role for role, codename in PERMISSION_OF.items()}


@dataclass(frozen=True)
class Result:
    """What an import did."""

    folder: Node
    created: int
    updated: int
    granted: int
    users: tuple[User, ...]


# -- what is there ---------------------------------------------------------------------------------------------------


def snapshot(course: Course) -> Snapshot:
    """What the plan of this course is compared with; six queries, whatever the size."""
    nodes = {node.path: node for node in Node.objects.filter(path__in=[*above(course.folder), course.folder])}
    if folder := nodes.get(course.folder):
        inside = Node.objects.filter(selectors.inside(folder.path))
        nodes |= {node.path: node for node in inside.only("path", "kind", "definition", "version")}
    return Snapshot(
        nodes={path: Found(node.pk, node.kind, node.definition, node.version) for path, node in nodes.items()},
        emails=dict(User.objects.order_by().values_list("username", "email")),
        groups=frozenset(Group.objects.values_list("name", flat=True)),
        grants=frozenset(_grants(folder)) if folder else frozenset(),
    )


def _grants(folder: Node) -> Iterator[Grant]:
    """The grants at the course folder and below."""
    branch = selectors.inside(folder.path, "content_object__path", itself=True)
    for table, holder in ((NodeUserObjectPermission, "user__username"), (NodeGroupObjectPermission, "group__name")):
        rows = table.objects.filter(branch).values_list("content_object__path", "permission__codename", holder)
        for path, codename, name in rows:
            yield Grant(path, ROLE_OF.get(codename, codename), name, table is NodeGroupObjectPermission)


def effects(plan: Plan) -> EditPlan:
    """What the updates of the plan do to machines that are there. Conflict when the state of one does not allow it."""
    if not plan.update:
        return EditPlan()
    return plan_effects({update.path: update.after for update in plan.update}, machines_under([plan.course.folder]))


# -- import ----------------------------------------------------------------------------------------------------------


@retry_on_deadlock
def import_course(plan: Plan, *, actor: User) -> Result:
    """Make everything that the plan says, or nothing.

    Forbidden (folders, definitions, grants, accounts that the actor may not make), Conflict (a machine's state forbids an
    update; somebody made the same nodes or accounts meanwhile), Stale (somebody changed a definition meanwhile).
    Not repeatable with the same plan; plan again, and there is nothing left to do.
    """
    with tree.lock():
        _require(plan, actor)
        effects(plan).refuse_if_broken()
        _write_updates(plan.update, actor)
        made = _insert(plan, actor)
        users = _make_users(plan.users, actor)
        forget()
        granted = _give(plan.grants, made, actor)
        folder = Node.objects.get(path=plan.course.folder)
        if not plan.is_empty:
            journal.record(actor, "course.import", path=folder.path, node_id=folder.pk, data=plan.counts())
    return Result(folder, len(made), len(plan.update), granted, users)


def send_invitations(users: Iterable[User], *, actor: User) -> dict[str, str]:
    """Mail an invitation to each user; returns why it failed, by user name. Call it after the import is committed."""
    failed = {}
    for user in users:
        try:
            invite(user, actor=actor)
        except OlimpusError as error:
            failed[user.username] = error.message
        except (SMTPException, OSError) as error:
            failed[user.username] = str(error)
    return failed


def _require(plan: Plan, actor: User) -> None:
    """Every right that the plan needs, before anything is written."""
    parents = _by_path({path for path, _drafts in _groups(plan)})
    for parent in parents.values():
        require(actor, "create_nodes", parent)
    seen: set[Keys] = set()
    for wanted in plan.create:
        # All nodes of one entry of the file say the same, so that one of them is enough.
        if wanted.definition and wanted.keys not in seen:
            checked(wanted.path, wanted.definition, actor=actor, before={}, new=True)
            seen.add(wanted.keys)
    for update in plan.update:
        checked(update.path, update.after, actor=actor, before=update.found.definition)
    if plan.users:
        require_people_manager(actor)


# -- nodes -----------------------------------------------------------------------------------------------------------


def _groups(plan: Plan) -> list[tuple[str, list[tree.Draft]]]:
    """The new nodes as drafts inside drafts, by the path of the folder that is there already."""
    drafts: dict[str, tree.Draft] = {}
    groups: dict[str, list[tree.Draft]] = defaultdict(list)
    for wanted in plan.create:
        parent, _slash, name = wanted.path.rpartition("/")
        draft = drafts[wanted.path] = tree.Draft(name, wanted.kind, wanted.definition or {})
        (drafts[parent].children if parent in drafts else groups[parent or "/"]).append(draft)
    return list(groups.items())


def _insert(plan: Plan, actor: User) -> dict[str, Node]:
    groups = _groups(plan)
    if not groups:
        return {}
    parents = _by_path(path for path, _drafts in groups)
    if gone := [path for path, _drafts in groups if path not in parents]:
        raise Stale(_("A folder has gone meanwhile."), where=gone[0], hint=_("Plan again."))
    nodes = tree.insert([(parents[path], drafts) for path, drafts in groups])
    journal.record_many(journal.Draft(actor, f"{node.kind}.create", node.path, node.pk) for node in nodes)
    return {node.path: node for node in nodes}


def _by_path(paths: Iterable[str]) -> dict[str, Node]:
    return _in_chunks(paths, lambda chunk: {node.path: node for node in Node.objects.filter(path__in=chunk)})


def _in_chunks(values: Iterable[str], read: Callable[[Sequence[str]], Mapping[str, T]]) -> dict[str, T]:
    """What `read` finds for the values, a bounded number of them at a time."""
    wanted, found = list(values), dict[str, T]()
    for start in range(0, len(wanted), CHUNK):
        found |= read(wanted[start : start + CHUNK])
    return found


def _write_updates(updates: Sequence[Update], actor: User) -> None:
    """Store the new definitions of nodes that nobody has changed since the plan was made."""
    if not updates:
        return
    ids = [update.found.id for update in updates]
    fresh: dict[int, Node] = {}
    for start in range(0, len(ids), CHUNK):
        rows = Node.objects.select_for_update().filter(pk__in=ids[start : start + CHUNK]).order_by("pk")
        fresh |= {node.pk: node for node in rows}
    for update in updates:
        _put(update, fresh.get(update.found.id))
    Node.objects.bulk_update(fresh.values(), ["definition", "has_rights", "version", "updated_at"], batch_size=200)
    journal.record_many(
        journal.Draft(actor, "definition.edit", update.path, update.found.id, {"parameters": update.parameters})
        for update in updates
    )


def _put(update: Update, node: Node | None) -> None:
    if node is None or node.version != update.found.version:
        raise Stale(_("Somebody else changed it meanwhile."), where=update.path, hint=_("Plan again."))
    node.definition, node.has_rights = update.after, "rights" in update.after
    node.version += 1
    node.updated_at = timezone.now()


# -- people ----------------------------------------------------------------------------------------------------------


def _make_users(students: Sequence[Student], actor: User) -> tuple[User, ...]:
    """Accounts without a usable password: made once, since hashing thousands would take minutes."""
    unusable = make_password(None)
    users = [
        User(
            username=student.username,
            email=student.email,
            first_name=student.first_name,
            last_name=student.last_name,
            password=unusable,
        )
        for student in students
    ]
    try:
        with transaction.atomic():
            User.objects.bulk_create(users, batch_size=BATCH)
    except IntegrityError as error:
        message = _("One of the accounts was made meanwhile, or the database takes two names for the same.")
        raise Conflict(message, where="username", hint=_("Plan again.")) from error
    journal.record_many(
        journal.Draft(actor, "user.create", data={"user": user.username, "kind": user.role}) for user in users
    )
    made = _in_chunks(
        [user.username for user in users],
        lambda chunk: {user.username: user for user in User.objects.filter(username__in=chunk)},
    )
    return tuple(made[user.username] for user in users)


def _give(grants: Sequence[Grant], made: Mapping[str, Node], actor: User) -> int:
    """Give the roles of the plan; returns how many are new. Forbidden beyond what the actor holds himself."""
    nodes = made | _by_path({row.path for row in grants} - made.keys())
    ids = _in_chunks(
        {row.holder for row in grants if not row.is_group},
        lambda chunk: dict(User.objects.filter(username__in=chunk).values_list("username", "pk")),
    )
    for row in grants:
        require_giving(nodes[row.path], row.role, actor=actor)
    for row in (row for row in grants if row.is_group):
        grant(nodes[row.path], row.role, group=Group.objects.get(name=row.holder), actor=actor)
    own = [row for row in grants if not row.is_group]
    given = grant_many([(nodes[row.path].pk, row.role, ids[row.holder]) for row in own], actor=actor)
    journal.record_many(
        journal.Draft(actor, "grant.add", row.path, nodes[row.path].pk, {"role": row.role, "user": row.holder})
        for row in own
    )
    return given + len(grants) - len(own)


def plan_summary(plan: Plan, found: EditPlan) -> dict[str, Any]:
    """The plan and its effects on machines that are there, as plain data."""
    return plan.as_data() | {"effects": found.counts, "broken": found.broken}


def is_waiting(folder: Node, verb: str) -> bool:
    """Whether a machine of the course is in a state from which "create" or "start" would bring it further."""
    states = {"create": (State.PROVISIONED,), "start": (*OFF, State.PROVISIONED)}[verb]
    inside = Descriptor.objects.filter(selectors.inside(folder.path))
    return inside.filter(state__in=states).exists()
