"""`manage.py rotate_secrets`: encrypt every hypervisor's secrets anew with the first key of OLIMPUS_SECRET_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import gettext as _

from hypervisors import secrets
from hypervisors.models import Hypervisor
from olimpus.errors import HypervisorError


class Command(BaseCommand):
    help = "Encrypt all secrets of hypervisors with the first key of OLIMPUS_SECRET_KEYS. May be repeated."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing: a record that no key reads stops the rotation, and nothing was changed."""
        rows = Hypervisor.objects.select_for_update().exclude(secrets="")
        try:
            for hypervisor in rows:
                renewed = secrets.rotate(hypervisor.secrets, where=hypervisor.name)
                Hypervisor.objects.filter(pk=hypervisor.pk).update(secrets=renewed)
        except HypervisorError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_("Rotated the secrets of %(count)d hypervisors.") % {"count": len(rows)})
