"""The service API: who may, what is refused, what comes back, what the journal says. The real thing is in tests/lab."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from accounts.models import Entry
from descriptors import actions as tree_actions
from descriptors.models import Descriptor
from hypervisors import actions, clouds, inventory
from hypervisors.api.openstack.base import ID
from hypervisors.api.openstack.urls import ROUTES, urlpatterns
from hypervisors.models import Hypervisor
from olimpus.errors import CapacityExceeded, Forbidden, Misconfigured, Missing, Rejected, Unreachable
from tests import factories
from tests.hypervisors.asking import URL, ask
from tests.hypervisors.recorded import FREE_VOLUME, NETWORK, PROJECTS, SERVER, SNAPSHOT, SUBNET, VOLUME

NET, SUB, FREE, TAKEN, DEMO = NETWORK.id, SUBNET.id, FREE_VOLUME.id, VOLUME.id, PROJECTS[1].id
#: Read by managers only, without a body.
MANAGED = ("keypairs", "networks", "subnets", "routers", "volumes", "volume-snapshots", "projects", "quotas/demo")
#: Method, address, a good body, what it answers, the method of the cloud and its arguments.
WRITES = [
    ("post", "flavors", {"name": "small"}, 201, "create_flavor",
     {"name": "small", "cpus": 1, "memory_mib": 1536, "disk_gib": 10}),
    ("delete", "flavors/small", None, 204, "delete_flavor", {"name": "small"}),
    ("delete", "images/0f1", None, 204, "delete_image", {"image": "0f1"}),
    ("post", "networks", {"name": "test-net"}, 201, "create_network", {"name": "test-net", "project": ""}),
    ("delete", f"networks/{NET}", None, 204, "delete_network", {"network": NET}),
    ("post", "subnets", {"network": NET, "cidr": "10.0.0.0/24", "pool": ["10.0.0.5", "10.0.0.9"]}, 201, "create_subnet",
     {"network": NET, "cidr": "10.0.0.0/24", "name": "", "dhcp": True, "dns": [], "pool": ("10.0.0.5", "10.0.0.9")}),
    ("delete", f"subnets/{SUB}", None, 204, "delete_subnet", {"subnet": SUB}),
    ("post", "routers", {"name": "way-out", "external": "public", "subnets": [SUB]}, 201, "create_router",
     {"name": "way-out", "external": "public", "subnets": [SUB], "project": ""}),
    ("delete", "routers/8d1", None, 204, "delete_router", {"router": "8d1"}),
    ("post", "volumes", {"name": "spare", "size": 1}, 201, "create_volume",
     {"name": "spare", "size_gib": 1, "type": "", "image": "", "snapshot": "", "project": ""}),
    ("delete", f"volumes/{FREE}", None, 204, "delete_volume", {"volume": FREE}),
    ("post", f"volumes/{FREE}/attach", {"instance": SERVER}, 200, "attach_volume", {"volume": FREE, "ref": SERVER}),
    ("post", f"volumes/{TAKEN}/detach", {}, 200, "detach_volume", {"volume": TAKEN, "ref": ""}),
    ("post", f"volumes/{FREE}/extend", {"size": 2}, 200, "extend_volume", {"volume": FREE, "size_gib": 2}),
    ("post", f"volumes/{FREE}/snapshot", {"name": "monday"}, 201, "snapshot_volume", {"volume": FREE, "name": "monday"}),
    ("delete", f"volume-snapshots/{SNAPSHOT.id}", None, 204, "delete_volume_snapshot", {"snapshot": SNAPSHOT.id}),
    ("post", "projects", {"name": "demo", "quotas": {"cores": 4}}, 201, "ensure_project",
     {"name": "demo", "description": "", "quotas": {"cores": 4}, "users": [], "role": "member", "ordinary": True}),
    ("delete", f"projects/{DEMO}", None, 204, "delete_project", {"name": "demo"}),
    ("patch", f"quotas/{DEMO}", {"quotas": {"instances": -1}}, 200, "ensure_project",
     {"name": "demo", "quotas": {"instances": -1}, "ordinary": True}),
]  # fmt: skip
writes = pytest.mark.parametrize(("method", "path", "body", "status", "call", "fields"), WRITES)


# -- who may -----------------------------------------------------------------------------------------------------------


def test_nobody_in_particular_gets_nothing(cloud, spoken):
    for address, _views, methods in ROUTES:
        for method in set(methods) - {"head"}:
            path = address.replace(ID, "x")
            assert ask(APIClient(), method, path, {} if method in ("post", "patch") else None).status_code == 401
    assert spoken.asked == []


@pytest.mark.parametrize("path", ["flavors", "availability-zones", "images"])
def test_everybody_reads_the_catalogue(teacher_api, cloud, spoken, path):
    answer = ask(teacher_api, "get", path)
    assert (answer.status_code, answer.json()["source"], answer.json()["hypervisor"]) == (200, "live", "campus")
    assert answer.json()["results"]
    assert ask(teacher_api, "get", f"{path}/").json()["source"] == "cached"


@pytest.mark.parametrize(
    "path",
    [*MANAGED, "flavors?stats=true", "availability-zones?capacity=true", "flavors?refresh=1", "images?refresh=1"],
)
def test_the_rest_is_for_managers(teacher_api, in_charge, cloud, spoken, path):
    stranger = APIClient()
    stranger.force_authenticate(factories.user("stranger", kind="manager"))
    assert ask(stranger, "get", path).status_code == 403
    assert spoken.asked == []
    answer = ask(in_charge, "get", path)
    assert (answer.status_code, answer.json()["age_seconds"]) == (200, 0.0)
    assert answer.json()["results"]


@writes
def test_only_managers_write(cloud, spoken, method, path, body, status, call, fields):
    stranger = APIClient()
    stranger.force_authenticate(factories.user("stranger", kind="manager"))
    assert ask(stranger, method, path, body).status_code == 403
    assert ask(stranger, method, path, {"wrong": 1} if body is not None else None).status_code == 403
    assert (spoken.asked, spoken.done) == ([], [])


@writes
def test_managers_write_and_the_journal_hears(in_charge, cloud, spoken, method, path, body, status, call, fields):
    answer = ask(in_charge, method, path, body)
    assert answer.status_code == status, answer.json()
    assert spoken.done == [(call, fields)]
    (entry,) = Entry.objects.filter(verb__startswith="cloud.")
    assert (entry.actor.username, entry.data["hypervisor"]) == ("teacher", "campus")
    assert not entry.verb.endswith(".failed")


@writes
def test_what_fails_is_told_and_journaled(in_charge, cloud, silent, method, path, body, status, call, fields):
    silent(CapacityExceeded("The quota of networks is used up: 10 of 10.", hint="Delete one."))
    answer = ask(in_charge, method, path, body)
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert answer.json()["hint"] == "Delete one."
    assert not Entry.objects.filter(verb__startswith="cloud.").exclude(verb__endswith=".failed").exists()


@writes
def test_unknown_fields_and_missing_ones_change_nothing(
    in_charge, cloud, spoken, method, path, body, status, call, fields
):
    if body:
        for wrong in ({**body, "colour": "red"}, {name: [] for name in body}, {}):
            assert ask(in_charge, method, path, wrong).status_code == 400 or (wrong == {} and path.endswith("detach"))
        assert [name for name, _fields in spoken.done] in ([], ["detach_volume"])


@writes
def test_maintenance_refuses_changes(in_charge, cloud, root, spoken, method, path, body, status, call, fields):
    actions.set_maintenance(cloud, True, "new disks", actor=root)
    answer = ask(in_charge, method, path, body)
    assert (answer.status_code, answer.json()["hint"]) == (409, "new disks")
    assert spoken.done == []


def test_a_write_is_seen_at_once(in_charge, cloud, spoken):
    ask(in_charge, "get", "networks")
    assert ask(in_charge, "get", "networks").json()["source"] == "cached"
    ask(in_charge, "post", "networks", {"name": "test-net"})
    assert ask(in_charge, "get", "networks").json()["source"] == "live"


def test_every_address_answers_with_and_without_slash():
    for pattern in urlpatterns:
        address = str(pattern.pattern).removeprefix("^").removesuffix("/?$").replace(ID, "x")
        assert pattern.resolve(address), address
        assert pattern.resolve(f"{address}/"), address


# -- which cloud -------------------------------------------------------------------------------------------------------


def test_without_a_cloud_the_predefined_serve_and_the_rest_is_missing(api, db):
    flavors = ask(api, "get", "flavors").json()
    assert (flavors["hypervisor"], flavors["source"], flavors["age_seconds"]) == ("", "predefined", None)
    assert [row["name"] for row in flavors["results"]] == ["nano", "micro", "small", "medium", "large"]
    zones = ask(api, "get", "availability-zones").json()["results"]
    assert {zone["name"] for zone in zones} == {"nova", "zone-1", "zone-2"}
    assert all(zone["hosts"] for zone in zones)
    for path in ("networks", "images", "flavors?stats=true", "availability-zones?capacity=true"):
        answer = ask(api, "get", path)
        assert (answer.status_code, "OPENSTACK_AUTH_URL" in answer.json()["hint"]) == (404, True)


def test_one_is_named_where_there_are_several(api, cloud, spoken):
    Hypervisor.objects.create(name="other", driver="openstack")
    answer = ask(api, "get", "flavors")
    assert (answer.status_code, answer.json()["hint"]) == (400, "One of: campus, other.")
    assert ask(api, "get", "flavors?hypervisor=other").json()["hypervisor"] == "other"
    answer = ask(api, "get", "flavors?hypervisor=campis")
    assert (answer.status_code, "campus" in answer.json()["hint"]) == (404, True)


def test_a_hypervisor_of_another_kind_is_no_cloud(api, hypervisor):
    assert ask(api, "get", "flavors?hypervisor=rack-1").status_code == 404


def test_a_silent_cloud_is_answered_for(api, cloud, silent):
    silent(Unreachable("no route"))
    answer = ask(api, "get", "flavors").json()
    assert (answer["source"], "no route" in answer["error"]) == ("predefined", True)
    assert ask(api, "get", "networks").status_code == 502


# -- shapes ------------------------------------------------------------------------------------------------------------


def test_flavors_say_where_they_are_and_how_many_use_them(api, cloud, spoken):
    rows = {row["name"]: row for row in ask(api, "get", "flavors?stats=true").json()["results"]}
    assert (rows["micro"]["instances"], rows["medium"]["instances"]) == (1, 0)
    assert (rows["micro"]["on_cloud"], rows["micro"]["predefined"]) == (True, True)
    assert rows["nano"] == {"id": "", "name": "nano", "vcpus": 1, "ram": 512, "disk": 1.0, "public": True,
                            "on_cloud": False, "predefined": True, "instances": 1}  # fmt: skip


def test_zones_tell_their_room_to_managers_only(teacher_api, api, cloud, spoken):
    (host, _other) = ask(teacher_api, "get", "availability-zones").json()["results"][0]["hosts"]
    assert host == {"name": "compute-01", "up": True, "enabled": True}
    told = ask(api, "get", "availability-zones?capacity=true").json()
    assert told["results"][0]["hosts"][1]["vcpus_used"] == 2
    assert (told["totals"]["hosts_up"], told["totals"]["instances"]) == (3, 5)


def test_volumes_name_their_instances(api, cloud, spoken):
    row = ask(api, "get", "volumes").json()["results"][0]
    assert (row["size"], row["attachments"]) == (1, [{"instance": SERVER, "device": "/dev/sdb"}])


def test_quotas_tell_what_is_free(api, cloud, spoken):
    rows = {row["resource"]: row for row in ask(api, "get", "quotas/demo").json()["results"]}
    assert rows["instances"]["free"] == 1000
    assert (rows["subnetpools"]["limit"], rows["subnetpools"]["free"]) == (None, None)


def test_subnets_are_those_of_the_networks(api, cloud, spoken):
    (row,) = ask(api, "get", "subnets").json()["results"]
    assert (row["cidr"], row["network_id"]) == ("192.168.100.0/24", NET)


# -- networks ----------------------------------------------------------------------------------------------------------


def test_a_network_with_its_addresses(in_charge, cloud, spoken):
    body = {"name": "test-net", "cidr": "192.168.100.0/24", "gateway": "192.168.100.1"}
    answer = ask(in_charge, "post", "networks", body)
    assert (answer.status_code, answer.json()["subnets"][0]["cidr"]) == (201, "192.168.100.0/24")
    assert [call for call, _fields in spoken.done] == ["create_network", "create_subnet"]


@pytest.mark.parametrize(
    ("error", "status"), [(Rejected("taken"), 409), (Missing("no such"), 404), (Misconfigured("wrong password"), 502)]
)
def test_who_can_help_it_is_told_by_the_status(in_charge, cloud, spoken, error, status):
    def refuse(**_fields):
        raise error

    spoken.create_network = refuse
    answer = ask(in_charge, "post", "networks", {"name": "test-net", "cidr": "192.168.100.0/24"})
    assert (answer.status_code, answer.json()["title"]) == (status, error.message)


def test_nothing_stays_when_the_addresses_are_refused(in_charge, cloud, spoken):
    def refuse(**fields):
        spoken.done.append(("create_subnet", fields))
        raise Rejected("It overlaps.")

    spoken.create_subnet = refuse
    body = {"name": "test-net", "cidr": "192.168.100.0/24"}
    answer = ask(in_charge, "post", "networks", body)  # the network was there before
    assert (answer.status_code, [call for call, _fields in spoken.done][-1]) == (409, "create_subnet")
    spoken.networks = lambda project="": []
    answer = ask(in_charge, "post", "networks", body)
    assert (answer.status_code, [call for call, _fields in spoken.done][-1]) == (409, "delete_network")
    assert "It overlaps." in answer.json()["title"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"cidr": "10.0.0.0/33"},
        {"cidr": "10.0.0.1/24"},
        {"cidr": "10.0.0.0/24", "gateway": "10.0.1.1"},
        {"cidr": "10.0.0.0/24", "pool": ["10.0.0.9", "10.0.0.5"]},
        {"cidr": "10.0.0.0/24", "pool": ["10.0.0.9"]},
        {"cidr": "10.0.0.0/24", "dns": ["nowhere"]},
        {"gateway": "10.0.0.1"},
        {"mtu": 1},
    ],
)
def test_addresses_that_cannot_be(in_charge, cloud, spoken, wrong):
    answer = ask(in_charge, "post", "networks", {"name": "test-net", **wrong})
    assert answer.status_code == 400
    assert spoken.done == []


# -- projects ----------------------------------------------------------------------------------------------------------


def test_only_superusers_give_roles_that_rule_the_cloud(in_charge, api, cloud, spoken):
    body = {"name": "demo", "users": ["demo"], "role": "admin"}
    assert ask(in_charge, "post", "projects", body).status_code == 403
    assert spoken.done == []
    assert ask(in_charge, "post", "projects", {**body, "role": "reader"}).status_code == 201
    assert ask(api, "post", "projects", body).status_code == 201


# -- volumes of somebody's machines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("delete", f"volumes/{TAKEN}", None),
        ("post", f"volumes/{TAKEN}/detach", {}),
        ("post", f"volumes/{TAKEN}/extend", {"size": 2}),
        ("post", f"volumes/{TAKEN}/snapshot", {"name": "x"}),
        ("post", f"volumes/{FREE}/attach", {"instance": SERVER}),
    ],
)
def test_the_volume_of_somebodys_machine_is_left_alone(in_charge, teacher, machine, spoken, root, method, path, body):
    answer = ask(in_charge, method, path, body)
    assert (answer.status_code, answer.json()["type"]) == (403, "permission:forbidden")
    assert machine.path not in answer.content.decode()
    assert spoken.done == []
    tree_actions.grant(machine.parent, "manager", user=teacher, actor=root)
    again = APIClient()
    again.force_authenticate(type(teacher).objects.get(pk=teacher.pk))
    assert ask(again, method, path, body).status_code < 300


@pytest.mark.parametrize("name", ["pk", "uid", "vm_ref"])
def test_a_volume_goes_into_a_machine_by_any_of_its_ids(cloud, root, machine, spoken, name):
    machine = Descriptor.objects.get(pk=machine.pk)
    client = APIClient()
    client.force_authenticate(root)
    body = {"instance": str(getattr(machine, name))}
    assert ask(client, "post", f"volumes/{FREE}/attach", body).status_code == 200
    assert spoken.done == [("attach_volume", {"volume": FREE, "ref": SERVER})]


def test_a_guard_of_a_higher_app_is_asked(cloud, root, spoken, monkeypatch):
    def never(*_told):
        raise Forbidden("no")

    monkeypatch.setattr(clouds, "_guards", [never])
    with pytest.raises(Forbidden):
        clouds.do(cloud, "volume.delete", {"volume": TAKEN}, actor=root)
    clouds.do(cloud, "volume.delete", {"volume": FREE}, actor=root)


# -- images ------------------------------------------------------------------------------------------------------------

QCOW2 = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(504)


def upload(client, content=QCOW2, **more):
    file = SimpleUploadedFile("disk.qcow2", content)
    return client.post(f"{URL}/images", {"name": "cirros", "file": file, **more}, format="multipart")


def test_an_image_is_sent_as_what_it_is(in_charge, cloud, spoken):
    answer = upload(in_charge, public="true")
    assert (answer.status_code, answer.json()["name"]) == (201, "cirros")
    ((_call, fields),) = spoken.done
    assert (fields["format"], fields["public"], fields["data"]) == ("qcow2", True, QCOW2)
    entry = Entry.objects.get(verb="cloud.image.upload")
    assert (entry.data["name"], "data" in entry.data) == ("cirros", False)


@pytest.mark.parametrize(
    "change", [{"content": b""}, {"format": "iso"}, {"format": "exe"}, {"colour": "red"}, {"content": QCOW2[:40]}]
)
def test_images_that_cannot_be(in_charge, cloud, spoken, change):
    assert upload(in_charge, **change).status_code == 400
    assert spoken.done == []


def test_an_image_is_bounded(in_charge, cloud, spoken, settings):
    settings.OLIMPUS_IMAGE_LIMIT = 100
    assert upload(in_charge).status_code == 413
    assert in_charge.post(f"{URL}/images", {"name": "x"}, format="json").status_code == 415
    assert spoken.done == []


def test_refresh_of_the_catalogue_is_for_managers(in_charge, cloud, spoken):
    ask(in_charge, "get", "images")
    assert ask(in_charge, "get", "images?refresh=true").json()["source"] == "live"
    assert inventory.read(cloud, "images").source == "cached"


@pytest.mark.parametrize("path", ["flavors?stats=true", "availability-zones?capacity=true", "images", *MANAGED])
def test_what_is_known_costs_few_questions(in_charge, cloud, spoken, path, django_assert_max_num_queries):
    ask(in_charge, "get", path)
    with django_assert_max_num_queries(8):
        assert ask(in_charge, "get", path).json()["source"] == "cached"
