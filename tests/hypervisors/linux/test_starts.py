"""Machines that are started together: none boots before all are there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import libvirt
import pytest

from hypervisors.drivers.linux import starts
from hypervisors.drivers.linux.starts import Starts
from tests.processes.installation import until


class Domain:
    """A domain that is off; its start takes until `made` is set."""

    def __init__(self) -> None:
        self.began, self.made = threading.Event(), threading.Event()
        self.power = libvirt.VIR_DOMAIN_SHUTOFF
        self.fault: Exception | None = None

    def isActive(self) -> bool:
        return bool(self.power != libvirt.VIR_DOMAIN_SHUTOFF)

    def createWithFlags(self, flags: int) -> None:
        self.began.set()
        assert self.made.wait(10)
        if self.fault:
            raise self.fault
        self.power = (
            libvirt.VIR_DOMAIN_PAUSED if flags & libvirt.VIR_DOMAIN_START_PAUSED else libvirt.VIR_DOMAIN_RUNNING
        )

    def state(self) -> tuple[int, int]:
        return self.power, 0

    def resume(self) -> None:
        self.power = libvirt.VIR_DOMAIN_RUNNING

    @property
    def runs(self) -> bool:
        return bool(self.power == libvirt.VIR_DOMAIN_RUNNING)


def begun(starts_: Starts, threads: ThreadPoolExecutor, *domains: Domain) -> list[Any]:
    asked = [threads.submit(starts_.start, domain) for domain in domains]
    assert all(domain.began.wait(10) for domain in domains)
    return asked


def test_the_first_waits_for_those_that_have_begun() -> None:
    first, second = Domain(), Domain()
    with ThreadPoolExecutor(2) as threads:
        begun(Starts(), threads, first, second)
        first.made.set()
        assert until(lambda: first.power == libvirt.VIR_DOMAIN_PAUSED, 10)
        assert not first.runs
        second.made.set()
    assert first.runs
    assert second.runs


def test_nobody_waits_for_those_that_come_later() -> None:
    first, second, late, together = Domain(), Domain(), Domain(), Starts()
    with ThreadPoolExecutor(3) as threads:
        begun(together, threads, first, second)
        first.made.set()
        assert until(lambda: first.power == libvirt.VIR_DOMAIN_PAUSED, 10)
        begun(together, threads, late)
        second.made.set()
        assert until(lambda: first.runs, 3)  # less than what is waited at most
        assert not late.runs
        late.made.set()
    assert late.runs


def test_one_whose_start_fails_keeps_nobody_waiting() -> None:
    good, bad = Domain(), Domain()
    bad.fault = libvirt.libvirtError("no room")
    with ThreadPoolExecutor(2) as threads:
        asked = begun(Starts(), threads, good, bad)
        good.made.set()
        bad.made.set()
    assert good.runs
    assert asked[1].exception() is bad.fault


def test_one_whose_start_hangs_keeps_the_others_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "PATIENCE", 0.2)
    good, hung = Domain(), Domain()
    with ThreadPoolExecutor(2) as threads:
        begun(Starts(), threads, good, hung)
        good.made.set()
        assert until(lambda: good.runs, 10)
        assert not hung.isActive()
        hung.made.set()


def test_one_that_somebody_left_paused_goes_on() -> None:
    left = Domain()
    left.power = libvirt.VIR_DOMAIN_PAUSED
    Starts().start(left)
    assert left.runs
