"""The tree's dialogs: move and copy with what they will change, new nodes, another name, deletion. Each is a question
first (GET) and an act after it (POST), which answers {"parents": ids of the folders to be read again, "show": id}."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from descriptors import actions, selectors
from descriptors.actions import ShapePlan
from descriptors.admin.base import ThroughActions
from descriptors.admin.branches import chosen, told
from descriptors.admin.filters import is_id
from descriptors.models import Node
from olimpus.errors import Invalid, OlimpusError

#: More than these are moved or copied by their folder.
MOST_PLACED: Final = 50
#: Lines of each kind that a question lists by name; the others are counted.
LISTED: Final = 12


class TreeDialogs(ThroughActions):
    """Addresses of the dialogs."""

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view
        return [
            path("tree/place/", view(place_view), name="descriptors_node_tree_place"),
            path("tree/new/<int:pk>/<slug:kind>/", view(new_view), name="descriptors_node_tree_new"),
            path("tree/rename/<int:pk>/", view(rename_view), name="descriptors_node_tree_rename"),
            path("tree/remove/", view(remove_view), name="descriptors_node_tree_remove"),
            *super().get_urls(),
        ]


# -- move and copy -----------------------------------------------------------------------------------------------------


@told
@require_http_methods(["GET", "POST"])
def place_view(request: HttpRequest) -> HttpResponse:
    """Move or copy the chosen nodes: what it will do, then the deed. All of them or none."""
    given = request.POST if request.method == "POST" else request.GET
    nodes, how = chosen(request), "copy" if given.get("how") == "copy" else "move"
    if not 0 < len(nodes) <= MOST_PLACED:
        raise Invalid(_("Choose 1 to %d nodes, or the folder that holds them.") % MOST_PLACED, where="ids")
    options = {"name": given.get("name", "").strip() or None} if len(nodes) == 1 else {}
    if how == "copy":
        options |= {"new_addresses": given.get("addresses") != "keep"}
    if request.method == "POST":
        target = _target(request, given.get("to", ""))
        made = _placed(request, nodes, target, how, options)
        left = {node.parent_id for node in nodes if how == "move"} - {target.pk}
        return JsonResponse({"parents": [target.pk, *sorted(left)], "show": made.pk})
    context = _planned(request, nodes, given.get("to", ""), how, options)
    return render(request, "admin/descriptors/tree_place.html", context)


def _target(request: HttpRequest, place: str) -> Node:
    """A folder by its id or its path."""
    if not place.strip():
        raise Invalid(_("Name the folder."), where="to")
    return selectors.get(request.user, int(place) if is_id(place) else place)


def _placed(request: HttpRequest, nodes: Sequence[Node], target: Node, how: str, options: dict[str, Any]) -> Node:
    """Do it; returns the first of them as it is now."""
    act = actions.copy if how == "copy" else actions.move
    with transaction.atomic():
        made = [act(node, target, actor=request.user, **options) for node in nodes]
    return made[0]


def _planned(
    request: HttpRequest, nodes: Sequence[Node], place: str, how: str, options: dict[str, Any]
) -> dict[str, Any]:
    context: dict[str, Any] = {"nodes": nodes, "how": how, "to": place, "one": len(nodes) == 1, "given": options}
    if not place.strip():
        return context
    try:
        context["target"] = target = _target(request, place)
        context["to"] = target.path
        act = actions.plan_copy if how == "copy" else actions.plan_move
        plans = [act(node, target, actor=request.user, **options) for node in nodes]
    except OlimpusError as error:
        return context | {"refused": error}
    return context | {"plan": _summary(plans), "able": any(not plan.stays for plan in plans)}


def _summary(plans: Sequence[ShapePlan]) -> dict[str, Any]:
    """The plans of all chosen nodes as one."""
    rows = [row for plan in plans for row in plan.effects.rows]
    counts = sum((Counter(plan.effects.counts) for plan in plans), Counter())
    return {
        "plans": plans[:LISTED],
        "more_plans": max(0, len(plans) - LISTED),
        "folders": sum(plan.folders for plan in plans),
        "machines": sum(plan.machines for plan in plans),
        "counts": [(effect, counts[effect]) for effect in counts if counts[effect]],
        "unchanged": sum(plan.effects.unchanged for plan in plans),
        "rows": rows[:LISTED],
        "more_rows": max(0, len(rows) - LISTED),
        "broken": [row for plan in plans for row in plan.effects.faults][:LISTED],
        "gained": sorted({share for plan in plans for share in plan.gained}, key=str),
        "lost": sorted({share for plan in plans for share in plan.lost}, key=str),
        "unseen_shares": max(plan.unseen_shares for plan in plans),
        "clashes": [row for plan in plans for row in plan.clashes][:LISTED],
    }


# -- new, rename, remove -----------------------------------------------------------------------------------------------


@told
@require_http_methods(["GET", "POST"])
def new_view(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """A new folder or machine in a folder."""
    folder, kind = selectors.get(request.user, pk), "folder" if kind == "folder" else "machine"
    if request.method == "POST":
        act = actions.create_folder if kind == "folder" else actions.create_descriptor
        made = act(folder, request.POST.get("name", "").strip(), actor=request.user)
        return JsonResponse({"parents": [folder.pk], "show": made.pk})
    title = _("New folder in %s") if kind == "folder" else _("New machine in %s")
    context = {"node": folder, "title": title % folder.path, "kind": kind, "button": _("Create")}
    return render(request, "admin/descriptors/tree_name.html", context)


@told
@require_http_methods(["GET", "POST"])
def rename_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Another name in the same folder. What the name means for machines below is told by the plan of a move."""
    node = selectors.get(request.user, pk)
    if request.method == "POST":
        moved = actions.rename(node, request.POST.get("name", "").strip(), actor=request.user)
        return JsonResponse({"parents": [moved.parent_id], "show": moved.pk})
    context = {"node": node, "title": _("Rename %s") % node.path, "kind": "rename", "button": _("Rename")}
    return render(request, "admin/descriptors/tree_name.html", context)


@told
@require_http_methods(["GET", "POST"])
def remove_view(request: HttpRequest) -> HttpResponse:
    """Delete nodes with all below them, when their number was typed. All of them or none."""
    nodes = _topmost(chosen(request))
    if not nodes:
        raise Invalid(_("Nothing is selected."), where="ids")
    number = sum((node.rght - node.lft + 1) // 2 for node in nodes)
    if request.method != "POST":
        context = {"nodes": nodes[:LISTED], "more": max(0, len(nodes) - LISTED), "ids": nodes, "number": number}
        return render(request, "admin/descriptors/tree_remove.html", context)
    if request.POST.get("number", "").strip() != str(number):
        message = _("Type the number of nodes, %(n)s, to go on.") % {"n": number}
        raise Invalid(message, where="number", hint=_("Nothing was done."))
    with transaction.atomic():
        for node in nodes:
            actions.remove(node, actor=request.user)
    return JsonResponse({"parents": sorted({node.parent_id for node in nodes if node.parent_id})})


def _topmost(nodes: Sequence[Node]) -> list[Node]:
    """Those that are not below another one."""
    tops: list[Node] = []
    for node in sorted(nodes, key=lambda node: node.lft):
        if not tops or node.lft > tops[-1].rght:
            tops.append(node)
    return tops
