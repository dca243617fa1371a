"""The tail of the journal as a pure thing: whatever the order in which ids become visible, each is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from descriptors.feed import PATIENCE, Tail, cursor_below

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@st.composite
def histories(draw):
    """(id, time at which it becomes visible): ids ascend with the time at which they were taken; some never appear."""
    moment, history = 0.0, []
    for pk in range(1, draw(st.integers(1, 40)) + 1):
        moment += draw(st.sampled_from([0.0, 0.01, 0.5, 3.0]))
        delay = draw(st.sampled_from([0.0, 0.0, 0.05, 1.0, 5.0, PATIENCE / 2, None]))
        if delay is not None:
            history.append((pk, moment + delay))
    return history


def looks(history, pace):
    """Play the history through a tail; yields (tail, visible ids, told) of each look."""
    tail, end = Tail(0), max((at for _pk, at in history), default=0) + 3 * PATIENCE
    now = 0.0
    while now <= end:
        visible = {pk for pk, at in history if at <= now}
        asked = {pk for pk in visible if pk > tail.highest} | (visible & set(tail.gaps))
        yield tail, visible, tail.take(asked, now)
        now += pace


@given(history=histories(), pace=st.sampled_from([0.1, 0.7, 2.0]))
def test_nothing_is_lost_and_nothing_told_twice(history, pace):
    told: list[int] = []
    played = list(looks(history, pace))
    for _tail, visible, fresh in played:
        assert fresh == sorted(fresh)
        told += fresh
        assert set(told) == visible
    assert len(told) == len(set(told)) == len(history)
    tail = played[-1][0]
    assert (tail.settled, tail.highest, tail.gaps) == (max(told, default=0), max(told, default=0), [])


@given(history=histories(), pace=st.sampled_from([0.1, 0.7, 2.0]))
def test_settled_never_passes_what_is_still_to_come(history, pace):
    before = 0
    for tail, visible, _fresh in looks(history, pace):
        assert before <= tail.settled <= tail.highest
        assert {pk for pk, _at in history if pk <= tail.settled} <= visible
        before = tail.settled


@given(history=histories(), cut=st.floats(0, 100))
def test_whoever_resumes_from_settled_misses_nothing(history, cut):
    had: set[int] = set()
    cursor = 0
    for tail, _visible, fresh in looks(history, 0.5):
        had |= set(fresh)
        cursor = tail.settled
        if len(had) > cut * len(history) / 100:
            break
    resumed = {pk for pk, _at in history if pk > cursor}
    assert had | resumed == {pk for pk, _at in history}


def test_a_gap_is_given_up_after_a_while():
    tail = Tail(10)
    assert tail.take([11, 13], 0.0) == [11, 13]
    assert (tail.settled, tail.gaps) == (11, [12])
    tail.take([], PATIENCE - 0.1)
    assert (tail.settled, tail.gaps) == (11, [12])
    tail.take([], PATIENCE + 0.1)
    assert (tail.settled, tail.gaps) == (13, [])
    assert tail.take([12], PATIENCE + 0.2) == []


@given(history=histories(), at=st.floats(0, 60))
def test_the_cursor_of_a_page_has_nothing_new_below_it(history, at):
    """What is visible at `at` and younger than the patience is never passed over."""
    moments = {pk: NOW + timedelta(seconds=moment) for pk, moment in history}
    now = NOW + timedelta(seconds=at)
    rows = sorted(((pk, moments[pk]) for pk in moments if moments[pk] <= now), reverse=True)
    cursor = cursor_below(rows, now)
    late = [pk for pk, moment in moments.items() if moment > now]
    seen = [pk for pk, _moment in rows]
    assert cursor in {0, *seen}
    for pk in late:
        passed = [newer for newer in seen if newer > pk and now - moments[newer] <= timedelta(seconds=PATIENCE)]
        beneath = [older for older in seen if older < pk]
        if passed and beneath and not any(now - moments[n] > timedelta(seconds=PATIENCE) for n in seen if n > pk):
            assert cursor < pk


def test_the_cursor_of_an_empty_journal():
    assert cursor_below([], NOW) == 0
    assert cursor_below([(7, NOW)], NOW) == 7
