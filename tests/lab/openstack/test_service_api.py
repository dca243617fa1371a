"""The service API against the real cloud, through Django: what it answers is asked again by bare openstacksdk."""

from __future__ import annotations

import struct
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from accounts.models import Entry
from hypervisors import actions, inventory
from hypervisors.gateway import forget_gateways
from hypervisors.models import Hypervisor
from tests import factories
from tests.lab.cloud import Cloud

MIB = 1 << 20


@pytest.fixture
def mark() -> str:
    """What everything that this test makes begins with."""
    return f"{__name__.rpartition('.')[2][5:12]}-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def manager(record) -> Any:
    """A manager of the lab's cloud, who is no superuser, as a function: method, address, body → answer."""
    person = factories.user("keeper", kind="manager")
    cloud = record()
    superuser = type(person).objects.get(is_superuser=True)
    actions.update(cloud, {"managers": ["keeper"]}, actor=superuser)
    client = APIClient()
    client.force_authenticate(person)

    def ask(method: str, path: str, body: Any = None, **more: Any) -> Any:
        return getattr(client, method)(f"/api/openstack/{path}", body, **{"format": "json", **more})

    return ask


def good(answer: Any, status: int = 200) -> Any:
    """The body of an answer that went well."""
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


def rows(manager: Any, path: str) -> list[dict[str, Any]]:
    """The results of a list that was asked of the cloud now."""
    told = good(manager("get", f"{path}{'&' if '?' in path else '?'}refresh=true"))
    assert (told["hypervisor"], told["source"], told["error"]) == ("lab", "live", "")
    return told["results"]


def named(manager: Any, path: str, name: str) -> list[dict[str, Any]]:
    return [row for row in rows(manager, path) if row["name"] == name]


# -- the catalogue -----------------------------------------------------------------------------------------------------


def test_flavors_are_the_clouds_with_their_use(manager, lab):
    flavors = {row["name"]: row for row in rows(manager, "flavors?stats=true")}
    real = {flavor.name: flavor for flavor in lab.sdk().compute.flavors()}
    assert set(real) <= set(flavors)
    for name, flavor in real.items():
        row = flavors[name]
        assert (row["id"], row["vcpus"], row["ram"], row["disk"]) == (flavor.id, flavor.vcpus, flavor.ram, flavor.disk)
        assert (row["on_cloud"], row["instances"] >= 0) == (True, True)


def test_zones_are_the_clouds_with_their_room(manager):
    told = good(manager("get", "availability-zones/?capacity=true"))
    hosts = {zone["name"]: {host["name"] for host in zone["hosts"]} for zone in told["results"]}
    assert hosts["zone-1"] >= {"compute-01", "compute-02"}
    assert hosts["zone-2"] >= {"compute-03"}
    assert told["totals"]["hosts_up"] >= 1
    host = told["results"][0]["hosts"][0]
    assert host["vcpus_total"] > host["vcpus_used"] >= 0
    assert host["ram_total"] > 0


def test_images_and_keypairs(manager, lab):
    assert {image["name"] for image in rows(manager, "images")} >= {"cirros", "ubuntu-20.04"}
    assert {pair["name"] for pair in rows(manager, "keypairs")} == {pair.name for pair in lab.sdk().compute.keypairs()}


def test_recommend(manager):
    told = good(manager("post", "flavors/recommend", {"requirements": {"vcpus": 2, "ram": 2048, "disk": 20}}))
    assert (told["recommended"]["name"], told["recommended"]["on_cloud"]) == ("medium", True)
    assert told["runner_up"]["vcpus"] >= 2


def test_suggest_spreads_over_the_zones(manager):
    nodes = [{"name": f"vm{number}", "flavor": "small"} for number in range(4)]
    config = {"topology": "tree", "nodes": nodes, "high_availability": True}
    told = good(manager("post", "availability-zones/suggest", {"slice_config": config}))
    assert told["complete"]
    assert sum(told["zones"].values()) == 4
    assert max(told["zones"].values()) - min(told["zones"].values()) <= 1
    assert all(row["reason"] for row in told["results"])


