"""Thin: what slices keep beside the tree, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from slices.models import Deployment, Draft, NameMapping


class Looking(admin.ModelAdmin):  # type: ignore[type-arg]
    """Superusers look; nobody adds, changes or deletes here: the actions do, with their rules."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Draft)
class DraftAdmin(Looking):
    """What is being drawn."""

    list_display = ("folder", "version", "author", "saved_at")
    list_select_related = ("folder", "author")


@admin.register(Deployment)
class DeploymentAdmin(Looking):
    """What was asked for."""

    list_display = ("folder", "kind", "actor", "created_at", "undone")
    list_select_related = ("folder", "actor")
    list_filter = ("kind",)


@admin.register(NameMapping)
class NameMappingAdmin(Looking):
    """What foreign names mean."""

    list_display = ("foreign", "kind", "ours", "hypervisor", "author", "saved_at")
    list_select_related = ("hypervisor", "author")
    list_filter = ("kind",)
