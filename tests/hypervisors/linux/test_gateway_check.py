"""What the test of a connection says of the gateway."""

from __future__ import annotations

from typing import Any

import pytest

from hypervisors.drivers.linux import check
from hypervisors.drivers.linux.gateway.client import Gateway, Seen
from olimpus.errors import HypervisorError


class Mended:
    """A gateway that is as it says."""

    def __init__(self, seen: Seen, faults: list[str] | None = None):
        self.seen, self.faults = seen, faults or []

    def mend(self) -> list[str]:
        return self.faults

    def look(self) -> Seen:
        return self.seen


def told(*args: Any) -> str:
    gateway: Gateway = Mended(*args)  # type: ignore[assignment]
    return check._gateway(gateway)


def test_it_counts_the_networks_and_warns_when_nothing_leads_outside() -> None:
    assert told(Seen({"lan": {}}, {}, outside="192.0.2.1")) == "networks: 1"
    assert told(Seen({}, {})).startswith("networks: 0; it has no address outside")


def test_a_network_that_cannot_be_brought_about_is_a_failure() -> None:
    with pytest.raises(HypervisorError, match="br-x is gone"):
        told(Seen({}, {}, outside="192.0.2.1"), ["br-x is gone"])
