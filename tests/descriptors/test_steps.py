"""Step functions and interval filters, against Python."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descriptors import tree
from descriptors.models import Descriptor, Kind, Node
from descriptors.steps import Step, inside

pytestmark = pytest.mark.django_db
in_database = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
points = st.lists(st.integers(0, 60), unique=True, max_size=20).map(sorted)


@pytest.fixture
def numbered(db) -> list[int]:
    """Twenty nodes; their left positions are 1, 2, 4, 6, …"""
    tree.insert([(tree.plant(), [tree.Draft(f"n{number}", Kind.DESCRIPTOR) for number in range(20)])])
    return sorted(Node.objects.values_list("lft", flat=True))


@in_database
@given(breakpoints=points, data=st.data())
def test_step_is_a_lookup_between_breakpoints(numbered, breakpoints, data):
    size = len(breakpoints) + 1
    values = data.draw(st.lists(st.integers(-(10**6), 10**6), min_size=size, max_size=size))
    rows = Node.objects.annotate(step=Step(F("lft"), breakpoints, values)).values_list("lft", "step")
    assert dict(rows) == {lft: values[bisect_right(breakpoints, lft)] for lft in numbered}


@in_database
@given(ends=points)
def test_inside_keeps_what_lies_in_an_interval(numbered, ends):
    intervals = list(zip(ends[::2], ends[1::2], strict=False))
    expected = [lft for lft in numbered if any(first <= lft <= last for first, last in intervals)]
    assert sorted(Node.objects.filter(inside("lft", intervals)).values_list("lft", flat=True)) == expected
    assert sorted(Descriptor.objects.filter(inside("lft", intervals)).values_list("lft", flat=True)) == [
        lft for lft in expected if lft > 1
    ]
    outside = Node.objects.filter(~inside("lft", intervals)).values_list("lft", flat=True)
    assert sorted(outside) == sorted(set(numbered) - set(expected))


def test_a_column_of_another_table_and_a_parameterised_source(numbered):
    assert Node.objects.filter(inside("parent__lft", [(1, 1), (3, 5)])).count() == 20
    rows = Node.objects.annotate(step=Step(F("lft") + 1, [3, 5], [0, 1, 2])).filter(step=1)
    assert list(rows.values_list("lft", flat=True)) == [2]


@pytest.mark.parametrize("intervals", [[(3, 2)], [(1, 4), (4, 6)], [(5, 6), (1, 2)]])
def test_unsorted_or_overlapping_intervals_are_a_mistake(intervals):
    with pytest.raises(ValueError):
        inside("lft", intervals)


@pytest.mark.parametrize(("breakpoints", "values"), [([1, 2], [0, 1]), ([2, 1], [0, 1, 2]), ([1, 1], [0, 1, 2])])
def test_a_malformed_step_is_a_mistake(breakpoints, values):
    with pytest.raises(ValueError):
        Step(F("lft"), breakpoints, values)


def test_twenty_thousand_breakpoints(numbered):
    breakpoints = list(range(20_000))
    step = Step(F("lft"), breakpoints, [0, *breakpoints])
    assert all(lft == value for lft, value in Node.objects.annotate(step=step).values_list("lft", "step"))
    intervals = [(4 * number, 4 * number) for number in range(10_000)]
    assert Node.objects.filter(inside("lft", intervals)).count() == 10
    Node.objects.update(rght=F("rght") + step)
    assert Node.objects.get(path="/n0").rght == 3 + 2
