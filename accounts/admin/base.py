"""What the console's lists of people share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from olimpus.errors import OlimpusError


class Polite(admin.ModelAdmin):
    """Shows a refusal of our actions as a message; nothing is changed."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add or change."""
        return self._ask(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Delete one."""
        return self._ask(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The list and its actions."""
        return self._ask(request, super().changelist_view, *args, **kwargs)

    def _ask(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except OlimpusError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def page(
        self, request: HttpRequest, name: str, title: str, original: Model | None = None, **context: Any
    ) -> TemplateResponse:
        """A page of ours in the console's frame."""
        frame = self.admin_site.each_context(request) | {"opts": self.model._meta, "title": title, "original": original}
        return TemplateResponse(request, f"admin/accounts/{name}.html", frame | context)


class ReadOnly(Polite):
    """To look at, not to touch."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


class ForSuperusers(ReadOnly):
    """To look at, for superusers only."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers only."""
        return self.has_module_permission(request)


def badge(tone: str, icon_name: str, word: Any) -> str:
    """Colour, icon and word."""
    return render_to_string("admin/cells/badge.html", {"tone": tone, "icon_name": icon_name, "word": word})


def ago(moment: Any) -> str:
    """A moment as people say it, exact on hover."""
    return render_to_string("admin/cells/ago.html", {"moment": moment})
