"""The node-aware service API: slices, by the rules of the tree; its cloud is a mock with a catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from descriptors.models import Descriptor, Node, Operation, Status
from descriptors.states import State
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers.mock import MockDriver
from olimpus.errors import Rejected, Transient
from tests import factories
from tests.descriptors.cloudy import DEPLOY, SLICE, Cloudy, deploy, nothing_changed
from tests.descriptors.cloudy import cloud as cloud
from tests.descriptors.cloudy import mia as mia
from tests.descriptors.cloudy import root as root
from tests.worker.conftest import fresh, make_due
from tests.worker.conftest import sent as sent


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"networks": [{"name": "n", "cidr": "${name}"}]}, "networks[0].cidr"),
        (
            {"networks": [{"name": "n", "cidr": "10.0.0.0/24"}, {"name": "m", "cidr": "10.0.0.128/25"}]},
            "networks[1].cidr",
        ),
    ],
)
def test_ranges_are_ranges(world, root, change, where):
    answer = deploy(root, world.courses.path, **change)
    assert (answer.status_code, answer.json()["where"]) == (400, where)


@pytest.mark.parametrize("name", ["\ud800", "a\nb"], ids=ascii)
def test_names_of_a_slice_are_texts(world, root, name):
    network = {"name": name, "cidr": "10.0.0.0/24"}
    for change in ({"networks": [network]}, {"nodes": [{"name": "a", "networks": [name]}]}, {"links": [["vm1", name]]}):
        body = {**SLICE, "folder": world.courses.path, **change}
        assert root.post(DEPLOY, json.dumps(body), content_type="application/json").status_code == 400


def test_null_is_no_size(world, root):
    node = {"name": "a", "image": "debian-12", "parameters": {"cpus": None, "memory_mib": None}}
    assert deploy(root, world.courses.path, nodes=[node]).status_code == 202


@pytest.mark.parametrize("address", [DEPLOY, f"{DEPLOY}/"])
def test_the_body_of_the_requirements_makes_a_slice(world, root, address):
    answer = root.post(address, SLICE)
    assert answer.status_code == 202, answer.content
    told = answer.json()
    assert told["folder"]["path"] == "/cloud-1/test-openstack-slice"
    (planned,) = told["plan"]
    assert (planned["path"], planned["flavor"]) == ("/cloud-1/test-openstack-slice/vm1", "small")
    assert planned["availability_zone"] in ("nova", "zone-1")
    assert planned["reason"]
    assert answer["Location"] == f"/api/operations/{told['operation']['id']}"
    folder = Node.objects.get(path="/cloud-1/test-openstack-slice")
    network = folder.definition["networks"]["test-net"]
    assert (network["cidr"], network["type"]) == ("192.168.100.0/24", "private")
    assert network["own"] is True
    vm = Descriptor.objects.get(path="/cloud-1/test-openstack-slice/vm1")
    assert vm.definition["nics"] == [{"network": "test-net"}]
    world.perform()
    assert Operation.objects.get(pk=told["operation"]["id"]).status == Status.SUCCEEDED
    assert fresh(vm).state == State.RUNNING


def test_two_slices_of_one_name_never_share_a_network(world, root):
    folders = [factories.folder(f"{world.courses.path}/{name}", world.root) for name in ("x", "y")]
    for folder in folders:
        deploy(root, folder.path)
    world.perform()
    machines = Descriptor.objects.filter(path__endswith="/test-openstack-slice/vm1")
    names = [machine.applied["networks"]["test-net"]["aliases"]["cloud-1"] for machine in machines]
    assert len(set(names)) == 2


def test_high_availability_spreads_with_reasons_and_links_keep_together(world, root):
    nodes = [{"name": f"n{i}", "image": "debian-12"} for i in range(4)]
    spread = deploy(root, world.courses.path, name="ha", nodes=nodes, high_availability=True).json()["plan"]
    assert sorted(row["availability_zone"] for row in spread) == ["nova", "nova", "zone-1", "zone-1"]
    assert {row["code"] for row in spread} == {"spread"}
    near = deploy(root, world.courses.path, name="near", nodes=nodes, topology="star").json()["plan"]
    assert len({row["availability_zone"] for row in near}) == 1
    assert all(row["reason"] for row in near)


def test_sizes_pins_and_networks_of_nodes(world, root):
    nodes = [
        {"name": "plain", "image": "debian-12"},
        {"name": "gate", "image": "debian-12", "critical": True, "networks": ["inside", "outside"]},
        {"name": "own", "image": "debian-12", "vcpus": 2, "ram": 777, "disk": 3, "networks": []},
        {"name": "pin", "image": "debian-12", "availability_zone": "zone-1", "networks": ["inside"]},
    ]
    networks = [
        {"name": "inside", "cidr": "10.1.0.0/24"},
        {"name": "outside", "cidr": "10.2.0.0/24", "network_type": "nat", "dns": ["10.2.0.2"]},
    ]
    told = deploy(root, world.courses.path, nodes=nodes, networks=networks).json()
    plan = {row["node"]: row for row in told["plan"]}
    assert (plan["plain"]["flavor"], plan["gate"]["flavor"], plan["own"]["flavor"]) == ("small", "medium", "")
    assert (plan["pin"]["availability_zone"], plan["pin"]["code"]) == ("zone-1", "pinned")

    def definition(name):
        return Node.objects.get(path=f"{told['folder']['path']}/{name}").definition

    assert [nic["network"] for nic in definition("plain")["nics"]] == ["inside", "outside"]
    assert definition("own")["nics"] == []
    assert (definition("own")["cpus"], definition("own")["memory_mib"], definition("own")["disk_gib"]) == (2, 777, 3)
    assert Node.objects.get(pk=told["folder"]["id"]).definition["networks"]["outside"]["dns"] == ["10.2.0.2"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "a/b"}, "name"),
        ({"infrastructure": "steam"}, "infrastructure"),
        ({"nodes": []}, "nodes"),
        ({"nodes": [{"image": "debian-12"}]}, "nodes[0].name"),
        ({"nodes": [{"name": "a", "flavor": "small"}, {"name": "a", "flavor": "small"}]}, "nodes[1].name"),
        ({"nodes": [{"name": "a/b"}]}, "nodes[0].name"),
        ({"nodes": [{"name": "a", "flavor": "tiny"}]}, "nodes[0].flavor"),
        ({"nodes": [{"name": "a", "image": "windows-95"}]}, "nodes[0].image"),
        ({"nodes": [{"name": "a", "networks": ["test-ned"]}]}, "nodes[0].networks[0]"),
        ({"nodes": [{"name": "a", "availability_zone": "mars"}]}, "nodes[0].availability_zone"),
        ({"nodes": [{"name": "a", "parameters": {"cpu": 3}}]}, "nodes[0].cpu"),
        ({"nodes": [{"name": "a", "vcpus": 64, "ram": 512, "disk": 1}]}, "nodes[0]"),
        ({"nodes": [{"name": "a", "colour": "red"}]}, "nodes[0].colour"),
        ({"networks": [{"name": "n", "cidr": "10.0.0.0/33"}]}, "networks[0].cidr"),
        ({"networks": [{"name": "n", "cidr": "10.0.0.1/24"}]}, "networks[0].cidr"),
        ({"networks": [{"name": "n", "cidr": "10.0.0.0/24", "network_type": "odd"}]}, "networks[0].network_type"),
        (
            {"networks": [{"name": "n", "cidr": "10.0.0.0/8"}, {"name": "m", "cidr": "10.3.0.0/16"}]},
            "networks[1].cidr",
        ),
        (
            {"networks": [{"name": "n", "cidr": "10.0.0.0/24"}, {"name": "n", "cidr": "10.3.0.0/16"}]},
            "networks[1].name",
        ),
        ({"topology": "knot"}, "topology"),
        ({"links": [["vm1", "vm9"]]}, "links"),
        ({"folder": "/nowhere"}, "folder"),
    ],
)
def test_a_bad_slice_changes_nothing_and_names_the_field(world, root, change, where):
    assert world.courses
    before = nothing_changed()
    answer = deploy(root, world.courses.path, **change)
    told = answer.json()
    assert 400 <= answer.status_code < 500, told
    assert where in {told.get("where"), *(fault["where"] for fault in told.get("errors", []))}, told
    assert nothing_changed() == before


def test_who_may_deploy_where(world, mia, cloud):
    assert deploy(mia, world.courses.path).status_code == 202
    assert world.api(world.sam.user).post(DEPLOY, {**SLICE, "folder": world.sam.folder.path}).status_code == 403
    assert world.api(world.stranger).post(DEPLOY, {**SLICE, "folder": world.courses.path}).status_code == 404


def test_what_failed_is_asked_for_again_and_the_rest_stays(world, root, cloud):
    nodes = [{"name": f"n{i}", "flavor": "small", "image": "debian-12"} for i in range(3)]
    told = deploy(root, world.courses.path, nodes=nodes).json()
    hypervisor_actions.update(cloud, {"settings": {"latency": 0, "capacity_vms": 2}}, actor=world.root)
    world.perform()
    operation = Operation.objects.get(pk=told["operation"]["id"])
    assert (operation.status, operation.succeeded, operation.failed) == (Status.PARTIAL, 2, 1)
    hypervisor_actions.update(cloud, {"settings": {"latency": 0}}, actor=world.root)
    failed = Descriptor.objects.get(parent=told["folder"]["id"], state=State.FAILED)
    root.post(f"/api/nodes/{failed.pk}/do/recover", {})
    world.perform()
    assert root.post(f"/api/operations/{operation.pk}/retry", {}).status_code == 202
    world.perform()
    assert set(Descriptor.objects.filter(parent=told["folder"]["id"]).values_list("state", flat=True)) == {"running"}


def test_rollback_leaves_no_machine_and_no_network(world, root, cloud):
    nodes = [{"name": f"n{i}", "flavor": "small", "image": "debian-12"} for i in range(3)]
    told = deploy(root, world.courses.path, "?rollback=true", nodes=nodes).json()
    hypervisor_actions.update(cloud, {"settings": {"latency": 0, "capacity_vms": 2}}, actor=world.root)
    world.perform()
    make_due()
    world.perform()
    operation = root.get(f"/api/operations/{told['operation']['id']}").json()
    assert operation["status"] == "partial"
    assert root.get(f"/api/operations/{operation['result']['rollback']}").json()["status"] == "succeeded"
    assert set(Descriptor.objects.filter(parent=told["folder"]["id"]).values_list("state", flat=True)) == {
        "provisioned"
    }
    assert MockDriver("cloud-1", {"latency": 0}, Path(world.home)).list() == []
    assert {nics for _name, nics in Cloudy.tidied} == {("test-net",)}


def test_what_a_machine_left_goes_when_somebody_deleted_it_on_the_hypervisor(world, root):
    world.do("create", world.sam.web)
    MockDriver("cloud-1", {"latency": 0}, Path(world.home)).destroy(fresh(world.sam.web).vm_ref)
    assert world.do("start", world.sam.web).status == Status.FAILED
    assert world.do("recover", world.sam.web).status == Status.SUCCEEDED
    assert fresh(world.sam.web).state == State.PROVISIONED
    assert Cloudy.tidied == [("sam-web", ("lan",))]


def test_a_network_that_does_not_go_is_told_and_breaks_no_machine(world, root, cloud, monkeypatch):
    world.do("create", world.sam.web)
    monkeypatch.setattr(Cloudy, "untidy", Transient("busy"))
    operation = world.do("destroy", world.sam.web)
    assert (operation.status, operation.error["message"]) == (Status.QUEUED, "busy")
    monkeypatch.setattr(Cloudy, "untidy", Rejected("somebody's port is on it"))
    make_due()
    world.perform()
    operation.refresh_from_db()
    assert operation.status == Status.SUCCEEDED
    assert "port" in operation.result["left"]
    assert fresh(world.sam.web).state == State.PROVISIONED
