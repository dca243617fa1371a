"""`manage.py openstack_from_env`: a hypervisor for the OpenStack that the environment names."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from hypervisors import clouds
from olimpus.errors import OlimpusError


class Command(BaseCommand):
    help = "Make a hypervisor for the OpenStack that OPENSTACK_AUTH_URL or OPENSTACK_CLOUD names. May be repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        """Says what was made; nothing is where there is an OpenStack already, or none is named."""
        try:
            made = clouds.from_environment()
        except OlimpusError as error:
            raise CommandError(str(error)) from error
        if made is not None:
            self.stdout.write(_("Hypervisor “%(name)s” is made.") % {"name": made.name})
