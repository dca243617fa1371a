"""`manage.py check_tree`: is the tree sound?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from descriptors import tree_check
from descriptors.models import Node


class Command(BaseCommand):
    """Prints every fault and exits with 1 when there is one."""

    def add_arguments(self, parser: CommandParser) -> None:
        """One flag, and the description in the language of the installation."""
        parser.description = _(
            "Checks paths and numbering of the tree; with --repair writes them again from parents and names."
        )
        parser.add_argument("--repair", action="store_true", help=_("repair what can be computed again, then check"))

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        """Repairs when asked, then checks."""
        if repair:
            self._repair()
        found = tree_check.faults()
        for fault in found:
            self.stderr.write(f"{fault.path}: {fault.what}")
        if found:
            self.stderr.write(ngettext("%(n)d fault.", "%(n)d faults.", len(found)) % {"n": len(found)})
            raise SystemExit(1)
        nodes = Node.objects.count()
        message = ngettext("The tree is sound: %(n)d node.", "The tree is sound: %(n)d nodes.", nodes)
        self.stdout.write(self.style.SUCCESS(message % {"n": nodes}))

    def _repair(self) -> None:
        changed = tree_check.repair()
        self.stdout.write(ngettext("%(n)d row repaired.", "%(n)d rows repaired.", changed) % {"n": changed})
