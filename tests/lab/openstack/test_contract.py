"""The driver contract against the lab: each test has a project of its own that is empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hypervisors.drivers.base import Driver, VmSpec
from tests.contract.contract import DriverContract
from tests.lab.cloud import Cloud
from tests.lab.openstack.world import World, world


@pytest.fixture(scope="module")
def project(lab: Cloud) -> Iterator[World]:
    with world(lab) as made:
        yield made


class TestOpenStack(DriverContract):
    gives_addresses = True
    crowd = 8

    @pytest.fixture(autouse=True)
    def empty(self, project: World) -> Iterator[None]:
        self.project = project
        yield
        project.empty()

    def make_driver(self, home: Path) -> Driver:
        return self.project.driver(home)

    def make_spec(self, **changes) -> VmSpec:
        return self.project.spec(**changes)
