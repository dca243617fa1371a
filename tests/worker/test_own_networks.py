"""Networks that are a folder's own: a name there that nobody else's has, the same after a move, another after a copy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from descriptors import actions, reconcile, selectors
from descriptors.models import Descriptor, Node
from descriptors.worker import claims
from hypervisors import aliases
from hypervisors.drivers.linux.gateway.wishes import enter_request
from hypervisors.drivers.mock import MockDriver
from tests import factories
from tests.worker.conftest import fresh

OWN = {"networks": {"lan": {"cidr": "10.1.0.0/24", "own": True}}}


@pytest.fixture
def seen(world):
    """The networks of a machine's cards, as they are called on the hypervisor."""
    driver = MockDriver("mock-1", {"latency": 0}, world.home)
    return lambda machine: [nic.network for nic in driver.get(fresh(machine).vm_ref).nics]


@pytest.fixture
def own(world):
    """/courses/own with one machine in its own network."""
    folder = factories.folder(f"{world.courses.path}/own", world.root, OWN)
    machine = factories.machine(f"{folder.path}/a", world.root, {"nics": [{"network": "lan", "ip": "10.1.0.5"}]})
    return folder, machine


def test_each_folder_has_its_own_network_of_a_name(world, own, seen):
    folder, machine = own
    copy = actions.copy(folder, world.courses, actor=world.root, name="copy")
    twin = Descriptor.objects.get(parent=copy)
    world.do("create", machine, twin)
    names = [seen(machine)[0], seen(twin)[0]]
    assert names[0] != names[1]
    assert all(name.startswith("lan-") for name in names)
    shared = world.sam.web
    world.do("create", shared)
    assert seen(shared) == ["lan"]


def test_installations_beside_each_other_share_none(world, own, seen):
    """Two of them count their folders alike, but have made them at different times."""
    folder, machine = own
    world.do("create", machine)
    Node.objects.filter(pk=folder.pk).update(created_at=folder.created_at + timedelta(microseconds=1))
    other = factories.machine(f"{folder.path}/b", world.root, {"nics": [{"network": "lan"}]})
    world.do("create", other)
    assert seen(machine) != seen(other)


def test_a_copy_keeps_the_addresses_in_networks_that_were_copied_along(world, own):
    folder, _machine = own
    outer = {"nics": [{"network": "lan", "ip": "10.1.0.7", "mac": "02:00:00:00:00:07"}]}
    factories.machine(f"{folder.path}/b", world.root, outer)
    copy = actions.copy(folder, world.courses, actor=world.root, name="copy")
    nics = dict(Descriptor.objects.filter(parent=copy).values_list("name", "definition__nics"))
    assert nics == {"a": [{"network": "lan", "ip": "10.1.0.5"}], "b": [{"network": "lan", "ip": "10.1.0.7"}]}
    alone = actions.copy(_machine, world.courses, actor=world.root, name="alone")
    assert alone.definition["nics"] == [{"network": "lan"}]


def test_a_moved_folder_keeps_its_network_and_what_is_destroyed_is_what_was_made(world, own, seen):
    folder, machine = own
    world.do("create", machine)
    before = seen(machine)
    actions.move(folder, world.lab, actor=world.root)
    machine = fresh(machine)
    world.do("start", machine)
    assert fresh(machine).applied["networks"]["lan"]["aliases"] == {"mock-1": before[0]}
    world.do("stop", machine)
    world.do("reapply", machine)
    assert seen(machine) == before


def test_drift_and_pending_changes_know_nothing_of_it(world, own):
    _folder, machine = own
    world.do("create", machine)
    reconcile.reconcile(world.hypervisor.pk)
    machine = fresh(machine)
    assert (selectors.drift(machine), selectors.pending(machine, selectors.computed(machine).values)) == ([], {})
    assert not machine.drifted


def test_what_refines_a_network_below_makes_no_other_one(world, own, seen):
    folder, machine = own
    below = factories.folder(f"{folder.path}/below", world.root, {"networks": {"lan": {"dns": ["10.1.0.1"]}}})
    other = factories.machine(f"{below.path}/b", world.root, {"nics": [{"network": "lan"}]})
    world.do("create", machine, other)
    assert seen(machine) == seen(other)


def test_a_name_that_the_definition_gives_wins():
    values = {"networks": {"lan": {"own": True, "aliases": {"h1": "campus"}}, "dmz": {}}}
    told = aliases.with_own(values, {"lan": "2s"}, "h1")
    assert told["networks"] == {"lan": {"own": True, "aliases": {"h1": "campus"}}, "dmz": {}}
    assert aliases.with_own(values, {"lan": "2s"}, "h2")["networks"]["lan"]["aliases"] == {
        "h1": "campus",
        "h2": "lan-2s",
    }


def test_the_gateway_of_a_cluster_tells_them_apart(world, own):
    _folder, machine = own
    operation = actions.request("create", machine, actor=world.root)
    machine = fresh(machine)
    (task,) = claims.prepare(claims.claim(world.hypervisor.pk, 5, "w"), lambda _operation: lambda: False)
    assert operation.pk == task.operation.pk
    (key,) = enter_request(task.job.spec, "mock-1")["networks"]
    assert key.startswith("lan-")
    assert key.endswith(" 10.1.0.0/24")
