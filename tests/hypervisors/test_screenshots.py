"""Pictures of screens: nothing is kept of machines that nobody looks at."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from hypervisors import screenshots
from olimpus.errors import VMNotFound


class Gateway:
    name = "rack"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def screenshot(self, ref: str) -> bytes:
        self.asked.append(ref)
        if ref.startswith("gone"):
            raise VMNotFound("gone")
        return b"picture"


@pytest.fixture(autouse=True)
def nothing_kept():
    screenshots._kept.clear()
    yield
    screenshots._kept.clear()


def test_who_asks_at_once_gets_the_same():
    gateway = Gateway()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _number: screenshots.screenshot(gateway, "w1/a"), range(8))) == {b"picture"}
    assert gateway.asked == ["w1/a"]


def test_turns_end_with_those_who_wait():
    for number in range(50):
        with pytest.raises(VMNotFound):
            screenshots.screenshot(Gateway(), f"gone-{number}")
        screenshots.screenshot(Gateway(), f"w1/{number}")
    gc.collect()
    assert not screenshots._turns
