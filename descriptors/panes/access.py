"""Who may do what at a node, as both doors show and change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.roles import Role
from descriptors import actions, selectors
from descriptors.models import Node
from descriptors.permissions import ROLES, can, require
from olimpus.errors import Invalid, OlimpusError

#: Grants that are listed; all are counted.
MOST_GRANTS: Final = 300
#: People named in a question; all are counted.
MOST_LOSSES: Final = 20
ROLE_WORDS: Final = {
    Role.USER: gettext_lazy("Sees machines, opens their consoles, starts and stops them. Changes no definition."),
    Role.MANAGER: gettext_lazy("Whatever a simple user may, and edits definitions, makes and deletes, gives access."),
}


# -- what is shown -----------------------------------------------------------------------------------------------------


@dataclass
class Wish:
    """What somebody typed to give a role, and what was wrong with it."""

    role: str = Role.USER
    kind: str = "user"
    holder: str = ""
    fault: str = ""


def context(user: User, node: Node, *, who: str = "", wish: Wish | None = None) -> dict[str, Any]:
    """Everything that `components/access.html` shows; `who` is the account whose rights are asked for.

    Whoever may not give access here sees only his own rights.
    """
    may = can(user, "grant", node)
    person, fault = _person(user, who) if may else (user, "")
    way = selectors.way_to(node)
    shown = {
        "node": node,
        "may_grant": may,
        "who": who if may else "",
        "who_fault": fault,
        "person": person,
        "reasons": selectors.why(person, node, way) if person else [],
        "roles": ROLES,
        "own": person == user,
    }
    return shown | (_for_granters(node, way, wish) if may else {})


def _for_granters(node: Node, way: selectors.Way, wish: Wish | None) -> dict[str, Any]:
    grants = selectors.grants_of(node, way)
    members = selectors.members_of({row["group_id"] for row in grants if "group" in row})
    return {
        "grants": [_grant(row, members) for row in grants[:MOST_GRANTS]],
        "grants_count": len(grants),
        "matrix": selectors.matrix(node, way),
        "wish": wish or Wish(),
        "role_words": ROLE_WORDS.items(),
        "inherits": node.folder.inherit_grants if node.is_folder else True,
    }


def _grant(row: dict[str, Any], members: Mapping[int, Any]) -> dict[str, Any]:
    kind = "user" if "user" in row else "group"
    return row | {"kind": kind, "holder": row[kind], "members": members.get(row.get("group_id", 0))}


def _person(user: User, name: str) -> tuple[User | None, str]:
    """The account that is asked about, or why there is none; without a name one's own."""
    if not name.strip():
        return user, ""
    found = User.objects.filter(username=name.strip()).first()
    return found, "" if found else _("There is nobody of this name.")


# -- what is asked before something is lost ----------------------------------------------------------------------------


@dataclass
class Question:
    """What taking a role back, or stopping inheritance, would take from whom."""

    do: str
    title: str
    losses: list[selectors.Loss] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)

    @property
    def named(self) -> list[selectors.Loss]:
        """Those that are named."""
        return self.losses[:MOST_LOSSES]

    @property
    def unnamed(self) -> int:
        """How many more there are."""
        return max(0, len(self.losses) - MOST_LOSSES)


def question(user: User, node: Node, given: Mapping[str, str]) -> Question:
    """Preview of `do`: "revoke" or "stop". Raises Forbidden or NotFound where the person may not give access."""
    require(user, "grant", node)
    if given.get("do") == "stop":
        found = selectors.losses(node, lambda row: bool(row["inherited"]))
        return Question("stop", _("Stop roles from above in %(path)s") % {"path": node.path}, found)
    kind, holder, role = _kind(given), given.get("holder", ""), given.get("role", "")
    words = {"name": holder, "path": node.path}
    title = _("Take the role of %(name)s back in %(path)s") % words
    return Question(
        "revoke",
        title,
        selectors.losses(node, _is(kind, holder, role)),
        {"kind": kind, "holder": holder, "role": role},
    )


def _is(kind: str, holder: str, role: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: not row["inherited"] and row.get(kind) == holder and row["role"] == role


# -- what is done ------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What came of a form: a message when it is done, else what was typed with its fault, or the error of the rest."""

    done: str = ""
    wish: Wish | None = None
    error: OlimpusError | None = None


def act(user: User, node: Node, given: Mapping[str, str]) -> Answer:
    """Do what a form of the page asks: `do` is "grant", "revoke", "stop" or "allow". Never raises our errors."""
    do = given.get("do", "")
    if do == "grant":
        return _give(user, node, given)
    try:
        if do == "revoke":
            actions.revoke(node, given.get("role", ""), actor=user, **_holder(_kind(given), given.get("holder", "")))
            return Answer(_("The role was taken back."))
        actions.set_inherit_grants(node, do == "allow", actor=user)
    except OlimpusError as error:
        return Answer(error=error)
    return Answer(_("Roles from above hold here.") if do == "allow" else _("Roles from above stop here."))


def _give(user: User, node: Node, given: Mapping[str, str]) -> Answer:
    wish = Wish(given.get("role", ""), _kind(given), given.get("holder", ""))
    try:
        require(user, "grant", node)
        actions.grant(node, wish.role, actor=user, **_holder(wish.kind, wish.holder))
    except OlimpusError as error:
        wish.fault = f"{error.message} {error.hint}".strip()
        return Answer(wish=wish, error=error)
    return Answer(_("The role was given."))


def _kind(given: Mapping[str, str]) -> str:
    return "group" if given.get("kind") == "group" else "user"


def _holder(kind: str, name: str) -> dict[str, Any]:
    """{"user": …} or {"group": …}. Invalid when there is nobody of that name."""
    model, column = (Group, "name") if kind == "group" else (User, "username")
    found = model.objects.filter(**{column: name.strip()}).first()
    if found is None:
        hint = _("Use the name they sign in with.") if kind == "user" else _("Groups are made in the console.")
        raise Invalid(_("There is nobody of this name."), where="holder", hint=hint)
    return {kind: found}
