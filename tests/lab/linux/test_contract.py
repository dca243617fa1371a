"""The driver contract against the lab: real machines, on real workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hypervisors.drivers.base import Driver, VmSpec
from olimpus.errors import Rejected
from tests.contract.contract import DriverContract, make_spec
from tests.lab.linux.cluster import Cluster

NETWORKS = {
    "lan": {"cidr": "10.0.0.0/16", "type": "private"},
    "wan": {"cidr": "10.1.0.0/16", "type": "private"},
}


class TestLinux(DriverContract):
    """Memory is small and disks are thin, so that a crowd of them fits into the lab."""

    crowd = 6
    boot_seconds = 30.0
    gives_addresses = True
    missing = "worker-1/2f1d9c0e-0000-4000-8000-000000000000"

    @pytest.fixture(autouse=True)
    def begin(self, cluster: Cluster, image: str, tmp_path: Path) -> None:
        self.cluster, self.image = cluster, image
        cluster.empty(tmp_path)

    def make_driver(self, home: Path) -> Driver:
        return self.cluster.driver(home)

    def make_spec(self, cards: int = 1, **changes) -> VmSpec:
        small = {"image": self.image, "parameters": {"networks": NETWORKS}}
        return make_spec(cards, **(small | changes))

    def test_a_reserved_address_stays_when_making_the_machine_fails(self, driver: Driver) -> None:
        spec, other = self.floating_spec(), self.floating_spec()
        address = driver.outside(spec)
        with pytest.raises(Rejected):
            driver.create(replace(spec, image="nobody-has-this"))
        assert driver.outside(other) != address == driver.outside(spec)
        for one in (spec, other):
            driver.tidy(one)
        assert driver.gateway.look().ways == {}  # type: ignore[attr-defined]

    def floating_spec(self) -> VmSpec:
        networks = NETWORKS | {"lan": NETWORKS["lan"] | {"type": "nat"}}
        return self.make_spec(parameters={"networks": networks, "nics": [{"network": "lan", "floating": True}]})
