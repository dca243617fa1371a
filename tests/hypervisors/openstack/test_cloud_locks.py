"""The lock holds among threads and among processes, and never outlives who held it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path

from hypervisors.drivers import locks
from hypervisors.drivers.locks import one_at_a_time


def add_one(home: Path, file: Path, times: int) -> None:
    for _time in range(times):
        with one_at_a_time(home, "counter"):
            number = int(file.read_text())
            os.sched_yield()
            file.write_text(str(number + 1))


def die_inside(home: Path) -> None:
    with one_at_a_time(home, "counter"):
        os._exit(1)


def test_threads_and_processes_take_turns(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_text("0")
    spawn = multiprocessing.get_context("spawn")
    workers: list[threading.Thread | multiprocessing.process.BaseProcess] = [
        threading.Thread(target=add_one, args=(tmp_path, file, 100)) for _thread in range(8)
    ]
    workers += [spawn.Process(target=add_one, args=(tmp_path, file, 100)) for _process in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert file.read_text() == "1000"
    assert list((tmp_path / "locks").iterdir()) == []
    assert locks._locks == {}


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=die_inside, args=(tmp_path,))
    worker.start()
    worker.join(timeout=60)
    assert worker.exitcode == 1
    with one_at_a_time(tmp_path, "counter"):
        assert locks._locks


def test_other_keys_do_not_wait(tmp_path: Path) -> None:
    with one_at_a_time(tmp_path, "network", "a"), one_at_a_time(tmp_path, "network", "b"):
        assert len(locks._locks) == 2
