"""The console's list of the tree, one level at a time, with the verbs as actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.contrib import admin, messages
from django.db.models import BooleanField, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from descriptors import actions, feed, selectors
from descriptors.admin.branches import Line, TreePages
from descriptors.admin.filters import DEEP, DriftFilter, FolderFilter, HypervisorFilter, KindFilter, StateFilter
from descriptors.admin.pages import NODES, NodePages, page_of
from descriptors.admin.placing import TreeDialogs
from descriptors.models import Node, Operation
from descriptors.permissions import visible
from descriptors.verbs import VERBS, Verb


def _cell(part: str, node: Node, **more: str) -> str:
    line = Line(node, 0, node.name)
    return render_to_string("admin/descriptors/list_cell.html", {"part": part, "node": node, "line": line} | more)


def _verb_action(verb: Verb) -> Callable[..., HttpResponse | None]:
    def act(self: NodeAdmin, request: HttpRequest, queryset: QuerySet[Node]) -> HttpResponse | None:
        return self.ask_for(verb, request, queryset)

    act.__name__ = f"do_{verb.name}"
    return admin.action(description=verb.label)(act)


@admin.register(Node)
class NodeAdmin(TreePages, TreeDialogs, NodePages):
    """The tree, one level at a time."""

    list_display = ("shown", "state", "since", "host", "drift", "doing", "pages")
    list_display_links = None
    list_filter = (FolderFilter, KindFilter, StateFilter, HypervisorFilter, DriftFilter)
    search_fields = ("path",)
    search_help_text = _("Part of a path, anywhere below this folder.")
    ordering = ("-kind", "name")
    change_list_template = "admin/descriptors/node_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """What the person may see, with everything that a row shows."""
        deep = any(name in request.GET for name in DEEP)
        rows = Node._base_manager.select_related(*selectors.RELATED).annotate(deep=Value(deep, BooleanField()))
        return visible(request.user, rows)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Verbs in the table's order, then deletion."""
        found = {f"do_{name}": (_verb_action(verb), f"do_{name}", verb.label) for name, verb in VERBS.items()}
        return found | {"delete_nodes": (NodeAdmin.delete_nodes, "delete_nodes", _("Delete from the tree"))}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Adds where the live feed begins."""
        return super().changelist_view(request, (extra_context or {}) | {"feed_cursor": feed.last_id()})

    # columns
    @admin.display(description=_("name"), ordering="name")
    def shown(self, node: Node) -> str:
        """Folders open, machines are shown in the tree; the whole path where the list goes deeper than one level."""
        label = node.path if node.deep else node.name  # type: ignore[attr-defined]
        if node.is_folder:
            return _cell("name", node, address=f"{reverse(NODES)}?folder={node.pk}", label=f"{label}/")
        address = f"{reverse('admin:descriptors_node_tree')}?at={quote(node.path)}"
        return _cell("name", node, address=address, label=label)

    @admin.display(description=_("state"), ordering="descriptor__state")
    def state(self, node: Node) -> str:
        """Colour, picture and word, with the marks beside it; changes live."""
        return "" if node.is_folder else _cell("state", node)

    @admin.display(description=_("since"), ordering="descriptor__state_since")
    def since(self, node: Node) -> str:
        """When the state began."""
        return "" if node.is_folder else _cell("since", node)

    @admin.display(description=_("hypervisor"), ordering="descriptor__hypervisor__name")
    def host(self, node: Node) -> Any:
        """Where the VM is."""
        return "" if node.is_folder else node.descriptor.hypervisor or ""

    @admin.display(description=_("drift"))
    def drift(self, node: Node) -> str:
        """The fields that differ."""
        if node.is_folder or not node.descriptor.drifted:
            return ""
        return ", ".join(row["field"] for row in selectors.drift(node.descriptor)) or gettext("differs")

    @admin.display(description=_("under way"))
    def doing(self, node: Node) -> str:
        """The open operation."""
        operation = None if node.is_folder else selectors.open_operation(node.descriptor)
        return f"{VERBS[operation.verb].label}: {operation.get_status_display()}" if operation else ""

    @admin.display(description=_("pages"))
    def pages(self, node: Node) -> str:
        """Definition and grants."""
        links = (page_of("definition", node.pk), gettext("definition"), page_of("grants", node.pk), gettext("grants"))
        return format_html('<a href="{}">{}</a> · <a href="{}">{}</a>', *links)

    # verbs
    def ask_for(self, verb: Verb, request: HttpRequest, queryset: QuerySet[Node]) -> HttpResponse | None:
        """Ask for the verb on the selection; first a question where something is lost or a name is needed."""
        if (verb.warns or verb.arguments) and "confirmed" not in request.POST:
            return self._question(request, queryset, f"do_{verb.name}", verb.label, verb.warns, verb.asks)
        given = {name: request.POST.get(name, "") for name in verb.arguments}
        nodes = list(queryset)
        operation = self.attempt(
            request, lambda: actions.request_many(verb.name, nodes, actor=request.user, arguments=given)
        )
        if operation:
            self._tell(request, verb, operation)
        return None

    @admin.action(description=_("Delete from the tree"))
    def delete_nodes(self, request: HttpRequest, queryset: QuerySet[Node]) -> HttpResponse | None:
        """Delete nodes with all below them, after a question."""
        if "confirmed" not in request.POST:
            warning = gettext("Definitions and grants of these nodes and of everything below are deleted.")
            return self._question(request, queryset, "delete_nodes", gettext("Delete from the tree"), warning, {})
        for node in list(queryset):
            gone = self.attempt(request, lambda node=node: actions.remove(node, actor=request.user))
            if gone:
                self.message_user(request, gettext("%(path)s is deleted.") % {"path": node.path}, messages.SUCCESS)
        return None

    def _tell(self, request: HttpRequest, verb: Verb, operation: Operation) -> None:
        words = gettext("“%(verb)s” begins on %(total)d machines; %(skipped)d are left out.")
        text = words % {"verb": verb.label, "total": operation.total, "skipped": operation.skipped}
        link = f"{reverse('admin:descriptors_operation_changelist')}?parent={operation.pk}"
        told = format_html('{} <a href="{}">{}</a>', text, link, gettext("Follow it"))
        self.message_user(request, told, messages.SUCCESS)
        for group in (operation.result or {}).get("skipped", []):
            self.message_user(request, f"{group['reason']} ({group['count']})", messages.WARNING)

    def _question(
        self, request: HttpRequest, queryset: QuerySet[Node], action: str, title: Any, warning: Any, arguments: Any
    ) -> HttpResponse:
        everything = request.POST.get("select_across") == "1"
        context = {"nodes": queryset[:50], "number": queryset.count(), "across": everything, "action": action}
        ids = [] if everything else list(queryset.values_list("pk", flat=True))
        return self.page(request, "question", str(title), warning=warning, ids=ids, arguments=arguments, **context)
