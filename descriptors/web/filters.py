"""What the address bar says about a folder's page: which rows, in which order, in which view. And what one keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.preferences import preference, remember
from descriptors import selectors
from descriptors.models import Kind, Node
from descriptors.states import CHOICES
from olimpus.errors import Invalid

KNOWN_STATES: Final = tuple(value for value, _label in CHOICES)
#: Word in the address bar → order of the rows; folders stay on top.
SORTS: Final = {
    "name": "name",
    "state": "descriptor__state",
    "hypervisor": "descriptor__hypervisor__name",
    "age": "descriptor__state_since",
}
#: Word in the address bar → what only some machines have.
FLAGS: Final = {
    "drift": gettext_lazy("Drift"),
    "pending": gettext_lazy("Pending changes"),
    "busy": gettext_lazy("In progress"),
    "mine": gettext_lazy("Given to me"),
}
MOST_CHARACTERS: Final = 200
#: Filters that one person may keep.
MOST_KEPT, LONGEST_NAME = 20, 40


@dataclass(frozen=True)
class Filters:
    """Which rows of a folder are shown. Without any, its children; `below` shows all that is below, and so do filters."""

    q: str = ""
    states: tuple[str, ...] = ()
    hypervisor: str = ""
    label: str = ""
    flags: tuple[str, ...] = ()
    below: bool = False
    sort: str = ""

    @classmethod
    def read(cls, given: QueryDict) -> Filters:
        """From a query string; what makes no sense is left out."""
        words = {name: given.get(name, "").strip()[:MOST_CHARACTERS] for name in ("q", "hypervisor", "label", "sort")}
        return cls(
            **words,
            states=tuple(state for state in KNOWN_STATES if state in given.getlist("state")),
            flags=tuple(flag for flag in FLAGS if given.get(flag)),
            below=bool(given.get("below")),
        )

    @property
    def narrow(self) -> bool:
        """Whether only some of the rows are shown."""
        return bool(self.q or self.states or self.hypervisor or self.label or self.flags)

    @property
    def deep(self) -> bool:
        """Whether the rows are those of everything below."""
        return self.narrow or self.below

    @property
    def hidden(self) -> int:
        """How many conditions stand in the menu of further filters, where one does not see them."""
        return len(self.flags) + bool(self.hypervisor) + bool(self.label)

    @property
    def query(self) -> str:
        """The same as a query string, without what is empty; "" for none."""
        pairs: list[tuple[str, str]] = [("q", self.q), *(("state", state) for state in self.states)]
        pairs += [("hypervisor", self.hypervisor), ("label", self.label), *((flag, "1") for flag in self.flags)]
        pairs += [("below", "1" if self.below else ""), ("sort", self.sort)]
        return urlencode([(name, value) for name, value in pairs if value])

    def toggled(self, state: str) -> Filters:
        """With this state shown too, or no more."""
        states = set(self.states) ^ {state}
        return replace(self, states=tuple(known for known in KNOWN_STATES if known in states))


def listing(user: User, folder: Node, filters: Filters) -> QuerySet[Node]:
    """The rows that the filters leave, in the wanted order."""
    only_machines = filters.states or filters.hypervisor or filters.flags
    here = selectors.inside(folder.path) if filters.deep else Q(parent_id=folder.pk)
    rows = selectors.filtered(
        selectors.nodes(user, below=folder.path, children=not filters.deep).filter(here),
        kind=Kind.DESCRIPTOR if only_machines else "",
        state=filters.states,
        hypervisor=filters.hypervisor,
        q=filters.q,
        label=[filters.label] if filters.label else (),
    )
    return _in_order(_flagged(user, rows, filters), filters)


def _flagged(user: User, rows: QuerySet[Node], filters: Filters) -> QuerySet[Node]:
    if "drift" in filters.flags:
        rows = rows.filter(descriptor__drifted=True)
    if "busy" in filters.flags:
        rows = rows.filter(descriptor__open_operation__isnull=False)
    if "mine" in filters.flags:
        rows = selectors.granted_to(user, rows)
    return selectors.waiting(rows) if "pending" in filters.flags else rows


def _in_order(rows: QuerySet[Node], filters: Filters) -> QuerySet[Node]:
    word = filters.sort.removeprefix("-")
    if word not in SORTS:
        return rows.order_by("path") if filters.deep else rows.order_by("-kind", "name")
    sign = "-" if filters.sort.startswith("-") else ""
    return rows.order_by("-kind", f"{sign}{SORTS[word]}", "path")


def own_first(rows: QuerySet[Node], folder: Node) -> QuerySet[Node]:
    """Machines by path, those right in the folder before those of its folders."""
    outer = Case(When(parent_id=folder.pk, then=Value(0)), default=Value(1), output_field=IntegerField())
    return rows.filter(kind=Kind.DESCRIPTOR).annotate(outer=outer).order_by("outer", "path")


# -- kept filters ------------------------------------------------------------------------------------------------------


def kept(user: User) -> list[dict[str, str]]:
    """The filters that this person keeps, by name: [{"name", "query"}]; no query."""
    return preference(user, "filters", [])


def keep(user: User, name: str, query: str) -> None:
    """Keep a filter under a name, in place of the one that had it. Invalid for an empty name, filter, or one too many."""
    name, query = " ".join(name.split()), Filters.read(QueryDict(query)).query
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(_("A name of 1 to %d characters is needed.") % LONGEST_NAME, where="name")
    if not query:
        raise Invalid(_("Filter the folder first, then keep the filter."), where="query")
    remember(user, "filters", lambda old: _with(old or [], name, query))


def _with(old: list[dict[str, str]], name: str, query: str) -> list[dict[str, str]]:
    others = [row for row in old if row["name"] != name]
    if len(others) >= MOST_KEPT:
        raise Invalid(_("%d filters are kept already.") % MOST_KEPT, where="name", hint=_("Delete one of them first."))
    return sorted([*others, {"name": name, "query": query}], key=lambda row: row["name"].lower())


def forget(user: User, name: str) -> None:
    """Keep the filter of this name no longer; nothing happens when there is none."""
    remember(user, "filters", lambda old: [row for row in old or [] if row["name"] != name])


def shown(user: User, filters: Filters) -> list[dict[str, Any]]:
    """The kept filters as chips: {"name", "query", "active"}."""
    return [row | {"active": row["query"] == filters.query} for row in kept(user)]
