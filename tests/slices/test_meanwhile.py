"""What others do to a slice between a look at it and what follows: told as it is, nothing half done."""

from __future__ import annotations

from typing import Any

import pytest

from descriptors import actions as tree_actions
from descriptors.models import Descriptor, Node
from olimpus.errors import NotFound
from slices import actions, selectors
from slices.actions import planning
from tests.slices.conftest import Slices, names


@pytest.mark.parametrize("what", ["plan", "deploy"])
def test_a_slice_that_is_removed_while_it_is_planned_is_not_found(world, slices, monkeypatch, what):
    key = slices.made()
    gather = planning.sites.gather

    def slow(*args: Any) -> Any:
        monkeypatch.setattr(planning.sites, "gather", gather)
        assert slices.delete(key).status_code == 200
        return gather(*args)

    monkeypatch.setattr(planning.sites, "gather", slow)
    answer = slices.post(key, what)
    assert (answer.status_code, answer.json()["title"]) == (404, "It was removed meanwhile.")


def test_a_slice_that_was_removed_is_drawn_and_visited_by_nobody(world, slices):
    folder = selectors.get(world.root, slices.made())
    tree_actions.remove(Node.objects.get(pk=folder.pk), actor=world.root)
    with pytest.raises(NotFound, match="removed meanwhile"):
        actions.save_draft(folder, {"nodes": []}, version=0, actor=world.root)
    with pytest.raises(NotFound, match="removed meanwhile"):
        actions.enter(folder, actor=world.root)


def test_deploying_what_is_being_torn_down_is_no_success(world, slices):
    key = slices.made()
    slices.deploy(key)
    assert slices.delete(key).status_code == 202
    answer = slices.post(key, "deploy")
    assert (answer.status_code, answer.json()["title"]) == (409, "4 of its machines are being destroyed.")
    world.perform()
    assert not Node.objects.filter(pk=key).exists()


def test_a_node_that_comes_back_while_its_machine_goes_waits(world, slices):
    """Its definition goes with the machine: deployed now, it would be lost."""
    key = slices.made(topology={"text": "nodes: [{name: a}, {name: b}]"})
    slices.deploy(key)
    document = slices.get(key)["document"]
    both = document["nodes"]
    assert slices.draw(key, nodes=both[:1]).status_code == 200
    assert slices.post(key, "deploy").status_code == 202
    assert slices.draw(key, nodes=both).status_code == 200
    assert slices.post(key, "deploy").status_code == 409
    world.perform()
    slices.deploy(key)
    assert [row["state"] for row in slices.get(key, "/status")["nodes"]] == ["running", "running"]


def test_who_was_renamed_since_comes_back_by_no_undo(world, slices):
    key = slices.made(topology={"text": "nodes: [{name: a}, {name: b}]"})
    slices.deploy(key)
    nodes = slices.get(key)["document"]["nodes"]
    slices.draw(key, nodes=[*nodes, {"name": "c"}])
    slices.deploy(key)
    tree_actions.rename(Node.objects.get(parent=key, name="b"), "d", actor=world.root)
    assert slices.post(key, "undo").status_code == 202
    world.perform()
    assert names(key) == ["a", "d"]


def test_what_does_not_fit_is_told_in_words_when_it_is_deployed(world, slices):
    key = slices.made(defaults={"image": "debian-12", "hypervisor": "nowhere"})
    answer = slices.post(key, "deploy")
    assert answer.status_code == 409
    assert answer.json()["errors"][0] == {"where": "r1", "message": "The hypervisor “nowhere” cannot be used here."}


def test_what_a_plan_chooses_needs_no_right_to_edit(world, slices):
    key = slices.made(defaults={"image": "debian-12", "flavor": None})
    tree_actions.grant(Node.objects.get(pk=key), "user", user=world.sam.user, actor=world.root)
    Slices(world, world.sam.user).deploy(key)
    row = slices.get(key, "/status")["nodes"][0]
    chosen = Descriptor.objects.get(pk=row["id"]).definition
    assert (row["state"], chosen["flavor"], chosen["node"]["planned"]) == ("running", "small", ["flavor"])


def test_what_is_no_slice_is_told_by_its_path(world, slices):
    answer = slices.client.get(f"/api/slices/{world.courses.pk}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "/courses: This is no slice.")
