"""Fixtures that every test may use."""

from __future__ import annotations

from tests.world import world as world
