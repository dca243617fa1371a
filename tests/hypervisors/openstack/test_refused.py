"""What OpenStack has no way to do is refused before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest

from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.openstack.plan import refuse_what_cannot_be
from olimpus.errors import Rejected


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"nics": [{"network": "lan", "forwards": [{"port": 22}]}]}, "nics"),
        ({"networks": {"lan": {"cidr": "10.0.0.0/24", "reaches": ["dmz"]}}}, "networks"),
    ],
)
def test_ways_in_and_between(parameters: dict[str, Any], where: str) -> None:
    spec = VmSpec("u-1", "web", 1, 128, 1, nics=(NicSpec("lan", ""),), parameters=parameters)
    with pytest.raises(Rejected) as caught:
        refuse_what_cannot_be(spec)
    assert caught.value.where == where


def test_networks_of_others_may_reach_what_they_like() -> None:
    parameters = {"nics": [{"network": "lan"}], "networks": {"lan": {}, "dmz": {"reaches": ["lan"]}}}
    refuse_what_cannot_be(VmSpec("u-1", "web", 1, 128, 1, nics=(NicSpec("lan", ""),), parameters=parameters))


def test_addresses_in_a_disk_that_nobody_can_look_into() -> None:
    with pytest.raises(Rejected, match=r"inside of a disk.*dhcp, mac or cloud-init") as caught:
        refuse_what_cannot_be(VmSpec("u-1", "web", 1, 128, 1, nics=(NicSpec("lan", "", "10.0.0.5", "disk"),)))
    assert caught.value.where == "nics"
