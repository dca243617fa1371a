"""What foreign names mean, kept for the next file."""

from __future__ import annotations

from django.utils import timezone

from accounts.models import User
from hypervisors.models import Hypervisor
from olimpus.db import retry_on_deadlock
from slices import mapping
from slices.models import NameMapping

#: Names that one person is remembered by for one hypervisor; the oldest are forgotten.
MOST = 1000


@retry_on_deadlock
def remember(actor: User, hypervisor: str, names: mapping.Names) -> None:
    """Keep what this person said that images and flavors are there. Nothing without a hypervisor of that name."""
    found = Hypervisor.objects.filter(name=hypervisor).first() if any(names.values()) else None
    if found is None:
        return
    for kind, pairs in names.items():
        for foreign, ours in pairs.items():
            said = {"ours": ours, "saved_at": timezone.now()}
            NameMapping.objects.update_or_create(
                hypervisor=found, author=actor, kind=kind, foreign=foreign, defaults=said
            )
    rows = NameMapping.objects.filter(hypervisor=found, author=actor).order_by("-saved_at", "-pk")
    old = list(rows.values_list("pk", flat=True)[MOST:])
    NameMapping.objects.filter(pk__in=old).delete()
