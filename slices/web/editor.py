"""The page with a slice's drawing; the script on it asks the API for everything that changes."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse
from django.utils.translation import gettext_lazy

from descriptors import feed
from descriptors.permissions import can
from descriptors.templatetags.portal import SPRITE
from descriptors.web.doors import SignedIn, door, page
from descriptors.web.nodes import crumbs
from slices import formats, selectors

#: Role, name of the first of them, word, icon.
ROLES: Final = (
    ("host", "h1", gettext_lazy("Host"), "device-desktop"),
    ("router", "r1", gettext_lazy("Router"), "router"),
    ("switch", "s1", gettext_lazy("Switch"), "switch-2"),
    ("server", "srv1", gettext_lazy("Server"), "server-2"),
)
#: Fields that offer the names known here.
KNOWN: Final = ("image", "flavor", "hypervisor", "prototype", "place", "role", "parameter")
NETWORK_TYPES: Final = ("private", "public", "provider", "nat", "isolated")


@door
def editor(request: SignedIn, node_id: int) -> HttpResponse:
    """The drawing of a slice, to be edited by those who may."""
    cursor = feed.last_id()
    folder = selectors.get(request.user, node_id)
    context = {
        "feed_cursor": cursor,
        "feed_paths": [folder.path],
        "node": folder,
        "crumbs": crumbs(request, folder),
        "sprite": SPRITE,
        "roles": ROLES,
        "known": KNOWN,
        "network_types": NETWORK_TYPES,
        "formats": [one for one in formats.described() if one["writes"]],
        "may": " ".join(word for word in ("edit", "create_nodes", "delete") if can(request.user, word, folder)),
    }
    return page(request, "portal/slice.html", context)
