"""The driver contract against the lab: each test has a project of its own that is empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypervisors.drivers.base import Driver, VmSpec
from tests.contract.contract import DriverContract
from tests.lab.openstack.world import World


class TestOpenStack(DriverContract):
    gives_addresses = True
    crowd = 8

    @pytest.fixture(autouse=True)
    def empty(self, project: World) -> None:
        self.project = project

    def make_driver(self, home: Path) -> Driver:
        return self.project.driver(home)

    def make_spec(self, cards: int = 1, **changes) -> VmSpec:
        return self.project.spec(cards, **changes)
