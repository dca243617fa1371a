"""Real processes: all of them on one worker of pytest, each test with an installation of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.installation import Installation

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One after the other, however many workers pytest has."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.xdist_group("processes"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a loaded demo, once there is one."""
    return tmp_path_factory.mktemp("processes") / "template"


@pytest.fixture
def installation(tmp_path: Path, template: Path) -> Iterator[Installation]:
    """Nothing is started yet."""
    made = Installation(tmp_path / "home", template)
    yield made
    made.close()
