"""What higher apps add to console pages of lower ones: lower pages name themselves, higher apps give them context."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

#: (request, what the page is about) → context for its template.
Panel = Callable[[HttpRequest, Any], dict[str, Any]]

_panels: dict[str, list[Panel]] = defaultdict(list)


def add(page: str, panel: Panel) -> None:
    """Let `panel` give context to every page of this name. Called once, when the admin is loaded."""
    _panels[page].append(panel)


def context(page: str, request: HttpRequest, subject: Any) -> dict[str, Any]:
    """What all panels of this page say about `subject`, later ones over earlier ones."""
    return {name: value for panel in _panels[page] for name, value in panel(request, subject).items()}
