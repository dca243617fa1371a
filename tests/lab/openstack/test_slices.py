"""A slice on the lab's cloud whose worker is killed with -9 at every stage: nothing doubled, nothing lost, nothing left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hypervisors.drivers.base import Driver
from tests.lab.cloud import Cloud
from tests.processes.installation import Installation
from tests.processes.sliced import Ground, through_all_stages


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "home", tmp_path / "template")
    yield made
    made.close()


def test_a_slice_survives_kills_at_every_stage(
    lab: Cloud, driver: Callable[..., Driver], installation: Installation
) -> None:
    installation.load()
    fields = {"name": "cloud", "driver": "openstack", "settings": lab.account(), "concurrency": 8}
    installation.run(f"hypervisor_actions.create({fields!r}, actor=admin)")
    looking = driver()
    others = frozenset(info.uid for info in looking.list())
    defaults = {"image": "cirros", "flavor": "nano"}
    through_all_stages(Ground(installation, "cloud", looking, defaults, patience=600.0, others=others))
