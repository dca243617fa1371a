"""What foreign names mean, kept for the next file."""

from __future__ import annotations

from django.utils import timezone

from accounts.models import User
from olimpus.db import retry_on_deadlock
from slices import mapping, selectors
from slices.models import NameMapping

#: Names that one person is remembered by for one hypervisor; the oldest are forgotten.
MOST = 1000


@retry_on_deadlock
def remember(actor: User, hypervisor: str, names: mapping.Names) -> None:
    """Keep what this person said that images and flavors are there. NotFound for who may not use the hypervisor."""
    if not any(names.values()):
        return
    found = selectors.hypervisor(actor, hypervisor)
    for kind, pairs in names.items():
        for foreign, ours in pairs.items():
            said = {"ours": ours, "saved_at": timezone.now()}
            NameMapping.objects.update_or_create(
                hypervisor=found, author=actor, kind=kind, foreign=foreign, defaults=said
            )
    rows = NameMapping.objects.filter(hypervisor=found, author=actor).order_by("-saved_at", "-pk")
    old = list(rows.values_list("pk", flat=True)[MOST:])
    NameMapping.objects.filter(pk__in=old).delete()
