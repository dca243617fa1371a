"""Fixtures that every test may use."""

from __future__ import annotations

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


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A page asked for in Spanish leaves its language behind in the thread; the next test begins without it."""
    translation.deactivate()
    yield
    translation.deactivate()
