"""A real OpenStack behind a bastion, and behind a headnode, as if it were local."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
import requests

from hypervisors import actions, bastions
from hypervisors.drivers.base import Driver
from hypervisors.gateway import gateway_for
from hypervisors.models import Health, Hypervisor
from hypervisors.tunnels import steps
from hypervisors.tunnels.hops import ROLES
from olimpus.errors import HypervisorError, Unreachable
from tests import factories
from tests.lab.sshd import Sshd
from tests.processes.installation import until

BACK_IN = 5.0  # seconds


@pytest.fixture(params=[1, 2], ids=["one hop", "two hops"])
def way(request: pytest.FixtureRequest, bastion: Sshd, headnode: Sshd) -> dict[str, object]:
    """Settings of the hops."""
    return bastion.settings() | (headnode.settings("headnode") if request.param == 2 else {})


def test_every_service_of_the_catalog_works_over_one_ssh_connection(
    driver: Callable[..., Driver], way: dict[str, object], bastion: Sshd
) -> None:
    behind, direct = driver(**way), driver()
    checks = behind.check()
    assert [check.step for check in checks if not check.ok] == []
    hops = [code for code, _label in steps(ROLES if "headnode_host" in way else ROLES[:1])]
    assert [check.step for check in checks][1 : 1 + len(hops)] == hops
    for ask in (
        lambda cloud: [flavor.name for flavor in cloud.flavors()],
        lambda cloud: [image.name for image in cloud.images()],
        lambda cloud: [network.name for network in cloud.networks()],
        lambda cloud: [service.ok for service in cloud.services()],
        lambda cloud: cloud.places(),
    ):
        assert until(lambda ask=ask: ask(behind.cloud) == ask(direct.cloud))  # other tests make networks meanwhile
    assert bastion.connections() == 1
    status = behind.session.tunnels().status()
    assert {"identity", "compute", "network", "image"} <= {service.service for service in status.services}
    assert {service.state for service in status.services} == {status.state} == {"up"}


def test_other_programs_reach_the_services_on_loopback(
    record: Callable[..., Hypervisor], way: dict[str, object]
) -> None:
    hypervisor = record("behind", **way)
    places = bastions.catalog(hypervisor)
    assert {"identity", "compute", "network", "image"} <= places.keys()
    with contextlib.closing(bastions.tunnels_of(hypervisor)) as tunnels:
        for service in ("identity", "network", "image"):
            address, port = tunnels.local(*places[service], service)
            assert "version" in requests.get(f"http://{address}:{port}/", timeout=20).text, service


def test_calls_survive_an_ssh_connection_that_is_killed(
    driver: Callable[..., Driver], way: dict[str, object], bastion: Sshd
) -> None:
    behind = driver(**way)
    expected = {"nano", "micro", "small", "medium", "large"}  # other tests make and remove flavors meanwhile
    outcomes: list[str] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            try:
                names = {flavor.name for flavor in behind.cloud.flavors()}
                outcomes.append("right" if names >= expected else f"wrong: {names}")
            except HypervisorError as error:
                outcomes.append("retry" if error.retry else f"final: {error}")

    threads = [threading.Thread(target=call) for _n in range(6)]
    for thread in threads:
        thread.start()
    for kill in range(3):
        time.sleep(1.5)
        assert bastion.drop() > 0
        begun = time.monotonic()
        assert until(lambda kill=kill: behind.session.tunnels().status().reconnects == kill + 1, 20, 0.02)
        assert time.monotonic() - begun < BACK_IN
    assert until(lambda: outcomes.count("right") > 10, 60, 0.1), Counter(outcomes)  # they go on afterwards
    over.set()
    for thread in threads:
        thread.join(60)
    assert set(outcomes) <= {"right", "retry"}, Counter(outcomes)


def test_a_bastion_that_is_down_is_the_step_that_fails(record: Callable[..., Hypervisor], bastion: Sshd) -> None:
    hypervisor = record("behind", **bastion.settings())
    root = factories.superuser("chief")
    bastion.kill()
    checks = actions.test(hypervisor, actor=root)
    assert [check.step for check in checks] == ["settings", "bastion_name", "bastion_port"]
    hypervisor.refresh_from_db()
    assert hypervisor.health == Health.UNREACHABLE
    with pytest.raises(Unreachable, match="Connection refused"):
        gateway_for(hypervisor).list()
    bastion.start()
    assert all(check.ok for check in actions.test(hypervisor, actor=root))
    assert until(lambda: _lists(hypervisor), BACK_IN)
    hypervisor.refresh_from_db()
    assert hypervisor.health == Health.OK


def _lists(hypervisor: Hypervisor) -> bool:
    try:
        gateway_for(hypervisor).list()
    except HypervisorError:
        return False
    return True
