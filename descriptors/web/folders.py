"""What is in a folder: as a table, in groups that fold, as cards, or the class at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from descriptors import selectors
from descriptors.models import Descriptor, Kind, Node
from descriptors.permissions import can, visible
from descriptors.states import CHOICES
from descriptors.templatetags.portal import tree_url
from descriptors.verbs import VERBS, Verb
from descriptors.web.choosing import Choice, parts, told
from descriptors.web.doors import SignedIn, door
from descriptors.web.filters import FLAGS, Filters, listing, shown
from descriptors.web.preferences import COLUMNS, folded, hidden_columns, view_of
from descriptors.web.rows import Row, rows_of
from olimpus.errors import NotFound

PAGE: Final = 50
CARDS: Final = 48
TILES: Final = 60
GROUPS: Final = 40
#: Rows of open groups on one page; what does not fit stays folded until one opens it.
GROUPED_ROWS: Final = 150
#: Rows of one group; the folder's own page has all of them.
MOST_IN_GROUP: Final = 50
#: Machines of a tile that are drawn one by one; of more than that only counts are shown.
MOST_MARKS: Final = 24
MOST_TALLIES: Final = 100
VIEWS: Final = {
    "table": (_("Table"), "list-details"),
    "cards": (_("Cards"), "layout-grid"),
    "grid": (_("Class"), "grid-dots"),
}


@dataclass
class Group:
    """The machines of one folder right below (None: of the folder itself): counted, and listed when it is open."""

    name: str
    tally: selectors.Tally
    folder: Node | None = None
    rows: list[Any] = field(default_factory=list)
    open: bool = False
    may_see: bool = False
    verbs: Sequence[Verb] = ()

    @property
    def more(self) -> int:
        """How many machines an open group does not list."""
        return self.tally.total - len(self.rows)

    @property
    def big(self) -> bool:
        """Whether a tile shows counts in place of single machines."""
        return self.tally.total > MOST_MARKS


def contents(request: SignedIn, folder: Node) -> dict[str, Any]:
    """Everything that the page shows of what is in the folder."""
    filters = Filters.read(request.GET)
    verbs = [verb for verb in VERBS.values() if not verb.arguments and can(request.user, verb.permission, folder)]
    found = results(request, folder, filters)
    return found | {
        "counts": _counts(request, folder, filters, found.get("tallies")),
        "state_words": [value for value, _label in CHOICES],
        "kept": shown(request.user, filters),
        "flags": FLAGS,
        "verbs": verbs,
        "going_on": selectors.with_running(selectors.open_operations(request.user).filter(node=folder))[:5],
    }


def results(request: SignedIn, folder: Node, filters: Filters) -> dict[str, Any]:
    """The part of the page that changes as one types."""
    rows, view = listing(request.user, folder, filters), view_of(request)
    context: dict[str, Any] = {"node": folder, "filters": filters, "base": folder.path, "show_path": filters.deep}
    has_folders = folder.rght - folder.lft > 1 and _has_folders(folder)
    if view == "grid" and not has_folders:
        view = "cards"
    context |= {"view": view, "views": _views(has_folders), "columns": COLUMNS, "has_folders": has_folders}
    context |= {"hidden_columns": hidden_columns(request.user), "shape": view}
    if view == "grid":
        return context | _tiles(request, folder, filters, rows)
    if view == "table" and filters.below and not filters.sort and has_folders:
        return context | _groups(request, folder, filters, rows)
    found = Paginator(rows, CARDS if view == "cards" else PAGE).get_page(request.GET.get("page"))
    return context | {"rows": rows_of(found.object_list, request.user), "found": found}


def _counts(
    request: SignedIn, folder: Node, filters: Filters, tallies: Mapping[str, selectors.Tally] | None
) -> dict[str, int]:
    """How many machines below are in each state, whatever the filter; no query where the view has counted all of them."""
    if tallies is None or filters.narrow:
        return selectors.counts(request.user, folder)
    held: Counter[str] = Counter()
    for tally in tallies.values():
        held.update(tally.held)
    return {state: held[state] for state, _label in CHOICES}


def _has_folders(folder: Node) -> bool:
    return Node.objects.filter(parent_id=folder.pk, kind=Kind.FOLDER).exists()


def _views(has_folders: bool) -> dict[str, Any]:
    return {word: told for word, told in VIEWS.items() if word != "grid" or has_folders}


# -- groups that fold --------------------------------------------------------------------------------------------------


def _groups(request: SignedIn, folder: Node, filters: Filters, rows: QuerySet[Node]) -> dict[str, Any]:
    """Everything below, by folder: each with its counts; the rows of those that are open. Three queries and the rows."""
    tallies = selectors.tallies(rows, folder.path)
    found = Paginator(sorted(tallies), GROUPS).get_page(request.GET.get("page"))
    groups = _named(request, folder, found, tallies)
    _open(request, groups)
    wanted = [group for group in groups if group.open]
    _fill(request, folder, rows, wanted)
    total = sum(tally.total for tally in tallies.values())
    return {
        "groups": groups,
        "found": found,
        "shape": "groups",
        "total": total,
        "rows": bool(groups),
        "tallies": tallies,
    }


def _named(
    request: SignedIn, folder: Node, names: Page[str] | Sequence[str], tallies: Mapping[str, selectors.Tally]
) -> list[Group]:
    """The groups of these names with their folders; one query."""
    folders = {
        node.name: node for node in Node.objects.filter(parent_id=folder.pk, name__in=[name for name in names if name])
    }
    groups = [Group(name, tallies[name], folders.get(name)) for name in names]
    for group in groups:
        group.may_see = group.folder is not None and can(request.user, "see", group.folder)
        group.verbs = _verbs(request, group.folder or folder, group.tally) if group.may_see or not group.folder else ()
    return groups


def _verbs(request: SignedIn, place: Node, tally: selectors.Tally) -> list[Verb]:
    """The verbs that some machine of the group could do now."""
    return [
        verb
        for verb in VERBS.values()
        if not verb.arguments
        and any(tally.held[state] for state in selectors.sources(verb))
        and can(request.user, verb.permission, place)
    ]


def _open(request: SignedIn, groups: Sequence[Group]) -> None:
    """Open what this person left open; a small page opens all that nobody folded."""
    small = sum(group.tally.total for group in groups) <= GROUPED_ROWS
    opened, shut = folded(request.user)
    room = GROUPED_ROWS
    for group in groups:
        pk = group.folder.pk if group.folder else 0
        size = min(group.tally.total, MOST_IN_GROUP)
        group.open = size <= room and (pk in opened or (small and pk not in shut) or not pk)
        room -= size if group.open else 0


def _fill(request: SignedIn, folder: Node, rows: QuerySet[Node], groups: Sequence[Group]) -> None:
    """The rows of the open groups: all of small ones in one query, the first of each that is large."""
    small = [group for group in groups if group.folder and group.tally.total <= MOST_IN_GROUP]
    nodes = _below(rows, [group.folder.path for group in small if group.folder]) if small else []
    for group in groups:
        if not group.folder:
            nodes += list(rows.filter(parent_id=folder.pk, kind=Kind.DESCRIPTOR).order_by("name")[:MOST_IN_GROUP])
        elif group not in small:
            nodes += _below(rows, [group.folder.path])[:MOST_IN_GROUP]
    for row in rows_of(nodes, request.user):
        name, slash, _rest = row.node.path.removeprefix(folder.path).lstrip("/").partition("/")
        next(group for group in groups if group.name == (name if slash else "")).rows.append(row)


def _below(rows: QuerySet[Node], paths: Sequence[str]) -> list[Node]:
    below = selectors.within_branches(paths)
    found = rows.filter(below, kind=Kind.DESCRIPTOR).order_by("path")
    return list(found[:MOST_IN_GROUP] if len(paths) == 1 else found)


@door
@require_GET
def group(request: SignedIn, node_id: int, folder_id: int) -> HttpResponse:
    """The rows of one group that is opened; `node_id` is the page's folder, whose filters hold."""
    folder, inner = selectors.get(request.user, node_id), selectors.get(request.user, folder_id)
    if not inner.is_folder or inner.parent_id != folder.pk:
        raise NotFound(_("This is not a folder of that folder."), where=inner.path)
    filters = Filters.read(request.GET)
    rows = listing(request.user, folder, filters).filter(selectors.inside(inner.path), kind=Kind.DESCRIPTOR)
    found = rows_of(rows.order_by("path")[: MOST_IN_GROUP + 1], request.user)
    context = {"rows": found[:MOST_IN_GROUP], "more": len(found) > MOST_IN_GROUP, "inner": inner, "filters": filters}
    return render(request, "components/group_rows.html", context | {"show_path": True, "base": inner.path})


