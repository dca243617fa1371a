"""What is refused before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.linux.create import _check
from olimpus.errors import Rejected


@pytest.mark.parametrize("names", [["data", "data"], [f"disk-{number}" for number in range(26)]])
def test_extra_disks_that_would_be_one_or_none(names: list[str]) -> None:
    disks: tuple[Any, ...] = tuple({"name": name, "size_gib": 1} for name in names)
    with pytest.raises(Rejected, match="at most 25"):
        _check(VmSpec("u-1", "web", 1, 128, 1, disks=disks))


def test_as_many_as_there_are_letters() -> None:
    _check(VmSpec("u-1", "web", 1, 128, 1, disks=tuple({"name": str(number), "size_gib": 1} for number in range(25))))
