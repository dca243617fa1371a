"""New folders and machines below a folder."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import actions, selectors
from descriptors.documents import Positions, locate
from descriptors.models import Node
from descriptors.panes.texts import PLACE, parsed
from descriptors.parameters import PARAMETERS
from descriptors.permissions import require
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door
from descriptors.web.form_pages import form_page
from descriptors.web.forms import NewNodeForm
from olimpus.errors import Invalid, OlimpusError


@door
def new(request: SignedIn, node_id: int, kind: str) -> HttpResponse:
    """A new folder or machine below a folder."""
    parent = selectors.get(request.user, node_id)
    require(request.user, "create_nodes", parent)
    form = NewNodeForm(request.POST or None)
    extra = {"kind": kind, "parameters": PARAMETERS.values()}
    if not form.is_valid():
        return form_page(request, parent, form, "portal/new.html", **extra)
    try:
        wanted, positions = parsed(form.cleaned_data["definition"])
        made = _make(kind, parent, form.cleaned_data["name"], wanted, positions, actor=request.user)
    except OlimpusError as error:
        form.refuse(error, "definition" if PLACE.match(error.where) else "name")
        return form_page(request, parent, form, "portal/new.html", **extra)
    return done(request, _("“%s” is there.") % made.path, tree_url(made.path))


def _make(kind: str, parent: Node, name: str, wanted: dict[str, Any], positions: Positions, *, actor: User) -> Node:
    """The new node; faults of its definition say their line."""
    make = actions.create_folder if kind == "folder" else actions.create_descriptor
    try:
        return make(parent, name, actor=actor, definition=wanted)
    except Invalid as error:
        raise locate(error, positions) if error.errors else error from None
