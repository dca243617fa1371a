"""What managers change: definitions, the shape of the tree, access. Every form keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import User
from descriptors import actions, selectors
from descriptors.documents import Positions, dump_yaml, locate
from descriptors.models import Node
from descriptors.parameters import PARAMETERS
from descriptors.permissions import require
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door, page
from descriptors.web.forms import (
    PLACE,
    CopyForm,
    CoreForm,
    DefinitionForm,
    GrantForm,
    NewNodeForm,
    PlaceForm,
    RemoveForm,
    RenameForm,
    fingerprint,
    parsed,
)
from descriptors.web.nodes import crumbs
from olimpus.errors import Invalid, NotFound, OlimpusError, Stale


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


# -- shape of the tree -------------------------------------------------------------------------------------------------


@door
def new(request: SignedIn, node_id: int, kind: str) -> HttpResponse:
    """A new folder or machine below a folder."""
    parent = selectors.get(request.user, node_id)
    require(request.user, "create_nodes", parent)
    form = NewNodeForm(request.POST or None)
    extra = {"kind": kind}
    if not form.is_valid():
        return _show(request, parent, form, "portal/new.html", **extra)
    try:
        wanted, positions = parsed(form.cleaned_data["definition"])
        made = _make(kind, parent, form.cleaned_data["name"], wanted, positions, actor=request.user)
    except OlimpusError as error:
        form.refuse(error, "definition" if PLACE.match(error.where) else "name")
        return _show(request, parent, form, "portal/new.html", **extra)
    return done(request, _("“%s” is there.") % made.path, tree_url(made.path))


def _make(kind: str, parent: Node, name: str, wanted: dict[str, Any], positions: Positions, *, actor: User) -> Node:
    """The new node; faults of its definition say their line."""
    make = actions.create_folder if kind == "folder" else actions.create_descriptor
    try:
        return make(parent, name, actor=actor, definition=wanted)
    except Invalid as error:
        raise locate(error, positions) if error.errors else error from None


def _changed(
    request: SignedIn,
    node_id: int,
    *,
    operation: str,
    form: Callable[[Node], CoreForm],
    act: Callable[[Node, CoreForm], Node],
    title: str,
) -> HttpResponse:
    """The common walk of move, rename, copy: show, act, go to where it is now."""
    node = selectors.get(request.user, node_id)
    require(request.user, operation, node)
    filled = form(node)
    if request.method == "POST" and filled.is_valid():
        try:
            result = act(node, filled)
        except OlimpusError as error:
            filled.refuse(error, next(iter(filled.fields)))
        else:
            return done(request, _("Done: %s") % result.path, tree_url(result.path))
    return _show(request, node, filled, "portal/change.html", title=title, button=title)


def _parent(request: SignedIn, form: CoreForm) -> Node:
    try:
        return selectors.get(request.user, form.cleaned_data["to"])
    except NotFound as error:
        raise Invalid(str(error.message), where="to") from error


def _form(kind: type[CoreForm], request: SignedIn, **initial: Any) -> CoreForm:
    return kind(request.POST) if request.method == "POST" else kind(initial=initial)


def _folder_of(node: Node) -> str:
    return node.path.rpartition("/")[0] or "/"


@door
def move(request: SignedIn, node_id: int) -> HttpResponse:
    """To another folder, perhaps under another name."""
    return _changed(
        request,
        node_id,
        operation="move",
        title=_("Move"),
        form=lambda node: _form(PlaceForm, request, to=_folder_of(node), name=node.name),
        act=lambda node, form: _after(
            node, actions.move(node, _parent(request, form), actor=request.user, name=form.cleaned_data["name"])
        ),
    )


@door
def rename(request: SignedIn, node_id: int) -> HttpResponse:
    """Another name in the same folder."""
    return _changed(
        request,
        node_id,
        operation="move",
        title=_("Rename"),
        form=lambda node: _form(RenameForm, request, name=node.name),
        act=lambda node, form: _after(node, actions.rename(node, form.cleaned_data["name"], actor=request.user)),
    )


@door
def copy(request: SignedIn, node_id: int) -> HttpResponse:
    """A copy of everything below, as definitions: no machine is created on a hypervisor by this."""
    return _changed(
        request,
        node_id,
        operation="see",
        title=_("Copy"),
        form=lambda node: _form(CopyForm, request, to=_folder_of(node), name=f"{node.name}-copy", new_addresses=True),
        act=lambda node, form: actions.copy(
            node,
            _parent(request, form),
            actor=request.user,
            name=form.cleaned_data["name"],
            new_addresses=form.cleaned_data["new_addresses"],
        ),
    )


def _after(node: Node, result: Node | None) -> Node:
    """The node where it is now."""
    if result is not None:
        return result
    node.refresh_from_db()
    return node


@door
def remove(request: SignedIn, node_id: int) -> HttpResponse:
    """Delete from the tree; the core refuses while a real machine stands below and says which."""
    node = selectors.get(request.user, node_id)
    require(request.user, "delete", node)
    form = RemoveForm(request.POST or None)
    if form.is_valid():
        if form.cleaned_data["name"] != node.name:
            form.add_error("name", _("That is not the name: “%s”.") % node.name)
        else:
            try:
                actions.remove(node, actor=request.user)
            except OlimpusError as error:
                form.refuse(error)
            else:
                return done(request, _("“%s” is deleted.") % node.path, tree_url(_folder_of(node)))
    below = (node.rght - node.lft - 1) // 2
    return _show(request, node, form, "portal/remove.html", below=below)


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


@door
@require_POST
def duplicate(request: SignedIn, node_id: int) -> HttpResponse:
    """A copy beside it, under the next free name."""
    made = actions.duplicate(selectors.get(request.user, node_id), actor=request.user)
    return done(request, _("“%s” is there.") % made.path, tree_url(made.path))
