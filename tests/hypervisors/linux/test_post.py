"""What many ask at once travels together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hypervisors.drivers.linux import post
from hypervisors.drivers.linux.post import Post
from olimpus.errors import Transient


def test_those_who_ask_at_once_travel_together_and_each_gets_his_answer() -> None:
    parcels: list[int] = []

    def send(requests: Sequence[int]) -> list[str]:
        parcels.append(len(requests))
        time.sleep(0.05)
        return [f"said to {number}" for number in requests]

    carrier = Post(send)
    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(carrier.ask, range(30)))
    assert answers == [f"said to {number}" for number in range(30)]
    assert sum(parcels) == 30
    assert len(parcels) < 8


def test_those_who_come_one_after_the_other_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "CALM", 0.5)
    parcels: list[Sequence[int]] = []

    def send(requests: Sequence[int]) -> Sequence[int]:
        parcels.append(requests)
        return requests

    carrier = Post(send)
    with ThreadPoolExecutor(3) as threads:
        asked = []
        for number in range(3):
            asked.append(threads.submit(carrier.ask, number))
            time.sleep(0.1)
    assert [one.result() for one in asked] == [0, 1, 2]
    assert parcels == [[0, 1, 2]]


def test_a_crowd_that_never_ends_does_not_keep_the_first_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "CALM", 0.05)
    monkeypatch.setattr(post, "WAITS", 3)
    carrier, ended = Post[int, Any](lambda requests: requests), threading.Event()

    def crowd() -> None:
        while not ended.is_set():
            threading.Thread(target=carrier.ask, args=(1,), daemon=True).start()
            time.sleep(0.01)

    pushing = threading.Thread(target=crowd)
    pushing.start()
    try:
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(carrier.ask, 0).result(timeout=10) == 0
    finally:
        ended.set()
        pushing.join()


def test_what_is_lost_is_lost_for_all_in_it() -> None:
    def send(_requests: Sequence[Any]) -> list[Any]:
        time.sleep(0.01)
        raise Transient("lost")

    carrier = Post(send)
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(carrier.ask, {}) for _ in range(8)]
    assert all(isinstance(one.exception(), Transient) for one in asked)