# -- a class at a glance -----------------------------------------------------------------------------------------------


def _tiles(request: SignedIn, folder: Node, filters: Filters, rows: QuerySet[Node]) -> dict[str, Any]:
    """One tile for each folder right below, those with exceptions first. Four queries for any number."""
    everything = rows if filters.deep else listing(request.user, folder, Filters(below=True))
    tallies = selectors.tallies(everything, folder.path)
    names = _most_urgent_first(tallies)
    if not filters.narrow:  # folders without machines are tiles too
        empty = selectors.nodes(request.user, below=folder.path, children=True).filter(
            parent_id=folder.pk, kind=Kind.FOLDER
        )
        missing = [name for name in empty.order_by("name").values_list("name", flat=True) if name not in tallies]
        tallies |= {name: selectors.Tally() for name in missing}
        names += missing
    found = Paginator(names, TILES).get_page(request.GET.get("page"))
    groups = _named(request, folder, found, tallies)
    small = [group for group in groups if group.tally.total and not group.big]
    _fill_marks(folder, everything, small)
    troubled = sum(any(tally.urgency) for tally in tallies.values())
    return {"tiles": groups, "found": found, "rows": bool(groups), "troubled": troubled, "tallies": tallies}


def _most_urgent_first(tallies: Mapping[str, selectors.Tally]) -> list[str]:
    return sorted(tallies, key=lambda name: (*(-n for n in tallies[name].urgency), name))


