"""The console's tree: its page, levels as they are unfolded, matches of a filter, counts, what a selection can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from descriptors import actions, feed, selectors
from descriptors.admin.base import ThroughActions
from descriptors.admin.filters import is_id
from descriptors.cascade import Computed
from descriptors.models import Node, Operation, Status
from descriptors.names import above
from descriptors.permissions import can
from descriptors.states import CHOICES, State
from descriptors.verbs import VERBS
from olimpus.db import containing
from olimpus.errors import Invalid, NotFound, OlimpusError

#: Nodes of one level that are shown at a time; "show more" brings the next ones.
LEVEL: Final = 200
#: Matches of a filter that are shown; their number is told when there are more.
MATCHES: Final = 200
MOST_SELECTED: Final = 1000
#: What a folder's badges count, in this order; machines at rest are told by the total.
TOLD: Final = (State.FAILED, State.STARTING, State.STOPPING, State.RUNNING, State.PAUSED)
UNKNOWN: Final = "unknown"
#: Reasons told of an operation, the most frequent first.
REASONS: Final = 20


@dataclass
class Line:
    """A node as the tree shows it: read with its rows joined, so nothing is asked for each."""

    node: Node
    level: int
    label: str
    states: dict[str, int] = field(default_factory=dict)
    pending: bool = False
    position: int = 0
    size: int = 0
    #: What is unfolded below it; None: nothing yet.
    inner: list[Line] | None = None
    #: How many more there are right below it, and how many of them come next.
    left: int = 0
    next: int = 0

    @property
    def unfoldable(self) -> bool:
        return self.inner is not None or selectors.is_unfoldable(self.node)

    @property
    def machine(self) -> Any:
        return None if self.node.is_folder else self.node.descriptor

    @property
    def shown_state(self) -> str:
        """`unknown` while the hypervisor does not answer."""
        if self.machine is None:
            return ""
        return UNKNOWN if self.machine.silent else str(self.machine.state)

    @property
    def busy(self) -> str:
        """The label of the verb in progress, or ""."""
        operation = selectors.open_operation(self.machine) if self.machine else None
        return str(VERBS[operation.verb].label) if operation else ""

    @property
    def badges(self) -> list[tuple[str, int]]:
        """Counts by state of what is below a folder, attention first."""
        return [(str(state), self.states[state]) for state in TOLD if self.states.get(state)]

    @property
    def total(self) -> int:
        """How many machines are below a folder."""
        return sum(self.states.values())


def lines_of(user: User, nodes: Iterable[Node], *, level: int) -> list[Line]:
    """Lines of nodes read by the selectors; two queries whatever their number."""
    nodes = list(nodes)
    machines = [node.descriptor for node in nodes if not node.is_folder]
    computed = selectors.computed_many(machines)
    counted = selectors.counts_below(user, [node.path for node in nodes if node.is_folder])
    lines = [Line(node, level, node.name or "/", counted.get(node.path, {})) for node in nodes]
    for line in lines:
        wanted = computed.get(line.node.pk)
        line.pending = isinstance(wanted, Computed) and bool(selectors.pending(line.machine, wanted.values))
    return lines


def level_of(user: User, folder: Node, *, first: int, number: int, level: int) -> dict[str, Any]:
    """A part of what is right below a folder, and how much more there is; five queries for any number."""
    found = selectors.children(user, folder)
    lines = lines_of(user, found[first : first + number], level=level)
    size = found.count() if first or len(lines) == number else len(lines)
    for position, line in enumerate(lines, first + 1):
        line.position, line.size = position, size
    left = max(0, size - first - len(lines))
    return {"lines": lines, "left": left, "next": min(left, LEVEL), "folder": folder, "size": size}


def tops_of(user: User) -> list[Line]:
    """Where the tree begins for this person, with whole paths where that is not the root."""
    lines = lines_of(user, selectors.tops(user)[:LEVEL], level=1)
    for position, line in enumerate(lines, 1):
        line.label, line.position, line.size = line.node.path, position, len(lines)
    return lines


def unfold(user: User, lines: Sequence[Line], way: str) -> None:
    """Open the folders on the way to the path `way`, the last one included; a few queries for all together."""
    levels = selectors.first_children(user, [*above(way), way], LEVEL)
    ready = {
        line.node.pk: line for line in lines_of(user, chain(*(found for found, _size in levels.values())), level=0)
    }
    line = _on_the_way(lines, way)
    while line is not None and line.unfoldable:
        found, size = levels.get(line.node.pk, ([], 0))
        line.inner, line.left = [ready[node.pk] for node in found], size - len(found)
        line.next = min(line.left, LEVEL)
        for position, inner in enumerate(line.inner, 1):
            inner.level, inner.position, inner.size = line.level + 1, position, size
        line = _on_the_way(line.inner, way)


def _on_the_way(lines: Iterable[Line], way: str) -> Line | None:
    return next((line for line in lines if f"{way}/".startswith(f"{line.node.path.rstrip('/')}/")), None)


def matching(user: User, text: str, state: str) -> dict[str, Any]:
    """The tree of what matches: matches with the folders above them, all unfolded; how many there are in all."""
    found = selectors.nodes(user)
    if text:
        found = containing(found, ["path" if "/" in text else "name"], text)
    if state == "drifted":
        found = found.filter(descriptor__drifted=True)
    elif state:
        found = found.filter(descriptor__state=state)
    matches = list(found.order_by("path")[:MATCHES])
    number = found.count() if len(matches) == MATCHES else len(matches)
    lines = lines_of(user, selectors.with_ancestors(user, matches), level=1)
    return {"lines": _nested(lines), "number": number, "cut": number - len(matches)}


def _nested(lines: Iterable[Line]) -> list[Line]:
    """Lines in the order of a walk, each put below the folder above it, if that is there."""
    roots: list[Line] = []
    way: list[Line] = []
    for line in lines:
        while way and not line.node.path.startswith(f"{way[-1].node.path.rstrip('/')}/"):
            way.pop()
        if way:
            way[-1].inner = [*(way[-1].inner or []), line]
            line.level = way[-1].level + 1
        else:
            roots.append(line)
            line.label = line.node.path
        way.append(line)
    return roots


def chosen(request: HttpRequest) -> list[Node]:
    """The nodes whose ids are given, those that may be seen; Invalid for too many."""
    given = (request.POST if request.method == "POST" else request.GET).getlist("ids")
    ids = [int(text) for text in given if is_id(text)]
    if len(ids) > MOST_SELECTED:
        raise Invalid(_("At most %d can be selected at once.") % MOST_SELECTED, where="ids")
    return list(selectors.nodes(request.user).filter(pk__in=ids).order_by("path"))


def told(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A fragment's view: what our rules refuse is answered as JSON with the words."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except OlimpusError as error:
            return JsonResponse({"message": str(error.message), "hint": str(error.hint)}, status=error.status)

    return guarded


class TreePages(ThroughActions):
    """The tree's page and its fragments."""

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view
        return [
            path("tree/", view(self.tree_view), name="descriptors_node_tree"),
            path("tree/level/<int:pk>/", view(level_view), name="descriptors_node_tree_level"),
            path("tree/search/", view(search_view), name="descriptors_node_tree_search"),
            path("tree/counts/", view(counts_view), name="descriptors_node_tree_counts"),
            path("tree/panel/<int:pk>/", view(panel_view), name="descriptors_node_tree_panel"),
            path("tree/menu/<int:pk>/", view(menu_view), name="descriptors_node_tree_menu"),
            path("tree/offers/", view(offers_view), name="descriptors_node_tree_offers"),
            path("tree/outcome/<uuid:pk>/", view(outcome_view), name="descriptors_node_tree_outcome"),
            path("tree/retry/<uuid:pk>/", view(retry_view), name="descriptors_node_tree_retry"),
            *super().get_urls(),
        ]

    def tree_view(self, request: HttpRequest) -> HttpResponse:
        """The page: `?at=` unfolds the way to a path and selects it; the hash, read by the script, says the rest."""
        cursor, lines = feed.last_id(), tops_of(request.user)
        at = _visible_path(request)
        unfold(request.user, lines, at.rpartition("/")[0] or "/" if at else lines[0].node.path if lines else "/")
        return self.page(
            request,
            "tree",
            _("Tree"),
            feed_cursor=cursor,
            lines=lines,
            at=at,
            states=[value for value, _label in CHOICES],
            verbs=[verb for verb in VERBS.values() if not verb.arguments],
            feed_paths=[line.node.path for line in lines],
        )


