"""The console's pages of one node: definition and grants, with the panes that the portal shows too."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from descriptors import actions, panes, selectors
from descriptors.admin.base import ThroughActions
from descriptors.admin.filters import is_id
from descriptors.models import Node
from descriptors.panes.links import console_link
from descriptors.permissions import can
from olimpus.errors import OlimpusError

NODES = "admin:descriptors_node_changelist"


class NodePages(ThroughActions):
    """Pages of one node."""

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view
        return [
            path("at/", view(self.at_view), name="descriptors_node_at"),
            path("<int:pk>/definition/", view(self.definition_view), name="descriptors_node_definition"),
            path("<int:pk>/grants/", view(self.grants_view), name="descriptors_node_grants"),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page of a node is its definition."""
        return HttpResponseRedirect(page_of("definition", int(object_id)) if is_id(object_id) else reverse(NODES))

    def at_view(self, request: HttpRequest) -> HttpResponse:
        """To the page of the node at a path: its definition, or its grants."""
        node = self.attempt(request, lambda: selectors.get(request.user, request.GET.get("path", "/")))
        if node is None:
            return HttpResponseRedirect(reverse(NODES))
        return HttpResponseRedirect(page_of("grants" if request.GET.get("page") == "grants" else "definition", node.pk))

    # -- definition ----------------------------------------------------------------------------------------------------

    def definition_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The local definition as YAML: plan, save; what results; new nodes below."""
        node = self.attempt(request, lambda: selectors.get(request.user, pk))
        if node is None:
            return HttpResponseRedirect(reverse(NODES))
        editing = panes.definition.opened(node)
        if request.method == "POST" and "step" in request.POST:
            editing = panes.definition.posted(request.user, node, request.POST.dict())
            if editing.saved:
                self.message_user(request, gettext("The definition is saved."), messages.SUCCESS)
                return HttpResponseRedirect(page_of("definition", pk))
        elif request.method == "POST":
            made = self.attempt(request, lambda: _shaped(request, node))
            if made is not None:
                return HttpResponseRedirect(page_of("definition", made.pk))
        context = panes.definition.context(request.user, node, console_link(request.user), editing)
        answer = self.page(request, "definition", node.path, **context, **_beside(request, node))
        answer.status_code = 400 if editing.wrong else 200
        return answer

    # -- grants --------------------------------------------------------------------------------------------------------

    def grants_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Who has which role here, and why: give, take back after a question, stop inheritance."""
        node = self.attempt(request, lambda: selectors.get(request.user, pk))
        if node is None or not can(request.user, "grant", node):
            self.message_user(request, gettext("You may not give access to others here."), messages.ERROR)
            return HttpResponseRedirect(reverse(NODES))
        if request.method == "POST":
            return self._granted(request, node)
        if "do" in request.GET:
            return self._access_question(request, node)
        return self._grants_page(request, node)

    def _grants_page(self, request: HttpRequest, node: Node, wish: panes.access.Wish | None = None) -> HttpResponse:
        context = panes.access.context(request.user, node, who=request.GET.get("who", "")[:150], wish=wish)
        places = {"access_url": request.path, "why_url": request.path, "link_to": reverse("admin:descriptors_node_at")}
        return self.page(request, "grants", node.path, **context, **places)

    def _granted(self, request: HttpRequest, node: Node) -> HttpResponse:
        answer = panes.access.act(request.user, node, request.POST.dict())
        if answer.wish is not None:
            page = self._grants_page(request, node, answer.wish)
            page.status_code = 400
            return page
        self.attempt(request, lambda: _raise(answer.error))
        if answer.done:
            self.message_user(request, answer.done, messages.SUCCESS)
        return HttpResponseRedirect(page_of("grants", node.pk))

    def _access_question(self, request: HttpRequest, node: Node) -> HttpResponse:
        asked = self.attempt(request, lambda: panes.access.question(request.user, node, request.GET.dict()))
        if asked is None:
            return HttpResponseRedirect(page_of("grants", node.pk))
        context = {"node": node, "asked": asked, "access_url": request.path, "next": request.path}
        if request.headers.get("X-Requested-With") == "fetch":
            return render(request, "components/access_question.html", context)
        return self.page(request, "access_question", asked.title, **context)


def page_of(name: str, pk: int) -> str:
    """The console's page of a node: "definition" or "grants"."""
    return reverse(f"admin:descriptors_node_{name}", args=[pk])


def _raise(error: OlimpusError | None) -> None:
    if error is not None:
        raise error


def _shaped(request: HttpRequest, node: Node) -> Node:
    """A folder or a machine below the node, or the node under another name."""
    name, actor = request.POST.get("name", ""), request.user
    if "folder" in request.POST:
        return actions.create_folder(node, name, actor=actor)
    if "machine" in request.POST:
        return actions.create_descriptor(node, name, actor=actor)
    return actions.rename(node, name, actor=actor)


def _beside(request: HttpRequest, node: Node) -> dict[str, Any]:
    """What the console shows around the pane: where one is, and of a machine its verbs and cards."""
    places = {"cancel_url": reverse(NODES), "link_to": reverse("admin:descriptors_node_at")}
    if node.is_folder:
        return places
    machine = node.descriptor
    return places | {
        "machine": machine,
        "cards": machine.cards.order_by("position"),
        "verbs": selectors.available(machine, request.user),
    }
