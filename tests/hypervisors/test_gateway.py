"""The gateway: retry table, bound on concurrency, verification, forced stop, restart once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors.drivers.base import Capability, Power, VmInfo
from hypervisors.drivers.mock import MockDriver, events
from hypervisors.gateway import Gateway, forget_gateways, gateway_for
from hypervisors.permits import Permits
from hypervisors.retries import Interrupted, backoff
from olimpus.errors import (
    CapacityExceeded,
    Conflict,
    HypervisorError,
    Invalid,
    Rejected,
    TimedOut,
    Transient,
    Unreachable,
    Unsupported,
    VMNotFound,
)
from tests.contract.contract import make_spec

NAME = "rack-1"


@pytest.fixture
def home(tmp_path):
    return tmp_path


def gateway(home, permits: int = 64, driver_class: type[MockDriver] = MockDriver, **settings) -> Gateway:
    return Gateway(driver_class(NAME, {"latency": 0.0, **settings}, home), permits)


def effects(home) -> Counter:
    return Counter(event.verb for event in events(home, NAME))


# -- retry -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (Unreachable, 8),
        (Transient, 5),
        (TimedOut, 5),
        (Rejected, 1),
        (CapacityExceeded, 1),
        (VMNotFound, 1),
        (Unsupported, 1),
        (Interrupted, 1),
        (HypervisorError, 1),
        (Conflict, 1),
        (ValueError, 1),
    ],
)
def test_how_often_each_error_is_tried(error, tries):
    waits = [backoff(error("no"), attempt) for attempt in range(1, 12)]
    assert [wait is not None for wait in waits] == [True] * (tries - 1) + [False] * (12 - tries)


def test_waits_grow_from_a_second_to_a_minute():
    waits = [backoff(Unreachable("no"), attempt) for attempt in range(1, 8)]
    assert 0.8 <= waits[0] <= 1.2
    assert all(later > earlier for earlier, later in zip(waits, waits[1:-1], strict=False))
    assert max(waits) <= 60


@given(st.integers(1, 100))
def test_a_wait_is_never_out_of_bounds(attempt):
    wait = backoff(Unreachable("no"), attempt)
    assert wait is None or 0 < wait <= 60


# -- concurrency -------------------------------------------------------------------------------------------------------


class CountingDriver(MockDriver):
    """Notes how many calls run at once."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.now = self.most = 0
        self.lock = threading.Lock()

    def destroy(self, ref: str, *, spare_held: bool = False) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("permits", [1, 3, 8])
def test_no_more_calls_at_once_than_permits(home, permits):
    bounded = gateway(home, permits, CountingDriver)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(bounded.destroy, ["nothing"] * 48))
    assert bounded.driver.most == permits


def test_permits_can_grow_and_shrink_while_in_use():
    permits = Permits(1)
    inside, release = threading.Semaphore(0), threading.Event()

    def hold() -> None:
        with permits.one():
            inside.release()
            release.wait(10)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    [thread.start() for thread in threads]
    assert inside.acquire(timeout=5)
    assert not inside.acquire(timeout=0.05)
    permits.resize(2)
    assert inside.acquire(timeout=5)
    release.set()
    [thread.join() for thread in threads]
    permits.resize(1)
    with permits.one():
        assert permits._used == 1


def test_waiting_between_polls_holds_no_permit(home):
    narrow = gateway(home, 1, ignore_acpi=True)
    ref = narrow.create(make_spec()).ref
    narrow.start(ref)
    waiting = threading.Thread(target=narrow.stop, args=(ref,), kwargs={"timeout": 1.0})
    waiting.start()
    time.sleep(0.05)
    begun = time.monotonic()
    narrow.list()
    assert time.monotonic() - begun < 0.5
    waiting.join()
    assert narrow.observe(ref).power is Power.OFF


# -- verification ------------------------------------------------------------------------------------------------------


