"""The page of a form about a node: its path on top, the form with what was typed, 400 when something is wrong."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from descriptors.models import Node
from descriptors.web.doors import SignedIn, page
from descriptors.web.forms import CoreForm
from descriptors.web.nodes import crumbs


def form_page(request: SignedIn, node: Node, form: CoreForm, template: str, **more: Any) -> HttpResponse:
    """Render the form; 400 when it has errors."""
    context = {"node": node, "crumbs": crumbs(request, node), "form": form} | more
    return page(request, template, context, status=400 if form.errors else 200)
