"""One definition on hypervisors that call its image, flavor and network otherwise."""

from __future__ import annotations

import pytest

from descriptors import actions, reconcile, selectors
from descriptors.models import Node
from descriptors.worker.engine import Engine
from hypervisors import actions as hypervisor_actions
from hypervisors.gateway import gateway_for
from tests import factories
from tests.worker.conftest import fresh

THERE = {"images": {"debian-12": "tiny"}, "flavors": {"tel-size": "medium"}, "networks": {"lan": "vmbr1"}}


@pytest.fixture(autouse=True)
def forgotten():
    selectors.forget_sizes()
    yield
    selectors.forget_sizes()


def test_the_same_document_deploys_by_changing_the_hypervisor_alone(world):
    other = factories.hypervisor(world.root, "mock-2", images="tiny")
    hypervisor_actions.update(other, {"aliases": THERE}, actor=world.root)
    hypervisor_actions.update(world.hypervisor, {"aliases": {"flavors": {"tel-size": "small"}}}, actor=world.root)
    definition = {**world.courses.definition, "flavor": "tel-size"}
    seen = {}
    for name in ("mock-1", "mock-2"):
        folder = Node.objects.get(path=world.courses.path)
        actions.edit(folder, {**definition, "hypervisor": name}, actor=world.root)
        machine = world.sam.web if name == "mock-1" else world.ana.web
        actions.request("create", machine, actor=world.root, arguments={})
        Engine(name="test").drain([world.hypervisor.pk, other.pk])
        machine = fresh(machine)
        (info,) = gateway_for(machine.hypervisor).list()
        seen[name] = (info.image, info.cpus, info.nics[0].network)
        reconcile.reconcile(machine.hypervisor.pk)
        machine = fresh(machine)
        assert (machine.state, selectors.drift(machine)) == ("created", [])
        assert selectors.pending(machine, selectors.computed(machine).values) == {}
    assert seen == {"mock-1": ("debian-12", 1, "lan"), "mock-2": ("tiny", 2, "vmbr1")}


def test_the_page_of_a_machine_says_what_it_is_called_there(world, client):
    hypervisor_actions.update(world.hypervisor, {"aliases": THERE}, actor=world.root)
    client.force_login(world.root)
    page = client.get(f"/tree{world.sam.web.path}")
    assert "(here: tiny)" in page.text