class SlowDriver(MockDriver):
    """Answers a verb before it is done, as most hypervisors do; counts how often it is asked."""

    asks = 3

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gets = 0

    def start(self, ref: str) -> VmInfo:
        return replace(super().start(ref), power=Power.OFF)

    def get(self, ref: str) -> VmInfo:
        self.gets += 1
        info = super().get(ref)
        return info if self.gets >= self.asks else replace(info, power=Power.UNKNOWN)


class NeverDriver(SlowDriver):
    asks = 10_000


def test_an_answer_that_shows_the_power_needs_no_second_call(home):
    quick = gateway(home, driver_class=SlowDriver)
    ref = quick.create(make_spec()).ref
    quick.force_off(ref)
    assert quick.driver.gets == 0


def test_an_answer_that_does_not_is_polled(home):
    slow = gateway(home, driver_class=SlowDriver)
    ref = slow.create(make_spec()).ref
    assert slow.start(ref).power is Power.ON
    assert slow.driver.gets == 3


def test_what_never_happens_times_out_and_says_where(home):
    never = gateway(home, driver_class=NeverDriver)
    ref = never.create(make_spec()).ref
    with pytest.raises(TimedOut) as caught:
        never.start(ref, timeout=0.3)
    assert caught.value.where == NAME
    assert "unknown, not on" in caught.value.message


def test_a_wait_can_be_interrupted(home):
    never = gateway(home, driver_class=NeverDriver)
    ref = never.create(make_spec()).ref
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        never.start(ref, timeout=30, should_stop=stop.is_set)
    assert time.monotonic() - begun < 3


def test_destroy_verifies_and_may_be_repeated(home):
    gone = gateway(home)
    ref = gone.create(make_spec()).ref
    gone.destroy(ref)
    gone.destroy(ref)
    assert effects(home) == {"create": 1, "destroy": 1}


# -- stop and restart --------------------------------------------------------------------------------------------------


def test_a_guest_that_listens_is_not_forced(home):
    polite = gateway(home)
    ref = polite.create(make_spec()).ref
    polite.start(ref)
    assert "forced" not in polite.stop(ref).extra
    assert effects(home)["power_off"] == 0


def test_a_guest_that_does_not_is_forced_after_the_grace(home):
    deaf = gateway(home, ignore_acpi=True)
    ref = deaf.create(make_spec()).ref
    deaf.start(ref)
    begun = time.monotonic()
    stopped = deaf.stop(ref, timeout=0.4)
    assert time.monotonic() - begun >= 0.4
    assert stopped.power is Power.OFF
    assert stopped.extra["forced"] is True


def test_a_cancelled_stop_does_not_cut_the_power(home):
    deaf = gateway(home, ignore_acpi=True)
    ref = deaf.create(make_spec()).ref
    deaf.start(ref)
    with pytest.raises(Interrupted):
        deaf.stop(ref, timeout=30, should_stop=lambda: True)
    assert deaf.observe(ref).power is Power.ON


def test_a_paused_vm_is_forced_at_once(home):
    paused = gateway(home)
    ref = paused.create(make_spec()).ref
    paused.start(ref)
    paused.pause(ref)
    begun = time.monotonic()
    assert paused.stop(ref, timeout=30).power is Power.OFF
    assert time.monotonic() - begun < 5


class BlindDriver(MockDriver):
    capabilities = MockDriver.capabilities - {Capability.GRACEFUL_STOP, Capability.PAUSE}


def test_without_graceful_stop_the_power_is_cut(home):
    blind = gateway(home, driver_class=BlindDriver)
    ref = blind.create(make_spec()).ref
    blind.start(ref)
    assert blind.stop(ref).power is Power.OFF
    assert effects(home)["power_off"] == 1


def test_undeclared_verbs_are_refused_before_the_driver_is_called(home):
    blind = gateway(home, driver_class=BlindDriver)
    ref = blind.create(make_spec()).ref
    blind.start(ref)
    with pytest.raises(Unsupported):
        blind.pause(ref)
    assert effects(home)["pause"] == 0


