"""The mock hypervisor: the shipped reference driver, slow and failing on demand.

It carries the demo and the tests. `create_by_hand` and `tamper` play the colleague who works behind our back; `events`
tells what really happened.
"""

from __future__ import annotations

from hypervisors.drivers.mock.by_hand import create_by_hand, events, tamper
from hypervisors.drivers.mock.driver import MockDriver
from hypervisors.drivers.mock.store import Event

__all__ = ["Event", "MockDriver", "create_by_hand", "events", "tamper"]
