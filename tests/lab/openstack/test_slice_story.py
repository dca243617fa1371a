"""The story of a slice on the lab's cloud, by the API and by the command line; Nova and Neutron tell what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import Campus
from tests.lab.openstack.proxies import proxy
from tests.lab.ring import Commands, Door, Ground, Patient, Rest, Wires, from_a_ring_to_nothing


class Sky(Ground):
    """The cloud, by bare openstacksdk."""

    hypervisor = "cloud"
    defaults = {"image": "cirros", "flavor": "nano"}
    greeting = "login: "

    def __init__(self, lab: Cloud):
        self.lab = lab
        self.seen: set[tuple[str, str]] = set()

    def wires(self, refs: Mapping[str, str]) -> Wires:
        api, joined = self.lab.sdk().network, dict[str, set[tuple[str, str]]]()
        for node, ref in refs.items():
            assert self.lab.sdk().compute.get_server(ref).status == "ACTIVE"
            for port in api.ports(device_id=ref):
                joined.setdefault(port.network_id, set()).add((node, port.fixed_ips[0]["ip_address"]))
                self.seen.add(("port", port.id))
        self.seen |= {("server", ref) for ref in refs.values()} | {("network", network) for network in joined}
        return {frozenset(ends): self._range(network) for network, ends in joined.items()}

    def left(self) -> list[str]:
        there = {**self.lab.inventory()}
        return sorted(f"{kind} {there[kind, pk] or pk}" for kind, pk in self.seen & there.keys())

    def _range(self, network: str) -> str:
        (subnet,) = self.lab.sdk().network.subnets(network_id=network)
        return str(subnet.cidr)


@pytest.fixture(params=["api", "cli"])
def door(request: pytest.FixtureRequest, campus: Campus, tmp_path: Path) -> Iterator[Door]:
    with campus.api() as api:
        token = api.post("/auth/tokens", json={"name": f"ring-{request.param}"}).raise_for_status().json()["token"]
    address = campus.installation.address
    if request.param == "cli":
        yield Commands("cli", Patient(tmp_path, address, token), tmp_path)
        return
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{address}/api", headers=headers, timeout=120) as api:
        yield Rest("api", api)


def test_a_ring_from_its_plan_to_its_end(door: Door, lab: Cloud) -> None:
    with proxy(6083):
        from_a_ring_to_nothing(door, Sky(lab))