def test_a_repeated_restart_restarts_once(home):
    gate = gateway(home)
    ref = gate.create(make_spec()).ref
    seen = gate.start(ref).since
    first = gate.restart(ref, seen)
    assert first.since > seen
    assert gate.restart(ref, seen) == first
    assert effects(home)["power_on"] == 2


def test_a_restart_that_died_half_way_only_starts(home):
    gate = gateway(home)
    ref = gate.create(make_spec()).ref
    seen = gate.start(ref).since
    gate.stop(ref)
    assert gate.restart(ref, seen).power is Power.ON
    assert effects(home) == {"create": 1, "power_on": 2, "shutdown": 1}


# -- errors ------------------------------------------------------------------------------------------------------------


class BuggyDriver(MockDriver):
    def get(self, ref: str) -> VmInfo:
        raise KeyError(f"https://admin:{self.values['api_token']}@host/{ref}")

    def find(self, uid: str, host: str = "") -> VmInfo | None:
        raise Rejected(f"login with {self.values['api_token']} refused")

    def check(self):
        raise ZeroDivisionError


def test_a_bug_of_a_driver_leaves_as_our_error_without_secrets(home, caplog):
    buggy = gateway(home, driver_class=BuggyDriver, api_token="s3cr3t")
    with pytest.raises(HypervisorError) as caught:
        buggy.observe("x")
    assert "KeyError" in caught.value.message
    assert caught.value.where == NAME
    assert caught.value.__cause__ is None
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in caplog.text
    assert "•••" in caplog.text


def test_messages_of_a_driver_are_redacted_too(home):
    buggy = gateway(home, driver_class=BuggyDriver, api_token="s3cr3t")
    with pytest.raises(Rejected) as caught:
        buggy.find("x")
    assert caught.value.message == "login with ••• refused"


def test_check_never_raises(home):
    (check,) = gateway(home, driver_class=BuggyDriver).check()
    assert not check.ok
    assert "ZeroDivisionError" in check.detail


def test_a_permit_comes_back_after_an_error(home):
    narrow = gateway(home, 1, unreachable=True)
    for _ in range(3):
        with pytest.raises(Unreachable):
            narrow.list()
    assert narrow.permits._used == 0


# -- one gateway per record --------------------------------------------------------------------------------------------


@dataclass
class Record:
    pk: int = 1
    name: str = NAME
    driver: str = "mock"
    concurrency: int = 4
    version: int = 1
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    values: dict[str, Any] = field(default_factory=dict)

    def clear_settings(self) -> dict[str, Any]:
        return self.values


@pytest.fixture
def records(settings, tmp_path):
    settings.OLIMPUS_HOME = tmp_path
    yield Record()
    forget_gateways()


def test_the_gateway_is_kept_and_rebuilt_for_a_newer_version(records):
    first = gateway_for(records)
    assert gateway_for(replace(records)) is first
    newer = gateway_for(replace(records, version=2, values={"latency": 0.0}, concurrency=9))
    assert newer is not first
    assert newer.permits is first.permits
    assert newer.permits._size == 9
    assert gateway_for(records) is newer  # a record read before the change does not bring the old settings back


def test_a_replaced_gateway_ends_what_is_under_way_and_begins_nothing(records, monkeypatch):
    old, closed = gateway_for(records), []
    monkeypatch.setattr(old.driver, "close", lambda: closed.append(True))

    def listed():
        gateway_for(replace(records, version=2))
        return []

    monkeypatch.setattr(old.driver, "list", listed)
    assert old.list() == []
    assert len(closed) == 2  # when it was replaced, and when the call that was under way had ended
    with pytest.raises(Transient):
        old.list()


def test_another_record_under_the_same_key_gets_its_own(records):
    first = gateway_for(replace(records, version=7))
    later = gateway_for(replace(records, created_at=records.created_at + timedelta(days=1)))
    assert later is not first
    assert later.permits is not first.permits


def test_an_unknown_driver_is_refused(records):
    with pytest.raises(Invalid):
        gateway_for(replace(records, driver="mokc"))
