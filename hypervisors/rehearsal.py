"""Breaking things on purpose, on mock hypervisors only: to rehearse what is done when it happens for real."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from hypervisors.drivers.base import Power
from hypervisors.drivers.mock import MockDriver, tamper
from hypervisors.models import Hypervisor
from olimpus.errors import Conflict


def is_mock(hypervisor: Hypervisor | None) -> bool:
    """Whether nothing real runs there."""
    return hypervisor is not None and hypervisor.driver == MockDriver.name


def pull_the_plug(hypervisor: Hypervisor, ref: str) -> None:
    """Switch a VM off behind Olimpus' back and have the hypervisor compared soon. May be repeated.

    Conflict on any hypervisor that is no mock; VMNotFound.
    """
    if not is_mock(hypervisor):
        raise Conflict(_("Only what runs on a mock hypervisor is broken on purpose."), where=hypervisor.name)
    tamper(Path(settings.OLIMPUS_HOME), hypervisor.name, ref, power=Power.OFF.value)
    Hypervisor.objects.filter(pk=hypervisor.pk).update(next_reconcile_at=None)
