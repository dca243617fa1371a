"""Plans of slices over HTTP on the mock: what they choose, what they say, what does not fit, and who may read them."""

from __future__ import annotations

import json
from typing import Any

from descriptors import actions as tree_actions
from descriptors.models import Descriptor, Node
from hypervisors.drivers.linux.gateway import served as linux_gateway
from hypervisors.drivers.mock import MockDriver
from tests import factories


def test_who_may_create_nothing_reads_no_plan(world, slices):
    """What is free on hypervisors is not his business, whoever planned."""
    key = slices.made()
    folder = Node.objects.get(pk=key)
    rights = {"user": {"create": False}}
    tree_actions.edit(folder, {**folder.definition, "rights": rights}, actor=world.root)
    tree_actions.grant(folder, "user", user=world.sam.user, actor=world.root)
    client = world.api(world.sam.user)
    answers = [client.get(f"/api/slices/{key}{what}").status_code for what in ("", "/status", "/plan")]
    assert answers == [200, 200, 403]


def test_workers_are_chosen_in_the_plan_and_written(world, slices, tune):
    tune(workers="w1 4 8192 100\nw2 4 8192 100")
    key = slices.made()
    plan = slices.post(key, "plan", {"pins": {"r1": "w2"}}).json()
    places = {row["node"]: row["place"] for row in plan["rows"]}
    assert places["r1"] == "w2"
    assert sorted(places.values()) == ["w1", "w1", "w2", "w2"]
    slices.post(key, "deploy", {"digest": plan["digest"]})
    world.perform()
    status = slices.get(key, "/status")
    assert {node["name"]: node["host"] or places[node["name"]] for node in status["nodes"]} == places
    hosts = dict(Descriptor.objects.filter(parent=key).values_list("name", "definition__host"))
    assert hosts == places
    document = slices.get(key)["document"]
    assert [node.get("host") for node in document["nodes"]] == ["w2", None, None, None]
    copy = tree_actions.copy(Node.objects.get(pk=key), world.courses, actor=world.root, name="copy")
    assert [node.get("host") for node in slices.get(copy.pk)["document"]["nodes"]] == ["w2", None, None, None]
    assert "host" not in Descriptor.objects.get(parent=copy, name="r2").definition


def test_what_is_being_made_is_planned_where_it_was_sent(world, slices, tune):
    tune(workers="w1 16 16384 200\nw2 16 16384 200", latency=0)
    key = slices.made()
    first = slices.post(key, "plan", {"strategy": "spread"}).json()
    assert slices.post(key, "deploy", {"digest": first["digest"]}).status_code == 202
    second = slices.post(key, "plan", {"strategy": "pack"}).json()
    places = [{row["node"]: (row["place"], row["flavor"]) for row in plan["rows"]} for plan in (first, second)]
    assert places[0] == places[1]
    assert slices.post(key, "deploy", {"digest": second["digest"]}).status_code == 200
    world.perform()
    kept = slices.post(key, "plan").json()["rows"]
    assert {row["node"]: (row["place"], row["flavor"]) for row in kept} == places[0]


def test_all_that_does_not_fit_is_told_at_once(world, slices, tune):
    tune(workers="w1 2 4096 40", images="debian-12")
    key = slices.made(defaults={"image": "nowhere", "flavor": "large"})
    plan = slices.post(key, "plan").json()
    assert not plan["fits"]
    assert {refusal["code"] for refusal in plan["refusals"]} >= {"image_missing", "no_room"}
    assert all(refusal["message"] for refusal in plan["refusals"])
    answer = slices.post(key, "deploy", {"digest": plan["digest"]})
    assert (answer.status_code, bool(answer.json()["errors"])) == (409, True)


