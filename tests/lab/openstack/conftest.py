"""One installation on the lab for all tests that need processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import Campus, standing


@pytest.fixture(scope="session")
def campus(lab: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    """A running Olimpus with the hypervisors `cloud` and `behind`."""
    with standing(lab, tmp_path_factory.mktemp("campus")) as found:
        yield found
