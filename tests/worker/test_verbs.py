"""Every verb from the request to the hypervisor and back."""

from __future__ import annotations

import pytest

from accounts.models import Entry
from descriptors import actions
from descriptors.models import Nic, Status
from descriptors.reconcile import reconcile
from descriptors.states import State
from hypervisors.drivers import mock
from hypervisors.drivers.base import Power
from hypervisors.gateway import gateway_for
from tests.worker.conftest import begin, fresh


def vm_of(world, machine):
    return gateway_for(world.hypervisor).observe(fresh(machine).vm_ref)


def test_create_makes_a_machine_that_is_off(world, effects):
    operation = world.do("create", world.sam.web)
    web = fresh(world.sam.web)
    assert (operation.status, operation.attempts, operation.error, operation.open_for) == (
        Status.SUCCEEDED,
        1,
        None,
        None,
    )
    assert operation.finished_at >= operation.started_at
    assert (web.state, web.hypervisor.name, web.reason) == (State.CREATED, "mock-1", "")
    seen = vm_of(world, web)
    assert (seen.uid, seen.power, seen.image) == (str(web.uid), Power.OFF, "debian-12")
    assert seen.nics[0].mac == Nic.objects.get(descriptor=web).mac == web.applied["nics"][0]["mac"]
    assert (seen.cpus, seen.memory_mib) == (1, 1536)
    assert effects() == ["create"]


def test_a_hypervisor_that_boots_what_it_builds_leaves_a_running_machine(world, tune, effects):
    tune(created_power="on")
    operation = world.do("create", world.sam.web)
    web = fresh(world.sam.web)
    assert (operation.status, web.state, web.drifted) == (Status.SUCCEEDED, State.RUNNING, False)
    assert (vm_of(world, web).power, vm_of(world, web).since is not None) == (Power.ON, True)
    entry = Entry.objects.get(verb="vm.create.succeeded")
    assert (entry.data["state"], entry.node_id) == ("running", web.pk)
    assert reconcile(world.hypervisor.pk).drifted == 0
    assert world.do("stop", web).status == Status.SUCCEEDED
    assert effects() == ["create", "shutdown"]


