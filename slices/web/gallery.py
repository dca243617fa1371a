"""The list of slices with their counts, the templates with pictures, and the page of a new one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from descriptors import feed, selectors
from descriptors.definition import FLAVORS
from descriptors.models import Kind, Node
from descriptors.permissions import visible
from descriptors.templatetags.portal import SPRITE
from descriptors.web.doors import SignedIn, door, is_fragment, page
from hypervisors.models import Hypervisor
from slices import formats
from slices.graph import Graph
from slices.joins import apart
from slices.selectors import every
from slices.treeform import Tree, graph_of

PAGE: Final = 24
MOST_TEMPLATES: Final = 48
#: Nodes of a picture; of a larger slice only so many are drawn.
MOST_DRAWN: Final = 500


@dataclass(frozen=True)
class Card:
    """A slice as the list shows it."""

    id: int
    path: str
    graph: Graph
    tally: selectors.Tally | None = None

    @property
    def name(self) -> str:
        """The folder's."""
        return self.graph.name

    @property
    def description(self) -> str:
        """What it is for."""
        return self.graph.description

    @property
    def nodes(self) -> int:
        """How many machines it has."""
        return len(self.graph.nodes)

    @property
    def links(self) -> int:
        """How many networks, shared or between two."""
        return len(self.graph.links)

    @property
    def outline(self) -> str:
        """Its picture, for `slice_preview.js`."""
        return json.dumps(outline(self.graph), separators=(",", ":"))

    @property
    def asks(self) -> list[tuple[str, str]]:
        """What a template asks for: title and default of each parameter."""
        told = self.graph.parameters.items()
        return [(str(said.get("title") or name), str(said.get("default", ""))) for name, said in told]

    @property
    def parameters(self) -> str:
        """What a template asks for, as JSON."""
        return json.dumps(dict(self.graph.parameters), default=dict)


@door
@require_GET
def slices(request: SignedIn) -> HttpResponse:
    """What one may see, and the templates to begin with; as a fragment the list alone."""
    cursor = feed.last_id()
    templates = every(request.user, templates=True).order_by().values("pk")
    found = Paginator(every(request.user).exclude(pk__in=templates), PAGE).get_page(request.GET.get("page"))
    shown = cards(request.user, found.object_list)
    if is_fragment(request):
        return render(request, "components/slice_cards.html", {"slices": shown})
    context = {"slices": shown, "found": found, "feed_paths": [card.path for card in shown]}
    return page(request, "portal/slices.html", context | {"feed_cursor": cursor, "templates": _templates(request.user)})


@door
@require_GET
def new(request: SignedIn) -> HttpResponse:
    """What a new slice begins with, and where it goes; `?folder=` and `?template=` are chosen already."""
    context = {
        "sprite": SPRITE,
        "templates": _templates(request.user),
        "folder": request.GET.get("folder", "")[:1024],
        "template": request.GET.get("template", "") if request.GET.get("template", "").isdigit() else "",
        "hypervisors": _hypervisors(request.user),
        "flavors": sorted(FLAVORS),
        "formats": [one for one in formats.described() if one["reads"]],
    }
    return page(request, "portal/slice_new.html", context)


def cards(user: User, folders: Iterable[Node], *, counted: bool = True) -> list[Card]:
    """The slices of these folders. Two queries for any number."""
    found = list(folders)
    machines: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    below = visible(user, Node.objects.filter(parent__in=found, kind=Kind.DESCRIPTOR)).order_by("name")
    for parent, name, definition in below.values_list("parent_id", "name", "definition"):
        machines[parent][name] = definition
    tallies = selectors.tallies_below(user, [folder.path for folder in found]) if counted else {}
    graphs = [graph_of(folder.name, Tree(folder.definition, machines[folder.pk])) for folder in found]
    return [Card(f.pk, f.path, graph, tallies.get(f.path)) for f, graph in zip(found, graphs, strict=True)]


def outline(graph: Graph) -> dict[str, Any]:
    """Places of the nodes, then those of `networks` many shared networks, and which of them hang together.

    A network without a place is in the middle of its own. Without gateways: what joins two hypervisors is no part of the
    shape.
    """
    graph = apart(graph)
    drawn = graph.nodes[:MOST_DRAWN]
    places = [_place(at, node.x, node.y) for at, node in enumerate(drawn)]
    index = {node.name: at for at, node in enumerate(drawn)}
    links: list[tuple[int, int]] = []
    for link in graph.links:
        inside = [index[name] for name in link.nodes if name in index]
        if not link.shared and len(inside) == 2:
            links.append((inside[0], inside[1]))
        elif link.shared and inside:
            middle = _mean(places[at][0] for at in inside), _mean(places[at][1] for at in inside)
            places.append((middle[0] if link.x is None else link.x, middle[1] if link.y is None else link.y))
            links += [(len(places) - 1, at) for at in inside]
    return {"nodes": places, "networks": len(places) - len(drawn), "links": links}


def _place(at: int, x: float | None, y: float | None) -> tuple[float, float]:
    return (110.0 * (at % 8) if x is None else x, 110.0 * (at // 8) if y is None else y)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return round(sum(found) / len(found), 1)


def _templates(user: User) -> list[Card]:
    return cards(user, every(user, templates=True)[:MOST_TEMPLATES], counted=False)


def _hypervisors(user: User) -> list[str]:
    """Names that this person meets: all for operators, else those of machines that one may see."""
    if user.is_superuser:
        return list(Hypervisor.objects.order_by("name").values_list("name", flat=True))
    used = selectors.my_machines(user).exclude(hypervisor=None).order_by()
    return sorted(used.values_list("hypervisor__name", flat=True).distinct())
