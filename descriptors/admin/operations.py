"""The console's pages of operations: what was asked for, narrowed and live; one of them with its results."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from accounts.models import User
from descriptors import feed, selectors
from descriptors.admin.base import ThroughActions
from descriptors.models import Operation
from descriptors.panes.operations import address, listed, shown
from descriptors.verbs import VERBS
from hypervisors.models import Hypervisor


@admin.register(Operation)
class OperationAdmin(ThroughActions):
    """The portal's list and page of an operation in the console's frame; cancel and retry are the portal's too."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        """What the person may see, newest first."""
        user: User = request.user  # type: ignore[assignment]
        return selectors.operations(user)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """`?status=`, `?verb=`, `?actor=`, `?hypervisor=`, `?path=`; `?parent=` leads to the page of that one."""
        if parent := _uuid(request.GET.get("parent", "")):
            return redirect(address(parent, console=True))
        cursor, asked, user = feed.last_id(), request.GET.dict(), request.user
        context = {
            "asked": asked,
            "verbs": VERBS.values(),
            "hypervisors": Hypervisor.objects.order_by("name").values_list("name", flat=True),
            "narrowed": any(asked.get(name) for name in ("status", "verb", "actor", "hypervisor", "path")),
            "mine": user.get_username(),
        }
        return self._framed(request, "operations", context | listed(user, asked), cursor)  # type: ignore[arg-type]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One operation: progress, results by reason, cancel, recover, retry."""
        cursor, pk = feed.last_id(), _uuid(object_id)
        if pk is None:
            raise Http404
        found = get_object_or_404(selectors.with_running(self.get_queryset(request)), pk=pk)
        context = shown(found, request.user, request.GET.dict())  # type: ignore[arg-type]
        return self._framed(request, "operation", context | {"original": found}, cursor)

    def _framed(self, request: HttpRequest, name: str, context: dict[str, Any], cursor: int | None) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.model._meta, "console": True}
        frame |= {"feed_cursor": cursor, "title": self.model._meta.verbose_name_plural}
        return TemplateResponse(request, f"admin/{name}.html", frame | context)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
