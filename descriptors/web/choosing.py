"""Which machines a verb is asked for: one, all below a folder, the rows selected, or all that a filter leaves."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors
from descriptors.access import Interval
from descriptors.models import Descriptor, Kind, Node
from descriptors.permissions import access_of, visible
from descriptors.templatetags.portal import state_label
from descriptors.verbs import VERBS, Verb
from descriptors.web.filters import Filters, listing
from olimpus.errors import Invalid

MOST_SELECTED: Final = 1000
#: Stands in the place of a state for machines that an operation holds.
BUSY: Final = "busy"


@dataclass(frozen=True)
class Choice:
    """What was chosen at a node: `filters` (all that they leave), else `ids` (the rows selected), else the node itself."""

    node: Node
    ids: tuple[int, ...] = ()
    filters: Filters | None = None

    @classmethod
    def read(cls, given: QueryDict, node: Node) -> Choice:
        """From the fields of a form: `all` with `filter` (a query string), or `ids`. Invalid for a selection too large."""
        if given.get("all") and node.is_folder:
            return cls(node, filters=Filters.read(QueryDict(given.get("filter", ""))))
        ids = [int(text) for text in given.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 19]
        if len(ids) > MOST_SELECTED:
            raise Invalid(_("That is a larger selection than one page holds."), where="ids")
        return cls(node, ids=tuple(ids))

    @property
    def several(self) -> bool:
        """Whether it is a selection, not the node itself."""
        return bool(self.ids) or self.filters is not None

    @property
    def many(self) -> bool:
        """Whether the verb is asked for on more than one machine."""
        return self.several or self.node.is_folder

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The same as fields of a form."""
        if self.filters is not None:
            return [("all", "1"), ("filter", self.filters.query)]
        return [("ids", str(pk)) for pk in self.ids]

    def machines(self, user: User) -> QuerySet[Descriptor]:
        """The machines that this person sees of it; folders stand for all that is below them."""
        seen = visible(user, Descriptor.objects.all(), below=self.node.path)
        if not self.several:
            return seen.filter(selectors.inside(self.node.path))
        rows = self._rows(user)
        folders = rows.filter(kind=Kind.FOLDER).values_list("path", flat=True)
        machines = Q(pk__in=rows.filter(kind=Kind.DESCRIPTOR).values("pk"))
        return visible(user, Descriptor.objects.filter(machines | selectors.within_branches(folders)))

    def nodes(self, user: User) -> list[Node]:
        """What to ask the core for."""
        return list(self._rows(user))

    def _rows(self, user: User) -> QuerySet[Node]:
        if self.filters is not None:
            return listing(user, self.node, self.filters).select_related(None).order_by()
        return visible(user, Node.objects.filter(pk__in=self.ids)).order_by()


@dataclass(frozen=True)
class Part:
    """How many of the chosen machines a verb would take, and what the others are."""

    verb: Verb
    able: int
    total: int
    others: Counter[str]

    @property
    def label(self) -> str:
        """ "Start 24 of 30", or just "Start" when all take part."""
        if self.able == self.total:
            return str(self.verb.label)
        told = {"verb": self.verb.label, "able": self.able, "total": self.total}
        return _("%(verb)s %(able)d of %(total)d") % told

    @property
    def why(self) -> str:
        """ "Left out: 6 running, 1 in progress", or nothing."""
        if not self.others:
            return ""
        words = [
            f"{n} {_('in progress') if state == BUSY else state_label(state).lower()}" for state, n in self._most()
        ]
        return _("Left out: %s") % ", ".join(words)

    def _most(self) -> list[tuple[str, int]]:
        return self.others.most_common()


def parts(user: User, choice: Choice) -> tuple[int, list[Part]]:
    """How many machines were chosen, and for each verb that some of them can do now how many; one query, seldom two.

    Verbs with the same rights here are counted together, by state.
    """
    machines, groups = choice.machines(user), _by_rights(user, choice.node.path)
    total, found = None, {}
    for verbs in groups:
        counted = _by_state(visible(user, machines, verbs[0].permission))
        total = counted.total() if _sees(user, verbs[0], choice.node.path) else total
        found |= {verb.name: counted for verb in verbs}
    total = machines.count() if total is None else total
    rows = [_part(verb, found[verb.name], total) for verb in VERBS.values() if verb.name in found]
    return total, [part for part in rows if part.able]


def _sees(user: User, verb: Verb, path: str) -> bool:
    access = access_of(user)
    return access.intervals("see", below=path) == access.intervals(verb.permission, below=path)


def _by_rights(user: User, path: str) -> list[list[Verb]]:
    groups: dict[tuple[Interval, ...], list[Verb]] = defaultdict(list)
    for verb in VERBS.values():
        if not verb.arguments:
            groups[tuple(access_of(user).intervals(verb.permission, below=path))].append(verb)
    return [verbs for intervals, verbs in groups.items() if intervals]


def _by_state(machines: QuerySet[Descriptor]) -> Counter[str]:
    busy, counted = Q(open_operation__isnull=False), Counter[str]()
    rows = machines.order_by().values_list("state").annotate(n=Count("pk"), held=Count("pk", filter=busy))
    for state, n, held in rows:
        counted[state] += n - held
        counted[BUSY] += held
    return counted


def _part(verb: Verb, counted: Counter[str], total: int) -> Part:
    sources = selectors.sources(verb)
    able = sum(counted[state] for state in sources)
    others = Counter({state: n for state, n in counted.items() if n and state not in sources})
    return Part(verb, able, total, others)


def told(part: Part) -> dict[str, Any]:
    """A part as the selection bar shows it."""
    return {"verb": part.verb.name, "label": part.label, "able": part.able, "why": part.why}
