"""Sign-ins of every door go to the journal."""

from __future__ import annotations

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver

from accounts import journal
from accounts.models import User


@receiver(user_logged_in)
def note_sign_in(sender: Any, user: User, **kwargs: Any) -> None:
    """Somebody came in."""
    journal.record(user, "user.sign_in")


@receiver(user_logged_out)
def note_sign_out(sender: Any, user: User | None, **kwargs: Any) -> None:
    """Somebody left."""
    if user is not None:
        journal.record(user, "user.sign_out")


@receiver(user_locked_out)
def note_lockout(sender: Any, username: str | None, **kwargs: Any) -> None:
    """Somebody failed too often. Single failures are not noted: a robot could fill the journal with them."""
    journal.record(None, "user.locked_out", data={"username": username or ""})
