"""The node-aware service API: instances, by the rules of the tree; its cloud is a mock with a catalogue."""

from __future__ import annotations

import json

import pytest
from rest_framework.exceptions import ValidationError

from descriptors import actions, selectors
from descriptors.api.openstack import CardField
from descriptors.models import Descriptor, Node, Operation, Status, Unowned
from descriptors.reconcile import reconcile
from descriptors.states import State
from hypervisors.drivers import mock
from hypervisors.drivers.mock import MockDriver
from tests import factories
from tests.descriptors.cloudy import DEPLOY, INSTANCES, SLICE, deploy, nothing_changed
from tests.descriptors.cloudy import cloud as cloud
from tests.descriptors.cloudy import mia as mia
from tests.descriptors.cloudy import root as root
from tests.worker.conftest import fresh
from tests.worker.conftest import sent as sent


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
