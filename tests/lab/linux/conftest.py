"""The running cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import chromium as chromium  # one for all files: Playwright starts but once in a process
from tests.lab.linux.cluster import TWIN, Cluster


@pytest.fixture(scope="session")
def cluster(worker_id: str) -> Iterator[Cluster]:
    """The running lab; of a second pytest worker, one beside it, of which nothing is left."""
    running = Cluster.running()
    if worker_id in ("master", "gw0"):
        yield running
        return
    with Cluster.standing(TWIN | {"LINUX_LAB_IMAGE": str(running.image)}) as twin:
        yield twin
        assert twin.leftovers() == []


@pytest.fixture(scope="session")
def image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name under which the cluster has the tiny guest's image; it stays there."""
    return cluster.offer(tmp_path_factory.mktemp("image"))
