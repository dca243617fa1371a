"""The node-aware service API: instances and slices, by the rules of the tree; its cloud is a mock with a catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rest_framework.exceptions import ValidationError

from descriptors import actions, selectors
from descriptors.api.openstack import CardField
from descriptors.models import Descriptor, Node, Operation, Status, Unowned
from descriptors.reconcile import reconcile
from descriptors.states import State
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers import mock
from hypervisors.drivers.cloud import CloudFlavor, Host, Image, Network, Zone
from hypervisors.drivers.mock import MockDriver
from hypervisors.registry import DRIVERS
from olimpus.errors import HypervisorError, Rejected, Transient
from tests import factories
from tests.worker.conftest import fresh, make_due
from tests.worker.conftest import sent as sent

SLICE = {
    "name": "test-openstack-slice",
    "description": "…",
    "infrastructure": "openstack",
    "nodes": [{"name": "vm1", "image": "ubuntu-20.04", "flavor": "small"}],
    "networks": [{"name": "test-net", "cidr": "192.168.100.0/24", "network_type": "private"}],
}
INSTANCES, DEPLOY = "/api/openstack/instances", "/api/openstack/deploy-slice"


class Cloudy(MockDriver):
    """A mock hypervisor under the name of OpenStack, with images, flavors, zones and networks."""

    name = "openstack"
    tidied: list[tuple[str, tuple[str, ...]]] = []
    untidy: HypervisorError | None = None

    @property
    def cloud(self):
        return self

    def images(self):
        return [Image("img-1", "ubuntu-20.04", "active"), Image("img-2", "debian-12", "active")]

    def flavors(self):
        return [CloudFlavor("f-1", "m1.odd", 3, 3000, 7)]

    def zones(self, *, capacity=False):
        def host(name, zone):
            return Host(name, zone, cpus_total=8, memory_mib_total=16000, disk_gib_total=200)

        return [Zone("nova", True, (host("h1", "nova"),)), Zone("zone-1", True, (host("h2", "zone-1"),))]

    def networks(self, project=""):
        return [Network("net-1", "campus")]

    def tidy(self, spec):
        if self.untidy:
            raise self.untidy
        self.tidied.append((spec.name, tuple(nic.network for nic in spec.nics)))


@pytest.fixture
def cloud(world, monkeypatch):
    """The OpenStack cloud-1, which world.perform() works for."""
    monkeypatch.setitem(DRIVERS, "openstack", f"{__name__}.Cloudy")
    monkeypatch.setattr(Cloudy, "tidied", [])
    selectors.forget_sizes()
    fields = {"name": "cloud-1", "driver": "openstack", "settings": {"latency": 0}, "concurrency": 4}
    made = hypervisor_actions.create(fields, actor=world.root)
    world.__dict__["hypervisor"] = made
    return made


@pytest.fixture
def root(world, cloud):
    return world.api(world.root)


@pytest.fixture
def mia(world, cloud):
    """mia manages /courses, which offers the cloud."""
    return world.api(world.mia)


def nothing_changed():
    return (Node.objects.count(), Operation.objects.count())


# -- instances ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [INSTANCES, f"{INSTANCES}/"])
def test_an_instance_is_defined_and_created(world, root, address):
    body = {
        "name": "web-1",
        "image": "ubuntu-20.04",
        "flavor": "small",
        "networks": ["campus", {"network": "campus", "ip": "10.9.0.7"}],
        "availability_zone": "zone-1",
        "keypair": "lab",
        "user_data": "#!/bin/sh\necho ${HOME}\n",
        "security_groups": ["default"],
        "folder": world.courses.path,
    }
    answer = root.post(address, body)
    assert answer.status_code == 202, answer.content
    told = answer.json()
    assert told["instance"]["path"] == "/courses/web-1"
    assert (told["operation"]["verb"], told["operation"]["status"]) == ("create", "queued")
    assert answer["Location"] == f"/api/operations/{told['operation']['id']}"
    machine = Descriptor.objects.get(path="/courses/web-1")
    assert machine.definition["nics"] == [{"network": "campus"}, {"network": "campus", "ip": "10.9.0.7"}]
    assert selectors.computed(machine).values["user_data"] == body["user_data"]
    world.perform()
    (row,) = root.get(INSTANCES).json()["results"]
    assert row["id"] == machine.pk
    assert {name: row[name] for name in ("owned", "state", "image", "flavor", "availability_zone", "hypervisor")} == {
        "owned": True,
        "state": "created",
        "image": "ubuntu-20.04",
        "flavor": "small",
        "availability_zone": "zone-1",
        "hypervisor": "cloud-1",
    }
    assert row["ref"] == fresh(machine).vm_ref
    assert row["addresses"] == ["10.9.0.7"]
    assert row["power"] == "off"


def test_start_is_part_of_the_same_operation(world, root):
    told = root.post(
        INSTANCES, {"name": "on", "image": "debian-12", "folder": world.courses.path, "start": True}
    ).json()
    world.perform()
    assert Operation.objects.get(pk=told["operation"]["id"]).status == Status.SUCCEEDED
    assert Descriptor.objects.get(path="/courses/on").state == State.RUNNING


def test_without_a_folder_it_goes_where_the_cloud_is_called(world, root, mia):
    body = {"name": "a", "image": "debian-12", "flavor": "small"}
    assert root.post(INSTANCES, body).json()["instance"]["path"] == "/cloud-1/a"
    before = nothing_changed()
    answer = mia.post(INSTANCES, {**body, "name": "b"})
    assert (answer.status_code, answer.json()["where"]) == (400, "folder")
    assert nothing_changed() == before


def test_a_flavor_that_only_the_cloud_has(world, root):
    body = {"name": "odd", "image": "debian-12", "flavor": "m1.odd", "folder": world.courses.path}
    assert root.post(INSTANCES, body).status_code == 202
    world.perform()
    machine = Descriptor.objects.get(path="/courses/odd")
    assert machine.state == State.CREATED
    seen = {vm.uid: vm for vm in MockDriver("cloud-1", {"latency": 0}, world.home).list()}[str(machine.uid)]
    assert (seen.cpus, seen.memory_mib, seen.disk_gib) == (3, 3000, 7)
    assert reconcile(world.hypervisor.pk).drifted == 0


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": ""}, "name"),
        ({"image": "ubuntu-20.05"}, "image"),
        ({"flavor": "smal"}, "flavor"),
        ({"vcpus": 0}, "vcpus"),
        ({"ram": "much"}, "ram"),
        ({"disk": -1}, "disk"),
        ({"networks": ["nowhere"]}, "networks[0]"),
        ({"networks": ["campus", {"ip": "10.0.0.1"}]}, "networks[1]"),
        ({"networks": [{"network": "campus", "ip": "10.0.0.999"}]}, "networks[0].ip"),
        ({"networks": [{"network": "campus", "speed": "9"}]}, "networks[0].speed"),
        ({"availability_zone": "mars"}, "availability_zone"),
        ({"folder": "/nowhere"}, "folder"),
        ({"security_groups": "default"}, "security_groups"),
        ({"start": "perhaps"}, "start"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_bodies_change_nothing_and_name_the_field(world, root, change, where):
    body = {"name": "web-1", "image": "debian-12", "flavor": "small", "folder": world.courses.path}
    before = nothing_changed()
    answer = root.post(INSTANCES, body | change)
    told = answer.json()
    assert 400 <= answer.status_code < 500
    assert where in {told.get("where"), *(fault["where"] for fault in told.get("errors", []))}, told
    assert nothing_changed() == before


def test_the_nearest_name_is_offered(world, root):
    body = {"name": "w", "image": "ubuntu-2004", "folder": world.courses.path}
    assert "ubuntu-20.04" in root.post(INSTANCES, body).json()["hint"]


def test_names_of_networks_are_for_managers_of_the_cloud(world, root, mia):
    body = {"name": "w", "image": "debian-12", "folder": world.courses.path, "networks": ["campsu"]}
    assert "campus" in root.post(INSTANCES, body).json()["hint"]
    assert "hint" not in mia.post(INSTANCES, body).json()


@pytest.mark.parametrize(
    "wish",
    [{"networks": ["campus"]}, {"networks": ["nowhere"]}, {"image": "windows-95"}, {"flavor": "tiny"}],
    ids=str,
)
def test_who_may_not_create_learns_nothing_of_the_cloud(world, cloud, wish):
    sam = world.api(world.sam.user)
    before = nothing_changed()
    answers = [
        sam.post(INSTANCES, {"name": "w", "image": "debian-12", "folder": world.sam.folder.path, **wish}),
        deploy(sam, world.sam.folder.path, nodes=[{"name": "w", "image": "debian-12", **wish}]),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == answers[1].json()
    nowhere = sam.post(INSTANCES, {"name": "w", "image": "debian-12", **wish})
    assert (nowhere.status_code, nowhere.json()["where"]) == (400, "folder")
    assert world.api(world.stranger).post(INSTANCES, {"name": "w", "folder": "/courses", **wish}).status_code == 404
    assert nothing_changed() == before


@pytest.mark.parametrize(
    "change",
    [
        {"networks": ["\ud800"]},
        {"networks": ["cam\npus"]},
        {"networks": ["cam\0pus"]},
        {"networks": [{"network": "campus", "ip": "\ud800"}]},
        {"networks": [{"network": "campus", "mac": "\x1b[2J"}]},
        {"networks": [{"network": "campus", "\ud800": "x"}]},
        {"networks": [{"network": "campus", "ip": 7}]},
        {"networks": [{"network": ["campus"]}]},
        {"networks": [{"network": "n" * 300}]},
        {"image": "\ud800"},
        {"flavor": "sm\x07all"},
        {"keypair": "a\u2028b"},
        {"security_groups": ["\ud800"]},
    ],
    ids=ascii,
)
def test_what_is_no_text_for_a_name_is_refused(world, root, change):
    body = {"name": "w", "image": "debian-12", "flavor": "small", "folder": world.courses.path}
    before = nothing_changed()
    answer = root.post(INSTANCES, json.dumps(body | change), content_type="application/json")
    assert answer.status_code == 400
    assert next(iter(change)) in str(answer.json()) or "\\ud800" in ascii(change)  # which is no JSON to begin with
    assert nothing_changed() == before


@pytest.mark.parametrize(
    "card", ["\ud800", {"network": "campus", "\ud800": "x"}, {"network": "a", "ip": "\udfff"}], ids=ascii
)
def test_half_a_character_is_in_no_card_and_in_no_message(card):
    with pytest.raises(ValidationError) as caught:
        CardField().run_validation(card)
    assert str(caught.value.detail).encode()


@pytest.mark.parametrize("name", ["\ud800", "a\nb"], ids=ascii)
def test_names_of_a_slice_are_texts(world, root, name):
    network = {"name": name, "cidr": "10.0.0.0/24"}
    for change in ({"networks": [network]}, {"nodes": [{"name": "a", "networks": [name]}]}, {"links": [["vm1", name]]}):
        body = {**SLICE, "folder": world.courses.path, **change}
        assert root.post(DEPLOY, json.dumps(body), content_type="application/json").status_code == 400


def test_a_name_that_is_taken_is_a_conflict(world, root):
    body = {"name": "w", "image": "debian-12", "folder": world.courses.path}
    assert root.post(INSTANCES, body).status_code == 202
    assert root.post(INSTANCES, body).status_code == 409


def test_each_sees_his_own_and_managers_of_the_cloud_the_strays(world, root, mia, cloud):
    world.do("create", world.sam.web, world.ana.web)
    mock.create_by_hand(world.home, "cloud-1", "stray")
    reconcile(cloud.pk)

    def names(api):
        return [(row["name"], row["owned"], row["path"]) for row in api.get(INSTANCES).json()["results"]]

    sams, anas = ("web", True, "/courses/TEL141/sam/web"), ("web", True, "/courses/TEL141/ana/web")
    assert names(world.api(world.sam.user)) == [sams]
    assert names(mia) == [anas, sams]
    assert names(root) == [anas, sams, ("stray", False, None)]
    cloud.managers.add(world.mia)
    assert names(mia)[-1] == ("stray", False, None)
    assert names(world.api(world.stranger)) == []


def test_the_list_costs_the_same_however_long(world, root, cloud, django_assert_max_num_queries):
    folder = factories.folder("/courses/many" if world.courses else "", world.root)
    factories.many_machines(folder.path, 60, world.root)
    actions.request("create", folder, actor=world.root)
    world.perform()
    with django_assert_max_num_queries(9):
        answer = root.get(f"{INSTANCES}?page_size=50").json()
    assert (answer["count"], len(answer["results"])) == (60, 50)


def test_without_an_openstack_there_is_nothing(world):
    api = world.api(world.root)
    assert api.get(INSTANCES).status_code == 404
    assert api.post(INSTANCES, {"name": "a"}).status_code == 404
    assert api.post(DEPLOY, SLICE).status_code == 404


@pytest.mark.parametrize("by", ["id", "uid", "ref"])
def test_destroyed_by_any_of_its_names(world, root, by):
    world.do("create", world.sam.web, start=True)
    web = fresh(world.sam.web)
    key = {"id": web.pk, "uid": web.uid, "ref": web.vm_ref}[by]
    assert root.get(f"{INSTANCES}/{key}/").json()["path"] == web.path
    assert world.api(world.ana.user).get(f"{INSTANCES}/{key}").status_code == 404
    answer = root.delete(f"{INSTANCES}/{key}")
    assert (answer.status_code, answer.json()["operation"]["verb"]) == (202, "destroy")
    world.perform()
    assert fresh(web).state == State.PROVISIONED
    assert root.delete(f"{INSTANCES}/{key}").status_code == 404


def test_destroyed_and_removed(world, root):
    world.do("create", world.sam.web)
    answer = root.delete(f"{INSTANCES}/{world.sam.web.pk}?remove=true")
    world.perform()
    operation = Operation.objects.get(pk=answer.json()["operation"]["id"])
    assert (operation.status, operation.path) == (Status.SUCCEEDED, world.sam.web.path)
    assert not Node.objects.filter(pk=world.sam.web.pk).exists()


def test_who_may_not_gets_nothing(world, root, cloud):
    world.do("create", world.sam.web)
    address = f"{INSTANCES}/{world.sam.web.pk}"
    assert world.api(world.ana.user).delete(address).status_code == 404
    assert world.api(world.sam.user).delete(f"{address}?remove=true").status_code == 403  # users delete no definitions
    assert world.api(world.sam.user).delete(address).status_code == 202
    vm = mock.create_by_hand(world.home, "cloud-1", "stray")
    reconcile(cloud.pk)
    assert world.api(world.sam.user).delete(f"{INSTANCES}/{vm.ref}").status_code == 404
    assert root.delete(f"{INSTANCES}/{vm.ref}").status_code == 409
    assert Unowned.objects.filter(ref=vm.ref).exists()


# -- slices ------------------------------------------------------------------------------------------------------------


def deploy(api, place, query="", **changes):
    return api.post(f"{DEPLOY}{query}", {**SLICE, "folder": place, **changes})


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
    assert network["aliases"]["cloud-1"].startswith("test-net-")
    vm = Descriptor.objects.get(path="/cloud-1/test-openstack-slice/vm1")
    assert vm.definition["nics"] == [{"network": "test-net"}]
    world.perform()
    assert Operation.objects.get(pk=told["operation"]["id"]).status == Status.SUCCEEDED
    assert fresh(vm).state == State.RUNNING


def test_two_slices_of_one_name_never_share_a_network(world, root):
    folders = [factories.folder(f"{world.courses.path}/{name}", world.root) for name in ("x", "y")]
    names = [
        Node.objects.get(pk=deploy(root, folder.path).json()["folder"]["id"]).definition["networks"]["test-net"]
        for folder in folders
    ]
    assert names[0]["aliases"] != names[1]["aliases"]


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
