"""Where the hypervisor differs from what we last applied."""

from __future__ import annotations

from typing import Any

from descriptors.models import Descriptor
from descriptors.selectors.offers import open_operation
from descriptors.selectors.sizes import known_size
from descriptors.states import EXPECTED_POWER, State
from hypervisors.drivers.base import Power


def drift(descriptor: Descriptor, *, busy: bool | None = None) -> list[dict[str, Any]]:
    """Where the hypervisor differs from what we last applied, field by field. Empty while an operation is open."""
    busy = open_operation(descriptor) is not None if busy is None else busy
    seen = descriptor.observed
    if busy or not seen or not up_to_date(descriptor):
        return []
    expected = expectation(descriptor)
    return [
        {"field": field, "expected": value, "observed": seen.get(field)}
        for field, value in expected.items()
        if seen.get(field) != value and seen.get(field) != Power.UNKNOWN
    ]


def up_to_date(descriptor: Descriptor) -> bool:
    """Whether the last observation is newer than the last thing we did to the VM."""
    if descriptor.observed_at is None:
        return False
    return descriptor.observed_at >= max(descriptor.state_since, descriptor.settled_at or descriptor.state_since)


def expectation(descriptor: Descriptor) -> dict[str, Any]:
    """What reconcile should see: the power that the state implies and the sizes and cards that were last applied."""
    if descriptor.state not in EXPECTED_POWER:
        return {}
    expected: dict[str, Any] = {"power": str(EXPECTED_POWER[State(descriptor.state)])}
    if descriptor.applied and descriptor.state != State.PROVISIONED:
        if size := known_size(descriptor.applied):
            expected |= {"cpus": size.cpus, "memory_mib": size.memory_mib}
        if macs := [nic["mac"] for nic in descriptor.applied.get("nics") or [] if nic.get("mac")]:
            expected["macs"] = macs
    return expected
