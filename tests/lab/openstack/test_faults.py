"""Services that fail, hang or are gone in the middle of a deployment, and a worker that is killed in it: nothing is lost,
nothing is made twice, nothing is left; people are told what is wrong.

Web process and worker are real; the cloud is the real one, whose services are reached through gates (`gates.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import Campus, standing
from tests.lab.openstack.gates import Gate, State, gated
from tests.processes.installation import kill, until

NODES = 3
PATIENCE = 240.0
LONG = 8.0  # seconds of a fault: more than a call may take here, more than one pause between attempts


@pytest.fixture(scope="module")
def gates(lab: Cloud) -> Iterator[tuple[str, dict[str, Gate]]]:
    with gated(lab) as found:
        yield found


@pytest.fixture(scope="module")
def here(lab: Cloud, gates: tuple[str, dict[str, Gate]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    """An installation whose only hypervisor is the gated region; calls may take 5 s."""
    region, found = gates
    with standing(lab, tmp_path_factory.mktemp("faults"), hypervisors=False) as campus:
        settings = lab.account(region_name=region, timeout=5)
        settings["auth_url"] = settings["auth_url"].replace(":5000", f":{found['identity'].port}")
        fields = {"name": "gated", "driver": "openstack", "concurrency": 2, "settings": settings}
        with campus.api() as api:
            answer = api.post("/hypervisors", json=fields)
            assert answer.status_code == 201, answer.text
        yield campus


@pytest.fixture
def mark(gates: tuple[str, dict[str, Gate]]) -> Iterator[str]:
    """The name of a slice; every gate is open again afterwards."""
    yield f"fault-{uuid.uuid4().hex[:6]}"
    for gate in gates[1].values():
        gate.turn("open")


def deploy(campus: Campus, mark: str) -> dict[str, Any]:
    """Ask for a slice on a network of its own; returns what is answered at once."""
    body = {
        "name": mark,
        "nodes": [{"name": f"n{number}", "image": "cirros", "flavor": "nano"} for number in range(NODES)],
        "networks": [{"name": "net", "cidr": "10.96.0.0/24", "network_type": "private"}],
    }
    with campus.api() as api:
        answer = api.post("/openstack/deploy-slice", json=body)
        assert answer.status_code == 202, answer.text
        told: dict[str, Any] = answer.json()
        return told


def servers(lab: Cloud, mark: str) -> list[Any]:
    """Those of the slice that are in the cloud, by way of no gate."""
    return [one for one in lab.sdk().compute.servers() if one.name.startswith(mark)]


def finished(campus: Campus, told: dict[str, Any]) -> list[str]:
    """Ask again for what failed, as a person would, until the whole slice is there. Returns the errors in between."""
    operation, errors = campus.installation.wait_for(told["operation"]["id"], PATIENCE), []
    for _attempt in range(3):
        if operation["status"] == "succeeded":
            break
        with campus.api() as api:
            children = api.get("/operations", params={"parent": operation["id"], "status": "failed"}).json()["results"]
            errors += [child["error"]["message"] for child in children]
            answer = api.post(f"/operations/{operation['id']}/retry")
            assert answer.status_code == 202, answer.text
        operation = campus.installation.wait_for(answer.json()["id"], PATIENCE)
    assert operation["status"] == "succeeded", operation
    return errors


def made_once(campus: Campus, lab: Cloud, mark: str) -> None:
    """Each node has one server, each server its port on the one network; and all of it goes when it is destroyed."""
    found = servers(lab, mark)
    assert sorted(one.name for one in found) == [f"{mark}-n{number}" for number in range(NODES)]
    networks = [one for one in lab.sdk().network.networks() if one.name.startswith("net-")]
    assert len(networks) == 1
    ports = [
        one for one in lab.sdk().network.ports(network_id=networks[0].id) if one.device_owner.startswith("compute")
    ]
    assert sorted(one.device_id for one in ports) == sorted(one.id for one in found)
    with campus.api() as api:
        folder = api.get("/nodes/by-path", params={"path": f"/gated/{mark}"}).json()
        answer = api.post(f"/nodes/{folder['id']}/do/destroy", json={"force": True, "remove": True})
        assert answer.status_code == 202, answer.text
    assert campus.installation.wait_for(answer.json()["id"], PATIENCE)["status"] == "succeeded"
    assert servers(lab, mark) == []
    assert not [one for one in lab.sdk().network.networks() if one.id == networks[0].id]


@pytest.mark.parametrize(
    ("services", "state"),
    [(("compute", "network"), "failing"), (("compute",), "hanging"), (("identity",), "shut")],
)
def test_services_that_fail_in_the_middle(
    here: Campus, gates: tuple[str, dict[str, Gate]], lab: Cloud, mark: str, services: tuple[str, ...], state: State
) -> None:
    told, chosen = deploy(here, mark), [gates[1][service] for service in services]
    assert until(lambda: servers(lab, mark), 60, 0.1)
    for gate in chosen:
        gate.turn(state)
    assert not until(lambda: len(servers(lab, mark)) > NODES, LONG, 1.0)
    for gate in chosen:
        gate.turn("open")
    for error in finished(here, told):
        assert error
        assert "lab" not in error.split()  # the password
    made_once(here, lab, mark)


def test_a_worker_killed_while_keystone_is_gone(
    here: Campus, gates: tuple[str, dict[str, Gate]], lab: Cloud, mark: str, tmp_path: Path
) -> None:
    """The new worker cannot even sign in for a while."""
    told = deploy(here, mark)
    assert until(lambda: servers(lab, mark), 60, 0.1)
    gates[1]["identity"].turn("shut")
    kill(here.worker)
    here.worker = here.installation.worker()
    assert not until(lambda: len(servers(lab, mark)) > NODES, LONG, 1.0)
    gates[1]["identity"].turn("open")
    finished(here, told)
    made_once(here, lab, mark)
