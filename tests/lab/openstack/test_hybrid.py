"""One slice in two projects of the lab's cloud, as on two clouds: gateways with floating addresses that know each other."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import Campus
from tests.lab.openstack.world import NETWORKS, World, world
from tests.processes.installation import until

PATIENCE = 600.0


@pytest.fixture
def sides(lab: Cloud, campus: Campus) -> Iterator[dict[str, World]]:
    """Hypervisor → its project."""
    with world(lab) as left, world(lab) as right, campus.api() as api:
        found = {f"{one.name}-cloud": one for one in (left, right)}
        for name, one in found.items():
            settings = {**lab.account(), "project_name": one.name, "scope": "project"}
            fields = {
                "name": name,
                "driver": "openstack",
                "concurrency": 4,
                "settings": settings,
                "reconcile_interval": 5,
            }
            assert api.post("/hypervisors", json=fields).status_code == 201
        yield found


def test_gateways_know_each_other_and_leave_nothing(campus: Campus, sides: dict[str, World]) -> None:
    (left, right), folder = sides, "/hybrids"
    defaults = {"image": "cirros", "flavor": "nano", "hypervisor": left}
    with campus.api() as api:
        api.post("/folders", json={"path": folder}).raise_for_status()
        body = {
            "name": "hybrid",
            "folder": folder,
            "defaults": defaults,
            "nodes": [{"name": "a"}, {"name": "b", "hypervisor": right}],
            "links": [["a", "b"]],
            "deploy": True,
        }
        told = api.post("/slices", json=body).raise_for_status().json()
        assert told["deployment"], told["plan"]["refusals"]
        address = f"/slices/{told['slice']['id']}"

        def status() -> Any:
            return api.get(f"{address}/status").raise_for_status().json()

        assert until(lambda: status()["status"] != "deploying", PATIENCE, 1.0), status()
        assert status()["status"] == "running", status()
        outside = {name: floating_of(one) for name, one in sides.items()}
        for name, other in ((left, right), (right, left)):
            gateway_stands(sides[name], outside[name], outside[other])
        wanted = {"a": [], "b": []} | {f"gw-{name}": [ip] for name, ip in outside.items()}
        assert until(lambda: floating_in(status()) == wanted, PATIENCE, 1.0), status()
        api.delete(address).raise_for_status()
        assert until(lambda: api.get(address).status_code == 404, PATIENCE, 1.0), status()
    for one in sides.values():
        assert one.left() == []
        assert {network.name for network in one.sdk.network.networks(project_id=one.project.id)} == set(NETWORKS)
        assert list(one.sdk.network.routers(project_id=one.project.id)) == []


def floating_in(status: Any) -> dict[str, list[str]]:
    """Node → its floating addresses, as its owner is told."""
    rows = status["nodes"]
    return {row["name"]: [way["address"] for way in row["ways"] if way["kind"] == "floating"] for row in rows}


def floating_of(side: World) -> str:
    """The one address of the project that is reached from outside."""
    (ip,) = side.sdk.network.ips(project_id=side.project.id)
    return str(ip.floating_ip_address)


def gateway_stands(side: World, own: str, others: str) -> None:
    """Its way out has the address, a router and what lets in; frames pass its other card; it is told of the other one."""
    network = side.sdk.network
    (server,) = [one for one in side.servers() if "gw-" in one.name]
    ports = {network.get_network(port.network_id).name: port for port in network.ports(device_id=server.id)}
    (way_out,) = [port for name, port in ports.items() if "out-" in name]
    (joined,) = [port for name, port in ports.items() if "out-" not in name]
    (ip,) = network.ips(project_id=side.project.id)
    assert (ip.floating_ip_address, ip.port_id) == (own, way_out.id)
    assert (joined.is_port_security_enabled, joined.security_group_ids) == (False, [])
    assert way_out.is_port_security_enabled
    rules = [
        rule for group in way_out.security_group_ids for rule in network.get_security_group(group).security_group_rules
    ]
    assert any(
        rule["direction"] == "ingress" and not rule["protocol"] and not rule["remote_group_id"] for rule in rules
    )
    (router,) = network.routers(project_id=side.project.id)
    assert router.external_gateway_info
    made = side.sdk.compute.get(f"/servers/{server.id}", microversion="2.3").json()["server"]
    user_data = base64.b64decode(made["OS-EXT-SRV-ATTR:user_data"]).decode()
    assert others in user_data
    assert "@outside" not in user_data
