"""The page of one node at its path: a folder as a table, a machine with its state, verbs and history."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from descriptors import feed, panes, selectors
from descriptors.models import Node
from descriptors.panes.links import portal_link
from descriptors.permissions import can
from descriptors.templatetags.portal import tree_url
from descriptors.web import folders
from descriptors.web.doors import SignedIn, door, page
from descriptors.web.home import PAGE, may
from descriptors.web.machine import machine
from descriptors.web.rows import rows_of
from olimpus.errors import NotFound

HISTORY: Final = 50
TABS: Final = {"definition": _("Definition"), "access": _("Access"), "history": _("History")}
FOLDER_TABS: Final = {"machines": _("Contents"), **TABS}
MACHINE_TABS: Final = {"machine": _("Machine"), **TABS}


@door
def node(request: SignedIn, path: str = "") -> HttpResponse:
    """A folder or a machine. The root page leads home those who may not see the root."""
    cursor = feed.last_id()
    try:
        found = selectors.get(request.user, path)
    except NotFound:
        if not path.strip("/"):
            return redirect("home")
        raise
    if f"/{path.strip('/')}" != found.path:  # `<folder>/common` is its definition
        return redirect(f"{tree_url(found.path)}?tab=definition")
    if found.is_folder and request.headers.get("HX-Target") == "results":
        return folders.fragment(request, found)
    tabs = FOLDER_TABS if found.is_folder else MACHINE_TABS
    tab = request.GET.get("tab", "")
    tab = tab if tab in tabs else next(iter(tabs))
    context = {
        "feed_cursor": cursor,
        "node": found,
        "crumbs": crumbs(request, found),
        "tabs": tabs,
        "tab": tab,
        "may": may(request, found),
        "feed_paths": [found.path],
    }
    template = "portal/folder.html" if found.is_folder else "portal/machine.html"
    return page(request, template, context | TAB_CONTEXT[tab](request, found))


def crumbs(request: SignedIn, node: Node) -> list[dict[str, Any]]:
    """The parts of the path: name, path, and whether this person may open it; no query.

    Parts that one may not see and that follow each other are one "…".
    """
    parts = [part for part in node.path.split("/") if part]
    paths = ["/" + "/".join(parts[:depth]) for depth in range(len(parts) + 1)]
    shown: list[dict[str, Any]] = []
    for name, path in zip(["/", *parts], paths, strict=True):
        is_open = can(request.user, "see", path)
        if is_open or not shown or shown[-1]["open"]:
            shown.append({"name": name, "path": path, "open": is_open})
    return shown


# -- tabs of both ------------------------------------------------------------------------------------------------------


def definition(request: SignedIn, node: Node) -> dict[str, Any]:
    """What is written here on the left, the computed result with origins on the right."""
    return panes.definition.context(request.user, node, portal_link(request.user))


def access(request: SignedIn, node: Node) -> dict[str, Any]:
    """Who may do what here and from where, and why."""
    shown = panes.access.context(request.user, node, who=request.GET.get("who", "")[:150])
    return shown | {"access_url": reverse("node-access", args=[node.pk]), "why_url": tree_url(node.path)}


def history(request: SignedIn, node: Node) -> dict[str, Any]:
    """The journal of this node."""
    entries = Paginator(selectors.history(request.user, node), HISTORY).get_page(request.GET.get("page"))
    return {"entries": entries}


TAB_CONTEXT: Final = {
    "machines": folders.contents,
    "machine": machine,
    "definition": definition,
    "access": access,
    "history": history,
}


# -- fragments ---------------------------------------------------------------------------------------------------------


@door
def row(request: SignedIn, node_id: int) -> HttpResponse:
    """One line of a table."""
    found = rows_of([selectors.get(request.user, node_id)], request.user)
    return render(request, "components/rows.html", {"rows": found, "show_path": False, "base": ""})


@door
def fresh_rows(request: SignedIn) -> HttpResponse:
    """The lines of several nodes that a table shows already; hidden ones are left out."""
    given = request.GET.get("ids", "").split(",")[:PAGE]
    ids = [int(text) for text in given if text.isascii() and text.isdigit() and len(text) < 19]
    found = rows_of(selectors.nodes(request.user).filter(pk__in=ids), request.user)
    return render(request, "components/rows.html", {"rows": found, "show_path": False, "base": ""})
