"""A slice on two mock hypervisors: gateways are planned, made with each other's addresses, and leave nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from descriptors import actions as tree_actions
from descriptors.actions import request
from descriptors.models import Node, Operation
from hypervisors.drivers import mock
from hypervisors.models import Hypervisor
from olimpus.errors import Unreachable
from slices import formats, selectors
from tests.slices.conftest import names
from tests.slices.hybrids import GATEWAYS, HYBRID, Hybrid, refused
from tests.slices.hybrids import hybrid as hybrid
from tests.slices.hybrids import watched as watched
from tests.worker.conftest import make_due


def addresses(slice_: Any) -> dict[tuple[str, str], str]:
    """(link, node) → the address there."""
    document = slice_["document"]
    links = [link["ends"] for link in [*document.get("links", []), *document.get("networks", [])]]
    return {(str(at), end["node"]): end.get("ip", "") for at, ends in enumerate(links) for end in ends}


def test_the_plan_shows_gateways(hybrid):
    key = hybrid.made()
    plan = hybrid.plan(key)
    assert plan["fits"], plan["refusals"]
    assert {row["node"]: (row["change"], row["hypervisor"], row["reason"]) for row in plan["rows"][4:]} == {
        "gw-far": ("add", "far", "It joins a2-b1, lan with mock-1."),
        "gw-mock-1": ("add", "mock-1", "It joins a2-b1, lan with far."),
    }
    both = {"hypervisors": ["far", "mock-1"], "gateways": GATEWAYS}
    assert plan["tunnels"] == [{"link": "a2-b1", **both}, {"link": "lan", **both}]
    assert {row["name"] for row in plan["networks"]} == {"a1-a2", "a2-b1", "lan", "out-far", "out-mock-1"}
    before = addresses(hybrid.get(key))
    assert before.items() <= addresses(plan).items()
    assert names(key) == ["a1", "a2", "b1", "b2"]


def test_deployed_told_and_torn_down(hybrid, watched):
    key = hybrid.made()
    hybrid.deploy(key)
    assert hybrid.running(key) == 6
    near, far = (hybrid.machine(key, name) for name in reversed(GATEWAYS))
    assert watched.kept.keys() == {str(near.uid), str(far.uid)}
    assert f'PEERS=\\"{watched.kept[str(far.uid)]}\\"' in watched.made["hybrid-gw-mock-1"]
    assert f'PEERS=\\"{watched.kept[str(near.uid)]}\\"' in watched.made["hybrid-gw-far"]
    assert "OUTSIDE=10." in watched.made["hybrid-gw-far"]
    assert "@outside" not in "".join(watched.made.values())
    assert "$${" not in watched.made["hybrid-gw-far"]
    assert [nic.get("floating") for nic in far.definition["nics"]] == [True, None, None]
    assert far.definition["node"]["peers"] == ["gw-mock-1"]
    again = hybrid.plan(key)
    assert {row["change"] for row in again["rows"]} == {"keep"}
    assert hybrid.delete(key).status_code == 202
    hybrid.work()
    assert not Node.objects.filter(pk=key).exists()
    assert watched.kept == {}


def test_what_is_drawn_comes_back(hybrid):
    """Own files and the drawing have gateways as ordinary nodes; others' formats what was drawn."""
    key = hybrid.made()
    hybrid.deploy(key)
    document = hybrid.get(key)["document"]
    assert [node["name"] for node in document["nodes"]] == ["a1", "a2", "b1", "b2", *GATEWAYS]
    copy = hybrid.made(**{**document, "name": "copy"})
    assert hybrid.get(copy)["document"] == {**document, "name": "copy"}
    assert [row["change"] for row in hybrid.plan(copy)["rows"]] == ["add"] * 6
    graph = selectors.graph(Node.objects.get(pk=key))
    for name, known in formats.FORMATS.items():
        if known.write and name not in ("own", "yaml"):
            assert "gw-far" not in formats.write(graph, name), name


def test_gateways_go_when_nobody_needs_them(hybrid, watched):
    key = hybrid.made()
    hybrid.deploy(key)
    document = hybrid.get(key)["document"]
    nodes = [node for node in document["nodes"] if node["name"] not in ("b1", "b2")]
    links = [document["links"][0]]
    assert hybrid.draw(key, nodes=nodes, links=links, networks=[]).status_code == 200
    plan = hybrid.plan(key)
    assert {row["node"] for row in plan["rows"] if row["change"] == "remove"} == {"b1", "b2", *GATEWAYS}
    hybrid.deploy(key)
    assert (names(key), watched.kept) == (["a1", "a2"], {})


