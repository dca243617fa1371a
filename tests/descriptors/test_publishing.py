"""A prepared machine becomes an image and a prototype that uses it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.models import Entry
from descriptors import actions, selectors
from descriptors.models import Node, Operation, Status
from descriptors.states import State
from hypervisors.drivers import mock
from hypervisors.drivers.base import Capability
from hypervisors.drivers.mock import MockDriver
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound, Unsupported
from tests import factories
from tests.worker.conftest import begin, fresh
from tests.worker.conftest import sent as sent
from tests.worker.conftest import tune as tune


@pytest.fixture
def ready(world):
    """sam's web, created and off."""
    world.do("create", world.sam.web)
    return world.sam.web


def publish(world, machine, name="web-gold", folder="/courses") -> Operation:
    operation = world.do("publish", machine, name=name, folder=folder)
    operation.refresh_from_db()
    return operation


def prototypes(path: str) -> dict:
    return Node.objects.get(path=path).definition.get("prototypes", {})


def test_image_and_prototype_come_together(world, ready, tune):
    tune(images="debian-12")
    operation = publish(world, ready)
    assert (operation.status, operation.error) == (Status.SUCCEEDED, None)
    assert (operation.result["image"], operation.result["folder"]) == ("web-gold", "/courses")
    assert prototypes("/courses") == {"web-gold": {"hypervisor": "mock-1", "image": "web-gold", "flavor": "small"}}
    assert fresh(ready).state == State.CREATED
    assert Entry.objects.filter(verb="vm.publish.succeeded", node_id=ready.pk).count() == 1
    entry = Entry.objects.get(verb="definition.edit", path="/courses")
    assert (entry.actor, entry.via, entry.data["parameters"]) == (world.root, "worker", ["prototypes"])
    copy = factories.machine("/courses/copy", world.root, {"prototype": "web-gold"})
    assert selectors.computed(copy).values["image"] == "web-gold"
    assert world.do("create", copy).status == Status.SUCCEEDED  # though the mock knows debian-12 only


def test_a_machine_that_is_on_is_refused(world, ready):
    world.do("start", ready)
    with pytest.raises(Conflict):
        begin(world, "publish", ready, name="x", folder="/courses")


@pytest.mark.parametrize(
    ("arguments", "error", "where"),
    [
        ({"name": "x"}, Invalid, "folder"),
        ({"folder": "/courses"}, Invalid, "name"),
        ({"name": "x", "folder": "/nowhere"}, NotFound, "folder"),
        ({"name": "x", "folder": "/courses/TEL141/sam/db"}, Conflict, "folder"),
        ({"name": "a\tb", "folder": "/courses"}, Invalid, "name"),
        ({"name": "x", "folder": "/courses", "start": True}, Invalid, "start"),
    ],
)
def test_bad_arguments_change_nothing(world, ready, arguments, error, where):
    with pytest.raises(error) as caught:
        begin(world, "publish", ready, **arguments)
    assert caught.value.where == where
    assert not Operation.objects.filter(verb="publish").exists()


def test_a_name_that_is_taken_is_refused_wherever_it_is_defined(world, ready):
    publish(world, ready)
    with pytest.raises(Conflict, match="web-gold"):
        begin(world, "publish", ready, name="web-gold", folder="/courses/TEL141")


def test_whose_right_it_is(world, ready):
    """Editing the machine, and defining prototypes in the folder; users of a machine have neither."""
    for who, node in ((world.sam.user, ready),):
        with pytest.raises(Forbidden):
            actions.request(
                "publish", node, actor=who, arguments={"name": "x", "folder": ready.path.rpartition("/")[0]}
            )
    actions.grant(world.sam.folder, "manager", user=world.ana.user, actor=world.root)
    with pytest.raises(NotFound):  # she manages sam's folder, and does not even see /courses
        actions.request("publish", ready, actor=world.ana.user, arguments={"name": "x", "folder": "/courses"})
    mine = {"name": "x", "folder": world.sam.folder.path}
    assert actions.request("publish", ready, actor=world.ana.user, arguments=mine).status == Status.QUEUED
    assert "publish" not in {row["verb"].name for row in selectors.available(fresh(ready), world.sam.user)}


def test_a_right_that_was_lost_meanwhile_stops_the_prototype(world, ready):
    operation = actions.request("publish", ready, actor=world.mia, arguments={"name": "x", "folder": "/courses"})
    actions.revoke(world.courses, "manager", user=world.mia, actor=world.root)
    world.perform()
    operation.refresh_from_db()
    assert operation.status == Status.FAILED
    assert prototypes("/courses") == {}
    assert fresh(ready).state == State.CREATED
    assert publish(world, ready, name="x").status == Status.SUCCEEDED  # the image that is there is used
    assert [event.verb for event in mock.events(world.home, "mock-1")].count("publish") == 1