def _fill_marks(folder: Node, rows: QuerySet[Node], groups: Sequence[Group]) -> None:
    """The machines of small tiles: only what a mark shows of them."""
    by_name = {group.name: group for group in groups}
    below = selectors.within_branches([group.folder.path for group in groups if group.folder])
    nodes = (
        list(rows.filter(below, kind=Kind.DESCRIPTOR).order_by("path")) if any(group.folder for group in groups) else []
    )
    if "" in by_name:
        nodes += list(rows.filter(parent_id=folder.pk, kind=Kind.DESCRIPTOR).order_by("path"))
    for node in nodes:
        name, slash, _rest = node.path.removeprefix(folder.path).lstrip("/").partition("/")
        by_name[name if slash else ""].rows.append(
            Row(node, node.descriptor, operation=selectors.open_operation(node.descriptor))
        )


# -- fragments ---------------------------------------------------------------------------------------------------------


def fragment(request: SignedIn, folder: Node) -> HttpResponse:
    """What changes while one types in the filter: the rows, the chips, and the address without what is empty."""
    filters = Filters.read(request.GET)
    found = results(request, folder, filters)
    context = found | {
        "counts": _counts(request, folder, filters, found.get("tallies")),
        "kept": shown(request.user, filters),
        "oob": True,
        "may": {"create_nodes": can(request.user, "create_nodes", folder)},
    }
    answer = render(request, "portal/folder_results.html", context)
    answer["HX-Replace-Url"] = address(folder, filters, request.GET.get("view", ""))
    return answer


def address(folder: Node, filters: Filters, view: str = "") -> str:
    """The page of the folder with these filters."""
    query = "&".join(part for part in (filters.query, f"view={view}" if view in VIEWS else "") if part)
    return tree_url(folder.path) + (f"?{query}" if query else "")


@door
@require_GET
def counts(request: SignedIn, node_id: int) -> HttpResponse:
    """How many machines below a folder are in each state."""
    folder = selectors.get(request.user, node_id)
    counted = selectors.counts(request.user, folder)
    context = {"node": folder, "counts": counted, "filters": Filters.read(request.GET)}
    return render(request, "components/counts.html", context)


@door
@require_GET
def hypervisors(request: SignedIn, node_id: int) -> HttpResponse:
    """The names of the hypervisors that machines below a folder are on, to choose from."""
    folder = selectors.get(request.user, node_id)
    machines = visible(request.user, Descriptor.objects.filter(selectors.inside(folder.path)), below=folder.path)
    names = machines.exclude(hypervisor=None).order_by().values_list("hypervisor__name", flat=True).distinct()
    return render(request, "portal/folder_options.html", {"paths": sorted(names)})


@door
@require_GET
def tallies(request: SignedIn, node_id: int) -> HttpResponse:
    """The counts of groups and tiles as they are now: {id: html}; `ids` are folders right below the node. Few queries."""
    folder = selectors.get(request.user, node_id)
    given = request.GET.get("ids", "").split(",")[:MOST_TALLIES]
    ids = [int(text) for text in given if text.isascii() and text.isdigit() and len(text) < 19]
    filters = Filters.read(request.GET)
    rows = listing(request.user, folder, filters if filters.deep else Filters(below=True))
    found = selectors.tallies(rows, folder.path)
    wanted = Node.objects.filter(parent_id=folder.pk, pk__in=ids).values_list("pk", "name")
    return JsonResponse({str(pk): _tally(request, found.get(name, selectors.Tally())) for pk, name in wanted})


def _tally(request: SignedIn, tally: selectors.Tally) -> str:
    return render(request, "components/tally.html", {"tally": tally}).content.decode()


@door
@require_GET
def selection(request: SignedIn, node_id: int) -> HttpResponse:
    """For the selection bar: how many machines were chosen, and what each verb would do with them."""
    choice = Choice.read(request.GET, selectors.get(request.user, node_id))
    total, found = parts(request.user, choice)
    return JsonResponse({"total": total, "verbs": [told(part) for part in found]})