def test_networks_that_a_gateway_cannot_serve_are_refused_by_the_plan(world, slices, monkeypatch):
    """By what the Linux gateway would say; the other networks, and the cards without ways in, are no matter."""
    judge = classmethod(lambda _cls, _values, *network: linux_gateway.serves({"headnode_host": "gw"}, *network))
    monkeypatch.setattr(MockDriver, "serves", judge)
    nodes = [{"name": name} for name in "abc"]
    full = {"name": "full", "cidr": "10.1.0.0/30", "ends": [{"node": "a", "forwards": [{"port": 22}]}, "b"]}
    roomy = {"name": "roomy", "cidr": "10.2.0.0/29", "ends": [{"node": "b", "floating": True}, "c"]}
    six = {"name": "six", "cidr": "fd00:1::/64", "ends": ["a", "c"]}
    key = slices.made(topology={"format": "own", "text": json.dumps({"nodes": nodes, "links": [full, roomy, six]})})
    plan = slices.post(key, "plan").json()
    found = {refusal["code"]: refusal for refusal in plan["refusals"]}
    assert {code: refusal["node"] for code, refusal in found.items()} == {"way_without_room": "a", "range_unserved": ""}
    assert "10.1.0.0/30" in found["way_without_room"]["message"]
    assert "OpenStack" in found["range_unserved"]["message"]


def test_a_plan_looks_at_no_hypervisor_that_is_not_offered_there(world, slices):
    factories.hypervisor(world.root, "mock-2")
    courses = Node.objects.get(pk=world.courses.pk)
    tree_actions.edit(courses, {**courses.definition, "hypervisors": ["mock-1"]}, actor=world.root)
    key = slices.made()
    document = slices.get(key)["document"]
    document["nodes"][0]["hypervisor"] = "mock-2"
    plan = slices.post(key, "plan", {"document": document}).json()
    assert [(refusal["node"], refusal["code"]) for refusal in plan["refusals"]] == [("r1", "no_site")]


def test_what_exists_is_neither_moved_nor_made_anew(world, slices):
    key = slices.made()
    slices.deploy(key)
    nodes = slices.get(key)["document"]["nodes"]
    nodes[0] |= {"image": "ubuntu-24.04"}
    slices.draw(key, nodes=nodes)
    plan = slices.post(key, "plan").json()
    assert [(refusal["node"], refusal["code"]) for refusal in plan["refusals"]] == [("r1", "recreate")]
    assert "image" in plan["refusals"][0]["message"]


def test_a_running_machine_changes_its_size_by_hand_only(world, slices):
    def drawn(leaves: int, **hub: Any) -> dict[str, Any]:
        names = [f"h{number}" for number in range(leaves)]
        return {"nodes": [{"name": "hub", **hub}, *({"name": name} for name in names)],
                "links": [["hub", name] for name in names]}  # fmt: skip

    def deployed() -> tuple[str, str, str]:
        plan = slices.post(key, "plan").json()
        assert slices.post(key, "deploy", {"digest": plan["digest"]}).status_code in (200, 202)
        world.perform()
        applied = Descriptor.objects.get(parent=key, name="hub").applied["flavor"]
        row = next(row for row in plan["rows"] if row["node"] == "hub")
        assert row["flavor"] == applied
        return row["change"], applied, row["flavor_code"]

    key = slices.made(defaults={"image": "debian-12", "flavor": "nano"})
    slices.draw(key, **drawn(6))
    assert deployed() == ("add", "medium", "critical_degree")
    slices.draw(key, **drawn(1))
    assert deployed() == ("change", "medium", "flavor_larger")  # for its cards
    assert deployed() == ("keep", "medium", "flavor_larger")
    for mark, size in ((True, "medium"), (False, "nano"), (True, "medium")):
        slices.draw(key, **drawn(1, critical=mark))
        assert deployed()[1] == size
        assert deployed()[:2] == ("keep", size)


def test_the_plan_says_which_routes_a_machine_that_exists_will_lack(world, slices):
    key = slices.made(topology={"kind": "linear", "size": 3}, routed=True)
    slices.deploy(key)
    told = slices.get(key)["document"]
    new = {"ends": ["r3", "r4"], "cidr": "10.9.0.0/29"}
    slices.draw(key, nodes=[*told["nodes"], {"name": "r4", "role": "router"}], links=[*told["links"], new])
    plan = slices.post(key, "plan").json()
    assert plan["fits"]
    notes = {row["node"]: row["note"] for row in plan["rows"]}
    assert (notes["r1"], notes["r4"]) == ("", "")  # the one goes the way it always went, the other one is told all
    assert "10.9.0.0/29 via " in notes["r2"]
    assert "lead on" in notes["r3"]
    slices.deploy(key)
    assert "10.9.0.0/29" in {row["node"]: row["note"] for row in slices.post(key, "plan").json()["rows"]}["r2"]
