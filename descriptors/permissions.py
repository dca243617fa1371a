"""Who may: grants and rights read from the database once, and the same answer for one node and for a list.

Roles are granted on a node to users and groups (guardian's tables) and hold for the whole branch. What a role may do is a
flag of the inherited parameter `rights`. Managers give what they have, never more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import BooleanField, CharField, F, JSONField, Q, QuerySet, Value
from django.db.models.expressions import Expression
from django.db.models.fields.json import KeyTransform
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.roles import Role
from descriptors.access import Access, Interval, Mark, end_of, key_of, of_paths, single_branches
from descriptors.models import Folder, Node, NodeGroupObjectPermission, NodeUserObjectPermission
from descriptors.verbs import VERBS
from olimpus.errors import Forbidden, NotFound

#: Verbs that are allowed by themselves, not by another operation.
OWN_VERBS = {name: verb.label for name, verb in VERBS.items() if verb.permission == name}
#: What can be allowed or forbidden, with its label. Verbs are operations too.
OPERATIONS: dict[str, Any] = {
    "see": gettext_lazy("see it"),
    "console": gettext_lazy("open its console"),
    "watch_console": gettext_lazy("watch its console"),
    "edit": gettext_lazy("edit its definition"),
    "create_nodes": gettext_lazy("create folders and machines below"),
    "define_prototypes": gettext_lazy("define prototypes and networks"),
    "move": gettext_lazy("move and rename it"),
    "delete": gettext_lazy("delete it from the tree"),
    "grant": gettext_lazy("give access to others"),
} | OWN_VERBS

DEFAULTS: dict[str, frozenset[str]] = {
    Role.MANAGER: frozenset(OPERATIONS),
    Role.USER: frozenset({"see", "console", *OWN_VERBS}),
}
PERMISSION_OF = {Role.MANAGER: "as_manager", Role.USER: "as_user"}
#: The more powerful first; a manager may do whatever a simple user may, unless a flag says otherwise.
ROLES = tuple(PERMISSION_OF)
#: Up to here each interval is a range of its own: somebody with a few grants is answered from the index.
FEW = 16
#: Up to here paths are named one by one: below every database's limit on variables.
MANY = 5000

_generation = 0


def forget() -> None:
    """Called when grants, rights or paths change in this process: answers kept on user objects are read anew."""
    global _generation
    _generation += 1


def access_of(user: User | AnonymousUser) -> Access:
    """Everything that matters for this person, in one query; kept on the user object (one request) after that."""
    known = getattr(user, "_access", None)
    if known and known[0] == _generation:
        return known[1]
    access = Access(_marks(user), DEFAULTS, everything=bool(user.is_active and user.is_superuser))
    user._access = (_generation, access)  # type: ignore[union-attr]
    return access


def can(user: User | AnonymousUser, operation: str, node: Node | str) -> bool:
    """Whether this person may do `operation` at the node (or path)."""
    return access_of(user).can(operation, node if isinstance(node, str) else node.path)


def require(user: User | AnonymousUser, operation: str, node: Node) -> None:
    """Raise NotFound when the node may not even be seen, Forbidden when it may be seen but not this."""
    if can(user, operation, node):
        return
    if not can(user, "see", node):
        raise NotFound(_("There is nothing here that you may see."), where=node.path)
    raise Forbidden(
        _("You may not %(operation)s.") % {"operation": OPERATIONS[operation]},
        where=node.path,
        hint=_("Ask a manager of this folder."),
    )


def visible(
    user: User | AnonymousUser,
    queryset: QuerySet[Any],
    operation: str = "see",
    *,
    path: str = "path",
    below: str = "/",
    children: bool = False,
) -> QuerySet[Any]:
    """The rows of `queryset` at whose `path` the operation is allowed; the filter itself needs no further query.

    Where the caller restricts the rows to the branch `below`, or to the children of `below`, saying so makes the filter
    short or needless.
    """
    access = access_of(user)
    intervals = access.intervals(operation, below=below)
    if access.everything or (below != "/" and intervals == [(key_of(below), end_of(key_of(below)))]):
        return queryset
    branches = single_branches(intervals) if children and len(intervals) <= MANY else None
    if branches is not None and below not in branches:
        return queryset.filter((f"{path}__in", branches))
    return queryset.filter(within(path, intervals))


def within(path: str, intervals: list[Interval]) -> Q:
    """A condition: the key of the column `path` lies in one of the sorted, disjoint intervals.

    A few intervals are written as ranges, which an index answers; many as a decision tree, of which each row passes
    log2(n) comparisons.
    """
    if not intervals:
        return Q(pk__in=[])
    more, fewer = of_paths(intervals)
    if len(intervals) <= FEW:
        found = Q(*(Q((f"{path}__gte", low), (f"{path}__lt", high)) for low, high in intervals), _connector=Q.OR)
    else:
        found = Q(_Within(path, intervals))
    if more:
        found |= Q((f"{path}__in", sorted(more)))
    return found & ~Q((f"{path}__in", sorted(fewer))) if fewer else found


def effective(user: User, node: Node) -> list[dict[str, Any]]:
    """Every operation with its answer and reason: {"operation", "label", "allowed", "role", "granted_at", "set_at"}."""
    access = access_of(user)
    stand = access.stand(node.path)
    rows = []
    for operation, label in OPERATIONS.items():
        answers = [(access.flag(stand, role, operation), role) for role in ROLES if role in stand.roles]
        (allowed, set_at), role = next((a for a in answers if a[0][0]), answers[0] if answers else ((False, ""), ""))
        rows.append(
            {
                "operation": operation,
                "label": str(label),
                "allowed": access.everything or allowed,
                "role": "superuser" if access.everything else role,
                "granted_at": stand.roles.get(role, ""),
                "set_at": set_at,
            }
        )
    return rows


class _Within(Expression):
    """A decision tree over the sorted ends of many intervals."""

    conditional = True
    output_field = BooleanField()

    def __init__(self, path: str, intervals: list[Interval]):
        super().__init__(output_field=BooleanField())
        self.path = F(path)
        self.ends = [end for interval in intervals for end in interval]

    def get_source_expressions(self) -> list[Any]:
        return [self.path]

    def set_source_expressions(self, expressions: list[Any]) -> None:
        (self.path,) = expressions

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, _none = compiler.compile(self.path)
        params: list[Any] = []
        return f"({self._tree(sql, params, 0, len(self.ends))} = 1)", params

    def _tree(self, sql: str, params: list[Any], low: int, high: int) -> str:
        """SQL for paths known to lie between ends[low - 1] and ends[high]: inside when an odd number of ends is passed."""
        if low == high:
            return str(low % 2)
        middle = (low + high) // 2
        params.append(self.ends[middle])
        left = self._tree(sql, params, low, middle)
        return f"CASE WHEN {sql} < %s THEN {left} ELSE {self._tree(sql, params, middle + 1, high)} END"


class _OneOf(Expression):
    """The primary key is one of these, however many: numbers of ours, written into the statement, need no parameters."""

    conditional = True

    def __init__(self, ids: Iterable[int]):
        super().__init__(output_field=BooleanField())
        self.column: Any = F("pk")
        self.ids = [int(pk) for pk in ids]

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, expressions: list[Any]) -> None:
        (self.column,) = expressions

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        sql, params = compiler.compile(self.column)
        return f"{sql} IN ({', '.join(map(str, self.ids))})", list(params)


def one_of(ids: Iterable[int]) -> Any:
    """A condition on the primary key, for more values than a statement takes parameters."""
    ids = list(ids)
    return _OneOf(ids) if ids else Q(pk__in=[])


def _marks(user: User | AnonymousUser) -> list[Mark]:
    """The nodes that matter, one query: own grants, grants of groups, rights flags, stops of inheritance."""
    if not user.is_authenticated or not user.is_active or user.is_superuser:
        return []
    columns = ("path", "role", "inherits", "rights")
    nothing = {"inherits": Value(True, BooleanField()), "rights": Value(None, JSONField())}
    rights = Node.objects.filter(has_rights=True).annotate(
        role=Value("", CharField()), inherits=Value(True, BooleanField()), rights=KeyTransform("rights", "definition")
    )
    stops = Folder.objects.filter(inherit_grants=False).annotate(
        role=Value("", CharField()), inherits=Value(False, BooleanField()), rights=Value(None, JSONField())
    )
    own = NodeUserObjectPermission.objects.filter(user=user)
    groups = NodeGroupObjectPermission.objects.filter(group__user=user)
    grants = [
        rows.annotate(path=F("content_object__path"), role=F("permission__codename"), **nothing)
        for rows in (own, groups)
    ]
    parts: list[QuerySet[Any]] = [rows.order_by().values_list(*columns) for rows in (rights, stops, *grants)]
    return _gather(parts[0].union(*parts[1:], all=True))


def _gather(rows: Iterable[tuple[str, str, bool, Any]]) -> list[Mark]:
    roles: dict[str, set[str]] = defaultdict(set)
    rights: dict[str, Any] = {}
    stops: dict[str, bool] = {}
    for path, codename, inherits, flags in rows:
        roles[path].update([codename.removeprefix("as_")] if codename else [])
        rights[path] = rights.get(path) or flags
        stops[path] = stops.get(path, False) or not inherits
    return [Mark(path, frozenset(roles[path]), rights[path] or {}, not stops[path]) for path in roles]
