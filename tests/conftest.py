"""Fixtures that every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from fnmatch import fnmatchcase

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
#: What another database cannot change, as patterns of a test's id.
SAME = (
    # The command line knows HTTP only, the schema is made of classes, uploads pass by, examples are examples.
    *("cli/*", "docs/*", "*/test_schema.py*", "*/test_uploads.py*"),
    # A cloud's answers are kept as one JSON column, of which only the inventory knows.
    *(
        "*/test_cloud_*",
        "*/test_admin_cloud.py*",
        "*/test_api_openstack.py*",
        "*/test_api_slices.py*",
        "*/test_tunnel*",
    ),
    # Doors: forms, words, rights and HTTP. What they ask is asked by the actions and selectors below them; those that
    # search, filter or group stay, and web/test_queries.py opens every page with much to show.
    *("*/test_admin*", "*/test_console.py*", "*/test_pages.py*", "*/test_sign_in.py*", "accounts/test_doors.py*"),
    *("*/test_every_address.py*", "web/test_[!fqs]*"),
    # Who kills, starts and waits for processes again does not know what they store; where writes meet is left in.
    *("*/test_embedded.py*", "*/test_course.py*", "*/test_breaker.py*", "*::test_everything_killed_at_once"),
    "processes/test_slices.py*",
    *("*::test_a_worker_told_to_stop_*", "*::test_nobody_listens_without_signing_in"),
)


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
    if any(fnmatchcase(item.nodeid.removeprefix("tests/"), pattern) for pattern in SAME):
        return False
    fixtures, marks = set(getattr(item, "fixturenames", ())), {mark.name for mark in item.iter_markers()}
    return bool(DATABASE & fixtures or REACHING & marks or SERVERS & set(item.path.parts))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A page asked for in Spanish leaves its language behind in the thread; the next test begins without it."""
    translation.deactivate()
    yield
    translation.deactivate()
