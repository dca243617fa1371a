"""Which of a worker's connections carries a call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.linux.connection import AT_ONCE, HANDS, Wire, Worker
from hypervisors.drivers.linux.workers import parse
from olimpus.errors import Transient
from tests.processes.installation import until


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    (line,) = parse("w1 10.0.0.1")
    return Worker("rack", line, {"worker_user": "lab"}, tmp_path)


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[Wire]:
    """The connections that calls were given to; none is opened."""
    told: list[Wire] = []

    def do(wire: Wire, call: Any) -> Any:
        told.append(wire)
        return call(None)

    monkeypatch.setattr(Wire, "do", do)
    return told


@contextmanager
def at_work(worker: Worker, carried: list[Wire], number: int) -> Iterator[None]:
    """So many calls that take their time."""
    ended, before = threading.Event(), len(carried)
    with ThreadPoolExecutor(number) as threads:
        for _number in range(number):
            threads.submit(worker.work, lambda _connection: ended.wait(10))
        try:
            assert until(lambda: len(carried) == before + number, 10)
            yield
        finally:
            ended.set()


def test_another_connection_is_opened_when_those_before_have_no_room(worker: Worker, carried: list[Wire]) -> None:
    with at_work(worker, carried, AT_ONCE):
        assert len(set(carried)) == 1
        worker.work(lambda _connection: None)
        assert len(set(carried)) == 2
    worker.work(lambda _connection: None)
    assert carried[-1] is carried[0]


def test_when_all_are_full_the_work_is_shared_out(worker: Worker, carried: list[Wire]) -> None:
    with at_work(worker, carried, 2 * HANDS * AT_ONCE):
        assert sorted(carried.count(wire) for wire in set(carried)) == [2 * AT_ONCE] * HANDS


def test_a_call_that_fails_leaves_its_place(worker: Worker, carried: list[Wire]) -> None:
    def fail(_connection: Any) -> None:
        raise Transient("lost")

    for _number in range(AT_ONCE):
        with pytest.raises(Transient):
            worker.work(fail)
    worker.work(lambda _connection: None)
    assert len(set(carried)) == 1
