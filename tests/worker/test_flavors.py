"""A flavor that the cloud gives up while machines are made of it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from descriptors import actions, selectors
from descriptors.models import Status
from descriptors.reconcile import reconcile
from descriptors.states import State
from hypervisors.drivers import mock
from hypervisors.gateway import gateway_for
from hypervisors.models import Inventory
from olimpus.errors import Invalid
from tests.worker.conftest import begin, fresh, make_due

ODD = {"name": "odd", "cpus": 3, "memory_mib": 3000, "disk_gib": 7}
OWN = {"nics": [{"network": "lan"}], "flavor": "odd"}


@pytest.fixture
def catalogue(world):
    """What the hypervisor offers from now on."""

    def offer(*flavors):
        Inventory.objects.filter(hypervisor=world.hypervisor).delete()
        Inventory.objects.create(
            hypervisor=world.hypervisor, kind="flavors", data=list(flavors), fetched_at=timezone.now()
        )
        selectors.forget_sizes()

    yield offer
    selectors.forget_sizes()


@pytest.fixture
def web(world, catalogue):
    """A machine of a flavor that only its hypervisor has."""
    catalogue(ODD)
    actions.edit(world.sam.web, OWN, actor=world.root)
    return world.sam.web


def vm_of(world, machine):
    return gateway_for(world.hypervisor).observe(fresh(machine).vm_ref)


@pytest.mark.parametrize("wish", [{}, {"reapply_on_start": True}, {"reapply_on_start": False}], ids=str)
def test_what_is_there_keeps_working(world, catalogue, web, wish):
    actions.edit(web, OWN | wish, actor=world.root)
    world.do("create", web)
    catalogue()
    for verb, state in [
        ("start", State.RUNNING),
        ("restart", State.RUNNING),
        ("pause", State.PAUSED),
        ("resume", State.RUNNING),
        ("stop", State.STOPPED),
        ("start", State.RUNNING),
        ("force_off", State.STOPPED),
        ("destroy", State.PROVISIONED),
    ]:
        operation = world.do(verb, web)
        assert (operation.status, fresh(web).state) == (Status.SUCCEEDED, state), operation.error
        if state != State.PROVISIONED:
            assert (vm_of(world, web).cpus, vm_of(world, web).memory_mib) == (3, 3000)
    assert gateway_for(world.hypervisor).list() == []


def test_a_failed_one_is_recovered_and_destroyed(world, catalogue, web, tune):
    world.do("create", web, start=True)
    catalogue()
    tune(failure_rate=1, failure_kind="fatal")
    assert world.do("stop", web).status == Status.FAILED
    tune(failure_rate=0)
    assert world.do("recover", web).status == Status.SUCCEEDED
    assert fresh(web).state == State.RUNNING
    assert world.do("destroy", web, force=True).status == Status.SUCCEEDED


def test_what_a_create_left_goes_although_nothing_was_applied(world, catalogue, web, tune):
    begin(world, "create", web)
    tune(failure_rate=1, failure_kind="lost")
    web.operations.update(attempts=7)
    world.perform()
    tune(failure_rate=0)
    catalogue()
    assert fresh(web).applied is None
    assert world.do("destroy", web).status == Status.SUCCEEDED
    assert gateway_for(world.hypervisor).list() == []


def test_it_is_compared_by_what_is_known(world, catalogue, web, settings):
    world.do("create", web)
    catalogue()
    assert reconcile(world.hypervisor.pk).drifted == 0
    mock.tamper(settings.OLIMPUS_HOME, "mock-1", fresh(web).vm_ref, power="on")
    assert reconcile(world.hypervisor.pk).drifted == 1
    assert [row["field"] for row in selectors.drift(fresh(web))] == ["power"]
    assert selectors.pending(fresh(web), selectors.computed(web).values) == {}


def test_what_needs_the_size_is_refused_with_the_nearest_name(world, catalogue, web):
    world.do("create", web)
    catalogue({**ODD, "name": "oddly"})
    actions.edit(world.sam.db, {"flavor": "odd"}, actor=world.root)
    for verb, machine in [("create", world.sam.db), ("reapply", web)]:
        with pytest.raises(Invalid, match='unknown flavor "odd"') as caught:
            begin(world, verb, machine)
        assert "oddly" in caught.value.hint


def test_a_start_that_would_write_is_refused_and_one_that_may_not_is_not(world, catalogue, web):
    world.do("create", web)
    catalogue()
    actions.edit(fresh(web), OWN | {"memory_mib": 4000}, actor=world.root)
    with pytest.raises(Invalid, match="unknown flavor"):
        begin(world, "start", web)
    actions.edit(fresh(web), OWN | {"memory_mib": 4000, "reapply_on_start": False}, actor=world.root)
    assert world.do("start", web).status == Status.SUCCEEDED
    assert vm_of(world, web).memory_mib == 3000


def test_a_flavor_that_goes_while_a_create_waits_makes_nothing(world, catalogue, web):
    begin(world, "create", web)
    catalogue()
    make_due()
    world.perform()
    assert (fresh(web).state, web.operations.get().error["where"]) == (State.FAILED, "flavor")
    assert gateway_for(world.hypervisor).list() == []
