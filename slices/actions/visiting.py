"""Who has the drawing of a slice open: rows that live as long as the process that holds the window says so."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from accounts.models import User
from descriptors.models import Node
from descriptors.permissions import require
from olimpus.db import retry_on_deadlock
from slices import selectors
from slices.models import Visit

#: Seconds that a visit is believed without being renewed.
BELIEF: Final = 40


@retry_on_deadlock
def enter(folder: Node, *, actor: User) -> Visit:
    """Somebody who may edit has the drawing open. Forbidden for all others: they change nothing under anybody's hands."""
    require(actor, "edit", folder)
    selectors.hold(folder)
    Visit.objects.filter(valid_until__lt=timezone.now()).delete()
    return Visit.objects.create(folder_id=folder.pk, user=actor, valid_until=_later())


def renew(visits: Collection[int]) -> None:
    """These windows are still open."""
    Visit.objects.filter(pk__in=visits).update(valid_until=_later())


def leave(visit: int) -> None:
    """The window is closed. Repeatable."""
    Visit.objects.filter(pk=visit).delete()


def _later() -> datetime:
    return timezone.now() + timedelta(seconds=BELIEF)
