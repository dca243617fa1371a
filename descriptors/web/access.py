"""The portal's answers about access: roles given and taken back, names to choose from."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render

from descriptors import selectors
from descriptors.models import Node
from descriptors.panes import access as pane
from descriptors.permissions import require
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, back, done, door, is_fragment, page, refusal
from descriptors.web.nodes import crumbs


@door
def access(request: SignedIn, node_id: int) -> HttpResponse:
    """POST: give or take a role, stop or allow inheritance. GET with `do`: what would be lost, before it is."""
    node = selectors.get(request.user, node_id)
    if request.method != "POST":
        return _question(request, node) if "do" in request.GET else redirect(_tab(node))
    answer = pane.act(request.user, node, request.POST.dict())
    if answer.done:
        return done(request, answer.done, back(request, _tab(node)))
    if answer.wish is None and answer.error:
        return refusal(request, answer.error)
    context = pane.context(request.user, node, wish=answer.wish)
    frame = {"crumbs": crumbs(request, node), "access_url": request.path, "why_url": tree_url(node.path)}
    return page(request, "portal/grant.html", context | frame, status=answer.error.status if answer.error else 400)


def _question(request: SignedIn, node: Node) -> HttpResponse:
    context = {
        "node": node,
        "asked": pane.question(request.user, node, request.GET.dict()),
        "access_url": request.path,
        "next": back(request, _tab(node)),
    }
    if is_fragment(request):
        return render(request, "components/access_question.html", context)
    return page(request, "portal/access_question.html", context)


def _tab(node: Node) -> str:
    return f"{tree_url(node.path)}?tab=access"


@door
def people(request: SignedIn, node_id: int) -> HttpResponse:
    """Names of accounts or groups that hold what is typed, as options; for whoever may give access here."""
    node = selectors.get(request.user, node_id)
    require(request.user, "grant", node)
    typed = (request.GET.get("holder") or request.GET.get("who") or "").strip()[:150]
    users, groups = selectors.people(request.user, typed)
    kind = request.GET.get("kind", "user")
    return render(
        request,
        "components/people_options.html",
        {"users": users if kind == "user" else [], "groups": groups, "kind": kind},
    )
