"""What a benchmark reports, and how reports are printed."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

HEADINGS = ("work", "measured", "floor", "ratio", "reach", "ok?")


@dataclass(frozen=True)
class Figure:
    """One line of the table. `measured` and `floor` are in `unit`; `ratio` is one by the other."""

    work: str
    measured: float
    unit: str
    reach: str
    ok: bool
    floor: float | None = None
    #: Further numbers of the same measurement, for the JSON and for whoever asks why.
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times the floor."""
        return self.measured / self.floor if self.floor else None

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        floor = "–" if self.floor is None else shown(self.floor, self.unit)
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f} ×"
        return (self.work, shown(self.measured, self.unit), floor, ratio, self.reach, "yes" if self.ok else "NO")

    def as_data(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"ratio": self.ratio}


def shown(number: float, unit: str) -> str:
    """A number with as many digits as mean something."""
    whole = number >= 100 or number == int(number)
    digits = 0 if whole else 1 if number >= 10 else 2 if number >= 0.1 else 3
    return f"{number:,.{digits}f} {unit}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that also reads well in a terminal."""
    rows = [HEADINGS, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows]
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])


def timed(work: Callable[[], Any]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which `percent` of a hundred lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def say(text: str) -> None:
    """Progress, beside the table."""
    print(f"  {text}", file=sys.stderr, flush=True)