def test_a_flavor_comes_and_goes(manager, mark, lab):
    body = {"name": mark, "vcpus": 3, "ram": 1000, "disk": 7}
    made = good(manager("post", "flavors", body), 201)
    try:
        assert good(manager("post", "flavors", body), 201)["id"] == made["id"]
        assert lab.sdk().compute.get_flavor(made["id"]).ram == 1000
        assert manager("post", "flavors", {**body, "ram": 2000}).status_code == 409
        assert [row["id"] for row in named(manager, "flavors", mark)] == [made["id"]]
    finally:
        good(manager("delete", f"flavors/{mark}"), 204)
    good(manager("delete", f"flavors/{mark}"), 204)
    assert named(manager, "flavors", mark) == []
    assert good(manager("post", "flavors", {"name": "small"}), 201)["ram"] == 1536


def test_an_image_is_sent_and_removed(manager, mark, lab):
    content = qcow2(64 * MIB) + bytes(8 * MIB)
    file = SimpleUploadedFile("disk.qcow2", content)
    made = good(manager("post", "images", {"name": mark, "file": file}, format="multipart"), 201)
    assert (made["format"], made["size_bytes"], made["status"]) == ("qcow2", len(content), "active")
    assert lab.sdk().image.get_image(made["id"]).name == mark
    assert [row["id"] for row in named(manager, "images", mark)] == [made["id"]]
    good(manager("delete", f"images/{made['id']}"), 204)
    assert named(manager, "images", mark) == []


def qcow2(size: int) -> bytes:
    """The header of an empty image of this virtual size; the lab never looks at more."""
    return struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, size, 0, 1, 65536, 131072, 1, 0, 0).ljust(512, b"\0")


# -- networks ----------------------------------------------------------------------------------------------------------


def test_a_network_its_subnets_and_a_way_out(manager, mark, lab):
    network = good(manager("post", "networks", {"name": mark, "cidr": "10.98.0.0/24"}), 201)
    (first,) = network["subnets"]
    assert (first["cidr"], first["gateway"], first["dhcp"]) == ("10.98.0.0/24", "10.98.0.1", True)
    overlap = manager("post", "subnets", {"network": network["id"], "cidr": "10.98.0.0/25"})
    assert overlap.status_code == 409
    assert "10.98.0.0/2" in overlap.json()["detail"]
    body = {
        "network": network["id"],
        "cidr": "10.98.1.0/24",
        "pool": ["10.98.1.10", "10.98.1.20"],
        "dns": ["10.98.1.2"],
    }
    second = good(manager("post", "subnets", body), 201)
    assert second["pools"] == [["10.98.1.10", "10.98.1.20"]]
    body = {"name": mark, "external": "public", "subnets": [first["id"]]}
    router = good(manager("post", "routers", body), 201)
    assert router["subnet_ids"] == [first["id"]]
    assert router["external_network_id"] == lab.sdk().network.find_network("public").id
    assert [row["id"] for row in named(manager, "routers", mark)] == [router["id"]]
    assert {row["id"] for row in rows(manager, "subnets")} >= {first["id"], second["id"]}
    in_use = manager("delete", f"networks/{network['id']}")
    assert in_use.status_code == 409
    good(manager("delete", f"routers/{router['id']}"), 204)
    good(manager("delete", f"subnets/{second['id']}"), 204)
    good(manager("delete", f"networks/{network['id']}"), 204)
    assert named(manager, "networks", mark) == []


# -- volumes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(lab: Cloud, mark: str) -> Iterator[str]:
    """A machine without networks that is not in the tree."""
    compute = lab.sdk().compute
    image, flavor = lab.sdk().image.find_image("cirros"), compute.find_flavor("nano")
    made = compute.create_server(name=mark, image_id=image.id, flavor_id=flavor.id, networks="none")
    compute.wait_for_server(made, wait=120)
    yield made.id
    compute.delete_server(made)
    compute.wait_for_delete(made, wait=60)


def test_the_life_of_a_volume(manager, mark, server):
    volume = good(manager("post", "volumes", {"name": mark, "size": 1}), 201)
    address = f"volumes/{volume['id']}"
    assert (volume["status"], volume["size"]) == ("available", 1)
    assert good(manager("post", f"{address}/extend", {"size": 2}))["size"] == 2
    assert manager("post", f"{address}/extend", {"size": 1}).status_code == 409
    for _time in range(2):
        told = good(manager("post", f"{address}/attach", {"instance": server}))
        assert [one["instance"] for one in told["attachments"]] == [server]
    assert manager("delete", address).status_code == 409
    for _time in range(2):
        assert good(manager("post", f"{address}/detach/", {}))["attachments"] == []
    snapshot = good(manager("post", f"{address}/snapshot", {"name": mark}), 201)
    assert [row["id"] for row in named(manager, "volume-snapshots", mark)] == [snapshot["id"]]
    assert manager("delete", address).status_code == 409
    good(manager("delete", f"volume-snapshots/{snapshot['id']}"), 204)
    good(manager("delete", address), 204)
    good(manager("delete", address), 204)
    assert named(manager, "volumes", mark) == []
    verbs = set(Entry.objects.filter(verb__startswith="cloud.volume").values_list("verb", flat=True))
    assert verbs >= {"cloud.volume.create", "cloud.volume.attach", "cloud.volume.delete", "cloud.volume.delete.failed"}


