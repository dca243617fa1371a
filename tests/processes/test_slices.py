"""kill -9 at each stage of a deployment, on the mock; on the labs the same story is told beside their other tests."""

from __future__ import annotations

from hypervisors.drivers.mock import MockDriver
from tests.processes.sliced import SIZE, Ground, through_all_stages


def test_a_slice_survives_kills_at_every_stage(installation):
    installation.load(latency=0.4)
    driver = MockDriver("mock", {"latency": 0.0}, installation.home)
    through_all_stages(Ground(installation, "mock", driver, {"image": "debian-12"}))
    assert installation.each("create") == {1: SIZE + 1}
    assert installation.each("destroy") == {1: SIZE + 1}
    audit = installation.audit()
    assert (audit["open"], audit["locks"], audit["crooked"]) == (0, 0, [])
    assert set(audit["statuses"]) == {"succeeded"}