@pytest.mark.parametrize(
    ("path", "state", "power", "happened"),
    [
        (["create", "start"], State.RUNNING, Power.ON, ["power_on"]),
        (["create", "start", "stop"], State.STOPPED, Power.OFF, ["power_on", "shutdown"]),
        (["create", "start", "force_off"], State.STOPPED, Power.OFF, ["power_on", "power_off"]),
        (["create", "start", "pause"], State.PAUSED, Power.PAUSED, ["power_on", "pause"]),
        (["create", "start", "pause", "resume"], State.RUNNING, Power.ON, ["power_on", "pause", "resume"]),
        (["create", "start", "pause", "force_off"], State.STOPPED, Power.OFF, ["power_on", "pause", "power_off"]),
        (["create", "start", "restart"], State.RUNNING, Power.ON, ["power_on", "shutdown", "power_on"]),
        (["create", "start", "stop", "start"], State.RUNNING, Power.ON, ["power_on", "shutdown", "power_on"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
def test_power(world, effects, path, state, power, happened):
    for verb in path:
        assert world.do(verb, world.sam.web).status == Status.SUCCEEDED
    assert fresh(world.sam.web).state == state
    assert vm_of(world, world.sam.web).power == power
    assert effects() == ["create", *happened]


def test_states_on_the_way(world):
    world.do("create", world.sam.web)
    begin(world, "start", world.sam.web)
    assert fresh(world.sam.web).state == State.STARTING
    world.perform()
    begin(world, "restart", world.sam.web)
    assert fresh(world.sam.web).state == State.STARTING
    world.perform()
    begin(world, "stop", world.sam.web)
    assert fresh(world.sam.web).state == State.STOPPING
    world.perform()
    assert fresh(world.sam.web).state == State.STOPPED


def test_destroy_leaves_the_definition_and_the_cards(world, effects):
    world.do("create", world.sam.web)
    given = list(Nic.objects.filter(descriptor=world.sam.web).values_list("mac", "ip"))
    world.do("destroy", world.sam.web)
    web = fresh(world.sam.web)
    assert (web.state, web.vm_ref, web.applied, web.hypervisor) == (State.PROVISIONED, "", None, None)
    assert gateway_for(world.hypervisor).list() == []
    world.do("create", world.sam.web)
    assert list(Nic.objects.filter(descriptor=web).values_list("mac", "ip")) == given
    assert vm_of(world, web).nics[0].mac == given[0][0]
    assert effects() == ["create", "destroy", "create"]


def test_a_guest_that_ignores_the_button_is_switched_off(world, tune, effects):
    actions.edit(world.sam.web, {"stop_timeout": 1, "nics": [{"network": "lan"}]}, actor=world.root)
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    tune(ignore_acpi=True)
    assert world.do("stop", world.sam.web).status == Status.SUCCEEDED
    assert (fresh(world.sam.web).state, effects()[-1]) == (State.STOPPED, "power_off")


def test_snapshot_and_revert(world, effects):
    world.do("create", world.sam.web)
    taken = world.do("snapshot", world.sam.web, name="clean")
    assert (taken.status, taken.result) == (Status.SUCCEEDED, {"snapshot": "clean"})
    world.do("start", world.sam.web)
    world.do("stop", world.sam.web)
    assert world.do("revert", world.sam.web, name="clean").status == Status.SUCCEEDED
    assert fresh(world.sam.web).state == State.STOPPED
    assert vm_of(world, world.sam.web).extra["boots"] == 0
    assert effects() == ["create", "snapshot", "power_on", "shutdown", "revert"]


def test_a_snapshot_is_deleted_whatever_the_power_and_twice_is_once(world, effects):
    world.do("create", world.sam.web)
    world.do("snapshot", world.sam.web, name="clean")
    world.do("start", world.sam.web)
    deleted = world.do("delete_snapshot", world.sam.web, name="clean")
    assert (deleted.status, deleted.result) == (Status.SUCCEEDED, {"snapshot": "clean"})
    assert world.do("delete_snapshot", world.sam.web, name="clean").status == Status.SUCCEEDED
    assert world.sam.web.state == "running"
    assert gateway_for(world.hypervisor).snapshots(world.sam.web.vm_ref) == []


def test_an_unknown_snapshot_fails_the_operation_and_not_the_machine(world):
    world.do("create", world.sam.web)
    operation = world.do("revert", world.sam.web, name="never taken")
    assert (operation.status, operation.error["id"]) == (Status.FAILED, "hypervisor:rejected")
    web = fresh(world.sam.web)
    assert (web.state, web.reason) == (State.CREATED, "")


def test_reapply_writes_what_changed(world, effects):
    world.do("create", world.sam.web)
    actions.edit(fresh(world.sam.web), {"memory_mib": 3072, "nics": [{"network": "lan"}]}, actor=world.root)
    assert world.do("reapply", world.sam.web).status == Status.SUCCEEDED
    assert vm_of(world, world.sam.web).memory_mib == 3072
    web = fresh(world.sam.web)
    assert (web.state, web.applied["memory_mib"], web.applied["image"]) == (State.CREATED, 3072, "debian-12")
    assert effects() == ["create", "reconfigure"]


@pytest.mark.parametrize(
    ("wish", "changed", "by_hand", "memory"),
    [
        (True, False, True, 1536),
        (True, True, False, 3072),
        (False, True, True, 999),
        (False, True, False, 1536),
        (None, True, False, 3072),
        (None, False, False, 1536),
    ],
)
def test_reapply_on_start(world, settings, wish, changed, by_hand, memory):
    definition = {"nics": [{"network": "lan"}]} | ({} if wish is None else {"reapply_on_start": wish})
    actions.edit(world.sam.web, definition, actor=world.root)
    world.do("create", world.sam.web)
    if changed:
        actions.edit(fresh(world.sam.web), definition | {"memory_mib": 3072}, actor=world.root)
    if by_hand:
        mock.tamper(settings.OLIMPUS_HOME, "mock-1", fresh(world.sam.web).vm_ref, memory_mib=999)
    world.do("start", world.sam.web)
    assert fresh(world.sam.web).state == State.RUNNING
    assert vm_of(world, world.sam.web).memory_mib == memory


def test_a_machine_that_somebody_has_switched_on_is_simply_running(world, settings, effects):
    world.do("create", world.sam.web)
    actions.edit(fresh(world.sam.web), {"memory_mib": 3072, "nics": [{"network": "lan"}]}, actor=world.root)
    mock.tamper(settings.OLIMPUS_HOME, "mock-1", fresh(world.sam.web).vm_ref, power="on")
    assert world.do("start", world.sam.web).status == Status.SUCCEEDED
    web = fresh(world.sam.web)
    assert (web.state, web.applied.get("memory_mib")) == (State.RUNNING, None)  # still pending: it was never off
    assert "power_on" not in effects()


@pytest.mark.parametrize(
    ("really", "state"),
    [
        ("absent", State.PROVISIONED),
        (Power.OFF, State.STOPPED),
        (Power.ON, State.RUNNING),
        (Power.PAUSED, State.PAUSED),
    ],
)
def test_recover_lands_in_what_is_there(world, settings, tune, really, state):
    for verb in ("create", "start"):
        world.do(verb, world.sam.web)
    tune(failure_rate=1, failure_kind="fatal")
    world.do("stop", world.sam.web)
    web = fresh(world.sam.web)
    assert (web.state, bool(web.reason)) == (State.FAILED, True)
    tune(failure_rate=0)
    change = {"delete": True} if really == "absent" else {"power": really}
    mock.tamper(settings.OLIMPUS_HOME, "mock-1", web.vm_ref, **change)
    assert world.do("recover", world.sam.web).status == Status.SUCCEEDED
    web = fresh(world.sam.web)
    assert (web.state, web.reason) == (state, "")
    assert (web.hypervisor is None) == (web.vm_ref == "") == (state == State.PROVISIONED)


def test_recover_finds_a_machine_whose_birth_was_not_heard_of(world, tune, effects):
    """The answer to `create` is lost for good: the VM is there without our knowing its reference."""
    begin(world, "create", world.sam.web)
    tune(failure_rate=1, failure_kind="lost")
    operation = world.sam.web.operations.get()
    operation.attempts = 7  # the last one
    operation.save()
    world.perform()
    web = fresh(world.sam.web)
    assert (web.state, web.vm_ref) == (State.FAILED, "")
    tune(failure_rate=0)
    world.do("recover", world.sam.web)
    web = fresh(world.sam.web)
    assert (web.state, web.vm_ref) == (State.STOPPED, gateway_for(world.hypervisor).find(str(web.uid)).ref)
    assert effects() == ["create"]


def test_a_stray_of_a_failed_create_is_destroyed_too(world, tune):
    begin(world, "create", world.sam.web)
    tune(failure_rate=1, failure_kind="lost")
    world.sam.web.operations.update(attempts=7)
    world.perform()
    tune(failure_rate=0)
    world.do("destroy", world.sam.web)
    assert gateway_for(world.hypervisor).list() == []
    assert fresh(world.sam.web).state == State.PROVISIONED
