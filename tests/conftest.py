"""Fixtures that every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from django.utils import translation
from hypothesis import HealthCheck, settings

from tests.world import world as world

# Tests share two cores with each other: how long one example takes says nothing. Derandomised: a red run can be repeated.
settings.register_profile(
    "olimpus", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("olimpus")


#: Fixtures of pytest-django that mean the database, and marks of tests that reach it by other processes.
DATABASE = {"db", "transactional_db"}
REACHING = {"django_db", "processes"}
#: Folders whose tests start servers of their own.
SERVERS = {"processes"}
#: What another database cannot change: the command line knows HTTP only, the schema is made of classes, a cloud's
#: answers are kept as one JSON column, uploads pass by, and whoever starts processes again does not know what they store.
SAME = {"cli", "test_schema.py", "test_cloud_api.py", "test_uploads.py", "test_embedded.py"}


def pytest_configure() -> None:
    """A shell has what it starts in the background ignore Ctrl-C, and that is inherited: tests send it to their children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="leave out what never touches the database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a second database, what asks none has nothing new to tell."""
    if config.getoption("--database-only"):
        pure = [item for item in items if not _asks_database(item)]
        config.hook.pytest_deselected(items=pure)
        items[:] = [item for item in items if _asks_database(item)]


def _asks_database(item: pytest.Item) -> bool:
    fixtures, marks = set(getattr(item, "fixturenames", ())), {mark.name for mark in item.iter_markers()}
    if SAME & set(item.path.parts):
        return False
    return bool(DATABASE & fixtures or REACHING & marks or SERVERS & set(item.path.parts))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A page asked for in Spanish leaves its language behind in the thread; the next test begins without it."""
    translation.deactivate()
    yield
    translation.deactivate()