def test_one_more_link_is_one_more_card(hybrid, watched):
    key = hybrid.made()
    hybrid.deploy(key)
    document = hybrid.get(key)["document"]
    hybrid.draw(key, links=[*document["links"], ["a1", "b1"]])
    plan = hybrid.plan(key)
    changes = {row["node"]: row["change"] for row in plan["rows"]}
    assert changes == {"a1": "change", "a2": "keep", "b1": "change", "b2": "keep"} | dict.fromkeys(GATEWAYS, "change")
    before = hybrid.machine(key, "gw-far").definition
    hybrid.deploy(key)
    after = hybrid.machine(key, "gw-far").definition
    assert (len(after["nics"]), after["nics"][:3], after["user_data"]) == (4, before["nics"], before["user_data"])


def test_a_copy_has_gateways_of_its_own(hybrid, watched):
    """They are peers by their names in the folder, wherever it is."""
    key = hybrid.made()
    hybrid.deploy(key)
    root, first = hybrid.world.root, dict(watched.kept)
    folder = Node.objects.get(pk=key)
    copy = tree_actions.copy(folder, hybrid.world.courses, actor=root, name="copy")
    tree_actions.move(folder, tree_actions.create_folder(hybrid.world.courses, "other", actor=root), actor=root)
    assert {row["change"] for row in hybrid.plan(key)["rows"]} == {"keep"}
    hybrid.deploy(copy.pk)
    assert len(watched.kept) == 4
    second = {uid: ip for uid, ip in watched.kept.items() if uid not in first}
    assert second[str(hybrid.machine(copy.pk, "gw-far").uid)] in watched.made["copy-gw-mock-1"]
    hybrid.delete(key)
    hybrid.work()
    assert watched.kept == second


def test_undone(hybrid, watched):
    key = hybrid.made()
    hybrid.deploy(key)
    assert hybrid.post(key, "undo").status_code == 202
    hybrid.work()
    assert (names(key), watched.kept) == (["a1", "a2", "b1", "b2"], {})


def test_a_peers_hypervisor_that_is_silent_is_asked_again(hybrid, watched, monkeypatch):
    key = hybrid.made()
    with refused(monkeypatch, "outside", "far", Unreachable, "Nobody answers."):
        hybrid.deploy(key)
    waiting = Operation.objects.get(open_for=hybrid.machine(key, "gw-mock-1"))
    assert waiting.status == "queued"
    assert waiting.error["message"] == "The address outside of “gw-far” in far cannot be had: Nobody answers."
    assert hybrid.running(key) == 5
    make_due()
    hybrid.work()
    assert hybrid.running(key) == 6


def test_addresses_of_peers_that_were_never_made_are_given_back(hybrid, watched):
    """One is made while the other's hypervisor takes no work: its address is reserved, and let go with the first."""
    key = hybrid.made()
    plan = hybrid.plan(key)
    hybrid.post(key, "deploy", {"digest": plan["digest"]})
    near, far = (hybrid.machine(key, name) for name in reversed(GATEWAYS))
    Operation.objects.filter(open_for=far).update(status="cancelled", open_for=None)
    hybrid.work()
    assert str(far.uid) in watched.kept
    request("destroy", near, actor=hybrid.world.root, arguments={"force": True})
    hybrid.work()
    assert watched.kept == {}


def test_a_silent_hypervisor_keeps_no_gateway_of_others(hybrid, monkeypatch):
    """What may still be reserved there is told."""
    key = hybrid.made()
    hybrid.deploy(key)
    near, far = (hybrid.machine(key, name) for name in reversed(GATEWAYS))
    request("destroy", far, actor=hybrid.world.root, arguments={"force": True})
    hybrid.work()
    with refused(monkeypatch, "tidy", "far", Unreachable, "Nobody answers."):
        operation = request("destroy", near, actor=hybrid.world.root, arguments={"force": True})
        hybrid.work()
    operation.refresh_from_db()
    assert (operation.status, operation.result) == ("succeeded", {"left": "far: Nobody answers."})


def reserving(hybrid: Hybrid, actor: Any, key: int) -> Operation:
    """Make a1 of the slice, whose user data asks for the address outside of b1 in “far”."""
    told = {"node": {"peers": ["b1"]}, "user_data": "#cloud-config\n# @outside(b1)@\n"}
    machine = hybrid.machine(key, "a1")
    tree_actions.edit(machine, {**machine.definition, **told}, actor=actor)
    operation = request("create", hybrid.machine(key, "a1"), actor=actor)
    hybrid.work()
    operation.refresh_from_db()
    return operation


def test_nobody_reserves_addresses_where_nothing_is_offered(hybrid, watched):
    """The peer is only a definition: it could not be made there either."""
    sam = hybrid.world.sam.user
    key = hybrid.made(links=[], networks=[{"name": "lan", "ends": [{"node": "b1", "floating": True}]}])
    folder = Node.objects.get(pk=key)
    tree_actions.edit(folder, {**folder.definition, "hypervisors": ["mock-1"]}, actor=hybrid.world.root)
    tree_actions.grant(folder, "manager", user=sam, actor=hybrid.world.root)
    operation = reserving(hybrid, sam, key)
    assert (operation.status, watched.kept) == ("failed", {})
    assert "not offered" in operation.error["message"]


