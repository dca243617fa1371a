"""Home (my machines), and the level of the folder tree that is opened."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.roles import is_manager
from descriptors import feed, selectors
from descriptors.models import Node, Operation
from descriptors.permissions import can
from descriptors.web import sidebar
from descriptors.web.doors import SignedIn, door, page
from descriptors.web.rows import rows_of_machines
from olimpus.db import containing

#: Up to so many machines are shown as cards, more as a table.
CARDS = 24
PAGE = 50
SUGGESTIONS = 12
#: Operations listed at home.
LAST = 8


@door
def home(request: SignedIn) -> HttpResponse:
    """My machines, attention first, and what is or was going on."""
    cursor = feed.last_id()
    machines = Paginator(selectors.my_machines(request.user), PAGE).get_page(request.GET.get("page"))
    rows = rows_of_machines(machines.object_list, request.user)
    context = {
        "feed_cursor": cursor,
        "rows": rows,
        "machines": machines,
        "operations": _last_operations(request),
        "feed_paths": [row.node.path for row in rows],
        "as_cards": machines.paginator.count <= CARDS,
        "show_path": True,
        "base": "",
        "may_manage": is_manager(request.user),
    }
    return page(request, "portal/home.html", context)


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


@door
def open_count(request: SignedIn) -> HttpResponse:
    """How many operations are going on; for the bell."""
    return JsonResponse({"open": selectors.open_operations(request.user).count(), "page": reverse("operations")})


def may(request: SignedIn, node: Node) -> dict[str, bool]:
    """What this person may do to the node besides verbs; no query."""
    operations = ("edit", "create_nodes", "move", "delete", "grant", "console")
    return {operation: can(request.user, operation, node) for operation in operations}
