"""`manage.py mock_drift`: play the colleague who changes VMs on a mock hypervisor behind Olimpus' back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from hypervisors.drivers.base import Power, VmInfo
from hypervisors.drivers.mock import MockDriver, create_by_hand, tamper
from hypervisors.models import Hypervisor


class Command(BaseCommand):
    help = "Change, delete or create VMs on a mock hypervisor by hand, to produce drift and unowned VMs."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("hypervisor")
        parser.add_argument("vm", help="name, uid or reference of the VM")
        parser.add_argument("--create", action="store_true", help="make a VM of this name that nobody owns")
        parser.add_argument("--delete", action="store_true")
        parser.add_argument("--power", choices=[Power.ON.value, Power.OFF.value, Power.PAUSED.value])
        parser.add_argument("--cpus", type=int)
        parser.add_argument("--memory-mib", type=int)

    def handle(self, *args: Any, hypervisor: str, vm: str, create: bool, delete: bool, **options: Any) -> None:
        if not Hypervisor.objects.filter(name=hypervisor, driver=MockDriver.name).exists():
            raise CommandError(_("There is no mock hypervisor “%(name)s”.") % {"name": hypervisor})
        home = Path(settings.OLIMPUS_HOME)
        changes = {name: options[name] for name in ("power", "cpus", "memory_mib") if options[name] is not None}
        if create:
            seen: VmInfo | None = create_by_hand(home, hypervisor, vm, **changes)
        elif delete or changes:
            seen = tamper(home, hypervisor, self._find(home, hypervisor, vm).ref, delete=delete, **changes)
        else:
            raise CommandError(_("Say what to do: --create, --delete, --power, --cpus or --memory-mib."))
        self.stdout.write(str(seen) if seen else _("Deleted."))

    def _find(self, home: Path, hypervisor: str, wanted: str) -> VmInfo:
        found = [vm for vm in MockDriver(hypervisor, {}, home).list() if wanted in (vm.name, vm.uid, vm.ref)]
        if len(found) != 1:
            raise CommandError(_("%(count)d VMs are called “%(name)s”.") % {"count": len(found), "name": wanted})
        return found[0]
