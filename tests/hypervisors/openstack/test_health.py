"""The report on the services takes seconds, however long a cloud says nothing."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from hypervisors.drivers.openstack import health
from hypervisors.drivers.openstack.health import HealthService
from olimpus.errors import Unreachable


@pytest.fixture
def silent(monkeypatch):
    """A cloud in which signing in lasts until the test ends; it counts who tries."""
    monkeypatch.setattr(health, "SECONDS", 0.2)
    over, tried = threading.Event(), []

    def access():
        tried.append(1)
        over.wait(10)

    yield SimpleNamespace(session=SimpleNamespace(hypervisor="lab", access=access), tried=tried)
    over.set()


def test_a_silent_keystone_takes_all_services_down_within_seconds(silent):
    begun = time.monotonic()
    report = HealthService(silent.session).services()
    assert time.monotonic() - begun < 2
    assert [(row.name, row.ok) for row in report] == [(name, False) for name, *_asked in health.ASKED]
    assert all("in time" in row.detail for row in report)


def test_who_asks_again_waits_for_the_same_attempt(silent):
    service = HealthService(silent.session)
    for _again in range(3):
        assert not any(row.ok for row in service.services())
    assert silent.tried == [1]


def test_what_signing_in_fails_of_is_told_for_all():
    def access():
        raise Unreachable("OpenStack does not answer: connection refused")

    report = HealthService(SimpleNamespace(hypervisor="lab", access=access)).services()
    assert {row.detail for row in report} == {"OpenStack does not answer: connection refused"}


def test_what_nobody_expected_is_told_and_no_service_is_up():
    def access():
        raise KeyError("catalog")

    report = HealthService(SimpleNamespace(hypervisor="lab", access=access)).services()
    assert {(row.ok, row.detail) for row in report} == {(False, "The answer was not understood (KeyError).")}
