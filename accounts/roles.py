"""The words for what people are. What somebody may do on a node comes from grants (`descriptors/permissions.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import User


class Role:
    """The two roles somebody can be given on a node."""

    MANAGER: Final = "manager"
    USER: Final = "user"


class Kind(TextChoices):
    """What an account is made for. A superuser is told by `is_superuser`."""

    MANAGER = "manager", _("manager")
    SIMPLE = "simple", _("simple user")


SUPERUSER: Final = "superuser"
LABELS: Final = {SUPERUSER: _("superuser"), **dict(Kind.choices)}


def kind_of(user: User) -> str:
    """Return `superuser`, `manager` or `simple`: the word shown beside a name."""
    return SUPERUSER if user.is_superuser else str(user.kind)


def is_manager(user: User) -> bool:
    """Tell whether this account may hold manager grants and open the console; superusers may."""
    return bool(user.is_superuser or getattr(user, "kind", None) == Kind.MANAGER)


def may_open_console(user: User) -> bool:
    """Tell whether the Django admin lets this account in."""
    return bool(user.is_active and (user.is_superuser or user.is_staff))


def may_manage_people(user: User) -> bool:
    """Tell whether this account may create and change users and groups: superusers only."""
    return bool(user.is_active and user.is_superuser)


def may_see_people(user: User) -> bool:
    """Tell whether this account may search others by name, to grant them something."""
    return bool(user.is_active and is_manager(user))