def test_an_image_of_another_machine_is_not_taken_over(world, ready):
    publish(world, ready, name="x")
    Node.objects.filter(path="/courses").update(definition={"hypervisor": "mock-1", "image": "debian-12"})
    world.do("create", world.sam.db)
    operation = publish(world, world.sam.db, name="x")
    assert (operation.status, operation.error["id"]) == (Status.FAILED, "hypervisor:rejected")
    assert prototypes("/courses") == {}


def test_only_where_the_technology_can(world, ready, monkeypatch):
    monkeypatch.setattr(MockDriver, "capabilities", MockDriver.capabilities - {Capability.PUBLISH})
    with pytest.raises(Unsupported):
        begin(world, "publish", ready, name="x", folder="/courses")
    (offer,) = [row for row in selectors.available(fresh(ready), world.root) if row["verb"].name == "publish"]
    assert (offer["enabled"], "publish as an image" in offer["why"]) == (False, True)


def test_never_several_at_once(world, ready):
    world.do("create", world.sam.db)
    with pytest.raises(Conflict, match="one machine"):
        begin(world, "publish", world.sam.folder, name="x", folder="/courses")


def test_from_the_portal_and_the_console(world, ready, client):
    client.force_login(world.root)
    page = client.get(reverse("ask", args=[ready.pk, "publish"])).content.decode()
    assert 'name="name"' in page
    assert f'name="folder" value="{world.sam.folder.path}"' in page
    answer = client.post(reverse("do", args=[ready.pk, "publish"]), {"name": "gold", "folder": "/courses"})
    assert answer.status_code == 302
    world.perform()
    assert list(prototypes("/courses")) == ["gold"]


def test_by_the_api(world, ready):
    answer = world.api(world.mia).post(f"/api/nodes/{ready.pk}/do/publish", {"name": "gold", "folder": "/courses"})
    assert (answer.status_code, answer.json()["arguments"]) == (202, {"name": "gold", "folder": "/courses"})
    world.perform()
    assert list(prototypes("/courses")) == ["gold"]


# -- options of other verbs --------------------------------------------------------------------------------------------


def test_create_may_start_too(world):
    operation = world.do("create", world.sam.web, start=True)
    assert (operation.status, fresh(world.sam.web).state) == (Status.SUCCEEDED, State.RUNNING)
    assert operation.arguments == {"start": True}


def test_destroy_by_force_also_takes_what_runs(world):
    world.do("create", world.sam.web, start=True)
    with pytest.raises(Conflict):
        begin(world, "destroy", world.sam.web)
    assert world.do("destroy", world.sam.web, force=True).status == Status.SUCCEEDED
    assert fresh(world.sam.web).state == State.PROVISIONED


def test_an_option_needs_the_right_to_what_it_does(world):
    definition = {**world.courses.definition, "rights": {"user": {"start": False, "force_off": False}}}
    actions.edit(world.courses, definition, actor=world.root)
    who = world.sam.user
    with pytest.raises(Forbidden):
        actions.request("create", world.sam.web, actor=who, arguments={"start": True})
    world.do("create", world.sam.web, start=True)
    with pytest.raises(Forbidden):
        actions.request("destroy", world.sam.web, actor=who, arguments={"force": True})


@pytest.mark.parametrize("given", [{"start": "yes"}, {"start": 1}, {"unknown": True}, {"force": True}])
def test_options_are_switches_and_known(world, given):
    with pytest.raises(Invalid):
        begin(world, "create", world.sam.web, **given)


def test_rollback_destroys_all_when_one_fails(world, tune):
    folder = factories.folder(f"{world.courses.path}/slice", world.root)
    for name in ("a", "b", "c"):
        factories.machine(f"{folder.path}/{name}", world.root, {"image": "debian-12" if name != "c" else "windows-95"})
    tune(images="debian-12")
    operation = begin(world, "create", folder, rollback=True, start=True)
    world.perform()
    operation.refresh_from_db()
    assert (operation.status, operation.succeeded, operation.failed) == (Status.PARTIAL, 2, 1)
    undone = Operation.objects.get(pk=operation.result["rollback"])
    world.perform()
    undone.refresh_from_db()
    assert (undone.verb, undone.status, undone.total) == ("destroy", Status.SUCCEEDED, 3)
    states = Node.objects.filter(parent=folder).values_list("descriptor__state", flat=True)
    assert set(states) == {State.PROVISIONED}


def test_without_rollback_what_was_made_stays_for_the_retry(world, tune):
    folder = factories.folder(f"{world.courses.path}/slice", world.root)
    factories.machine(f"{folder.path}/a", world.root)
    factories.machine(f"{folder.path}/b", world.root, {"image": "windows-95"})
    tune(images="debian-12")
    operation = begin(world, "create", folder)
    world.perform()
    operation.refresh_from_db()
    assert operation.status == Status.PARTIAL
    assert "rollback" not in (operation.result or {})
    assert fresh(Node.objects.get(path="/courses/slice/a")).state == State.CREATED
