"""The console's list of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from descriptors import actions, selectors
from descriptors.admin.base import ThroughActions
from descriptors.models import Operation
from descriptors.verbs import VERBS


class FamilyFilter(admin.SimpleListFilter):
    """Operations that somebody asked for, or the machines of one of them."""

    title, parameter_name = _("operation"), "parent"
    template = "admin/descriptors/family_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Only links from the list lead here."""
        return [("top", _("asked for"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Operation]) -> QuerySet[Operation]:
        """By default what somebody asked for."""
        try:
            family = UUID(self.value() or "")
        except ValueError:
            return queryset.filter(parent=None)
        return queryset.filter(parent=family)


@admin.register(Operation)
class OperationAdmin(ThroughActions):
    """What is going on and what came of it."""

    list_display = ("path", "label", "actor", "status", "progress", "attempts", "fault", "created_at", "finished_at")
    list_display_links = None
    list_filter = (FamilyFilter, "status", "verb", "hypervisor")
    search_fields = ("path",)
    actions = ("cancel", "retry")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        """What the person may see, newest first."""
        return selectors.operations(request.user)

    @admin.display(description=_("verb"), ordering="verb")
    def label(self, operation: Operation) -> str:
        """The verb as its button says it."""
        return str(VERBS[operation.verb].label) if operation.verb in VERBS else operation.verb

    @admin.display(description=_("progress"))
    def progress(self, operation: Operation) -> str:
        """Counts of a verb on a folder, with a link to its machines."""
        if not operation.total:
            return ""
        ended = operation.succeeded + operation.failed + operation.cancelled
        text = f"{ended}/{operation.total}" + (f" ✘ {operation.failed}" if operation.failed else "")
        return format_html('<a href="?parent={}">{}</a>', operation.pk, text)

    @admin.display(description=_("error"))
    def fault(self, operation: Operation) -> str:
        """Why it failed."""
        return str((operation.error or {}).get("message", ""))[:200]

    @admin.action(description=_("Cancel"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Operation]) -> None:
        """Cancel each that is open."""
        self._each(request, queryset, actions.cancel)

    @admin.action(description=_("Ask again for what failed"))
    def retry(self, request: HttpRequest, queryset: QuerySet[Operation]) -> None:
        """A new operation for the machines that failed."""
        self._each(request, queryset, actions.retry_failed)

    def _each(self, request: HttpRequest, queryset: QuerySet[Operation], act: Callable[..., Operation]) -> None:
        for operation in list(queryset):
            done = self.attempt(request, lambda operation=operation: act(operation, actor=request.user))
            if done:
                text = f"{done.verb} {done.path}: {done.get_status_display()}"
                self.message_user(request, text, messages.SUCCESS)
