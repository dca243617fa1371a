"""Instances, slices, publishing and health against the real cloud; what is left there is asked of bare openstacksdk."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from descriptors.models import Descriptor, Node, Operation
from descriptors.worker.engine import Engine
from hypervisors import services
from hypervisors.models import Hypervisor
from tests import factories
from tests.lab.cloud import Cloud
from tests.worker.conftest import make_due

INSTANCES, DEPLOY = "/api/openstack/instances", "/api/openstack/deploy-slice"


@pytest.fixture
def mark() -> str:
    """What everything that this test makes begins with."""
    return f"h5-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def hypervisor(record: Any) -> Hypervisor:
    return record()


@pytest.fixture
def root(hypervisor: Hypervisor) -> APIClient:
    return factories.client(User.objects.get(is_superuser=True))


@pytest.fixture
def folder(root: APIClient, hypervisor: Hypervisor, mark: str) -> Iterator[Node]:
    """A folder of this test, whose machines are destroyed afterwards, whatever became of the test."""
    actor = User.objects.get(is_superuser=True)
    made = factories.folder(f"/{mark}", actor, {"hypervisor": hypervisor.name})
    yield made
    for machine in Descriptor.objects.filter(path__startswith=f"/{mark}/").exclude(hypervisor=None):
        if machine.state != "provisioned":
            root.delete(f"{INSTANCES}/{machine.pk}")
    work(hypervisor)


def work(hypervisor: Hypervisor, seconds: float = 240) -> None:
    """Be the worker until nothing is open any more."""
    until = time.monotonic() + seconds
    engine = Engine(name="lab")
    while Operation.objects.filter(status__in=["queued", "running"], total=0).exists() and time.monotonic() < until:
        engine.drain([hypervisor.pk])
        make_due()


def ended(operation: dict[str, Any]) -> Operation:
    return Operation.objects.get(pk=operation["id"])


def servers(lab: Cloud, mark: str) -> dict[str, Any]:
    return {s.name: s for s in lab.sdk().compute.servers(all_projects=True) if s.name.startswith(mark)}


def networks(lab: Cloud, mark: str) -> list[Any]:
    return [network for network in lab.sdk().network.networks() if network.name.startswith(mark)]


def body(mark: str, nodes: int = 2, **node: Any) -> dict[str, Any]:
    """The body of the requirements, with an image that the lab has."""
    wanted = [{"name": f"vm{i + 1}", "image": "ubuntu-20.04", "flavor": "small", **node} for i in range(nodes)]
    network = {"name": f"{mark}-net", "cidr": "192.168.100.0/24", "network_type": "private"}
    return {
        "name": f"{mark}-slice",
        "description": "…",
        "infrastructure": "openstack",
        "nodes": wanted,
        "networks": [network],
        "folder": f"/{mark}",
    }


def test_a_slice_comes_and_goes_with_its_network(lab, root, hypervisor, folder, mark):
    answer = root.post(DEPLOY, body(mark, 4) | {"high_availability": True, "topology": "ring"})
    assert answer.status_code == 202, answer.content
    told = answer.json()
    work(hypervisor)
    operation = ended(told["operation"])
    assert (operation.status, operation.succeeded) == ("succeeded", 4), list(operation.children.values_list("error"))
    plan = {row["node"]: row for row in told["plan"]}
    zones = [row["availability_zone"] for row in plan.values()]
    assert max(map(zones.count, set(zones))) - min(map(zones.count, set(zones))) <= 1
    assert len(set(zones)) > 1
    (network,) = networks(lab, mark)
    assert [lab.sdk().network.get_subnet(pk).cidr for pk in network.subnet_ids] == ["192.168.100.0/24"]
    real = servers(lab, f"{mark}-slice")
    assert len(real) == 4
    for name, server in real.items():
        node = name.rpartition("-")[2]
        assert (server.status, server.availability_zone) == ("ACTIVE", plan[node]["availability_zone"])
        assert set(server.addresses) == {network.name}
    rows = root.get(INSTANCES).json()["results"]
    mine = {row["ref"]: row for row in rows if row["owned"]}
    assert set(mine) == {server.id for server in real.values()}
    assert {row["state"] for row in mine.values()} == {"running"}
    refs = sorted(mine)
    for ref in refs[:3]:
        assert root.delete(f"{INSTANCES}/{ref}?remove=true").status_code == 202
    work(hypervisor)
    assert len(networks(lab, mark)) == 1  # one machine is still on it
    assert root.delete(f"{INSTANCES}/{mine[refs[3]]['uid']}?remove=true").status_code == 202
    work(hypervisor)
    assert (servers(lab, mark), networks(lab, mark)) == ({}, [])
    assert not Descriptor.objects.filter(path__startswith=f"/{mark}/").exists()


def test_rollback_leaves_nothing_in_the_cloud(lab, root, hypervisor, folder, mark):
    wanted = body(mark, 2)
    wanted["nodes"][1]["keypair"] = f"{mark}-no-such-key"
    told = root.post(f"{DEPLOY}?rollback=true", wanted).json()
    work(hypervisor)
    operation = ended(told["operation"])
    assert (operation.status, operation.succeeded, operation.failed) == ("partial", 1, 1)
    failed = operation.children.get(status="failed")
    assert "key" in failed.error["message"].lower()
    assert Operation.objects.get(pk=operation.result["rollback"]).status == "succeeded"
    assert (servers(lab, mark), networks(lab, mark)) == ({}, [])


def test_without_rollback_a_retry_finishes_the_slice(lab, root, hypervisor, folder, mark):
    wanted = body(mark, 2)
    wanted["nodes"][1]["keypair"] = f"{mark}-key"
    told = root.post(DEPLOY, wanted).json()
    work(hypervisor)
    operation = ended(told["operation"])
    assert operation.status == "partial"
    made = lab.sdk().compute.create_keypair(name=f"{mark}-key")
    try:
        failed = Descriptor.objects.get(path=f"/{mark}/{mark}-slice/vm2")
        root.post(f"/api/nodes/{failed.pk}/do/recover", {})
        work(hypervisor)
        again = root.post(f"/api/operations/{operation.pk}/retry", {})
        assert again.status_code == 202, again.content
        work(hypervisor)
        assert ended(again.json()).status == "succeeded"
        assert {server.status for server in servers(lab, mark).values()} == {"ACTIVE"}
        assert len(networks(lab, mark)) == 1
    finally:
        lab.sdk().compute.delete_keypair(made)


def test_an_instance_is_published_as_image_and_prototype(lab, root, hypervisor, folder, mark):
    wanted = {"name": "gold", "image": "cirros", "flavor": "nano", "folder": f"/{mark}", "networks": []}
    told = root.post(INSTANCES, wanted).json()
    work(hypervisor)
    assert ended(told["operation"]).status == "succeeded"
    pk = told["instance"]["id"]
    (server,) = servers(lab, mark).values()
    assert server.status == "SHUTOFF"
    answer = root.post(f"/api/nodes/{pk}/do/publish", {"name": f"{mark}-gold", "folder": f"/{mark}"})
    assert answer.status_code == 202, answer.content
    work(hypervisor)
    operation = ended(answer.json())
    try:
        assert operation.status == "succeeded", operation.error
        assert lab.sdk().image.find_image(f"{mark}-gold").status == "active"
        prototype = Node.objects.get(path=f"/{mark}").definition["prototypes"][f"{mark}-gold"]
        assert prototype == {"hypervisor": hypervisor.name, "image": f"{mark}-gold", "flavor": "nano"}
    finally:
        image = lab.sdk().image.find_image(f"{mark}-gold")
        if image:
            lab.sdk().image.delete_image(image.id)


def test_start_leaves_it_on(lab, root, hypervisor, folder, mark):
    wanted = {"name": "on", "image": "cirros", "flavor": "nano", "folder": f"/{mark}", "networks": [], "start": True}
    told = root.post(INSTANCES, wanted).json()
    work(hypervisor)
    assert ended(told["operation"]).status == "succeeded"
    (server,) = servers(lab, mark).values()
    assert server.status == "ACTIVE"
    actions = {action.action for action in lab.sdk().compute.server_actions(server)}
    assert actions == {"create"}  # it was not stopped in order to be started


@pytest.mark.parametrize(
    ("change", "where", "nearest"),
    [
        ({"image": "ubuntu-20.40"}, "image", "ubuntu-20.04"),
        ({"flavor": "smal"}, "flavor", "small"),
        ({"availability_zone": "zone-9"}, "availability_zone", "zone-"),
        ({"networks": ["no-such-network"]}, "networks[0]", ""),
    ],
)
def test_what_the_cloud_has_not_is_refused_at_once(root, hypervisor, folder, mark, change, where, nearest):
    answer = root.post(INSTANCES, {"name": "x", "image": "cirros", "flavor": "nano", "folder": f"/{mark}"} | change)
    told = answer.json()
    assert (answer.status_code, told["where"]) == (400, where)
    assert nearest in told.get("hint", "")
    assert not Node.objects.filter(parent=folder).exists()


def test_health_is_that_of_the_five_services(root, hypervisor):
    services.memory.forget()
    answer = root.get("/health/openstack")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told["services"] == dict.fromkeys(services.SERVICES, "up")
    (known,) = told["hypervisors"]
    assert [service["name"] for service in known["services"]] == list(services.SERVICES)
    assert all(service["version"] and service["seconds"] > 0 for service in known["services"])
    assert set(Client().get("/health/openstack").json()) == {"status", "services"}


def test_health_of_a_cloud_that_is_not_there(record):
    record("gone", auth_url="http://127.0.0.1:9/v3", timeout=2)
    services.memory.forget()
    answer = Client().get("/health/openstack")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert b"127.0.0.1" not in answer.content
