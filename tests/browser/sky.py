"""A cloud that was heard, for the walks that have none: what the lab's OpenStack said is its inventory, and nobody answers.

Run inside the product: `manage.py shell -c "from tests.browser.sky import cloud; cloud()"`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from hypervisors import inventory
from hypervisors.models import Hypervisor, Inventory
from tests.hypervisors import recorded

NAME: Final = "sky"  # also in test_cloud.py, which may not import models
#: Nothing listens there.
SETTINGS: Final = {"auth_url": "http://127.0.0.1:9/v3", "username": "olimpus", "project_name": "olimpus"}
OUTSIDE: Final = replace(recorded.NETWORK, id=recorded.ROUTER.external_network_id, name="public", external=True)
SAID: Final[dict[str, Any]] = {
    "flavors": recorded.FLAVORS,
    "flavor_use": {"micro": 1},
    "images": recorded.IMAGES,
    "zones": recorded.ZONES,
    "networks": [recorded.NETWORK, OUTSIDE],
    "routers": [recorded.ROUTER],
    "quotas": [*recorded.QUOTAS, replace(recorded.QUOTAS[0], resource="cores", limit=20, used=19)],
    "projects": recorded.PROJECTS,
}


def cloud(*, hours_ago: int = -1) -> None:
    """The record and all that it said: by itself in a while, so that nobody asks; or so many hours ago."""
    later = timezone.now() + timedelta(days=1)
    hypervisor, _made = Hypervisor.objects.update_or_create(
        name=NAME, defaults={"driver": "openstack", "settings": SETTINGS, "next_reconcile_at": later}
    )
    for kind, data in SAID.items():
        told = {"data": inventory.plain(data), "fetched_at": timezone.now() - timedelta(hours=hours_ago)}
        Inventory.objects.update_or_create(hypervisor=hypervisor, kind=kind, defaults=told)
