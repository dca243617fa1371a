"""A project of its own in the lab, with the networks that machines of tests hang on: an empty hypervisor each time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openstack
import pytest

from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.openstack import OpenStackDriver
from olimpus.errors import HypervisorError
from tests.contract.contract import make_spec
from tests.lab.cloud import Cloud

IMAGE = "cirros"
NETWORKS = {"lan": "10.0.0.0/16", "wan": "10.1.0.0/16"}
#: What floating addresses lead to: made by the driver, as machines ask for it.
OUTER = {"cidr": "10.2.0.0/16", "type": "nat"}


@dataclass
class World:
    """One project. `sdk` is the bare openstacksdk as its administrator, the witness."""

    lab: Cloud
    name: str
    project: Any
    sdk: openstack.connection.Connection

    def driver(self, home: Path, **settings: Any) -> OpenStackDriver:
        """A driver that sees this project only."""
        values = {**self.lab.account(), "project_name": self.name, "scope": "project", **settings}
        return OpenStackDriver("lab", values, home)

    def spec(self, cards: int = 1, **changes: Any) -> VmSpec:
        return make_spec(cards, **{"image": IMAGE, **changes})

    def floating(self, **changes: Any) -> VmSpec:
        """A machine whose only card has a floating address."""
        spec = self.spec(**changes)
        nics = (replace(spec.nics[0], network="outer", ip=spec.nics[0].ip.replace("10.0.", "10.2.")),)
        wanted = {"networks": {"outer": OUTER}, "nics": [{"network": "outer", "floating": True}]}
        return replace(spec, nics=nics, parameters={**wanted, **spec.parameters})

    def ips(self) -> list[Any]:
        """Its floating addresses."""
        return list(self.sdk.network.ips(project_id=self.project.id))

    def servers(self) -> list[Any]:
        return list(self.sdk.compute.servers(all_projects=True, project_id=self.project.id))

    def ports(self) -> list[Any]:
        """Those of machines, made or bound: Neutron's own have another owner."""
        found = self.sdk.network.ports(project_id=self.project.id)
        return [port for port in found if not port.device_owner.startswith("network:")]

    def volumes(self) -> list[Any]:
        return list(self.sdk.block_storage.volumes(all_projects=True, project_id=self.project.id))

    def images(self) -> list[Any]:
        return list(self.sdk.image.images(owner=self.project.id))

    def left(self) -> list[str]:
        """Everything that is in the project beside its networks."""
        kinds = {"server": self.servers, "port": self.ports, "volume": self.volumes, "image": self.images}
        kinds["ip"] = self.ips
        return [f"{kind} {one.name or one.id}" for kind, ones in kinds.items() for one in ones()]

    def empty(self) -> None:
        """Remove all machines, ports, addresses, volumes and images, and wait until they are gone."""
        delete = {
            self.servers: lambda one: self.sdk.compute.delete_server(one, force=True),
            self.ports: self.sdk.network.delete_port,
            self.ips: self.sdk.network.delete_ip,
            self.images: self.sdk.image.delete_image,
            self.volumes: self.sdk.block_storage.delete_volume,
        }
        with ThreadPoolExecutor(8) as pool:
            for found, forget in delete.items():
                if ones := found():
                    list(pool.map(forget, ones))
                    _until(lambda found=found: not found())


@contextmanager
def world(lab: Cloud) -> Iterator[World]:
    """A project with two networks, in which the lab's administrator has his role; removed at the end."""
    admin = lab.sdk()
    name = f"h2-{uuid.uuid4().hex[:8]}"
    project = admin.identity.create_project(name=name)
    for role in ("admin", "member"):
        found = admin.identity.find_role(role, ignore_missing=False)
        admin.identity.assign_project_role_to_user(project, admin.current_user_id, found)
    auth = lab.account() | {"project_name": name}
    region = auth.pop("region_name")
    sdk = openstack.connect(auth=auth, region_name=region, load_yaml_config=False, load_envvars=False)
    made = World(lab, name, project, sdk)
    try:
        for label, cidr in NETWORKS.items():
            _network(sdk, label, cidr)
        yield made
    finally:
        made.empty()
        for router in sdk.network.routers(project_id=project.id):
            for port in sdk.network.ports(device_id=router.id, device_owner="network:router_interface"):
                sdk.network.remove_interface_from_router(router, port_id=port.id)
            sdk.network.delete_router(router)
        for network in sdk.network.networks(project_id=project.id):
            sdk.network.delete_network(network)
        for group in sdk.network.security_groups(project_id=project.id):
            admin.network.delete_security_group(group)
        admin.identity.delete_project(project)


def _network(sdk: openstack.connection.Connection, label: str, cidr: str) -> None:
    network = sdk.network.create_network(name=label)
    pool = {"start": cidr.replace(".0.0/16", ".200.1"), "end": cidr.replace(".0.0/16", ".200.254")}
    sdk.network.create_subnet(name=label, network_id=network.id, ip_version=4, cidr=cidr, allocation_pools=[pool])


def _until(done: Any, seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "the project does not become empty"
        time.sleep(0.3)


def without_macs(spec: VmSpec) -> VmSpec:
    return replace(spec, nics=tuple(replace(nic, mac="") for nic in spec.nics))


def fails(driver: OpenStackDriver, spec: VmSpec, error: type[HypervisorError]) -> HypervisorError:
    """The create fails with this error, which is returned; it tells no password."""
    with pytest.raises(error) as caught:
        driver.create(spec)
    assert "password" not in str(caught.value).lower()
    return caught.value
