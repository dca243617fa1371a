"""One server for all tests of the command line; so they run on one worker of pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.terminal import Terminal
from tests.processes.installation import PASSWORD, Installation

HERE = Path(__file__).parent
COURSE = "/courses/TEL141/2026-2"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One after the other, however many workers pytest has."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.xdist_group("cli"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """What `make run` gives: the demo with 120 × 3 machines, a web process and a worker."""
    folder = tmp_path_factory.mktemp("cli")
    made = Installation(folder / "home", folder / "template")
    made.embedded()
    yield made
    made.close()


@pytest.fixture(scope="session")
def token_of(server: Installation) -> Callable[..., str]:
    """Makes a token for a user of the demo."""

    def make(user: str, **wanted: object) -> str:
        with httpx.Client(base_url=f"{server.address}/api", auth=(user, PASSWORD), timeout=30) as api:
            return str(api.post("/auth/tokens", json={"name": "tests"} | wanted).raise_for_status().json()["token"])

    return make


@pytest.fixture
def stranger(server: Installation, tmp_path: Path) -> Terminal:
    """Not signed in."""
    return Terminal(tmp_path, server.address)


@pytest.fixture(scope="session")
def admin(server: Installation, token_of: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A superuser, by OLIMPUS_TOKEN."""
    return Terminal(tmp_path_factory.mktemp("admin"), server.address, token_of("admin"))


@pytest.fixture(scope="session")
def manager(server: Installation, token_of: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """The teacher of the course, by OLIMPUS_TOKEN."""
    return Terminal(tmp_path_factory.mktemp("manager"), server.address, token_of("manager"))


@pytest.fixture(scope="session")
def student(server: Installation, token_of: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A student of the course, by OLIMPUS_TOKEN."""
    return Terminal(tmp_path_factory.mktemp("student"), server.address, token_of("student"))
