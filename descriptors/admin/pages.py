"""The console's pages of one node: definition and grants."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from accounts.models import User
from descriptors import actions, selectors
from descriptors.admin.base import ThroughActions
from descriptors.admin.filters import is_id
from descriptors.documents import dump_yaml, load_with_lines, locate
from descriptors.models import Node
from descriptors.permissions import ROLES, can, effective
from olimpus.errors import Invalid

NODES = "admin:descriptors_node_changelist"


class NodePages(ThroughActions):
    """Pages of one node."""

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/definition/", view(self.definition_view), name="descriptors_node_definition"),
            path("<int:pk>/grants/", view(self.grants_view), name="descriptors_node_grants"),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page of a node is its definition."""
        return HttpResponseRedirect(page_of("definition", int(object_id)) if is_id(object_id) else reverse(NODES))

    def definition_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The local definition as YAML: plan, save; what results; new nodes below."""
        node = self.attempt(request, lambda: selectors.get(request.user, pk))
        if node is None:
            return HttpResponseRedirect(reverse(NODES))
        text, plan = dump_yaml(node.definition) if node.definition else "", None
        if request.method == "POST":
            text = request.POST.get("definition", "")
            done = self.attempt(request, lambda: self._posted(request, node, text))
            if isinstance(done, Node):
                return HttpResponseRedirect(page_of("definition", done.pk))
            plan = done
        return self.page(
            request,
            "definition",
            node.path,
            node=node,
            text=text,
            plan=plan,
            version=node.version,
            **_resulting(node, request),
        )

    def _posted(self, request: HttpRequest, node: Node, text: str) -> Node | actions.EditPlan:
        name, actor = request.POST.get("name", ""), request.user
        if "folder" in request.POST:
            return actions.create_folder(node, name, actor=actor)
        if "machine" in request.POST:
            return actions.create_descriptor(node, name, actor=actor)
        if "rename" in request.POST:
            return actions.rename(node, name, actor=actor)
        definition, positions = load_with_lines(text, name=gettext("definition"))
        try:
            if "plan" in request.POST:
                return actions.plan_edit(node, definition or {}, actor=actor)
            version = request.POST.get("version", "")
            saved = actions.edit(node, definition or {}, actor=actor, version=int(version) if is_id(version) else None)
        except Invalid as error:
            if any("path" in fault for fault in error.errors):
                raise locate(error, positions) from error
            raise
        self.message_user(request, gettext("Saved."), messages.SUCCESS)
        return saved

    def grants_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Who has which role here: give, take back, stop inheritance."""
        node = self.attempt(request, lambda: selectors.get(request.user, pk))
        if node is None or not can(request.user, "grant", node):
            self.message_user(request, gettext("You may not give access to others here."), messages.ERROR)
            return HttpResponseRedirect(reverse(NODES))
        if request.method == "POST":
            self.attempt(request, lambda: self._granted(request, node))
            return HttpResponseRedirect(page_of("grants", pk))
        return self.page(
            request,
            "grants",
            node.path,
            node=node,
            rows=selectors.grants_of(node),
            roles=ROLES,
            rights=effective(request.user, node),
        )

    def _granted(self, request: HttpRequest, node: Node) -> None:
        asked = request.POST
        if "inherit" in asked:
            actions.set_inherit_grants(node, asked["inherit"] == "1", actor=request.user)
            return
        holder = {"user": _holder(User, "username", asked, "user"), "group": _holder(Group, "name", asked, "group")}
        act = actions.revoke if "revoke" in asked else actions.grant
        act(node, asked.get("role", ""), actor=request.user, **holder)


def page_of(name: str, pk: int) -> str:
    return reverse(f"admin:descriptors_node_{name}", args=[pk])


def _holder(model: Any, column: str, asked: Any, field: str) -> Any:
    name = asked.get(field, "")
    if not name:
        return None
    found = model.objects.filter(**{column: name}).first()
    if found is None:
        raise Invalid(gettext("There is no “%s”.") % name, where=field)
    return found


def _resulting(node: Node, request: HttpRequest) -> dict[str, Any]:
    """What results from a definition: values with origins, pending changes, drift, cards, verbs."""
    try:
        computed = selectors.computed(node)
    except Invalid as error:
        return {"fault": str(error)}
    values = [
        (name, dump_yaml(value).strip(), computed.origins.get(name, "")) for name, value in computed.values.items()
    ]
    if node.is_folder:
        return {"values": values}
    machine = node.descriptor
    return {
        "values": values,
        "machine": machine,
        "pending": selectors.pending(machine, computed.values),
        "drift": selectors.drift(machine),
        "cards": machine.cards.order_by("position"),
        "verbs": selectors.available(machine, request.user),
    }
