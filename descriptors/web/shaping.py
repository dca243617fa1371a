"""Moving, renaming, copying and deleting what is there. Every form keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from descriptors import actions, selectors
from descriptors.models import Node
from descriptors.permissions import require
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door
from descriptors.web.form_pages import form_page
from descriptors.web.forms import CopyForm, CoreForm, PlaceForm, RemoveForm, RenameForm
from olimpus.errors import Invalid, NotFound, OlimpusError


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
    return form_page(request, node, filled, "portal/change.html", title=title, button=title)


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
    return form_page(request, node, form, "portal/remove.html", below=below)


@door
@require_POST
def duplicate(request: SignedIn, node_id: int) -> HttpResponse:
    """A copy beside it, under the next free name."""
    made = actions.duplicate(selectors.get(request.user, node_id), actor=request.user)
    return done(request, _("“%s” is there.") % made.path, tree_url(made.path))
