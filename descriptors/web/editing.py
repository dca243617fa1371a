"""Pages and answers of the definition editor: the form, what a text would come to while one types, the words it knows."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import User
from descriptors import actions, selectors
from descriptors.documents import load_with_lines
from descriptors.panes import definition
from descriptors.panes.lines import Link
from descriptors.panes.links import console_link, portal_link
from descriptors.panes.texts import Fault, faults_of
from descriptors.panes.vocabulary import vocabulary
from descriptors.permissions import require
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door, page
from descriptors.web.nodes import crumbs
from olimpus.errors import OlimpusError, TooLarge

#: Characters of a document that is looked at while one types; larger ones are checked when their plan is asked for.
MOST_CHECKED = 128 * 1024


@door
def edit(request: SignedIn, node_id: int) -> HttpResponse:
    """Write the local definition: first the plan of what it will do, then it is saved."""
    node = selectors.get(request.user, node_id)
    require(request.user, "edit", node)
    if request.method == "POST":
        editing = definition.posted(request.user, node, request.POST.dict())
        if editing.saved:
            return done(request, _("The definition is saved."), f"{tree_url(node.path)}?tab=definition")
    else:
        editing = definition.opened(node)
    context = definition.context(request.user, node, portal_link(request.user), editing)
    frame = {"crumbs": crumbs(request, node), "cancel_url": f"{tree_url(node.path)}?tab=definition"}
    return page(request, "portal/edit.html", context | frame, status=400 if editing.wrong else 200)


@door
@require_POST
def draft(request: SignedIn, node_id: int) -> JsonResponse:
    """What a text would come to: faults with their lines, the computed result, the plan when `part` says so."""
    node = selectors.get(request.user, node_id)
    require(request.user, "edit", node)
    version = request.POST.get("version", "")
    found = definition.draft(
        request.user,
        node,
        request.POST.get("definition", ""),
        link_of(request),
        version=int(version) if version.isascii() and version.isdigit() and len(version) < 19 else node.version,
        planning=request.POST.get("part") == "plan",
    )
    answer: dict[str, Any] = {"faults": told(found.faults), "stale": found.stale, "planned": found.planned}
    if found.plan is not None:
        answer["plan"] = _rendered(request, "portal/plan.html", plan=found.plan)
        answer["saveable"] = not found.plan.broken
    elif not found.faults:
        answer["computed"] = _rendered(request, "components/computed.html", result=found.result, drafted=True)
    return JsonResponse(answer)


def link_of(request: SignedIn) -> Link:
    """Links of an answer stay behind the door that asks."""
    return console_link(request.user) if request.POST.get("door") == "console" else portal_link(request.user)


def _rendered(request: SignedIn, name: str, **context: Any) -> str:
    return render_to_string(name, context, request=request)


def told(faults: list[Fault]) -> list[dict[str, Any]]:
    """Faults as the editor marks them."""
    return [{"line": one.line, "column": one.column, "text": one.text, "sentence": one.sentence} for one in faults]


@door
def words(request: SignedIn, node_id: int) -> JsonResponse:
    """What the editor offers at this node."""
    return JsonResponse(vocabulary(selectors.get(request.user, node_id)))


@door
@require_POST
def check(request: SignedIn) -> JsonResponse:
    """The faults of a document to be imported; nothing is changed."""
    return JsonResponse({"faults": told(_document_faults(request.user, request.POST.get("definition", "")))})


def _document_faults(user: User, text: str) -> list[Fault]:
    positions = None
    try:
        if len(text) > MOST_CHECKED:
            raise TooLarge(_("Too long to be checked while you type; its plan will tell."))
        document, positions = load_with_lines(text, name="line")
        if document is not None:
            actions.plan_apply(document, actor=user)
    except OlimpusError as error:
        return faults_of(error, positions)
    return []
