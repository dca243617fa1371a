"""Slices over HTTP on the mock: made, planned, deployed, changed, undone, torn down; rights, drafts, faults."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Entry
from descriptors import actions as tree_actions
from descriptors.models import Descriptor, Node
from descriptors.states import State
from hypervisors.models import Hypervisor
from slices.actions import deploying
from slices.models import Deployment
from tests import factories
from tests.slices.conftest import Slices, names

E2 = {
    "name": "test-openstack-slice",
    "description": "…",
    "infrastructure": "openstack",
    "nodes": [{"name": "vm1", "image": "ubuntu-20.04", "flavor": "small"}],
    "networks": [{"name": "test-net", "cidr": "192.168.100.0/24", "network_type": "private"}],
}
WIRE = {"name": "r1-r9", "ends": ["r1", "r9"]}


def states(key):
    return sorted(set(Descriptor.objects.filter(parent=key).values_list("state", flat=True)))


def test_a_ring_is_made_planned_deployed_and_torn_down(world, slices, effects):
    answer = slices.make()
    assert answer.status_code == 201, answer.content
    told = answer.json()
    key = told["slice"]["id"]
    assert (told["slice"]["status"], told["slice"]["nodes"], told["slice"]["links"]) == ("defined", 4, 4)
    assert all(row["change"] == "add" and row["reason"] and row["flavor"] == "small" for row in told["plan"]["rows"])
    assert answer["Location"] == f"/api/slices/{key}"

    assert [row["verb"] for row in slices.deploy(key)["operations"]] == ["create"]
    status = slices.get(key, "/status")
    assert (status["status"], status["health"], status["progress"]["running"]) == ("running", "ok", 4)
    assert all(len(node["ips"]) == 2 for node in status["nodes"])
    assert {way["kind"] for way in status["nodes"][0]["ways"]} >= {"console"}
    assert effects().count("create") == 4

    assert slices.delete(key).status_code == 202
    world.perform()
    assert not Node.objects.filter(pk=key).exists()
    assert effects().count("destroy") == 4
    journal = list(Entry.objects.filter(verb__startswith="slice.").order_by("id").values_list("verb", flat=True))
    assert journal == ["slice.create", "slice.deploy", "slice.teardown"]


def test_the_body_of_the_requirements_works_as_it_is(world, slices):
    refused = slices.client.post("/api/slices", E2, format="json")
    assert (refused.status_code, refused.json()["where"]) == (400, "infrastructure")
    assert refused.json()["hint"]
    fields = {"name": "cloud-1", "driver": "openstack", "settings": {}, "concurrency": 4}
    Hypervisor.objects.create(**fields)
    answer = slices.client.post("/api/slices", E2, format="json")
    assert answer.status_code == 201, answer.content
    told = answer.json()["slice"]
    assert (told["path"], told["hypervisors"]) == ("/cloud-1/test-openstack-slice", ["cloud-1"])
    (vm,) = Descriptor.objects.filter(parent=told["id"])
    assert vm.definition["nics"][0]["network"] == "test-net"
    assert (vm.definition["image"], vm.definition["flavor"]) == ("ubuntu-20.04", "small")
    network = Node.objects.get(pk=told["id"]).definition["networks"]["test-net"]
    assert network == {"cidr": "192.168.100.0/24", "type": "private", "own": True}


def test_made_and_deployed_in_one_go(world, slices):
    answer = slices.make(deploy=True)
    assert answer.json()["deployment"]["kind"] == "deploy"
    world.perform()
    assert states(answer.json()["slice"]["id"]) == [State.RUNNING]


def test_a_running_slice_is_changed_by_what_differs(world, slices, effects):
    key = slices.made()
    slices.deploy(key)
    told = slices.get(key)["document"]
    nodes = [node for node in told["nodes"] if node["name"] != "r3"] + [{"name": "r9"}]
    links = [link for link in told["links"] if "r3" not in str(link)] + [WIRE]
    assert slices.draw(key, nodes=nodes, links=links).status_code == 200
    plan = slices.post(key, "plan").json()
    assert {row["node"]: row["change"] for row in plan["rows"]} == {
        "r1": "change", "r2": "change", "r4": "change", "r9": "add", "r3": "remove",
    }  # fmt: skip
    assert {row["node"] for row in plan["rows"] if row["restart"]} == {"r1", "r2", "r4"}
    answer = slices.post(key, "deploy", {"digest": plan["digest"]})
    assert answer.status_code == 202, answer.content
    assert sorted(row["verb"] for row in answer.json()["operations"]) == ["create", "destroy", "restart"]
    world.perform()
    assert (names(key), states(key)) == (["r1", "r2", "r4", "r9"], [State.RUNNING])
    r1 = Descriptor.objects.get(parent=key, name="r1")
    assert [nic["network"] for nic in r1.applied["nics"]] == ["r1-r2", "r4-r1", "r1-r9"]
    assert (effects().count("create"), effects().count("destroy")) == (5, 1)
    assert slices.get(key)["draft"] is None


def test_exactly_what_was_shown_is_deployed_or_nothing(world, slices):
    key = slices.made()
    plan = slices.post(key, "plan").json()
    slices.draw(key, description="another")
    answer = slices.post(key, "deploy", {"digest": plan["digest"]})
    assert (answer.status_code, answer.json()["where"]) == (409, "digest")
    plan = slices.post(key, "plan").json()
    tree_actions.edit(Descriptor.objects.get(parent=key, name="r1"), {"cpus": 4}, actor=world.root)
    assert slices.post(key, "deploy", {"digest": plan["digest"]}).status_code == 409
    assert slices.post(key, "deploy", {"digest": "0" * 64}).status_code == 404
    assert not Deployment.objects.exists()
    assert slices.deploy(key)["deployment"]["kind"] == "deploy"
    assert slices.post(key, "deploy", {"digest": plan["digest"]}).status_code == 409  # of what was before


def test_deploying_again_what_is_deployed_does_nothing(world, slices, effects):
    key = slices.made()
    first = slices.post(key, "deploy").json()["deployment"]["id"]
    for version in (1, 1):  # while it is under way, and when it has ended
        again = slices.post(key, "deploy")
        assert (again.status_code, again.json()) == (200, {"deployment": None, "operations": []}), again.content
        assert slices.get(key)["version"] == version
        world.perform()
    assert effects().count("create") == 4
    assert slices.draw(key, description="").status_code == 200  # a draft in which nothing differs
    assert slices.post(key, "deploy").status_code == 200
    assert slices.get(key)["draft"] is None
    assert slices.get(key, "/status")["deployment"]["id"] == first
    assert slices.post(key, "undo").status_code == 202


def test_what_ends_before_it_is_cancelled_is_in_nobodys_way(world, slices, monkeypatch):
    key = slices.made()
    assert slices.post(key, "deploy").status_code == 202
    cancel = deploying.cancel

    def late(operation: Any, *, actor: Any) -> Any:
        world.perform()
        return cancel(operation, actor=actor)

    monkeypatch.setattr(deploying, "cancel", late)
    answer = slices.post(key, "undo")
    assert answer.status_code == 202, answer.content


def test_a_deployment_is_undone_once(world, slices, monkeypatch):
    """Two who press at once."""
    key = slices.made()
    slices.deploy(key)
    calm = deploying._calm

    def slow(*_args: Any) -> None:
        monkeypatch.setattr(deploying, "_calm", calm)
        assert slices.post(key, "undo").status_code == 202
        world.perform()

    monkeypatch.setattr(deploying, "_calm", slow)
    assert slices.post(key, "undo").status_code == 409
    assert Deployment.objects.filter(folder=key, kind="undo").count() == 1


def test_failures_leave_the_rest_running_and_resume_goes_on(world, slices, tune):
    key = slices.made()
    tune(images="debian-12, other")
    nodes = slices.get(key)["document"]["nodes"]
    slices.draw(key, nodes=nodes)
    Descriptor.objects.filter(parent=key, name="r2").update(definition={"image": "debian-12", "nics": []})
    tune(failure_rate=0.5, failure_kind="fatal", seed=3)
    slices.post(key, "deploy")
    world.perform()
    status = slices.get(key, "/status")
    assert status["status"] == "degraded"
    assert {node["state"] for node in status["nodes"]} == {State.RUNNING, State.FAILED}
    assert all(node["error"] for node in status["nodes"] if node["state"] == State.FAILED)
    tune(failure_rate=0)
    assert slices.post(key, "resume", {"nodes": ["nobody"]}).status_code == 400
    assert slices.post(key, "resume").status_code == 202
    world.perform()
    assert slices.get(key, "/status")["status"] == "running"
    assert slices.post(key, "resume").status_code == 409


def test_undo_removes_what_was_made_and_restores_what_was(world, slices, effects):
    key = slices.made()
    before = slices.get(key)["document"]
    slices.deploy(key)
    told = slices.get(key)["document"]
    slices.draw(key, nodes=[*told["nodes"], {"name": "r9"}], links=[*told["links"], WIRE])
    slices.deploy(key)
    assert slices.post(key, "undo").status_code == 202
    world.perform()
    assert names(key) == ["r1", "r2", "r3", "r4"]
    assert slices.get(key)["document"] == told
    assert states(key) == [State.RUNNING]
    assert slices.post(key, "undo").status_code == 202
    world.perform()
    assert (states(key), slices.get(key)["document"]) == ([State.PROVISIONED], before)
    assert slices.post(key, "undo").status_code == 409
    assert (effects().count("create"), effects().count("destroy")) == (5, 5)


def test_the_second_who_draws_is_told_and_overwrites_nothing(world, slices):
    key = slices.made()
    other = Slices(world, world.mia)
    told = slices.get(key)
    assert slices.patch(key, document={**told["document"], "description": "a"}, version=0).status_code == 200
    answer = other.patch(key, document={**told["document"], "description": "b"}, version=0)
    assert answer.status_code == 409
    (fault,) = answer.json()["errors"]
    assert (fault["by"], fault["version"]) == (world.root.username, 1)
    assert fault["at"]
    assert slices.get(key)["draft"]["document"]["description"] == "a"
    assert slices.get(key)["version"] == 1


def test_half_of_a_drawing_is_kept_with_its_faults(slices):
    key = slices.made()
    answer = slices.draw(key, links=[["r1", "nobody"]])
    assert (answer.status_code, bool(answer.json()["faults"])) == (200, True)
    plan = slices.post(key, "plan")
    assert (plan.status_code, plan.json()["errors"][0]["where"]) == (400, "links[0]")


def test_copies_are_slices_with_networks_of_their_own(world, slices):
    key = slices.made()
    slices.deploy(key)
    copy = tree_actions.copy(Node.objects.get(pk=key), world.courses, actor=world.root, name="second")
    slices.deploy(copy.pk)
    assert slices.get(copy.pk, "/status")["status"] == "running"
    networks = [
        set(machine.applied["networks"][name]["aliases"].values())
        for machine in Descriptor.objects.filter(parent__in=[key, copy.pk], name="r1")
        for name in ["r1-r2"]
    ]
    assert not networks[0] & networks[1]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"topology": {"kind": "ring", "size": 2}}, "topology.size"),
        ({"topology": {"kind": "rong"}}, "topology.kind"),
        ({"topology": {"kind": "ring", "size": 4}, "nodes": [{"name": "a"}]}, "nodes"),
        ({"infrastructure": "mars"}, "infrastructure"),
        ({"hypervisor": "mars"}, "hypervisor"),
        ({"strange": 1}, "strange"),
        ({"topology": "ring", "nodes": [{"name": "a", "colour": 1}]}, "nodes[0].colour"),
        ({"topology": None, "nodes": [{"name": "a"}], "links": [["a", "a"]]}, "topology"),
    ],
)
def test_bad_bodies_name_the_field_and_make_nothing(slices, body, where):
    before = Node.objects.count()
    answer = slices.make(**body)
    assert answer.status_code == 400, answer.content
    told = answer.json()
    assert where in (told.get("where", ""), *(fault["where"] for fault in told.get("errors", []))), told
    assert Node.objects.count() == before


def test_what_all_machines_lack_is_told_once_with_the_folder_that_asks_for_it(world, slices):
    named = {"vm_name": "TEL141-${student}-${name}"}
    tree_actions.edit(world.courses, {**world.courses.definition, **named}, actor=world.root)
    answer = slices.make(topology={"kind": "ring", "size": 30})
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert (fault["where"], answer.json()["where"]) == ("/courses/ring", "/courses/ring")
    assert fault["message"] == (
        "30 machines: vm_name: unknown reference ${student}. Give the parameter “student”, or another “vm_name”. "
        "It comes from /courses; what is said nearer to the machine wins."
    )
    defaults = {"image": "debian-12"}
    assert slices.make(defaults=defaults | {"vm_name": "ring-${name}"}).status_code == 201
    assert slices.make(name="other", defaults=defaults | {"student": "20261234"}).status_code == 201


def test_another_hypervisor_is_refused_with_those_that_there_are(world, slices):
    told = slices.make(hypervisor="mars").json()
    assert told["hint"] == "Known: mock-1."


def test_rights_are_those_of_the_tree(world, slices):
    key = slices.made()
    stranger, sam = Slices(world, world.stranger), Slices(world, world.sam.user)
    for who in (stranger, sam):
        assert who.client.get(f"/api/slices/{key}").status_code == 404
        assert who.client.get("/api/slices").json()["results"] == []
        assert who.make().status_code == 404
    tree_actions.grant(Node.objects.get(pk=key), "user", user=world.sam.user, actor=world.root)
    assert sam.get(key)["can"] == ["plan", "deploy"]
    assert sam.draw(key, description="x").status_code == 403
    assert sam.delete(key).status_code == 403
    assert sam.deploy(key)["deployment"]
    mia = Slices(world, world.mia)
    assert mia.get(key)["can"] == ["edit", "plan", "deploy", "undo", "teardown"]


def test_lists_and_templates(world, slices):
    slices.made()
    folder = factories.folder("/courses/plain", world.root)
    key = slices.made(name="other", parameters={"size": {"type": "integer", "default": 4}})
    rows = slices.client.get("/api/slices").json()["results"]
    assert [row["path"] for row in rows] == ["/courses/other", "/courses/ring"]
    assert rows[0]["hypervisors"] == ["mock-1"]
    assert slices.client.get("/api/slices", {"templates": True}).json()["results"] == []
    assert slices.client.get(f"/api/slices/{folder.pk}").status_code == 404
    definition = Node.objects.get(pk=key).definition
    tree_actions.edit(
        Node.objects.get(pk=key), definition | {"slice": definition["slice"] | {"template": True}}, actor=world.root
    )
    (row,) = slices.client.get("/api/slices", {"templates": True}).json()["results"]
    assert row["parameters"] == {"size": {"type": "integer", "default": 4}}


def test_the_status_of_five_hundred_nodes_asks_as_often_as_that_of_one(world, slices):
    small = slices.made(name="small", topology={"kind": "ring", "size": 3})
    large = slices.made(name="large", topology={"kind": "linear", "size": 500})
    numbers = []
    for key in (small, large):
        slices.get(key, "/status")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            slices.get(key, "/status")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 12


def test_what_is_under_way_is_cancelled_before_it_is_torn_down(world, slices):
    key = slices.made(deploy=True)
    answer = slices.delete(key)
    assert answer.status_code in (200, 409), answer.content
    world.perform()
    assert slices.delete(key).status_code in (200, 202, 404)
    world.perform()
    assert not Node.objects.filter(pk=key).exists()


def test_names_and_descriptions(slices):
    key = slices.made()
    answer = slices.patch(key, name="round", description="A ring.")
    assert (answer.json()["path"], answer.json()["description"]) == ("/courses/round", "A ring.")


def test_the_palette_and_what_it_makes(slices):
    topologies = slices.client.get("/api/slices/topologies").json()
    assert {"ring", "star", "tree"} <= {row["name"] for row in topologies}
    document = slices.client.post("/api/slices/generate", {"kind": "ring", "size": 5}, format="json").json()
    assert len(document["nodes"]) == len(document["links"]) == 5
    assert slices.client.post("/api/slices/generate", {"kind": "x"}, format="json").status_code == 400
    assert slices.client.post("/api/slices/generate", [], format="json").status_code == 400
    assert slices.make(**document | {"name": "drawn", "topology": ""}).status_code == 201


def test_files_come_in_and_go_out(slices):
    known = {row["name"]: row for row in slices.client.get("/api/slices/formats").json()}
    assert known["graphml"]["reads"]
    key = slices.made()
    text = slices.client.get(f"/api/slices/{key}/export", {"format": "graphml"})
    assert text.status_code == 200
    assert 'filename="ring.graphml"' in text["Content-Disposition"]
    told = slices.client.post("/api/slices/import", {"text": text.content.decode()}, format="json")
    assert told.status_code == 200, told.content
    assert len(told.json()["document"]["nodes"]) == 4
    assert {"understood", "ignored", "unmapped", "unknown", "known"} == set(told.json()["report"])
    made = slices.make(name="again", topology={"format": "graphml", "text": text.content.decode()})
    assert (made.status_code, made.json()["slice"]["nodes"]) == (201, 4), made.content
    upload = SimpleUploadedFile("ring.graphml", text.content)
    told = slices.client.post("/api/slices/import", {"file": upload, "hypervisor": "mock-1"}, format="multipart")
    assert told.status_code == 200
    assert slices.client.get(f"/api/slices/{key}/export?format=doc").status_code == 400
    for body in (
        {},
        {"text": "x", "format": "graphml"},
        {"text": "", "strange": 1},
        {"text": "a: b", "hypervisor": "x"},
    ):
        assert slices.client.post("/api/slices/import", body, format="json").status_code in (400, 404)
    assert slices.client.get(f"/api/slices/{key}/export").json()["name"] == "ring"


def test_machines_of_a_routed_slice_are_told_the_ways(world, slices):
    key = slices.made(topology={"kind": "linear", "size": 3}, routed=True)
    slices.deploy(key)
    rows = dict(Descriptor.objects.filter(parent=key).values_list("name", "applied__user_data"))
    assert "ip_forward" in rows["r2"]
    assert "ip_forward" not in rows["r1"]
    assert "way " in rows["r1"]
    assert "user_data" not in str(slices.get(key)["document"])
    plan = slices.post(key, "plan").json()
    assert {(row["change"], row["note"]) for row in plan["rows"]} == {("keep", "")}