def test_the_volume_of_a_machine_of_the_tree(manager, mark, server):
    superuser = factories.User.objects.get(is_superuser=True)
    factories.folder("/theirs", superuser)
    machine = factories.machine("/theirs/web", superuser)
    type(machine).objects.filter(pk=machine.pk).update(hypervisor=Hypervisor.objects.get(), vm_ref=server)
    volume = good(manager("post", "volumes", {"name": mark, "size": 1}), 201)
    try:
        answer = manager("post", f"volumes/{volume['id']}/attach", {"instance": server})
        assert answer.status_code == 403
        assert rows(manager, "volumes")
    finally:
        good(manager("delete", f"volumes/{volume['id']}"), 204)


# -- projects ----------------------------------------------------------------------------------------------------------


def test_a_project_with_its_quotas(manager, mark, lab):
    body = {"name": mark, "description": "A course", "quotas": {"instances": 5, "networks": 3}, "users": ["demo"]}
    made = good(manager("post", "projects", body), 201)
    try:
        quotas = {row["resource"]: row for row in good(manager("get", f"quotas/{made['id']}"))["results"]}
        assert (quotas["instances"]["limit"], quotas["instances"]["free"], quotas["networks"]["limit"]) == (5, 5, 3)
        told = good(manager("patch", f"quotas/{made['id']}", {"quotas": {"instances": -1, "cores": 7}}))
        assert told["source"] == "live"
        quotas = {row["resource"]: row["limit"] for row in told["results"]}
        assert (quotas["instances"], quotas["cores"], quotas["networks"]) == (None, 7, 3)
        assert manager("patch", f"quotas/{mark}", {"quotas": {"elephants": 1}}).status_code == 409
        found = lab.sdk().identity.get_project(made["id"])
        assert (found.name, found.description) == (mark, "A course")
        network = good(manager("post", "networks", {"name": mark, "project": mark}), 201)
        assert network["project_id"] == made["id"]
        refused = manager("delete", f"projects/{made['id']}")
        assert refused.status_code == 409
        assert mark in refused.json()["detail"]
        good(manager("delete", f"networks/{network['id']}"), 204)
    finally:
        good(manager("delete", f"projects/{mark}"), 204)
    assert manager("delete", f"projects/{mark}").status_code == 404
    assert manager("get", f"quotas/{mark}").status_code == 404


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"auth_url": "http://127.0.0.1:9/v3"}])
def test_what_was_known_serves_while_the_cloud_cannot_be_asked(record, wrong):
    cloud = record()
    before = inventory.read(cloud, "flavors")
    assert before.source == "live"
    Hypervisor.objects.filter(pk=cloud.pk).update(secrets="", version=cloud.version + 1)
    broken = Hypervisor.objects.get(pk=cloud.pk)
    broken.set_settings({**cloud.settings, "password": "wrong", **wrong})
    broken.save()
    forget_gateways()
    began = time.monotonic()
    told = inventory.read(broken, "flavors", refresh=True)
    assert (told.source, told.data) == ("last_known", before.data)
    assert told.error
    assert "wrong" not in told.error.replace("wrong password", "")
    assert inventory.read(broken, "zones").source == "predefined"
    assert time.monotonic() - began < 20


def test_what_is_not_there(manager):
    for method, path, body in (
        ("post", "subnets", {"network": "nowhere", "cidr": "10.98.0.0/24"}),
        ("post", "routers", {"name": "x", "external": "nowhere"}),
        ("post", "volumes/nowhere/extend", {"size": 2}),
        ("post", "volumes/nowhere/attach", {"instance": "nowhere"}),
        ("get", "quotas/nowhere", None),
    ):
        answer = manager(method, path, body)
        assert (answer.status_code, answer.json()["type"]) == (404, "hypervisor:missing"), (path, answer.content)
