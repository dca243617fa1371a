"""Amounts of memory and disk as people read them."""

from __future__ import annotations

from typing import Final

from olimpus.cli.moments import number

UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def of_bytes(size: float) -> str:
    """`192 KiB`, `2.1 GiB`."""
    unit = 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{number(round(size, 1))} {UNITS[unit]}"


def of_mib(size: float | None) -> str:
    """Memory as it was asked for: `2,560 MiB`; "" for none."""
    return "" if size is None else f"{number(size)} MiB"


def of_gib(size: float | None) -> str:
    """A disk: `20 GiB`; "" for none."""
    return "" if size is None else f"{number(round(size, 1))} GiB"