@pytest.mark.parametrize("sees", [False, True])
def test_nobody_reserves_addresses_for_machines_of_others(hybrid, watched, sees):
    sam = hybrid.world.sam.user
    key = hybrid.made(links=[], networks=[{"name": "lan", "ends": [{"node": "b1", "floating": True}]}])
    tree_actions.grant(hybrid.machine(key, "a1"), "manager", user=sam, actor=hybrid.world.root)
    other = hybrid.machine(key, "b1")
    if sees:
        rights = {"user": {"create": False}}
        tree_actions.edit(other, {**other.definition, "rights": rights}, actor=hybrid.world.root)
        tree_actions.grant(other, "user", user=sam, actor=hybrid.world.root)
    operation = reserving(hybrid, sam, key)
    assert (operation.status, watched.kept) == ("failed", {})
    assert hybrid.machine(key, "a1").vm_ref == ""


def test_too_many_links_for_a_gateway_are_a_refusal(hybrid):
    """The slice is there by then: nothing is half said."""
    near, far = ([f"{site}{number}" for number in range(33)] for site in "ab")
    nodes = [{"name": name} for name in near] + [{"name": name, "hypervisor": "far"} for name in far]
    answer = hybrid.make(nodes=nodes, links=[list(pair) for pair in zip(near, far, strict=True)], networks=[])
    assert answer.status_code == 201
    told = answer.json()["plan"]["refusals"]
    assert [(refusal["node"], refusal["code"]) for refusal in told] == [(name, "join_cards") for name in GATEWAYS]
    assert "34" in told[0]["message"]


def test_refused(hybrid, monkeypatch):
    monkeypatch.setattr(mock.MockDriver, "floats", False)
    key = hybrid.made(
        networks=[
            {"name": "six", "cidr": "fd00::/64", "ends": ["a1", "b1"]},
            {"name": "tight", "cidr": "10.0.0.0/30", "ends": ["a1", "b1"]},
            {"name": "like", "cidr": "10.9.9.0/24", "ends": ["a1", "b1"]},
            {"name": "other", "cidr": "11.9.9.0/24", "ends": ["a2", "b2"]},
        ]
    )
    plan = hybrid.plan(key)
    assert not plan["fits"]
    assert {(refusal["node"], refusal["code"]) for refusal in plan["refusals"]} == {
        ("gw-far", "gateway_floats"),
        ("gw-mock-1", "gateway_floats"),
        ("gw-far", "join_range"),
        ("gw-far", "join_room"),
        ("gw-far", "join_number"),
    }


def test_called_like_a_gateway(hybrid):
    key = hybrid.made(nodes=[*HYBRID["nodes"], {"name": "gw-far", "role": "host", "hypervisor": "far"}])
    told = hybrid.plan(key)["refusals"]
    assert [(refusal["node"], refusal["code"]) for refusal in told] == [("gw-far", "gateway_taken")]
    assert "Rename it" in told[0]["message"]


def test_a_gateway_is_as_somebody_says(hybrid):
    own = {
        "name": "gw-far",
        "role": "gateway",
        "hypervisor": "far",
        "image": "router-os",
        "flavor": "nano",
        "x": 3,
        "y": 4,
    }
    key = hybrid.made(nodes=[*HYBRID["nodes"], own], defaults={"user_data": "#cloud-config\n"})
    hybrid.deploy(key)
    document = hybrid.get(key)["document"]
    assert next(node for node in document["nodes"] if node["name"] == "gw-far") == own
    assert "PEERS" in hybrid.machine(key, "gw-far").definition["user_data"]


def test_a_hypervisor_of_the_folder_counts(hybrid):
    """One end inherits its hypervisor, the other names the same one: nothing is to be joined."""
    key = hybrid.made(nodes=[{"name": "a1"}, {"name": "a2"}, {"name": "b1", "hypervisor": "mock-1"}, {"name": "b2"}])
    plan = hybrid.plan(key)
    assert (plan["tunnels"], len(plan["rows"])) == ([], 4)


def test_in_maintenance_nothing_is_half_made(hybrid):
    """The other hypervisor takes no work: the deployment is refused as a whole."""
    Hypervisor.objects.filter(name="far").update(maintenance=True)
    key = hybrid.made()
    plan = hybrid.plan(key)
    assert hybrid.post(key, "deploy", {"digest": plan["digest"]}).status_code == 409
    assert names(key) == ["a1", "a2", "b1", "b2"]
