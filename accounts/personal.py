"""What one person chose for the portal, and what was seen: theme, time zone, what ended since the last look, the guide.

None of it is journaled: it is nobody else's business.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.preferences import preference, remember
from accounts.zones import is_zone, zone_of
from olimpus.errors import Invalid

#: "system": as each device prefers.
THEMES: Final = ("light", "dark", "system")
#: Who never looked is told what ended in this time.
FIRST_LOOK: Final = timedelta(days=1)


def theme_of(user: User) -> str:
    """`light`, `dark`, `system`, or "" when nothing was chosen yet. No query."""
    return preference(user, "theme", "")


def choose_theme(user: User, theme: str) -> None:
    """Keep the theme for every device. Invalid for a word that is none of `THEMES`. May be repeated."""
    if theme not in THEMES:
        raise Invalid(_("There is no such theme."), where="theme", hint=", ".join(THEMES))
    remember(user, "theme", lambda _old: theme)


def zone_name(user: User) -> str:
    """The name of the time zone that was chosen, or "" for the installation's. No query."""
    return preference(user, "time_zone", "")


def zone(user: User) -> tzinfo | None:
    """The chosen time zone; None for the installation's. No query."""
    return zone_of(zone_name(user))


def choose_zone(user: User, name: str) -> None:
    """Tell times in this zone; "" in the installation's. Invalid for a name that is none. May be repeated."""
    if name and not is_zone(name):
        raise Invalid(_("There is no time zone of this name."), where="time_zone")
    remember(user, "time_zone", lambda _old: name)


def operations_seen(user: User) -> datetime:
    """What ended later is new to this person. No query."""
    kept = parse_datetime(preference(user, "operations_seen", ""))
    return kept or timezone.now() - FIRST_LOOK


def see_operations(user: User) -> None:
    """What has ended by now is no longer new. May be repeated."""
    remember(user, "operations_seen", lambda _old: timezone.now().isoformat())


def guide_closed(user: User) -> bool:
    """Whether the guided path was closed for good. No query."""
    return preference(user, "guide_closed", False)


def close_guide(user: User, closed: bool = True) -> None:
    """Do not show the guided path again, on any device; or show it again. May be repeated."""
    remember(user, "guide_closed", lambda _old: closed)
