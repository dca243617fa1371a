"""The story of a slice on the mock, by the API and by the command line; on the OpenStack lab it is told beside its tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from hypervisors.drivers.mock import MockDriver
from tests.cli.terminal import Terminal
from tests.lab.ring import Commands, Door, Ground, Rest, Wires, from_a_ring_to_nothing
from tests.processes.installation import Installation


class Shelf(Ground):
    """A mock, by its own memory."""

    hypervisor = "shelf"
    defaults = {"image": "debian-12", "flavor": "small"}
    greeting = "mock guest"

    def __init__(self, home: Path):
        self.driver = MockDriver(self.hypervisor, {"latency": 0.0}, home)

    def wires(self, refs: Mapping[str, str]) -> Wires:
        nodes = {ref: node for node, ref in refs.items()}
        joined: dict[str, set[tuple[str, str]]] = {}
        for vm in self.driver.list():
            for nic in vm.nics:
                joined.setdefault(nic.network, set()).add((nodes[vm.ref], nic.ip))
        return {frozenset(ends): "" for ends in joined.values()}

    def left(self) -> list[str]:
        return [vm.name for vm in self.driver.list()]


@pytest.fixture(scope="module")
def shelf(server: Installation, admin: Terminal) -> Iterator[Ground]:
    admin("hypervisor", "create", "shelf", "-d", "mock", "images=debian-12", "latency=0")
    yield Shelf(server.home)
    admin("rm", "-r", "/rings", "--yes")
    admin("hypervisor", "delete", "shelf", "--yes")


@pytest.fixture(params=["api", "cli"])
def door(
    request: pytest.FixtureRequest, server: Installation, admin: Terminal, token_of: Callable[..., str], tmp_path: Path
) -> Iterator[Door]:
    if request.param == "cli":
        yield Commands("cli", admin, tmp_path)
        return
    headers = {"Authorization": f"Bearer {token_of('admin')}"}
    with httpx.Client(base_url=f"{server.address}/api", headers=headers, timeout=60) as api:
        yield Rest("api", api)


def test_a_ring_from_its_plan_to_its_end(door: Door, shelf: Ground) -> None:
    from_a_ring_to_nothing(door, shelf)
