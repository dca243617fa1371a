"""Piecewise constant functions of a column, in SQL.

The tree renumbers itself with them (every structural change is a permutation of positions), and permissions filter with
them (whether a position lies in one of thousands of granted intervals). The SQL is a balanced tree of `CASE`: a row is
decided in log₂(n) comparisons, and no database's limit on depth or on bound variables is met with 20,000 breakpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, F, IntegerField, Q
from django.db.models.lookups import Exact
from django.db.models.sql.compiler import SQLCompiler


class Step(Expression):
    """`values[i]` where `breakpoints[i - 1] <= source < breakpoints[i]`; the first and the last value are open-ended.

    `breakpoints` ascend strictly, and `values` has one element more; both hold integers. Raises `ValueError` otherwise.
    """

    def __init__(self, source: F | Expression, breakpoints: Sequence[int], values: Sequence[int]):
        super().__init__(output_field=IntegerField())
        if len(values) != len(breakpoints) + 1:
            raise ValueError("A step function has one value more than breakpoints.")
        if any(left >= right for left, right in pairwise(breakpoints)):
            raise ValueError("Breakpoints must ascend.")
        self.source: Any = source
        # int(): these numbers are written into the SQL text.
        self.breakpoints = tuple(int(point) for point in breakpoints)
        self.values = tuple(int(value) for value in values)

    def get_source_expressions(self) -> list[Any]:
        """The one expression whose value is looked up."""
        return [self.source]

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        """Replaces it (Django resolves column names this way)."""
        (self.source,) = exprs

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """The nested `CASE`; the source is repeated at each comparison."""
        column, parameters = compiler.compile(self.source)
        sql = self._branch(column, 0, len(self.breakpoints))
        return sql, tuple(parameters) * len(self.breakpoints)

    def _branch(self, column: str, first: int, last: int) -> str:
        """SQL of the values `first..last` (both included)."""
        if first == last:
            return str(self.values[first])
        middle = (first + last) // 2
        below = self._branch(column, first, middle)
        above = self._branch(column, middle + 1, last)
        return f"CASE WHEN {column} < {self.breakpoints[middle]} THEN {below} ELSE {above} END"


def inside(column: str, intervals: Sequence[tuple[int, int]]) -> Q:
    """A filter: the value of `column` (a lookup such as `node__lft`) lies in one of `intervals`.

    Intervals are closed, ascending and disjoint (`ValueError` otherwise); they may touch. Without any, nothing passes.
    """
    if not intervals:
        return Q(pk__in=[])
    merged = _merged(intervals)
    reach = Q(**{f"{column}__range": (merged[0][0], merged[-1][1])})
    if len(merged) == 1:
        return reach
    breakpoints = [point for first, last in merged for point in (first, last + 1)]
    values = [0, 1] * len(merged) + [0]
    return reach & Q(Exact(Step(F(column), breakpoints, values), 1))


def _merged(intervals: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same set of values with touching intervals joined."""
    merged: list[tuple[int, int]] = []
    for first, last in intervals:
        if first > last or (merged and first <= merged[-1][1]):
            raise ValueError("Intervals must be disjoint and ascending.")
        if merged and first == merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged
