"""Which consoles a machine has, and who looks at them now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from accounts.models import User
from descriptors.models import ConsoleSession, Descriptor
from descriptors.permissions import can, require
from descriptors.states import State
from hypervisors.drivers.base import Capability
from hypervisors.registry import driver_class
from olimpus.errors import Invalid

#: In these the guest shows something.
LIVELY = frozenset({State.RUNNING, State.PAUSED, State.STARTING, State.STOPPING})


def consoles_of(machine: Descriptor) -> tuple[str, ...]:
    """The kinds of console that its hypervisor offers, the better one first; none while it is on no hypervisor."""
    consoles: tuple[str, ...] = _driver_of(machine, "consoles") if machine.vm_ref else ()
    return consoles


def may_have_console(machine: Descriptor, user: User) -> bool:
    """Whether a link to its console makes sense for this person, once it is on: where it will be may not be known yet."""
    if not may_watch(user, machine):
        return False
    return machine.hypervisor is None or bool(_driver_of(machine, "consoles"))


def _driver_of(machine: Descriptor, what: str) -> Any:
    """What its technology declares; nothing when its library is missing here."""
    try:
        return getattr(driver_class(machine.hypervisor.driver), what) if machine.hypervisor else ()
    except Invalid:
        return ()


def has_picture(machine: Descriptor) -> bool:
    """Whether a picture of its screen can be taken now, as far as we know."""
    if not machine.vm_ref or machine.state not in LIVELY:
        return False
    return Capability.SCREENSHOT in _driver_of(machine, "capabilities")


def may_drive(user: User, machine: Descriptor) -> bool:
    """Whether this person may type there."""
    return can(user, "console", machine)


def may_watch(user: User, machine: Descriptor) -> bool:
    """Whether this person may at least see what is shown there."""
    return may_drive(user, machine) or can(user, "watch_console", machine)


def require_watching(user: User, machine: Descriptor) -> None:
    """Raise NotFound or Forbidden unless this person may at least see what is shown there."""
    if not may_drive(user, machine):
        require(user, "watch_console", machine)


def viewers(nodes: Iterable[int]) -> dict[int, list[dict[str, str]]]:
    """Who has a console of these machines open: {node: [{"who", "kind", "mode"}]}, in the order of their coming."""
    rows = ConsoleSession.objects.filter(node__in=set(nodes), ticket="", valid_until__gte=timezone.now())
    found: dict[int, list[dict[str, str]]] = {}
    for row in rows.select_related("user").order_by("pk"):
        found.setdefault(row.node_id, []).append({"who": row.user.get_username(), "kind": row.kind, "mode": row.mode})
    return found
