"""Where each door shows the definition of the node at a path; "" for whoever may not see that node."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.urls import reverse

from accounts.models import User
from descriptors.panes.lines import Link
from descriptors.permissions import can


def portal_link(user: User) -> Link:
    """Links of the portal, as somebody may follow them."""
    return lambda path: f"{page_of(path)}?tab=definition" if can(user, "see", path) else ""


def console_link(user: User) -> Link:
    """Links of the console; they name the path, since a computed definition knows no ids."""
    base = reverse("admin:descriptors_node_at")
    return lambda path: f"{base}?{urlencode({'path': path})}" if can(user, "see", path) else ""


def page_of(path: str) -> str:
    """The portal's page of the node at a path."""
    return "/tree" + quote(path, safe="/@+-._~") if path != "/" else "/tree/"
