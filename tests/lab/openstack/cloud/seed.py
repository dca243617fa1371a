#!/usr/bin/python3
"""Fill the lab with what a fresh cloud needs. Every step may be run again.

seed.py identity              service users, roles and the service catalog
seed.py wait HOST:ZONE...     until every nova-compute has reported in
seed.py hosts HOST:ZONE...    availability zones
seed.py cloud DIRECTORY       flavors, images, external network, demo project
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import openstack

PASSWORD = os.environ.get("LAB_PASSWORD", "lab")
CINDER = os.environ.get("LAB_CINDER", "1") == "1"

SERVICES = [  # user, catalog name, type, URL
    ("placement", "placement", "placement", "http://127.0.0.1:8778"),
    ("glance", "glance", "image", "http://127.0.0.1:9292"),
    ("neutron", "neutron", "network", "http://127.0.0.1:9696"),
    ("nova", "nova", "compute", "http://127.0.0.1:8774/v2.1"),
]
if CINDER:
    SERVICES.append(("cinder", "cinderv3", "volumev3", "http://127.0.0.1:8776/v3/%(project_id)s"))

FLAVORS = [  # name, vCPU, MB, GB
    ("nano", 1, 512, 1),
    ("micro", 1, 1024, 5),
    ("small", 1, 1536, 10),
    ("medium", 2, 2560, 20),
    ("large", 4, 6144, 40),
]
IMAGES = ["cirros", "ubuntu-20.04"]


def ensure_user(cloud: Any, name: str, project: Any) -> Any:
    user = cloud.identity.find_user(name)
    if not user:
        user = cloud.identity.create_user(
            name=name, password=PASSWORD, domain_id="default", default_project_id=project.id
        )
    return user


def ensure_project(cloud: Any, name: str) -> Any:
    return cloud.identity.find_project(name) or cloud.identity.create_project(name=name, domain_id="default")


def ensure_role(cloud: Any, name: str) -> Any:
    return cloud.identity.find_role(name) or cloud.identity.create_role(name=name)


def identity(cloud: Any) -> None:
    region = cloud.config.get_region_name()
    project = ensure_project(cloud, "service")
    roles = [ensure_role(cloud, "service"), ensure_role(cloud, "admin")]
    known_services = {item.type: item for item in cloud.identity.services()}
    known_endpoints = {(item.service_id, item.interface) for item in cloud.identity.endpoints()}
    for user_name, name, kind, url in SERVICES:
        user = ensure_user(cloud, user_name, project)
        for role in roles:
            cloud.identity.assign_project_role_to_user(project, user, role)
        entry = known_services.get(kind) or cloud.identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            if (entry.id, interface) not in known_endpoints:
                cloud.identity.create_endpoint(service_id=entry.id, interface=interface, url=url, region_id=region)


def wait(cloud: Any, pairs: list[str]) -> None:
    expected = {pair.partition(":")[0] for pair in pairs}
    deadline = time.time() + 180
    while True:
        services = list(cloud.compute.services())
        up = {item.host for item in services if item.binary == "nova-compute" and item.state == "up"}
        others = {item.binary for item in services if item.state == "up"}
        if expected <= up and {"nova-conductor", "nova-scheduler"} <= others:
            return
        if time.time() > deadline:
            sys.exit("no report from: {}".format(" ".join(sorted(expected - up))))
        time.sleep(1)


def hosts(cloud: Any, pairs: list[str]) -> None:
    zones = {item.name: item for item in cloud.compute.aggregates()}
    for pair in pairs:
        host, _, zone = pair.partition(":")
        if not zone:
            continue
        if zone not in zones:
            zones[zone] = cloud.compute.create_aggregate(name=zone, availability_zone=zone)
        if host not in (zones[zone].hosts or []):
            cloud.compute.add_host_to_aggregate(zones[zone], host)


def fill(cloud: Any, directory: str) -> None:
    known = {item.name for item in cloud.compute.flavors()}
    for number, (name, vcpus, ram, disk) in enumerate(FLAVORS, 1):
        if name not in known:
            cloud.compute.create_flavor(id=str(number), name=name, vcpus=vcpus, ram=ram, disk=disk)

    path = os.path.join(directory, "tiny.qcow2")
    for name in IMAGES:
        if cloud.image.find_image(name):
            continue
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
        cloud.create_image(
            name, filename=path, disk_format="qcow2", container_format="bare", visibility="public", wait=True
        )
        os.unlink(path)

    network = cloud.network.find_network("public")
    if not network:
        network = cloud.network.create_network(
            name="public", is_router_external=True, provider_network_type="flat", provider_physical_network="public"
        )
        cloud.network.create_subnet(
            name="public-subnet",
            network_id=network.id,
            ip_version=4,
            cidr="172.24.4.0/22",
            gateway_ip="172.24.4.1",
            is_dhcp_enabled=False,
            allocation_pools=[{"start": "172.24.4.10", "end": "172.24.7.250"}],
        )

    project = ensure_project(cloud, "demo")
    user = ensure_user(cloud, "demo", project)
    cloud.identity.assign_project_role_to_user(project, user, ensure_role(cloud, "member"))

    if CINDER:
        known = {item.name for item in cloud.block_storage.types()}
        if "files" not in known:
            cloud.block_storage.create_type(name="files", extra_specs={"volume_backend_name": "files"})


def main() -> None:
    step, arguments = sys.argv[1], sys.argv[2:]
    cloud = openstack.connect(cloud="lab")
    if step == "identity":
        identity(cloud)
    elif step == "wait":
        wait(cloud, arguments)
    elif step == "hosts":
        hosts(cloud, arguments)
    elif step == "cloud":
        fill(cloud, arguments[0])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
