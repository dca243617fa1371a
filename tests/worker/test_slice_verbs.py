"""What slices ask of verbs beyond the plain ones: gone on after a failure, rewritten while restarted, gone for good."""

from __future__ import annotations

import pytest

from descriptors import actions
from descriptors.models import Descriptor, Node, Operation, Status
from descriptors.states import State
from descriptors.worker import claims
from hypervisors.drivers import mock
from hypervisors.drivers.mock import MockDriver
from tests import factories
from tests.worker.conftest import begin, fresh


@pytest.fixture
def driver(world):
    return MockDriver("mock-1", {"latency": 0}, world.home)


def test_a_machine_that_could_not_be_made_is_made_after_all(world, tune):
    tune(failure_rate=1, failure_kind="fatal")
    world.do("create", world.sam.web, start=True)
    assert fresh(world.sam.web).state == State.FAILED
    tune(failure_rate=0)
    world.do("recover", world.sam.web, again=True)
    web = fresh(world.sam.web)
    assert (web.state, bool(web.applied)) == (State.RUNNING, True)


def test_what_failed_and_is_there_is_switched_on(world, driver):
    world.do("create", world.sam.web)
    machine = fresh(world.sam.web)
    Descriptor.objects.filter(pk=machine.pk).update(state=State.FAILED)
    world.do("recover", machine, again=True)
    assert fresh(machine).state == State.RUNNING
    assert len(driver.list()) == 1


def test_going_on_needs_the_right_to_create(world):
    Descriptor.objects.filter(pk=world.sam.web.pk).update(state=State.FAILED, hypervisor=world.hypervisor)
    actions.edit(world.tel141, {"rights": {"user": {"create": False}}}, actor=world.root)
    with pytest.raises(actions.requesting.Forbidden):
        actions.request("recover", fresh(world.sam.web), actor=world.sam.user, arguments={"again": True})


@pytest.mark.parametrize("path", [["create"], ["create", "start"], ["create", "start", "pause"]])
def test_by_force_another_one_is_made_in_its_place(world, driver, effects, path):
    for verb in path:
        world.do(verb, world.sam.web)
    actions.edit(world.tel141, {"image": "debian-13", "cpus": 3}, actor=world.root)
    before = fresh(world.sam.web)
    world.do("recover", before, force=True)
    web = fresh(before)
    (there,) = driver.list()
    assert (web.state, web.vm_ref, web.applied["image"], web.applied["cpus"]) == (
        State.RUNNING,
        there.ref,
        "debian-13",
        3,
    )
    assert (there.image, there.cpus, [nic.mac for nic in there.nics]) == (
        "debian-13",
        3,
        [web.applied["nics"][0]["mac"]],
    )
    assert web.applied["nics"] == before.applied["nics"]
    assert effects()[-3:] == ["destroy", "create", "power_on"]


@pytest.mark.parametrize("denied", ["create", "destroy"])
def test_by_force_needs_the_rights_to_create_and_to_destroy(world, denied):
    world.do("create", world.sam.web)
    actions.edit(world.tel141, {"rights": {"user": {denied: False}}}, actor=world.root)
    with pytest.raises(actions.requesting.Forbidden):
        actions.request("recover", fresh(world.sam.web), actor=world.sam.user, arguments={"force": True})


def test_by_force_is_cancelled_before_anybody_began(world, driver):
    world.do("create", world.sam.web, start=True)
    operation = begin(world, "recover", fresh(world.sam.web), force=True)
    assert fresh(world.sam.web).state == State.STARTING
    actions.cancel(operation, actor=world.root)
    assert fresh(world.sam.web).state == State.RUNNING


def test_a_restart_writes_what_is_pending(world, driver, effects):
    world.do("create", world.sam.web, start=True)
    actions.edit(world.tel141, {"cpus": 3}, actor=world.root)
    world.do("restart", world.sam.web)
    assert driver.get(fresh(world.sam.web).vm_ref).cpus == 1
    world.do("restart", world.sam.web, reapply=True)
    web = fresh(world.sam.web)
    assert (driver.get(web.vm_ref).cpus, web.applied["cpus"], web.state) == (3, 3, State.RUNNING)
    assert effects().count("power_on") == 3


@pytest.mark.parametrize("whole", [True, False])
def test_a_folder_goes_with_its_last_machine(world, whole):
    world.do("create", world.sam.web, world.sam.db)
    begin(world, "destroy", world.sam.folder, remove=True, force=True, whole=whole)
    world.perform()
    assert not Descriptor.objects.filter(path__startswith=f"{world.sam.folder.path}/").exists()
    assert Node.objects.filter(pk=world.sam.folder.pk).exists() is not whole


def test_a_folder_stays_while_a_machine_of_it_stands(world, tune):
    world.do("create", world.sam.web, world.sam.db)
    begin(world, "destroy", world.sam.web, remove=True, force=True)
    tune(failure_rate=1, failure_kind="fatal")
    begin(world, "destroy", world.sam.db, remove=True, force=True, whole=True)
    world.perform()
    assert Node.objects.filter(pk=world.sam.folder.pk).exists()


def test_those_who_ask_take_turns(world):
    """A single machine, and a small folder, are not behind somebody else's hundreds."""
    big = factories.folder(f"{world.courses.path}/big", world.root)
    factories.many_machines(big.path, 30, world.root)
    actions.request("create", big, actor=world.root)
    for student in (world.sam, world.ana):
        actions.request("create", student.folder, actor=student.user)
    taken = [operation.actor.username for operation in claims.claim(world.hypervisor.pk, 6, "w")]
    assert sorted(taken) == ["ana", "ana", "root", "root", "sam", "sam"]
    Operation.objects.filter(status=Status.QUEUED).exclude(actor=world.root).delete()
    actions.request("create", factories.machine(f"{world.tel141.path}/x", world.root), actor=world.mia)
    assert [operation.actor.username for operation in claims.claim(world.hypervisor.pk, 1, "w")] == ["mia"]
    assert mock.events(world.home, "mock-1") == []
