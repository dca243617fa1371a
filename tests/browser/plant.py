"""20,000 machines for the demo, beside the running product: half of them in one folder, a class, and a hundred rooms.

Called in a process of its own (`manage.py shell`) with the product's data folder, because it needs Django's models.
"""

from __future__ import annotations

from accounts.models import User
from descriptors import actions, tree
from descriptors.models import Kind
from tests.bench.world import folder, machines

FLAT, CLASS, ROOMS, IN_ROOM = 9_640, 360, 100, 100
FARM = "/farm"  # also in conftest.py, which may not import models


def plant() -> None:
    """`/farm/flat`, `/farm/class` and `/farm/room-000` … `/farm/room-099`, managed by the demo's manager. Once."""
    farm = folder(FARM, {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    actions.grant(farm, "manager", actor=User.objects.get(username="admin"), user=User.objects.get(username="manager"))
    machines(folder(f"{FARM}/flat"), {f"vm-{number:05}": {} for number in range(FLAT)})
    machines(folder(f"{FARM}/class"), {f"vm-{number:03}": {} for number in range(CLASS)})
    tree.insert([(farm, [room(number) for number in range(ROOMS)])])


def room(number: int) -> tree.Draft:
    """A folder with its machines."""
    inside = [tree.Draft(f"vm-{number:03}-{seat:02}", Kind.DESCRIPTOR) for seat in range(IN_ROOM)]
    return tree.Draft(f"room-{number:03}", Kind.FOLDER, {}, inside)
