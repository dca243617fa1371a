"""What managers change on a node: its definition, and who may do what there. Every form keeps what was typed."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import User
from descriptors import actions, selectors
from descriptors.documents import dump_yaml, locate
from descriptors.models import Node
from descriptors.parameters import PARAMETERS
from descriptors.permissions import require
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door, page
from descriptors.web.forms import (
    CoreForm,
    DefinitionForm,
    GrantForm,
    fingerprint,
    parsed,
)
from descriptors.web.nodes import crumbs
from olimpus.errors import Invalid, OlimpusError, Stale


def _show(request: SignedIn, node: Node, form: CoreForm, template: str, **more: Any) -> HttpResponse:
    context = {"node": node, "crumbs": crumbs(request, node), "form": form, "parameters": PARAMETERS.values()} | more
    return page(request, template, context, status=400 if form.errors else 200)


# -- definition --------------------------------------------------------------------------------------------------------


@door
def edit(request: SignedIn, node_id: int) -> HttpResponse:
    """Write the local definition: first the plan of what it will do, then it is saved."""
    node = selectors.get(request.user, node_id)
    require(request.user, "edit", node)
    if request.method != "POST":
        start = {"definition": dump_yaml(node.definition) if node.definition else "", "version": node.version}
        return _show(request, node, DefinitionForm(initial=start), "portal/edit.html")
    form = DefinitionForm(request.POST)
    if not form.is_valid():
        return _show(request, node, form, "portal/edit.html")
    return _plan_or_save(request, node, form)


def _plan_or_save(request: SignedIn, node: Node, form: DefinitionForm) -> HttpResponse:
    text = form.cleaned_data["definition"]
    confirmed = request.POST.get("step") == "save" and form.cleaned_data["planned"] == fingerprint(text)
    positions = None
    try:
        wanted, positions = parsed(text)
        if confirmed:
            actions.edit(node, wanted, actor=request.user, version=form.cleaned_data["version"])
            return done(request, _("The definition is saved."), f"{tree_url(node.path)}?tab=definition")
        plan = actions.plan_edit(node, wanted, actor=request.user)
    except Stale as error:
        return _stale(request, node, form, error)
    except OlimpusError as error:
        form.refuse(locate(error, positions) if isinstance(error, Invalid) and positions else error, "definition")
        return _show(request, node, form, "portal/edit.html")
    return _show(request, node, form, "portal/edit.html", plan=plan, planned=fingerprint(text))


def _stale(request: SignedIn, node: Node, form: DefinitionForm, error: Stale) -> HttpResponse:
    """Somebody else saved first: show theirs, keep mine, and let me save on top of what I have now seen."""
    node.refresh_from_db()
    kept = request.POST.copy()
    kept["version"] = str(node.version)
    form.data = kept
    theirs = dump_yaml(node.definition) if node.definition else ""
    form.add_error(None, str(error.message))
    return _show(request, node, form, "portal/edit.html", theirs=theirs)


# -- access ------------------------------------------------------------------------------------------------------------


@door
@require_POST
def grant(request: SignedIn, node_id: int) -> HttpResponse:
    """Give a role here."""
    node = selectors.get(request.user, node_id)
    form = GrantForm(request.POST)
    if form.is_valid():
        try:
            holder = _holder(form.cleaned_data["kind"], form.cleaned_data["holder"])
            actions.grant(node, form.cleaned_data["role"], actor=request.user, **holder)
        except OlimpusError as error:
            form.refuse(error, "holder")
        else:
            return done(request, _("The role was given."), f"{tree_url(node.path)}?tab=access")
    return _show(request, node, form, "portal/grant.html")


@door
@require_POST
def revoke(request: SignedIn, node_id: int) -> HttpResponse:
    """Take a role that was given here."""
    node = selectors.get(request.user, node_id)
    holder = _holder(request.POST.get("kind", ""), request.POST.get("holder", ""))
    actions.revoke(node, request.POST.get("role", ""), actor=request.user, **holder)
    return done(request, _("The role was taken back."), f"{tree_url(node.path)}?tab=access")


@door
@require_POST
def inherit(request: SignedIn, node_id: int) -> HttpResponse:
    """Let grants from above hold here, or stop them."""
    node = selectors.get(request.user, node_id)
    if not node.is_folder:
        raise Http404
    actions.set_inherit_grants(node, request.POST.get("on") == "1", actor=request.user)
    return redirect(f"{tree_url(node.path)}?tab=access")


def _holder(kind: str, name: str) -> dict[str, Any]:
    """{"user": …} or {"group": …}. Invalid when there is nobody of that name."""
    model, column = (Group, "name") if kind == "group" else (User, "username")
    found = model.objects.filter(**{column: name.strip()}).first()
    if found is None:
        raise Invalid(_("There is nobody of this name."), where="holder", hint=_("Use the name they sign in with."))
    return {"group" if kind == "group" else "user": found}
