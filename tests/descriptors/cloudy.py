"""A mock hypervisor with a catalogue, for the node-aware service API; who works on it; bodies for it."""

from __future__ import annotations

import pytest

from descriptors import selectors
from descriptors.models import Node, Operation
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers.cloud import CloudFlavor, Host, Image, Network, Zone
from hypervisors.drivers.mock import MockDriver
from hypervisors.registry import DRIVERS
from olimpus.errors import HypervisorError
from tests.worker.conftest import sent as sent

SLICE = {
    "name": "test-openstack-slice",
    "description": "…",
    "infrastructure": "openstack",
    "nodes": [{"name": "vm1", "image": "ubuntu-20.04", "flavor": "small"}],
    "networks": [{"name": "test-net", "cidr": "192.168.100.0/24", "network_type": "private"}],
}
INSTANCES, DEPLOY = "/api/openstack/instances", "/api/openstack/deploy-slice"


class Cloudy(MockDriver):
    """A mock hypervisor under the name of OpenStack, with images, flavors, zones and networks."""

    name = "openstack"
    tidied: list[tuple[str, tuple[str, ...]]] = []
    untidy: HypervisorError | None = None

    @property
    def cloud(self):
        return self

    def images(self):
        return [Image("img-1", "ubuntu-20.04", "active"), Image("img-2", "debian-12", "active")]

    def flavors(self):
        return [CloudFlavor("f-1", "m1.odd", 3, 3000, 7)]

    def zones(self, *, capacity=False):
        def host(name, zone):
            return Host(name, zone, cpus_total=8, memory_mib_total=16000, disk_gib_total=200)

        return [Zone("nova", True, (host("h1", "nova"),)), Zone("zone-1", True, (host("h2", "zone-1"),))]

    def networks(self, project=""):
        return [Network("net-1", "campus")]

    def tidy(self, spec, *, spare_held=False):
        if self.untidy:
            raise self.untidy
        self.tidied.append((spec.name, tuple(nic.network for nic in spec.nics)))


@pytest.fixture
def cloud(world, monkeypatch):
    """The OpenStack cloud-1, which world.perform() works for."""
    monkeypatch.setitem(DRIVERS, "openstack", f"{__name__}.Cloudy")
    monkeypatch.setattr(Cloudy, "tidied", [])
    selectors.forget_sizes()
    fields = {"name": "cloud-1", "driver": "openstack", "settings": {"latency": 0}, "concurrency": 4}
    made = hypervisor_actions.create(fields, actor=world.root)
    world.__dict__["hypervisor"] = made
    return made


@pytest.fixture
def root(world, cloud):
    return world.api(world.root)


@pytest.fixture
def mia(world, cloud):
    """mia manages /courses, which offers the cloud."""
    return world.api(world.mia)


def nothing_changed():
    return (Node.objects.count(), Operation.objects.count())


def deploy(api, place, query="", **changes):
    return api.post(f"{DEPLOY}{query}", {**SLICE, "folder": place, **changes})
