"""How the portal looks to one person: the view chosen, columns hidden, folders open, filters kept.

One small JSON on the account: it is read with the account, so that a page needs no further query for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from olimpus.errors import Invalid

#: Characters of JSON that one account may fill.
LIMIT: Final = 32_768
T = TypeVar("T")


def preference(user: User, name: str, default: T) -> T:
    """What was remembered under this name, or `default`; also when something of another type is there. No query."""
    kept = user.preferences.get(name, default) if isinstance(user.preferences, dict) else default
    return kept if isinstance(kept, type(default)) else default


def remember(user: User, name: str, change: Callable[[Any], Any]) -> Any:
    """Replace what is kept under `name` by `change(what is kept now, or None)`; returns it.

    May be repeated. Two tabs that write at once both count. Raises Invalid when it would be too much for one account.
    """
    with transaction.atomic():
        row = User.objects.select_for_update().only("pk", "preferences").get(pk=user.pk)
        kept = dict(row.preferences) if isinstance(row.preferences, dict) else {}
        kept[name] = change(kept.get(name))
        if len(json.dumps(kept)) > LIMIT:
            raise Invalid(
                _("That is more than can be remembered."), where=name, hint=_("Delete what you no longer use.")
            )
        User.objects.filter(pk=user.pk).update(preferences=kept)
    user.preferences = kept
    return kept[name]
