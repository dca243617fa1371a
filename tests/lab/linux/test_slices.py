"""A slice on the lab whose worker is killed with -9 at every stage: nothing doubled, nothing lost, nothing left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.linux.cluster import Cluster
from tests.processes.installation import Installation
from tests.processes.sliced import Ground, through_all_stages

#: The smallest guest; one that boots hears no button.
DEFAULTS = {"cpus": 1, "memory_mib": 128, "disk_gib": 1, "stop_timeout": 3}
#: Days after which copies that nobody needs go, too.
EVER = 10_000


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "home", tmp_path / "template")
    yield made
    made.close()


def test_a_slice_survives_kills_at_every_stage(
    cluster: Cluster, image: str, installation: Installation, tmp_path: Path
) -> None:
    cluster.empty(tmp_path / "empty")
    installation.load()
    fields = {"name": "rack", "driver": "linux", "settings": cluster.settings(), "concurrency": 4}
    installation.run(f"hypervisor_actions.create({fields!r}, actor=admin)")
    driver = cluster.driver(tmp_path / "driver")
    through_all_stages(Ground(installation, "rack", driver, {"image": image, **DEFAULTS}, patience=180.0))
    driver.cloud.tidy_images(days=EVER)  # of whoever was killed while it copied the image
    driver.close()
    assert cluster.leftovers() == []
