"""Machines on hypervisors made of workers: which one they get, that none is oversubscribed, what a dead one does."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts.models import Entry
from descriptors import actions, reconcile
from descriptors.models import Descriptor, Node, Operation, Status
from descriptors.states import State
from descriptors.worker.claims import release_lost
from descriptors.worker.engine import Engine
from hypervisors import inventory
from hypervisors.drivers import mock
from hypervisors.gateway import gateway_for
from hypervisors.models import Claim
from tests import factories
from tests.worker.conftest import begin, fresh, make_due

TWO = "w1 4 8192 100\nw2 4 8192 100"


def hosts_of(world):
    return {info.uid: info.host for info in gateway_for(world.hypervisor).list()}


@pytest.fixture
def workers(tune):
    return lambda text, **settings: tune(workers=text, **settings)


def test_a_machine_gets_a_host_its_claim_and_the_reason(world, workers):
    workers("w1 4 8192 100\nw2 8 8192 100")
    operation = world.do("create", world.sam.web)
    claim = Claim.objects.get()
    assert (str(claim.uid), claim.host, claim.cpus) == (str(world.sam.web.uid), "w2", 1)
    assert hosts_of(world) == {str(world.sam.web.uid): "w2"}
    assert operation.result["host"] == "w2"
    assert operation.result["why"]["code"] == "roomiest"
    assert Entry.objects.get(verb="vm.create.succeeded").data["host"] == "w2"
    world.do("destroy", world.sam.web)
    assert not Claim.objects.exists()


def test_extra_disks_take_room_as_system_disks_do(world, workers):
    def with_disk(size_gib: float) -> dict:
        return {**fresh(world.sam.web).definition, "disks": [{"name": "data", "size_gib": size_gib}]}

    workers("w1 4 8192 100")
    actions.edit(world.sam.web, {**with_disk(15), "disk_gib": 10}, actor=world.root)
    world.do("create", world.sam.web)
    reconcile.reconcile(world.hypervisor.pk)
    assert Claim.objects.get().disk_gib == 25
    assert gateway_for(world.hypervisor).hosts()[0].disk_gib_used == 25
    assert inventory.read(world.hypervisor, "hosts", refresh=True).data[0]["others"]["disk_gib"] == 0
    for size_gib, status, claimed in ((90.5, Status.FAILED, 25), (90, Status.SUCCEEDED, 100)):
        actions.edit(fresh(world.sam.web), with_disk(size_gib), actor=world.root)
        assert world.do("reapply", world.sam.web).status == status
        assert Claim.objects.get().disk_gib == claimed


def test_a_machine_that_grows_while_the_hypervisor_is_listed_keeps_its_room(world, workers, monkeypatch):
    workers("w1 8 8192 100")
    world.do("create", world.sam.web)
    listed = mock.MockDriver.list

    def slow(driver):
        found = listed(driver)
        if fresh(world.sam.web).definition.get("cpus") != 4:
            actions.edit(fresh(world.sam.web), {**fresh(world.sam.web).definition, "cpus": 4}, actor=world.root)
            assert world.do("reapply", world.sam.web).status == Status.SUCCEEDED
        return found

    monkeypatch.setattr(mock.MockDriver, "list", slow)
    for _again in range(2):
        reconcile.reconcile(world.hypervisor.pk)
        assert Claim.objects.get().cpus == 4


def test_a_machine_that_goes_while_the_hypervisor_is_listed_leaves_no_claim(world, workers, monkeypatch):
    workers("w1 8 8192 100")
    world.do("create", world.sam.web)
    noted = reconcile._note

    def slow(*args):
        noted(*args)
        world.do("destroy", world.sam.web)

    monkeypatch.setattr(reconcile, "_note", slow)
    reconcile.reconcile(world.hypervisor.pk)
    assert not Claim.objects.exists()


@pytest.mark.parametrize(("policy", "shares"), [("spread", {"w1": 4, "w2": 4}), ("pack", {"w1": 4, "w2": 4})])
def test_all_room_is_used_and_no_more(world, workers, class_of, policy, shares):
    workers(TWO, placement=policy)
    class_of(9, {"flavor": "nano"})
    folder = Node.objects.get(path="/courses/class")
    parent = begin(world, "create", folder)
    world.perform()
    parent.refresh_from_db()
    assert (parent.succeeded, parent.failed) == (8, 1)
    hosts = list(hosts_of(world).values())
    assert {host: hosts.count(host) for host in set(hosts)} == shares
    refused = parent.children.get(status=Status.FAILED)
    assert refused.error["id"] == "hypervisor:capacity"
    assert "w1 has 0 CPUs left" in refused.error["hint"]
    assert Claim.objects.count() == 8


@pytest.mark.parametrize("where", ["known", "keep"])
def test_a_database_that_is_away_while_a_host_is_chosen_only_delays_it(world, workers, monkeypatch, where):
    workers(TWO)
    begin(world, "create", world.sam.web)
    engine = Engine()
    with monkeypatch.context() as away:
        away.setattr(inventory, where, Mock(side_effect=OperationalError))
        with pytest.raises(OperationalError):
            engine.drain([world.hypervisor.pk])
    assert not engine._held
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert release_lost() == 1
    world.perform()
    assert (fresh(world.sam.web).state, Claim.objects.count()) == (State.CREATED, 1)


def test_what_is_packed_fills_one_worker_first(world, workers):
    workers(TWO, placement="pack")
    world.do("create", world.sam.web, world.sam.db, world.ana.web)
    assert set(hosts_of(world).values()) == {"w1"}


def test_a_pin_is_kept_and_a_bad_one_refused(world, workers):
    workers("w1 4 8192 100\nw2 8 8192 100\nw3 8 8192 100 maintenance")
    pinned = factories.machine(f"{world.courses.path}/pinned", world.root, {"host": "w1"})
    lost = factories.machine(f"{world.courses.path}/lost", world.root, {"host": "w9"})
    drained = factories.machine(f"{world.courses.path}/drained", world.root, {"host": "w3"})
    world.do("create", pinned, lost, drained)
    assert hosts_of(world) == {str(pinned.uid): "w1"}
    assert (lost.state, drained.state) == (State.FAILED, State.FAILED)
    assert "w9" in lost.reason
    assert "maintenance" in drained.reason
    assert Claim.objects.count() == 1


def test_what_others_use_is_no_room(world, workers, settings):
    workers(TWO)
    mock.create_by_hand(settings.OLIMPUS_HOME, "mock-1", "foreign", cpus=4, memory_mib=512, host="w1")
    world.do("create", world.sam.web, world.sam.db, world.ana.web, world.ana.db)
    assert list(hosts_of(world).values()).count("w2") == 4


def test_a_retry_goes_to_the_same_worker(world, workers, tune):
    workers("w1 4 8192 100\nw2 8 8192 100", failure_rate=1.0, seed=1)
    begin(world, "create", world.sam.web)
    world.perform()
    assert Claim.objects.get().host == "w2"
    tune(failure_rate=0.0, workers="w1 64 65536 900\nw2 8 8192 100")  # by now another has more room
    make_due()
    world.perform()
    assert list(hosts_of(world).values()) == ["w2"]


def test_a_create_that_is_refused_gives_its_room_back(world, workers):
    workers(TWO, images="alpine")
    world.do("create", world.sam.web)
    assert fresh(world.sam.web).state == State.FAILED
    assert not Claim.objects.exists()


def test_a_machine_grows_only_where_it_is(world, workers):
    workers("w1 2 8192 100\nw2 1 8192 100")
    world.do("create", world.sam.web, world.sam.db)
    web = Descriptor.objects.get(uid=Claim.objects.get(host="w1").uid)
    resize(world, web, 3)
    operation = world.do("reapply", web)
    assert operation.error["id"] == "hypervisor:capacity"
    assert "w1" in operation.error["message"]
    resize(world, web, 2)
    assert world.do("reapply", web).status == Status.SUCCEEDED
    assert Claim.objects.get(host="w1").cpus == 2
    resize(world, web, 1)
    world.do("reapply", web)
    assert Claim.objects.get(host="w1").cpus == 1


def resize(world, machine, cpus):
    actions.edit(fresh(machine), {**fresh(machine).definition, "cpus": cpus}, actor=world.root)


def test_with_a_dead_worker_the_others_go_on(world, workers):
    workers("w1 8 16384 200\nw2 4 8192 100")
    world.do("create", world.sam.web)
    world.do("create", world.sam.db)
    assert set(hosts_of(world).values()) == {"w1"}
    workers("w1 8 16384 200 down\nw2 4 8192 100")
    world.do("create", world.ana.web)
    assert Claim.objects.get(uid=world.ana.web.uid).host == "w2"
    assert world.do("start", world.ana.web).status == Status.SUCCEEDED
    assert world.do("force_off", world.ana.web).status == Status.SUCCEEDED
    assert world.do("destroy", world.ana.web).status == Status.SUCCEEDED  # the dead one is not asked for it
    operation = world.do("start", world.sam.web)
    assert (operation.status, operation.error["id"]) == (Status.QUEUED, "hypervisor:unreachable")


def test_when_the_hosts_cannot_be_looked_at_it_is_tried_again(world, workers, tune):
    workers(TWO, unreachable=True)
    operation = world.do("create", world.sam.web)
    assert (operation.status, operation.error["id"]) == (Status.QUEUED, "hypervisor:unreachable")
    assert not Claim.objects.exists()
    tune(unreachable=False)
    make_due()
    world.perform()
    assert fresh(world.sam.web).state == State.CREATED


def test_the_claim_of_a_cancelled_create_stays_until_it_is_known_what_is_there(world, workers, tune):
    workers(TWO, failure_rate=1.0, seed=1)
    operation = begin(world, "create", world.sam.web)
    world.perform()
    reconcile.reconcile(world.hypervisor.pk)
    actions.cancel(operation, actor=world.root)
    world.perform()
    reconcile.reconcile(world.hypervisor.pk)
    assert (fresh(world.sam.web).state, Claim.objects.count()) == (State.FAILED, 1)
    tune(failure_rate=0.0)
    world.do("recover", world.sam.web)
    assert (fresh(world.sam.web).state, Claim.objects.count()) == (State.PROVISIONED, 0)


def test_without_workers_nothing_is_claimed(world):
    operation = world.do("create", world.sam.web)
    assert (operation.result, Claim.objects.count()) == (None, 0)
    assert not Entry.objects.filter(verb="vm.create.retry").exists()
