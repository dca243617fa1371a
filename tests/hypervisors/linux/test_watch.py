"""Listening to the workers: nothing ends it but its end, and after that nobody is connected any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hypervisors.drivers.linux import watch as watching
from hypervisors.drivers.linux.watch import Watch
from olimpus.errors import Unreachable
from tests.processes.installation import until

SOON = 5.0


class Workers:
    """A cluster of one worker; `connect` is what happens when somebody connects it."""

    hypervisor = "rack"

    def __init__(self, connect: Callable[[], Any]):
        self.heard: list[Callable[[str], None]] = []
        machines = SimpleNamespace(watch=self._watch)
        self.members = {
            "w1": SimpleNamespace(name="w1", machines=machines, worker=SimpleNamespace(connect=connect)),
        }

    def close(self) -> None: ...

    def _watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        self.heard.append(changed)
        return lambda: self.heard.clear()

    def each(self, ask: Callable[[Any], Any]) -> tuple[dict[str, Any], dict[str, Exception]]:
        try:
            return {"w1": ask(self.members["w1"])}, {}
        except Unreachable as error:
            return {}, {"w1": error}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK", 0.01)


@pytest.mark.parametrize("fault", [Unreachable("away"), OSError("no room for a socket")])
def test_whatever_goes_wrong_the_worker_is_connected_when_it_is_over(fault: Exception) -> None:
    answers = iter([fault, fault])
    told: list[str] = []
    connected = threading.Event()

    def connect() -> bool:
        if error := next(answers, None):
            raise error
        connected.set()
        return True

    watch = Watch(Workers(connect), told.append)
    try:
        assert connected.wait(SOON)
        assert until(lambda: told == [""], SOON)  # once: what was there is unknown
    finally:
        watch.end()


def test_after_its_end_nobody_connects_and_nothing_is_told() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    connects: list[bool] = []

    def connect() -> bool:
        begun.set()
        go_on.wait(SOON)
        connects.append(ended.is_set())
        return True

    told: list[str] = []
    cluster = Workers(connect)
    watch = Watch(cluster, told.append)
    assert begun.wait(SOON)
    (tell,) = cluster.heard
    threading.Timer(0.1, go_on.set).start()
    watch.end()
    ended.set()
    tell("late")
    time.sleep(0.1)
    assert (connects, told) == ([False], [])