def _visible_path(request: HttpRequest) -> str:
    wanted = selectors.folder_path(request.GET["at"]) if request.GET.get("at") else ""
    return wanted if wanted and can(request.user, "see", wanted) else ""


@told
@require_GET
def level_view(request: HttpRequest, pk: int) -> HttpResponse:
    """What is right below a folder from `first` on; `number` when a level that is unfolded is read again."""
    folder = selectors.get(request.user, pk)
    given = {name: int(request.GET[name]) for name in ("first", "number", "level") if is_id(request.GET.get(name))}
    number = min(given.get("number") or LEVEL, 20 * LEVEL)
    found = level_of(request.user, folder, first=given.get("first", 0), number=number, level=given.get("level", 2))
    return render(request, "admin/descriptors/tree_level.html", found)


@told
@require_GET
def search_view(request: HttpRequest) -> HttpResponse:
    """What matches, with the folders above it."""
    state = request.GET.get("state", "")
    known = {value for value, _label in CHOICES} | {"drifted"}
    found = matching(request.user, request.GET.get("q", "").strip()[:200], state if state in known else "")
    return render(request, "admin/descriptors/tree_matches.html", found)


@told
@require_POST
def counts_view(request: HttpRequest) -> HttpResponse:
    """The badges of folders that the page shows, as {id: html}; three queries for any number."""
    folders = [node for node in chosen(request) if node.is_folder]
    counted = selectors.counts_below(request.user, [folder.path for folder in folders])
    lines = [Line(folder, 0, "", counted.get(folder.path, {})) for folder in folders]
    html = {line.node.pk: render_to_string("admin/descriptors/tree_badges.html", {"line": line}) for line in lines}
    return JsonResponse({"counts": html})


