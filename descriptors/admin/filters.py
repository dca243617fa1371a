"""Filters of the tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from descriptors import selectors
from descriptors.models import Kind, Node
from descriptors.permissions import can
from descriptors.states import CHOICES
from hypervisors.models import Hypervisor

#: Whoever searches or filters means everything below the folder.
DEEP = ("q", "kind", "state", "hypervisor", "drifted")


class FolderFilter(admin.SimpleListFilter):
    """One level of the tree at a time; with a search or another filter, everything below the folder."""

    title = _("folder")
    parameter_name = "folder"
    template = "admin/descriptors/folder_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The way from the root to the folder."""
        value = self.used_parameters.get(self.parameter_name) or ""
        folder = Node.objects.filter(pk=value).first() if is_id(value) else None
        self.folder = folder or Node.objects.get(path="/")
        self.seen = can(request.user, "see", self.folder)
        self.deep = any(name in request.GET for name in DEEP)
        way = [*selectors.ancestors(self.folder), self.folder]
        return [(str(node.pk), node.name or "/") for node in way]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        """Children, or everything below."""
        if self.deep:
            return queryset.filter(selectors.inside(self.folder.path))
        return queryset.filter(parent=self.folder)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Links to the folders above; the last is where we are."""
        for value, name in self.lookup_choices:
            link = changelist.get_query_string({self.parameter_name: value}, ["p"])
            yield {"query_string": link, "display": name, "selected": value == str(self.folder.pk)}


class KindFilter(admin.SimpleListFilter):
    """Folders or machines."""

    title, parameter_name = _("kind"), "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Both kinds."""
        return Kind.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        """The chosen kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class StateFilter(KindFilter):
    """Machines in one state."""

    title, parameter_name = _("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The eight states."""
        return [(name, gettext(label)) for name, label in CHOICES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        """The chosen state."""
        return queryset.filter(descriptor__state=self.value()) if self.value() else queryset


class HypervisorFilter(KindFilter):
    """Machines on one hypervisor."""

    title, parameter_name = _("hypervisor"), "hypervisor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Every hypervisor."""
        return [(str(pk), name) for pk, name in Hypervisor.objects.order_by("name").values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        """The chosen one."""
        if not self.value():
            return queryset
        return queryset.filter(descriptor__hypervisor=self.value()) if is_id(self.value()) else queryset.none()


class DriftFilter(KindFilter):
    """Machines whose hypervisor differs from what was last applied."""

    title, parameter_name = _("drift"), "drifted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Only those that differ are of interest."""
        return [("yes", _("differs"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        """Those that differ."""
        return queryset.filter(descriptor__drifted=True) if self.value() == "yes" else queryset


def is_id(text: str | None) -> bool:
    """Whether the text is a number that fits."""
    return bool(text) and text.isascii() and text.isdigit() and len(text) < 18
