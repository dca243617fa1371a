"""The running cluster."""

from __future__ import annotations

import pytest

from tests.lab.linux.cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The running lab."""
    return Cluster.running()