@told
@require_GET
def panel_view(request: HttpRequest, pk: int) -> HttpResponse:
    """What is right of the tree for one node; `?part=counts`: only what changes with every event."""
    node = selectors.get(request.user, pk)
    if request.GET.get("part") == "counts":
        return render(request, "admin/descriptors/tree_counts.html", {"node": node} | _offers(request.user, [node]))
    (line,) = lines_of(request.user, [node], level=1)
    context = {"node": node, "line": line, "may": _may(request.user, node)}
    if node.is_folder:
        context |= _offers(request.user, [node])
    else:
        context |= {"offers": _verbs_on(node, request.user), "seen": _seen(node, request.user)}
    return render(request, "admin/descriptors/tree_panel.html", context)


def _seen(node: Node, user: User) -> dict[str, Any]:
    """What the links to its console and to the picture of its screen ask."""
    console = selectors.may_have_console(node.descriptor, user)
    return {"node": node, "console": console, "picture": console and selectors.has_picture(node.descriptor)}


@told
@require_GET
def menu_view(request: HttpRequest, pk: int) -> HttpResponse:
    """What may be done with one node, as a menu."""
    node = selectors.get(request.user, pk)
    context: dict[str, Any] = {"node": node, "may": _may(request.user, node)}
    if node.is_folder:
        context |= _offers(request.user, [node])
    else:
        context |= {"offers": [offer for offer in _verbs_on(node, request.user) if offer["enabled"]]}
    return render(request, "admin/descriptors/tree_menu.html", context)


def _may(user: User, node: Node) -> dict[str, bool]:
    return {name: can(user, name, node) for name in ("edit", "create_nodes", "move", "delete", "grant")}


def _verbs_on(node: Node, user: User) -> list[dict[str, Any]]:
    """The verbs this person may use on a machine, as `verb_button` wants them."""
    offers = selectors.available(node.descriptor, user)
    for offer in offers:
        offer["likely"] = node.descriptor.state in offer["verb"].likely
        offer["primary"] = offer["likely"] and offer["enabled"]
    return offers


@told
@require_POST
def offers_view(request: HttpRequest) -> HttpResponse:
    """What the selection can do: for the bar at the bottom; a handful of queries for any number."""
    nodes = chosen(request)
    if not nodes:
        raise NotFound(_("Nothing of what was selected is there any more."), where="ids")
    context = _offers(request.user, nodes) | {"nodes": nodes, "node": nodes[0]}
    return render(request, "admin/descriptors/tree_offers.html", context)


def _offers(user: User, nodes: Sequence[Node]) -> dict[str, Any]:
    """{"total", "states", "busy", "parts": [{"verb", "able", "total"}]} of a selection."""
    states, busy, able = selectors.readiness(user, nodes)
    total = sum(states.values())
    parts = [{"verb": VERBS[name], "able": number, "total": total} for name, number in able.items()]
    return {
        "total": total,
        "states": [(s, states[s]) for s, _l in CHOICES if s in states],
        "busy": busy,
        "parts": parts,
    }


@told
@require_GET
def outcome_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What came of a verb on many machines, grouped by reason; retry of what failed."""
    operation = get_object_or_404(selectors.operations(request.user), pk=pk)
    failed = selectors.results(operation, request.user).filter(status=Status.FAILED).order_by()
    groups = failed.values("error__message").annotate(n=Count("pk"), first=Min("path")).order_by("-n")[:REASONS]
    context = {"operation": operation, "groups": groups, "outcome": selectors.outcome(operation, request.user)}
    return render(request, "admin/descriptors/tree_outcome.html", context)


@told
@require_POST
def retry_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask again for the machines that failed; answers with the line of the new operation."""
    operation = get_object_or_404(selectors.operations(request.user), pk=pk)
    fresh: Operation = actions.retry_failed(operation, actor=request.user)
    line = render_to_string("components/operation.html", {"operation": fresh}, request)
    return JsonResponse({"line": line}, status=202)
