"""Where a person's machines are, seen from far: the few folders that stand for classes and labs, and how each is doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, When

from accounts.models import User
from descriptors.models import Descriptor, Kind, Node
from descriptors.names import above
from descriptors.permissions import visible
from descriptors.selectors.branches import tops
from descriptors.selectors.narrowing import COUNTED, SILENT, Tally, within_branches
from descriptors.states import State

#: A folder with more folders of folders than this is one place, not as many.
MOST_INSIDE: Final = 12
#: Places shown at once, and folders looked at for them.
MOST: Final = 24
MOST_READ: Final = 500


def places(user: User) -> list[Node]:
    """The folders that stand for a class or a lab each, by path: those that only hold such folders are passed.

    The folder of a class is a place; the folders of its students are not. Two queries.
    """
    folders = visible(user, Node.objects.filter(kind=Kind.FOLDER)).order_by("path")
    children = Node.objects.filter(parent=OuterRef("pk")).order_by()
    has_folders = Exists(children.filter(kind=Kind.FOLDER))
    holding = folders.filter(has_folders).annotate(has_machines=Exists(children.filter(kind=Kind.DESCRIPTOR)))
    outer = list(holding[:MOST_READ])
    inside = Counter(folder.parent_id for folder in outer)
    shelves = {f.pk for f in outer if 0 < inside[f.pk] <= MOST_INSIDE and not f.has_machines}
    single = folders.filter(~has_folders, Q(parent__in=shelves) | Q(pk__in=tops(user).order_by().values("pk")))
    found = sorted([f for f in outer if f.pk not in shelves] + list(single[:MOST]), key=lambda f: f.path)
    return _outermost(found)[:MOST]


def _outermost(folders: Iterable[Node]) -> list[Node]:
    """Without those below another one; sorted by path."""
    kept: list[Node] = []
    for folder in folders:
        if not any(folder.path.startswith(f"{place.path.rstrip('/')}/") for place in kept):
            kept.append(folder)
    return kept


def tallies_below(user: User, paths: Collection[str]) -> dict[str, Tally]:
    """The machines below each of these folders that this person may see, counted; one query for any number."""
    rows = visible(user, Descriptor.objects.all()).filter(within_branches(paths)).order_by()
    found = {path: Tally() for path in paths}
    for folder, *facts, n in rows.values_list("parent__path", *COUNTED).annotate(n=Count("pk")):
        for tally in (found[path] for path in (*above(folder), folder) if path in found):
            tally.add(n, *facts)
    return found


def in_trouble(user: User) -> QuerySet[Descriptor]:
    """The machines that somebody should look at, with their rows joined: failed first, then changed behind our back,
    then those of a hypervisor that does not answer."""
    rows = Descriptor.objects.select_related("hypervisor", "open_operation")
    order = Case(When(state=State.FAILED, then=0), When(drifted=True, then=1), default=2)
    wrong = Q(state=State.FAILED) | Q(drifted=True) | SILENT
    return visible(user, rows.filter(wrong)).order_by(order, "-state_since")
