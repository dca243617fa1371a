"""A slice on several hypervisors changes while it runs: gateways are made anew where their tunnels change, nobody else is."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from descriptors.actions import cancel, request
from descriptors.models import Operation
from descriptors.worker import engine
from descriptors.worker.claims import claim, prepare, release_lost
from hypervisors.drivers import mock
from olimpus.errors import CapacityExceeded, Unreachable
from tests.slices.conftest import names
from tests.slices.hybrids import GATEWAYS, Hybrid, Watched, refused
from tests.slices.hybrids import hybrid as hybrid
from tests.slices.hybrids import watched as watched
from tests.worker.conftest import make_due
from tests.worker.test_trouble import never

THREE = [*GATEWAYS, "gw-third"]


class Killed(BaseException):
    """The process is gone."""


def deployed(hybrid: Hybrid, watched: Watched, **changes: Any) -> int:
    """A slice that runs, of which nothing is remembered but who has which address."""
    key = hybrid.made(**changes)
    hybrid.deploy(key)
    watched.done.clear()
    return key


def grow(hybrid: Hybrid, key: int, **more: Any) -> Any:
    """Draw one more node, on a third hypervisor, in the network of all, and what `more` there is; the plan of it."""
    hybrid.hypervisor("third")
    document = hybrid.get(key)["document"]
    nodes = [*document["nodes"], {"name": "c1", "hypervisor": "third"}]
    lan, *others = document["networks"]
    networks = [{**lan, "ends": [*lan["ends"], "c1"]}, *others]
    assert hybrid.draw(key, nodes=nodes, networks=networks, **more).status_code == 200
    return hybrid.plan(key)


def changes(plan: Any) -> dict[str, list[str]]:
    """Change → the nodes."""
    return {
        row["change"]: [one["node"] for one in plan["rows"] if one["change"] == row["change"]] for row in plan["rows"]
    }


def all_know_each_other(hybrid: Hybrid, watched: Watched, key: int, gateways: list[str]) -> bool:
    """Each was told the addresses that the others have, and nobody else has one."""
    machines = [hybrid.machine(key, name) for name in gateways]
    kept = {machine.name: watched.kept[str(machine.uid)] for machine in machines}
    assert set(kept.values()) == set(watched.kept.values())
    return all(watched.peers(m) == {kept[n] for n in gateways if n != m.name} for m in machines)


def test_a_third_hypervisor_joins(hybrid, watched):
    key = deployed(hybrid, watched)
    before = dict(watched.kept)
    plan = grow(hybrid, key)
    assert plan["fits"], plan["refusals"]
    assert changes(plan) == {"keep": ["a1", "a2", "b1", "b2"], "anew": GATEWAYS, "add": ["c1", "gw-third"]}
    told = {row["node"]: (row["note"], row["restart"]) for row in plan["rows"] if row["change"] == "anew"}
    note = "Its tunnels change: it is made anew. Meanwhile nothing passes from one hypervisor to another in a2-b1, lan."
    assert told == dict.fromkeys(GATEWAYS, (note, False))
    hybrid.deploy(key)
    assert hybrid.running(key) == 8
    made = {("create", f"hybrid-{name}") for name in (*THREE, "c1")}
    assert Counter(watched.done) == Counter([*made, *(("destroy", f"hybrid-{name}") for name in GATEWAYS)])
    assert before.items() <= watched.kept.items()
    assert all_know_each_other(hybrid, watched, key, THREE)
    assert changes(hybrid.plan(key)).keys() == {"keep"}


def test_a_third_hypervisor_leaves(hybrid, watched):
    key = deployed(hybrid, watched)
    document = hybrid.get(key)["document"]
    grow(hybrid, key)
    hybrid.deploy(key)
    watched.done.clear()
    hybrid.draw(key, nodes=document["nodes"], links=document["links"], networks=document["networks"])
    assert changes(hybrid.plan(key)) == {
        "keep": ["a1", "a2", "b1", "b2"],
        "anew": GATEWAYS,
        "remove": ["c1", "gw-third"],
    }
    hybrid.deploy(key)
    assert (hybrid.running(key), len(watched.kept)) == (6, 2)
    assert Counter(what for what, _name in watched.done) == {"destroy": 4, "create": 2}
    assert all_know_each_other(hybrid, watched, key, GATEWAYS)
    assert changes(hybrid.plan(key)).keys() == {"keep"}


def test_a_slice_on_one_hypervisor_becomes_one_on_two_and_back(hybrid, watched):
    key = deployed(hybrid, watched, nodes=[{"name": "a1"}, {"name": "a2"}], links=[], networks=[{"name": "lan"}])
    document = hybrid.get(key)["document"]
    (lan,) = document["networks"]
    nodes = [*document["nodes"], {"name": "b1", "hypervisor": "far"}]
    hybrid.draw(key, nodes=nodes, networks=[{**lan, "ends": [*lan["ends"], "b1"]}])
    assert changes(hybrid.plan(key)) == {"keep": ["a1", "a2"], "add": ["b1", *GATEWAYS]}
    hybrid.deploy(key)
    assert all_know_each_other(hybrid, watched, key, GATEWAYS)
    hybrid.draw(key, nodes=document["nodes"], networks=document["networks"])
    assert changes(hybrid.plan(key)) == {"keep": ["a1", "a2"], "remove": ["b1", *GATEWAYS]}
    hybrid.deploy(key)
    assert (names(key), watched.kept) == (["a1", "a2"], {})
    assert not {name for _what, name in watched.done} & {"hybrid-a1", "hybrid-a2"}


def test_only_gateways_whose_peers_change_are_made_anew(hybrid, watched):
    """A chain of three hypervisors becomes a ring: the one in the middle knows both already."""
    hybrid.hypervisor("third")
    nodes = [{"name": "a"}, {"name": "b", "hypervisor": "far"}, {"name": "c", "hypervisor": "third"}]
    key = deployed(hybrid, watched, nodes=nodes, links=[["a", "b"], ["b", "c"]], networks=[])
    document = hybrid.get(key)["document"]
    hybrid.draw(key, links=[*document["links"], ["a", "c"]])
    plan = hybrid.plan(key)
    assert changes(plan) == {"change": ["a", "c"], "keep": ["b", "gw-far"], "anew": ["gw-mock-1", "gw-third"]}
    hybrid.deploy(key)
    assert all_know_each_other(hybrid, watched, key, THREE)
    assert {name for _what, name in watched.done} == {"hybrid-gw-mock-1", "hybrid-gw-third"}


def test_undone(hybrid, watched):
    key = deployed(hybrid, watched)
    before = hybrid.get(key)["document"], dict(watched.kept)
    grow(hybrid, key)
    hybrid.deploy(key)
    assert hybrid.post(key, "undo").status_code == 202
    hybrid.work()
    assert (hybrid.get(key)["document"], watched.kept) == before
    assert hybrid.running(key) == 6
    assert all_know_each_other(hybrid, watched, key, GATEWAYS)
    assert changes(hybrid.plan(key)).keys() == {"keep"}


def test_undone_where_a_hypervisor_has_left(hybrid, watched):
    """What went comes back as definitions; once it is there again, all know each other."""
    key = deployed(hybrid, watched)
    document = hybrid.get(key)["document"]
    grow(hybrid, key)
    hybrid.deploy(key)
    hybrid.draw(key, nodes=document["nodes"], links=document["links"], networks=document["networks"])
    hybrid.deploy(key)
    assert hybrid.post(key, "undo").status_code == 202
    hybrid.work()
    assert hybrid.running(key) == 6
    hybrid.deploy(key)
    assert hybrid.running(key) == 8
    assert all_know_each_other(hybrid, watched, key, THREE)
    assert hybrid.delete(key).status_code == 202
    hybrid.work()
    assert watched.kept == {}


def test_a_gateway_that_was_destroyed_alone_gets_another_address(hybrid, watched):
    """Whoever knew the old one is made anew."""
    key = deployed(hybrid, watched)
    request("destroy", hybrid.machine(key, "gw-far"), actor=hybrid.world.root, arguments={"force": True})
    hybrid.work()
    assert changes(hybrid.plan(key)) == {
        "keep": ["a1", "a2", "b1", "b2"],
        "add": ["gw-far"],
        "anew": ["gw-mock-1"],
    }
    hybrid.deploy(key)
    assert all_know_each_other(hybrid, watched, key, GATEWAYS)


def test_another_image_of_a_gateway(hybrid, watched):
    key = deployed(hybrid, watched)
    nodes = hybrid.get(key)["document"]["nodes"]
    hybrid.draw(key, nodes=[{**node, "image": "debian-13"} if node["name"] == "gw-far" else node for node in nodes])
    plan = hybrid.plan(key)
    assert changes(plan)["anew"] == ["gw-far"]
    assert "as this changes: image." in next(row["note"] for row in plan["rows"] if row["change"] == "anew")
    hybrid.deploy(key)
    assert hybrid.machine(key, "gw-far").applied["image"] == "debian-13"
    assert all_know_each_other(hybrid, watched, key, GATEWAYS)
    hybrid.post(key, "undo")
    hybrid.work()
    assert hybrid.machine(key, "gw-far").applied["image"] == hybrid.machine(key, "gw-mock-1").applied["image"]
    assert changes(hybrid.plan(key)).keys() == {"keep"}


@pytest.mark.parametrize("stage", ["outside", "destroy", "tidy", "create"])
def test_killed(hybrid, watched, monkeypatch, stage):
    """The worker dies right after what it has done with the gateway in “far”, and another one takes its work over."""
    key = deployed(hybrid, watched)
    plan = grow(hybrid, key, links=[])
    hybrid.post(key, "deploy", {"digest": plan["digest"]})
    killed, real = [], getattr(mock.MockDriver, stage)

    def dying(driver: Any, *asked: Any, **options: Any) -> Any:
        answer = real(driver, *asked, **options)
        if driver.hypervisor == "far" and not killed:
            killed.append(stage)
            raise Killed
        return answer

    monkeypatch.setattr(mock.MockDriver, stage, dying)
    gateway = hybrid.machine(key, "gw-far")
    begun = [one for one in claim(gateway.hypervisor_id, 9, "dead") if one.node_id == gateway.pk]
    (task,) = prepare(begun, never)
    with pytest.raises(Killed):
        engine.driven(task)
    Operation.objects.filter(worker="dead").update(lease_until=timezone.now() - timedelta(seconds=1))
    assert release_lost()
    hybrid.work()
    assert hybrid.running(key) == 8
    assert ("hybrid-gw-far", ["a2-b1"]) in watched.tidied
    assert all_know_each_other(hybrid, watched, key, THREE)
    assert changes(hybrid.plan(key)).keys() == {"keep"}


def test_one_that_cannot_be_made_again_is_resumed(hybrid, watched, monkeypatch):
    key = deployed(hybrid, watched)
    grow(hybrid, key)
    with refused(monkeypatch, "create", "far", CapacityExceeded, "It is full."):
        hybrid.deploy(key)
    assert hybrid.machine(key, "gw-far").state == "failed"
    assert hybrid.running(key) == 7
    assert hybrid.post(key, "resume").status_code == 202
    hybrid.work()
    assert hybrid.running(key) == 8
    assert all_know_each_other(hybrid, watched, key, THREE)
    assert changes(hybrid.plan(key)).keys() == {"keep"}


def test_it_stays_while_a_hypervisor_of_others_is_silent(hybrid, watched, monkeypatch):
    """Nothing is destroyed before it is known what the new one must be told."""
    key = deployed(hybrid, watched)
    grow(hybrid, key)
    with refused(monkeypatch, "outside", "third", Unreachable, "Nobody answers."):
        hybrid.deploy(key)
    assert not [name for what, name in watched.done if what == "destroy"]
    make_due()
    hybrid.work()
    assert all_know_each_other(hybrid, watched, key, THREE)


def test_what_was_cancelled_is_planned_again(hybrid, watched):
    key = deployed(hybrid, watched)
    plan = grow(hybrid, key)
    hybrid.post(key, "deploy", {"digest": plan["digest"]})
    operation = Operation.objects.get(open_for=hybrid.machine(key, "gw-far"))
    cancel(operation, actor=hybrid.world.root)
    hybrid.work()
    assert changes(hybrid.plan(key))["anew"] == ["gw-far"]
    hybrid.deploy(key)
    assert all_know_each_other(hybrid, watched, key, THREE)


def test_torn_down_in_the_middle(hybrid, watched):
    key = deployed(hybrid, watched)
    plan = grow(hybrid, key)
    hybrid.post(key, "deploy", {"digest": plan["digest"]})
    assert hybrid.delete(key).status_code == 202
    hybrid.work()
    assert hybrid.client.get(f"/api/slices/{key}").status_code == 404
    assert watched.kept == {}
