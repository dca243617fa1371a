"""Who may do what at one node, and why: roles with their givers' folders, flags, stops of inheritance, what would be lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.contrib.auth.models import Group
from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import User
from accounts.roles import may_see_people
from descriptors.access import NOWHERE, Access, Stand
from descriptors.models import Node, NodeGroupObjectPermission, NodeUserObjectPermission
from descriptors.permissions import OPERATIONS, PERMISSION_OF, ROLES
from descriptors.selectors.records import grants_of
from descriptors.selectors.ways import Way, way_to
from olimpus.db import containing

Because = Literal["superuser", "inactive", "flag", "default", "stopped", "nothing"]

#: Members of a group that are named; all are counted.
MOST_MEMBERS: Final = 30
#: Names offered while one types.
MOST_NAMES: Final = 20

ROLE_OF: Final = {codename: role for role, codename in PERMISSION_OF.items()}


@dataclass(frozen=True)
class Given:
    """A role given to somebody at a path, perhaps to a group that he is in."""

    role: str
    path: str
    group: str = ""


@dataclass(frozen=True)
class Reason:
    """Whether somebody may do one operation, and what decides it.

    `because`: "superuser"; "inactive" (the account is closed); "flag" (set at `set_at`); "default" (what `role` may do
    unless a folder says otherwise); "stopped" (`given` holds further up and ends at `stopped_at`); "nothing" (no role).
    """

    operation: str
    label: str
    allowed: bool
    because: Because
    given: Given | None = None
    set_at: str = ""
    stopped_at: str = ""

    @property
    def flag_key(self) -> str:
        """The dotted path of the flag that decides, in the definition at `set_at`."""
        return f"rights.{self.given.role}.{self.operation}" if self.given else ""


def why(user: User, node: Node, way: Way | None = None) -> list[Reason]:
    """Every operation at the node with its answer and the reason, also of a refusal.

    At most three queries, one less with the way to the node.
    """
    if not user.is_active or user.is_superuser:
        because: Because = "superuser" if user.is_active else "inactive"
        return [Reason(name, str(label), user.is_active, because) for name, label in OPERATIONS.items()]
    way = way or way_to(node)
    given = _given(user, way.paths)
    holding = [one for one in given if one.path in way.held]
    stand = way.access.stand(node.path)
    return [_reason(operation, way.access, stand, holding, given, way.stop) for operation in OPERATIONS]


def _reason(
    operation: str, access: Access, stand: Stand, holding: list[Given], given: list[Given], stop: str
) -> Reason:
    """The role that allows it, else the one that comes closest: the most powerful that was given."""
    label = str(OPERATIONS[operation])
    answers = [(access.flag(stand, one.role, operation), one) for one in holding]
    if not answers:
        ended = next(iter(given), None)
        return Reason(operation, label, False, "stopped" if ended else "nothing", ended, "", stop if ended else "")
    (allowed, set_at), one = next((answer for answer in answers if answer[0][0]), answers[0])
    return Reason(operation, label, allowed, "flag" if set_at else "default", one, set_at)


def _given(user: User, way: list[str]) -> list[Given]:
    """The roles of a person given on the way, himself or by a group: the more powerful first, then the nearest."""
    on_the_way = {"content_object__path__in": way}
    columns = ("permission__codename", "content_object__path")
    own = NodeUserObjectPermission.objects.filter(user=user, **on_the_way).values_list(*columns)
    groups = NodeGroupObjectPermission.objects.filter(group__user=user, **on_the_way)
    found = [Given(ROLE_OF[code], path) for code, path in own]
    found += [Given(ROLE_OF[code], path, group) for code, path, group in groups.values_list(*columns, "group__name")]
    return sorted(found, key=lambda one: (ROLES.index(one.role), -len(one.path), one.group))


# -- flags -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flag:
    """Whether a role may do an operation here, and the path that says so ("": the default)."""

    role: str
    allowed: bool
    set_at: str


def matrix(node: Node, way: Way | None = None) -> list[tuple[str, str, list[Flag]]]:
    """What each role may do at the node: (operation, its label, a flag for each role); no query with the way to it."""
    access = (way or way_to(node)).access
    stand = access.stand(node.path)
    return [
        (operation, str(label), [Flag(role, *access.flag(stand, role, operation)) for role in ROLES])
        for operation, label in OPERATIONS.items()
    ]


# -- groups and names --------------------------------------------------------------------------------------------------


@dataclass
class Members:
    """Who is in a group: the first names, and how many there are."""

    names: list[str] = field(default_factory=list)
    count: int = 0


def members_of(groups: Iterable[int]) -> dict[int, Members]:
    """The members of these groups; one query, of which each group takes at most thirty rows."""
    through: Any = User.groups.through
    rows = through.objects.filter(group_id__in=list(groups)).annotate(
        place=Window(RowNumber(), partition_by=F("group_id"), order_by="user__username"),
        all=Window(Count("pk"), partition_by=F("group_id")),
    )
    found: dict[int, Members] = defaultdict(Members)
    shown = rows.filter(place__lte=MOST_MEMBERS).order_by("group_id", "user__username")
    for group, name, count in shown.values_list("group_id", "user__username", "all"):
        found[group].names.append(name)
        found[group].count = count
    return found


def people(asker: User, text: str) -> tuple[list[User], list[Group]]:
    """Accounts and groups whose name holds the text, for somebody who may look for people; two queries."""
    if not may_see_people(asker):
        return [], []
    users = User.objects.filter(is_active=True).order_by("username")
    if text:
        users = containing(users, ["username", "first_name", "last_name"], text)
    groups: QuerySet[Group] = containing(Group.objects.all(), ["name"], text) if text else Group.objects.all()
    return list(users[:MOST_NAMES]), list(groups.order_by("name")[:MOST_NAMES])


# -- what would be lost ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """What one person would no longer be allowed here; `keeps` when something remains."""

    name: str
    operations: list[str]
    keeps: bool


def losses(node: Node, going: Callable[[dict[str, Any]], bool]) -> list[Loss]:
    """Who would lose what at the node if the grants went that `going` picks out of `grants_of`; sorted by name.

    At most five queries. Superusers lose nothing and are not listed.
    """
    way = way_to(node)
    grants = grants_of(node, way)
    before, after = _roles_of(grants), _roles_of(row for row in grants if not going(row))
    allowed = {role: _operations(way.access, node, role) for role in ROLES}
    names = dict(
        User.objects.filter(pk__in=list(before), is_active=True, is_superuser=False).values_list("pk", "username")
    )
    found = [_loss(names[pk], before[pk], after.get(pk, set()), allowed) for pk in names]
    return sorted((loss for loss in found if loss.operations), key=lambda loss: loss.name)


def _operations(access: Access, node: Node, role: str) -> set[str]:
    stand = access.stand(node.path) if access.marks else NOWHERE
    return {operation for operation in OPERATIONS if access.flag(stand, role, operation)[0]}


def _loss(name: str, before: set[str], after: set[str], allowed: dict[str, set[str]]) -> Loss:
    had = set().union(*(allowed[role] for role in before))
    has = set().union(*(allowed[role] for role in after))
    return Loss(name, [operation for operation in OPERATIONS if operation in had - has], bool(has))


def _roles_of(grants: Iterable[dict[str, Any]]) -> dict[int, set[str]]:
    """The roles of each account, by himself and by his groups; one query."""
    rows = list(grants)
    found: dict[int, set[str]] = defaultdict(set)
    of_group: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        if "user" in row:
            found[row["user_id"]].add(row["role"])
        else:
            of_group[row["group_id"]].add(row["role"])
    through: Any = User.groups.through
    for group, user in through.objects.filter(group_id__in=list(of_group)).values_list("group_id", "user_id"):
        found[user] |= of_group[group]
    return found
