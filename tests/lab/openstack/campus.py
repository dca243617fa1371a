"""An installation with a web process and a worker, whose hypervisors are the lab: directly and through a bastion."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.lab.cloud import Cloud
from tests.lab.sshd import Sshd
from tests.processes.installation import PASSWORD, Installation, until

PEOPLE = f"""
for name, kind in (("admin", "manager"), ("manager", "manager"), ("student", "simple")):
    User.objects.create_user(name, f"{{name}}@example.edu", {PASSWORD!r}, kind=kind, is_superuser=name == "admin")
"""


@dataclass
class Campus:
    """A running Olimpus with hypervisors on the lab: `cloud`, and `behind`, the same one through a bastion."""

    installation: Installation
    bastion: Sshd
    network: str  # by name, in the admin's project
    worker: subprocess.Popen[str]

    def api(self, who: str = "admin") -> httpx.Client:
        """The API as this person."""
        return httpx.Client(base_url=f"{self.installation.address}/api", auth=(who, PASSWORD), timeout=120)


@contextmanager
def standing(cloud: Cloud, place: Path, *, hypervisors: bool = True) -> Iterator[Campus]:
    """Accounts admin, manager and student; nothing in the tree. With `hypervisors` False there are none yet."""
    made, bastion = Installation(place / "home", place / "template"), Sshd(place / "bastion")
    made.home.mkdir(parents=True)
    with network(cloud) if hypervisors else nullcontext("") as net:
        try:
            made.manage("migrate", "--verbosity", "0")
            made.run(PEOPLE)
            made.web()
            found = Campus(made, bastion, net, made.worker())
            records = {"cloud": {}, "behind": bastion.settings()} if hypervisors else {}
            with found.api() as api:
                for name, more in records.items():
                    fields = {"name": name, "driver": "openstack", "concurrency": 8, "settings": cloud.account(**more)}
                    answer = api.post("/hypervisors", json=fields)
                    assert answer.status_code == 201, answer.text
            yield found
        finally:
            made.close()
            bastion.close()


@contextmanager
def network(cloud: Cloud) -> Iterator[str]:
    """The name of a network with addresses, gone afterwards with all that a test that failed has left in it."""
    api, name = cloud.sdk().network, f"lab-{uuid.uuid4().hex[:6]}"
    made = api.create_network(name=name)
    api.create_subnet(name=name, network_id=made.id, ip_version=4, cidr="10.97.0.0/24")
    try:
        yield name
    finally:
        _empty(cloud, made.id)
        api.delete_network(made)


def _empty(cloud: Cloud, network_id: str) -> None:
    """Nothing is on the network when tests have gone well."""
    sdk = cloud.sdk()
    ports = [port for port in sdk.network.ports(network_id=network_id) if not port.device_owner.startswith("network:")]
    servers = {port.device_id for port in ports if port.device_id}
    for server in servers:
        sdk.compute.delete_server(server)
    assert until(lambda: not servers & {one.id for one in sdk.compute.servers(details=False)}, 120, 1.0), servers
    for port in ports:
        sdk.network.delete_port(port)
