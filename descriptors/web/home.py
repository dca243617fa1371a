"""Home (my machines), and the level of the folder tree that is opened."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render

from accounts.models import User
from accounts.roles import is_manager
from descriptors import feed, selectors
from descriptors.models import Node, Operation
from descriptors.permissions import can
from descriptors.web import guide, sidebar
from descriptors.web.doors import SignedIn, door, page
from descriptors.web.rows import Row, offers_of, rows_of_machines, ways_in
from olimpus.db import containing

#: Up to so many machines are shown as cards, more as a table.
CARDS = 24
PAGE = 50
SUGGESTIONS = 12
#: Operations listed at home, and machines that somebody should look at.
LAST = 8
TROUBLED = 6


@door
def home(request: SignedIn) -> HttpResponse:
    """Who runs classes: what is not ready, place by place. Everybody else: my machines, attention first."""
    cursor = feed.last_id()
    user = request.user
    steps = guide.guide(user)
    context = {
        "feed_cursor": cursor,
        "operations": _last_operations(request),
        "may_manage": is_manager(user),
        "guide": steps,
        "guide_done": all(step.done for step in steps),
    }
    return page(request, "portal/home.html", context | (_classes(user) if is_manager(user) else _mine(request)))


def _mine(request: SignedIn) -> dict[str, Any]:
    """My machines as cards; as a table when they are many."""
    machines = Paginator(selectors.my_machines(request.user), PAGE).get_page(request.GET.get("page"))
    rows = rows_of_machines(machines.object_list, request.user)
    return {
        "rows": rows,
        "cards": [{"row": row, "ways": ways_in(row)} for row in rows],
        "machines": machines,
        "feed_paths": [row.node.path for row in rows],
        "as_cards": machines.paginator.count <= CARDS,
        "show_path": True,
        "base": "",
    }


def _classes(user: User) -> dict[str, Any]:
    """The places with their counts, and the first machines that somebody should look at."""
    found = _places(user)
    troubled = list(selectors.in_trouble(user)[: TROUBLED + 1])
    rows = [Row(one, one, offers=offers_of(one, user)) for one in troubled[:TROUBLED]]
    paths = [place["node"].path for place in found]
    return {
        "places": found,
        "troubled": rows,
        "more_trouble": len(troubled) > TROUBLED,
        "total": sum(place["tally"].total for place in found),
        "feed_paths": paths or [row.node.path for row in rows],
    }


def _places(user: User) -> list[dict[str, Any]]:
    nodes = selectors.places(user)
    tallies = selectors.tallies_below(user, [node.path for node in nodes])
    return [{"node": node, "tally": tallies[node.path]} for node in nodes]


@door
def places(request: SignedIn) -> HttpResponse:
    """How my classes are doing now, for a page that shows it live."""
    return render(request, "portal/home_places.html", {"places": _places(request.user)})


@door
def last_operations(request: SignedIn) -> HttpResponse:
    """What is or was going on last, for a page that shows it live."""
    return render(request, "components/last_operations.html", {"operations": _last_operations(request)})


def _last_operations(request: SignedIn) -> QuerySet[Operation]:
    return selectors.operations(request.user).filter(parent=None)[:LAST]


@door
def folders(request: SignedIn) -> HttpResponse:
    """Folder paths that hold the text, for fields that ask for a folder."""
    text = request.GET.get("to", "").strip()[:200]
    rows = containing(selectors.nodes(request.user, "create_nodes").filter(kind="folder"), ["path"], text).order_by(
        "path"
    )
    return render(request, "portal/folder_options.html", {"paths": rows.values_list("path", flat=True)[:SUGGESTIONS]})


@door
def tree_level(request: SignedIn, node_id: int) -> HttpResponse:
    """The folders right below a folder, for the tree on the left."""
    level, more = sidebar.children(request.user, selectors.get(request.user, node_id))
    return render(request, "components/tree_level.html", {"level": level, "more": more})


def may(request: SignedIn, node: Node) -> dict[str, bool]:
    """What this person may do to the node besides verbs; no query."""
    operations = ("edit", "create_nodes", "move", "delete", "grant", "console")
    return {operation: can(request.user, operation, node) for operation in operations}
