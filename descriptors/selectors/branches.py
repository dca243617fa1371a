"""Reads of a tree that is unfolded level by level: tops, children, counts of what is below, matches with what is above."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import User
from descriptors.access import Interval
from descriptors.models import Descriptor, Kind, Node, Operation
from descriptors.names import above
from descriptors.permissions import access_of, visible, within
from descriptors.selectors.narrowing import within_branches
from descriptors.selectors.nodes import nodes
from descriptors.selectors.offers import sources
from descriptors.verbs import VERBS

States = dict[str, int]  # state → number of machines


def tops(user: User) -> QuerySet[Node]:
    """Where this person's view of the tree begins: what may be seen below nothing that may be seen; folders first."""
    found = nodes(user).order_by("-kind", "path")
    if access_of(user).everything:
        return found.filter(parent=None)
    return found.filter(Q(parent=None) | ~within("parent__path", access_of(user).intervals("see")))


def children(user: User, folder: Node) -> QuerySet[Node]:
    """What this person may see right below a folder, with the rows of `nodes`; folders first, then by name."""
    return nodes(user, below=folder.path, children=True).filter(parent=folder).order_by("-kind", "name")


def first_children(user: User, paths: Collection[str], number: int) -> dict[int, tuple[list[Node], int]]:
    """By the id of each of these folders: the first `number` of its `children`, and how many it has.

    Two queries for any number of folders; folders without children are left out.
    """
    seen = visible(user, Node.objects.filter(parent__path__in=paths)).order_by()
    place = Window(RowNumber(), partition_by="parent_id", order_by=[F("kind").desc(), F("name").asc()])
    ranked = seen.annotate(place=place, size=Window(Count("pk"), partition_by="parent_id")).filter(place__lte=number)
    sizes = dict(ranked.values_list("pk", "size"))
    found: dict[int, tuple[list[Node], int]] = {}
    for node in nodes(user).filter(pk__in=sizes).order_by("-kind", "name"):
        found.setdefault(node.parent_id, ([], sizes[node.pk]))[0].append(node)
    return found


def counts_below(user: User, paths: Collection[str]) -> dict[str, States]:
    """How many machines are in each state below each of these folders, of what may be seen; one query for any number."""
    rows = visible(user, Descriptor.objects.all()).filter(within_branches(paths)).order_by()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    wanted = set(paths)
    for folder, state, number in rows.values_list("parent__path", "state").annotate(n=Count("pk")):
        for path in (*above(folder), folder):
            if path in wanted:
                found[path][state] += number
    return {path: dict(counted) for path, counted in found.items()}


def with_ancestors(user: User, found: Iterable[Node]) -> list[Node]:
    """These nodes and all folders above them that this person may see, in the order of a walk; one query."""
    matches = {node.path: node for node in found}
    missing = {path for match in matches for path in above(match)} - matches.keys()
    access = access_of(user)
    paths = [path for path in missing if access.can("see", path)]
    folders = nodes(user).filter(path__in=paths) if paths else []
    return sorted([*matches.values(), *folders], key=lambda node: node.path.replace("/", "\0"))


def machines_of(user: User, selection: Collection[Node]) -> QuerySet[Descriptor]:
    """The machines of a selection that this person may see; folders stand for what is below."""
    chosen = Q(pk__in=[node.pk for node in selection if not node.is_folder])
    below = within_branches(node.path for node in selection if node.is_folder)
    return visible(user, Descriptor.objects.all()).filter(chosen | below)


def readiness(user: User, selection: Collection[Node]) -> tuple[States, int, dict[str, int]]:
    """Machines of a selection by state, how many of them are busy, and for each verb how many can do it now.

    Verbs without arguments that this person may use on any of them. One query for those with the same rights
    (usually all verbs together).
    """
    access = access_of(user)
    groups: dict[tuple[Interval, ...], list[str]] = defaultdict(list)
    for name, verb in VERBS.items():
        if not verb.arguments and (intervals := access.intervals(verb.permission)):
            groups[tuple(intervals)].append(name)
    seen = _by_state(machines_of(user, selection))
    states, busy = Counter[str](), 0
    for (state, occupied), number in seen.items():
        states[state] += number
        busy += number if occupied else 0
    able: dict[str, int] = {}
    same = tuple(access.intervals("see"))
    for allowed, names in groups.items():
        rows = seen if allowed == same else _by_state(visible(user, machines_of(user, selection), names[0]))
        if rows:
            able |= {name: _ready(rows, sources(VERBS[name])) for name in names}
    return dict(states), busy, {name: able[name] for name in VERBS if name in able}


def _by_state(machines: QuerySet[Descriptor]) -> dict[tuple[str, bool], int]:
    busy = Exists(Operation.objects.filter(open_for=OuterRef("pk")))
    rows = machines.order_by().annotate(occupied=busy).values_list("state", "occupied").annotate(n=Count("pk"))
    return {(state, bool(occupied)): number for state, occupied, number in rows}


def _ready(rows: Mapping[tuple[str, bool], int], states: Collection[str]) -> int:
    return sum(number for (state, occupied), number in rows.items() if state in states and not occupied)


def is_unfoldable(node: Node) -> bool:
    """Whether anything is below, by its place in the nested set."""
    return node.kind == Kind.FOLDER and node.rght - node.lft > 1
