"""What the console's lists share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.template.response import TemplateResponse

from accounts.roles import may_open_console
from olimpus.errors import OlimpusError


def refusals(error: OlimpusError) -> list[str]:
    """What a refusal says: the whole first, then its single faults."""
    return [str(error), *(f"{fault.get('where', '')}: {fault.get('message', '')}" for fault in error.errors[:20])]


class ThroughActions(admin.ModelAdmin):
    """A list without Django's own add, change and delete; what our rules refuse is shown as a message."""

    list_per_page = 50
    show_full_result_count = False
    actions_on_bottom = True

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may open the console."""
        return may_open_console(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Lists hold only what the person may see."""
        return may_open_console(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: by actions only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: by actions only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: by actions only."""
        return False

    def attempt(self, request: HttpRequest, deed: Callable[[], Any]) -> Any:
        """Do it, or show why not (and return None)."""
        try:
            return deed()
        except OlimpusError as error:
            for line in refusals(error):
                self.message_user(request, line, messages.ERROR)
            return None

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """A page of ours in the console's frame."""
        frame = self.admin_site.each_context(request) | {"opts": self.model._meta, "title": title}
        return TemplateResponse(request, f"admin/descriptors/{template}.html", frame | context)
