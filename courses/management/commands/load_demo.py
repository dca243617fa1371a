"""`manage.py load_demo`: fills an installation with the demo and prints its accounts. Used by `make run`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts import journal
from courses import demo
from courses.console import fault_block
from olimpus.errors import OlimpusError


class Command(BaseCommand):
    """May be repeated: what is there is left alone."""

    requires_system_checks = ()  # the whole site need not be loaded for this
    help = (
        "Loads the demo: a mock hypervisor, the accounts admin, manager and student, and the example course. "
        "May be repeated. OLIMPUS_DEMO_PASSWORD sets the password of the three accounts."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, then say how to sign in."""
        try:
            with journal.context(via="command"):
                loaded = demo.load()
        except OlimpusError as error:
            raise CommandError(fault_block(error)) from error
        self.stdout.write(_("The demo was loaded.") if loaded.changed else _("The demo is loaded."))
        for name in demo.ACCOUNTS:
            password = _("(a password of its own)") if name in loaded.own else loaded.password
            self.stdout.write(f"  {name:<8} {password}")
