"""The one writer of a hypervisor's health. The journal hears of changes only, however many workers notice at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import journal
from hypervisors.models import Health, Hypervisor
from olimpus.errors import Unreachable

#: Thousands of verbs a minute need not write `last_ok_at` each time.
FRESH = timedelta(seconds=5)
DETAIL_LENGTH = Hypervisor._meta.get_field("health_detail").max_length


def mark_ok(hypervisor: Hypervisor) -> bool:
    """Note that the hypervisor answered. Returns whether its health changed; cheap when it did not."""
    now = timezone.now()
    if hypervisor.health == Health.OK and hypervisor.last_ok_at and now - hypervisor.last_ok_at < FRESH:
        return False
    changed = _change(hypervisor, Health.OK, "", last_ok_at=now)
    if not changed:
        stale = Q(last_ok_at=None) | Q(last_ok_at__lt=now - FRESH)
        Hypervisor.objects.filter(stale, pk=hypervisor.pk).update(last_ok_at=now)
        hypervisor.last_ok_at = now
    return changed


def mark_unreachable(hypervisor: Hypervisor, error: Exception) -> bool:
    """Note that the hypervisor gave no answer, or refuses us as a whole. Returns whether the health changed.

    Meant for listings and connection tests, and for `Unreachable` anywhere: a verb that is `Rejected` says something
    about a VM, not about its hypervisor.
    """
    health = Health.UNREACHABLE if isinstance(error, Unreachable) else Health.ERROR
    return mark_failing(hypervisor, health, str(error))


def mark_failing(hypervisor: Hypervisor, health: Health, detail: str) -> bool:
    """Note a failing health with its detail. Returns whether the health changed."""
    detail = detail[:DETAIL_LENGTH]
    changed = _change(hypervisor, health, detail)
    if not changed and hypervisor.health_detail != detail:
        Hypervisor.objects.filter(pk=hypervisor.pk, health=health).update(health_detail=detail)
        hypervisor.health_detail = detail
    return changed


def _change(hypervisor: Hypervisor, health: Health, detail: str, **more: Any) -> bool:
    """Write a health that differs from the one in the database, with its journal entry; the instance follows."""
    values = {"health": health, "health_detail": detail, "health_at": timezone.now(), **more}
    with transaction.atomic():
        changed = Hypervisor.objects.filter(pk=hypervisor.pk).exclude(health=health).update(**values)
        if changed:
            data = {"hypervisor": hypervisor.name, "detail": detail}
            journal.record(None, f"hypervisor.{health.value}", data=data)
    hypervisor.health = health
    if changed:
        for name, value in values.items():
            setattr(hypervisor, name, value)
    return bool(changed)
