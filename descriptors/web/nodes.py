"""The page of one node at its path: a folder as a table, a machine with its state, verbs and history."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from descriptors import feed, selectors
from descriptors.documents import dump_yaml
from descriptors.models import Kind, Node
from descriptors.permissions import can, effective
from descriptors.states import CHOICES
from descriptors.templatetags.portal import tree_url
from descriptors.verbs import VERBS
from descriptors.web.definitions import definition_rows
from descriptors.web.doors import SignedIn, door, page
from descriptors.web.home import PAGE, may
from descriptors.web.rows import Row, rows_of
from olimpus.errors import Invalid, NotFound

HISTORY: Final = 50
#: Word in the address bar → order of the rows; folders stay on top.
SORTS: Final = {
    "name": ("name",),
    "state": ("descriptor__state", "name"),
    "hypervisor": ("descriptor__hypervisor__name", "name"),
    "age": ("descriptor__state_since", "name"),
}
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
    """The parts of the path: name, path, and whether this person may open it; no query."""
    parts = [part for part in node.path.split("/") if part]
    paths = ["/" + "/".join(parts[:depth]) for depth in range(len(parts) + 1)]
    return [
        {"name": name, "path": path, "open": can(request.user, "see", path)}
        for name, path in zip(["/", *parts], paths, strict=True)
    ]


# -- tabs of a folder --------------------------------------------------------------------------------------------------


def contents(request: SignedIn, folder: Node) -> dict[str, Any]:
    """The table, the counts per state, the verbs for everything below, and what is going on here."""
    listed = listing(request, folder)
    found = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    return {
        "rows": rows_of(found.object_list, request.user),
        "found": found,
        "counts": selectors.counts(request.user, folder),
        "states": [value for value, _label in CHOICES],
        "filters": filters_of(request),
        "verbs": [verb for verb in VERBS.values() if not verb.arguments and can(request.user, verb.permission, folder)],
        "show_path": deep(request),
        "base": folder.path,
        "going_on": selectors.open_operations(request.user).filter(node=folder)[:5],
    }


def filters_of(request: SignedIn) -> dict[str, str]:
    """What the address bar says about the table."""
    given = {name: request.GET.get(name, "").strip()[:200] for name in ("q", "state", "hypervisor", "label", "sort")}
    return given | {"below": "1" if request.GET.get("below") else ""}


def deep(request: SignedIn) -> bool:
    """Whether the table shows everything below: on demand, and whenever it is filtered."""
    return any(value for name, value in filters_of(request).items() if name != "sort")


def listing(request: SignedIn, folder: Node) -> QuerySet[Node]:
    """The rows that the filters leave, in the wanted order."""
    given = filters_of(request)
    known = {value for value, _label in CHOICES}
    rows = selectors.listing(
        request.user,
        path=folder.path,
        recursive=deep(request),
        kind=Kind.DESCRIPTOR if given["state"] or given["hypervisor"] else "",
        state=[given["state"]] if given["state"] in known else (),
        hypervisor=given["hypervisor"],
        q=given["q"],
        label=[given["label"]] if given["label"] else (),
    )
    word = given["sort"].removeprefix("-")
    if word not in SORTS:
        return rows if deep(request) else rows.order_by("-kind", "name")
    sign = "-" if given["sort"].startswith("-") else ""
    return rows.order_by("-kind", f"{sign}{SORTS[word][0]}", "path")


# -- tabs of a machine -------------------------------------------------------------------------------------------------


def machine(request: SignedIn, node: Node) -> dict[str, Any]:
    """State, verbs, addresses, drift, pending changes, last operations."""
    (row,) = rows_of([node], request.user)
    return machine_context(row) | {
        "operations": selectors.operations(request.user).filter(node=node)[:5],
        "entries": selectors.history(request.user, node)[:8],
    }


def machine_context(row: Row) -> dict[str, Any]:
    """What the panel of a machine shows beside its row; no query."""
    machine = row.node.descriptor
    return {
        "row": row,
        "drift": selectors.drift(machine),
        "pending": selectors.pending(machine, row.values) if row.values else {},
        "values": row.values,
    }


# -- tabs of both ------------------------------------------------------------------------------------------------------


def definition(request: SignedIn, node: Node) -> dict[str, Any]:
    """What is written here on the left, the computed result with origins on the right."""
    context: dict[str, Any] = {"local": dump_yaml(node.definition) if node.definition else ""}
    try:
        computed = selectors.computed(node)
    except Invalid as error:
        return context | {"fault": error, "lines": []}
    return context | {"lines": definition_rows(computed, node.path)}


def access(request: SignedIn, node: Node) -> dict[str, Any]:
    """Who may do what here and from where; what I may."""
    shown = can(request.user, "grant", node)
    return {
        "grants": [_grant(row) for row in selectors.grants_of(node)] if shown else [],
        "mine": effective(request.user, node),
        "inherits": node.folder.inherit_grants if node.is_folder else True,
    }


def _grant(row: dict[str, Any]) -> dict[str, Any]:
    kind = "user" if "user" in row else "group"
    return row | {"kind": kind, "holder": row[kind]}


def history(request: SignedIn, node: Node) -> dict[str, Any]:
    """The journal of this node."""
    entries = Paginator(selectors.history(request.user, node), HISTORY).get_page(request.GET.get("page"))
    return {"entries": entries}


TAB_CONTEXT: Final = {
    "machines": contents,
    "machine": machine,
    "definition": definition,
    "access": access,
    "history": history,
}


# -- fragments ---------------------------------------------------------------------------------------------------------


@door
def panel(request: SignedIn, node_id: int) -> HttpResponse:
    """The parts of a machine's page that change with it."""
    found = selectors.get(request.user, node_id)
    if found.is_folder:
        raise NotFound(gettext("This is a folder."), where=found.path)
    context = {"node": found, "may": may(request, found)} | machine(request, found)
    return render(request, "portal/machine_details.html", context)


@door
def row(request: SignedIn, node_id: int) -> HttpResponse:
    """One line of a table."""
    found = rows_of([selectors.get(request.user, node_id)], request.user)
    return render(request, "components/rows.html", {"rows": found, "show_path": False, "base": ""})


@door
def fresh_rows(request: SignedIn) -> HttpResponse:
    """The lines of several nodes that a table shows already; hidden ones are left out."""
    ids = [int(text) for text in request.GET.get("ids", "").split(",") if text.isascii() and text.isdigit()]
    found = rows_of(selectors.nodes(request.user).filter(pk__in=ids[:PAGE]), request.user)
    return render(request, "components/rows.html", {"rows": found, "show_path": False, "base": ""})


@door
def counts(request: SignedIn, node_id: int) -> HttpResponse:
    """How many machines below a folder are in each state."""
    folder = selectors.get(request.user, node_id)
    context = {"node": folder, "counts": selectors.counts(request.user, folder), "filters": filters_of(request)}
    return render(request, "components/counts.html", context)
