"""Moving, renaming, copying and deleting what is there. Every form keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from descriptors import actions, selectors
from descriptors.models import Descriptor, Node
from descriptors.panes.texts import fingerprint
from descriptors.permissions import require, visible
from descriptors.states import State
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door
from descriptors.web.form_pages import form_page
from descriptors.web.forms import CopyForm, CoreForm, PlaceForm, RemoveForm, RenameForm
from olimpus.errors import Invalid, NotFound, OlimpusError

#: Machines named that forbid a deletion.
STANDING: Final = 10


@dataclass(frozen=True)
class Change:
    """One way of changing the shape: what it is called, its form, what it would do and the deed."""

    title: Any
    button: Any
    operation: str
    form: Callable[[Node], CoreForm]
    plan: Callable[[Node, CoreForm], actions.ShapePlan]
    act: Callable[[Node, CoreForm], Node]


def _changed(request: SignedIn, node_id: int, change: Change) -> HttpResponse:
    """The common walk of move, rename, copy: fill in, look at what it would do, do it, go to where it is now."""
    node = selectors.get(request.user, node_id)
    require(request.user, change.operation, node)
    form = change.form(node)
    more: dict[str, Any] = {"title": change.title, "button": change.button, "kind": change.operation}
    if request.method == "POST" and form.is_valid():
        try:
            if not _is_confirmed(request, form):
                more |= {"plan": change.plan(node, form), "planned": _told(form)}
                return form_page(request, node, form, "portal/change.html", **more)
            result = change.act(node, form)
        except OlimpusError as error:
            form.refuse(error, next(iter(form.fields)))
        else:
            return done(request, _("Done: %s") % result.path, tree_url(result.path))
    return form_page(request, node, form, "portal/change.html", **more)


def _is_confirmed(request: SignedIn, form: CoreForm) -> bool:
    """Whether it is to be done: what was changed after its plan was shown is planned again."""
    step = request.POST.get("step", "do")
    return step == "do" and request.POST.get("planned", _told(form)) == _told(form)


def _told(form: CoreForm) -> str:
    """Tells whether the form says what it said when its plan was shown."""
    return fingerprint(repr(sorted(form.cleaned_data.items())))


def _parent(request: SignedIn, form: CoreForm) -> Node:
    try:
        return selectors.get(request.user, form.cleaned_data["to"])
    except NotFound as error:
        raise Invalid(str(error.message), where="to") from error


def _form(kind: type[CoreForm], request: SignedIn, **initial: Any) -> CoreForm:
    given = {name: request.GET[name] for name in initial if name in request.GET}
    return kind(request.POST) if request.method == "POST" else kind(initial=initial | given)


def _folder_of(node: Node) -> str:
    return node.path.rpartition("/")[0] or "/"


@door
def move(request: SignedIn, node_id: int) -> HttpResponse:
    """To another folder, perhaps under another name."""
    user = request.user
    change = Change(
        title=_("Move"),
        button=_("Move it"),
        operation="move",
        form=lambda node: _form(PlaceForm, request, to=_folder_of(node), name=node.name),
        plan=lambda node, form: actions.plan_move(
            node, _parent(request, form), actor=user, name=form.cleaned_data["name"]
        ),
        act=lambda node, form: actions.move(node, _parent(request, form), actor=user, name=form.cleaned_data["name"]),
    )
    return _changed(request, node_id, change)


@door
def rename(request: SignedIn, node_id: int) -> HttpResponse:
    """Another name in the same folder."""
    user = request.user
    change = Change(
        title=_("Rename"),
        button=_("Rename it"),
        operation="move",
        form=lambda node: _form(RenameForm, request, name=node.name),
        plan=lambda node, form: actions.plan_move(
            node, selectors.get(user, _folder_of(node)), actor=user, name=form.cleaned_data["name"]
        ),
        act=lambda node, form: actions.rename(node, form.cleaned_data["name"], actor=user),
    )
    return _changed(request, node_id, change)


@door
def copy(request: SignedIn, node_id: int) -> HttpResponse:
    """A copy of everything below, as definitions: no machine is created on a hypervisor by this."""

    def given(form: CoreForm) -> dict[str, Any]:
        return {"name": form.cleaned_data["name"], "new_addresses": form.cleaned_data["new_addresses"]}

    user = request.user
    change = Change(
        title=_("Copy"),
        button=_("Copy it"),
        operation="see",
        form=lambda node: _form(CopyForm, request, to=_folder_of(node), name=f"{node.name}-copy", new_addresses=True),
        plan=lambda node, form: actions.plan_copy(node, _parent(request, form), actor=user, **given(form)),
        act=lambda node, form: actions.copy(node, _parent(request, form), actor=user, **given(form)),
    )
    return _changed(request, node_id, change)


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
    return form_page(request, node, form, "portal/remove.html", **_lost(request, node))


def _lost(request: SignedIn, node: Node) -> dict[str, Any]:
    """What goes with a node: folders, machines, and those of them that stand on a hypervisor and forbid it."""
    machines = visible(request.user, Descriptor.objects.filter(selectors.inside(node.path, itself=True)))
    standing = machines.exclude(state=State.PROVISIONED).order_by("path")
    below = (node.rght - node.lft - 1) // 2
    count = machines.count()
    folders = max(0, below + 1 - count)
    names = list(standing.values_list("path", "state")[:STANDING]) if count else []
    return {"below": below, "folders": folders, "machines": count, "standing": names}


@door
@require_POST
def duplicate(request: SignedIn, node_id: int) -> HttpResponse:
    """A copy beside it, under the next free name."""
    made = actions.duplicate(selectors.get(request.user, node_id), actor=request.user)
    return done(request, _("“%s” is there.") % made.path, tree_url(made.path))
