"""Exercise the lab the way an orchestrator does and print a table of results.

    python tests/lab/openstack/cloud/verify [-v]          -v shows tracebacks

Tells whether it is the lab that is wrong, or us. Exit status 1 if a required check failed; checks marked (optional) only
inform.
"""

from __future__ import annotations

import importlib.metadata
import sys
import time
from collections.abc import Callable
from typing import Any

import openstack
from harness import RESULTS, TAG, Lab, Note, check
from openstack import exceptions
from servers import STEPS as SERVER_STEPS


# ------------------------------------------------------------------ read only ---
@check("keystone: token")
def token(lab: Lab) -> Note:
    return f"{len(lab.cloud.authorize())} characters"


@check("nova: flavors")
def flavors(lab: Lab) -> Note:
    found = {item.name: (item.vcpus, item.ram, item.disk) for item in lab.cloud.compute.flavors()}
    assert (found["nano"], found["large"]) == ((1, 512, 1), (4, 6144, 40)), found
    lab.flavor = lab.cloud.compute.find_flavor("nano")
    return ", ".join(sorted(found))


@check("glance: images")
def images(lab: Lab) -> Note:
    found = [item.name for item in lab.cloud.image.images(status="active")]
    lab.image = lab.cloud.image.find_image("ubuntu-20.04", ignore_missing=False)
    return ", ".join(sorted(found))


@check("nova: availability zones in detail")
def zones(lab: Lab) -> Note:
    lab.zones = {
        zone.name: sorted(zone.hosts)
        for zone in lab.cloud.compute.availability_zones(details=True)
        if zone.name != "internal"
    }
    assert len(lab.zones) >= 2, lab.zones
    return str(lab.zones)


@check("nova: hypervisors (latest microversion)")
def hypervisors(lab: Lab) -> Note:
    found = list(lab.cloud.compute.hypervisors(details=True))
    assert found
    assert all(item.state == "up" for item in found)
    return ", ".join(f"{item.name} vcpus={item.vcpus}" for item in found)


@check("nova: hypervisor statistics (2.53)")
def statistics(lab: Lab) -> Note:
    answer = lab.cloud.compute.get("/os-hypervisors/statistics", microversion="2.53")
    exceptions.raise_from_response(answer)
    data = answer.json()["hypervisor_statistics"]
    return "vcpus {vcpus_used}/{vcpus}, MB {memory_mb_used}/{memory_mb}".format(**data)


@check("placement: inventories and usages")
def placement(lab: Lab) -> Note:
    notes = []
    for provider in lab.cloud.placement.resource_providers():
        total = {
            item.resource_class: item.total for item in lab.cloud.placement.resource_provider_inventories(provider)
        }
        answer = lab.cloud.placement.get(f"/resource_providers/{provider.id}/usages")
        usage = answer.json()["usages"]
        notes.append("{} {}/{} vCPU".format(provider.name, usage["VCPU"], total["VCPU"]))
    return ", ".join(notes)


@check("nova: limits and usage of the project")
def limits(lab: Lab) -> Note:
    absolute = lab.cloud.compute.get_limits().absolute
    list(lab.cloud.compute.usages())
    return f"instances {absolute.instances_used}/{absolute.instances}"


# -------------------------------------------------------------------- network ---
@check("neutron: network, subnet")
def network(lab: Lab) -> Note:
    lab.network = lab.cloud.network.create_network(name=TAG)
    lab.subnet = lab.cloud.network.create_subnet(
        name=TAG, network_id=lab.network.id, ip_version=4, cidr="10.77.0.0/24", dns_nameservers=["10.77.0.2"]
    )
    return lab.subnet.cidr


@check("neutron: router with gateway and interface")
def router(lab: Lab) -> Note:
    public = lab.cloud.network.find_network("public", ignore_missing=False)
    lab.router = lab.cloud.network.create_router(name=TAG, external_gateway_info={"network_id": public.id})
    lab.cloud.network.add_interface_to_router(lab.router, subnet_id=lab.subnet.id)
    return lab.router.external_gateway_info["external_fixed_ips"][0]["ip_address"]


@check("neutron: security group and rules")
def security_group(lab: Lab) -> Note:
    lab.group = lab.cloud.network.create_security_group(name=TAG, description="x")
    for protocol, port in (("tcp", 22), ("tcp", 80), ("icmp", None)):
        lab.cloud.network.create_security_group_rule(
            security_group_id=lab.group.id,
            direction="ingress",
            ethertype="IPv4",
            protocol=protocol,
            port_range_min=port,
            port_range_max=port,
            remote_ip_prefix="0.0.0.0/0",
        )
    group = lab.cloud.network.get_security_group(lab.group.id)
    return f"{len(group.security_group_rules)} rules"


@check("nova: key pair, generated and imported")
def keypair(lab: Lab) -> Note:
    made = lab.cloud.compute.create_keypair(name=TAG)
    assert "PRIVATE KEY" in made.private_key
    lab.cloud.compute.create_keypair(name=TAG + "-imported", public_key=made.public_key)
    return made.fingerprint


# -------------------------------------------------------------------- volumes ---
@check("cinder: volume create, extend, snapshot", optional=True)
def volume(lab: Lab) -> Note:
    api = lab.cloud.block_storage
    lab.volume = api.create_volume(name=TAG, size=1)
    api.wait_for_status(lab.volume, "available", interval=0.5, wait=60)
    api.extend_volume(lab.volume, 2)
    deadline = time.time() + 60
    while (api.get_volume(lab.volume.id).status, api.get_volume(lab.volume.id).size) != (
        "available",
        2,
    ) and time.time() < deadline:
        time.sleep(0.3)
    made = api.create_snapshot(name=TAG, volume_id=lab.volume.id)
    api.wait_for_status(made, "available", interval=0.5, wait=60)
    api.delete_snapshot(made)
    api.wait_for_delete(made, interval=0.5, wait=60)
    return f"{api.get_volume(lab.volume.id).size} GiB"


@check("cinder: attach to and detach from a server", optional=True)
def attach(lab: Lab) -> Note:
    api, server = lab.cloud.block_storage, lab.servers[2]
    made = lab.cloud.compute.create_volume_attachment(server, volume_id=lab.volume.id)
    api.wait_for_status(lab.volume, "in-use", interval=0.5, wait=60)
    lab.cloud.compute.delete_volume_attachment(server, lab.volume.id)
    api.wait_for_status(lab.volume, "available", interval=0.5, wait=60)
    return made.device


@check("cinder: server booted from an image volume", optional=True)
def boot_volume(lab: Lab) -> Note:
    server = lab.create(
        TAG + "-bfv",
        "zone-1",
        image_id=None,
        block_device_mapping=[
            {
                "boot_index": 0,
                "uuid": lab.image.id,
                "source_type": "image",
                "destination_type": "volume",
                "volume_size": 1,
                "delete_on_termination": True,
            }
        ],
    )
    server = lab.wait(server, "ACTIVE")
    return "volume {}".format(server.attached_volumes[0]["id"][:8])


# --------------------------------------------------- projects, users and quotas ---
@check("keystone: project, user, role")
def tenant(lab: Lab) -> Note:
    api = lab.cloud.identity
    lab.project = api.create_project(name=TAG, domain_id="default")
    lab.user = api.create_user(name=TAG, password="secret", domain_id="default", default_project_id=lab.project.id)
    api.assign_project_role_to_user(lab.project, lab.user, api.find_role("member"))
    lab.tenant = openstack.connect(
        auth_url=lab.cloud.config.get_auth_args()["auth_url"],
        username=TAG,
        password="secret",
        project_name=TAG,
        user_domain_name="Default",
        project_domain_name="Default",
        region_name="RegionOne",
        load_yaml_config=False,
        load_envvars=False,
    )
    return f"token {len(lab.tenant.authorize())} characters"


@check("quotas: read and set (nova, neutron, cinder)")
def quotas(lab: Lab) -> Note:
    lab.cloud.compute.update_quota_set(lab.project, instances=1, cores=4)
    lab.cloud.network.update_quota(lab.project.id, networks=2, floating_ips=0)
    notes = [
        f"instances {lab.cloud.compute.get_quota_set(lab.project).instances}",
        f"networks {lab.cloud.network.get_quota(lab.project.id).networks}",
    ]
    if lab.cloud.has_service("block-storage"):
        lab.cloud.block_storage.update_quota_set(lab.project, volumes=3)
        notes.append(f"volumes {lab.cloud.block_storage.get_quota_set(lab.project).volumes}")
    return ", ".join(notes)


@check("quotas: the tenant is stopped at its limit")
def quota_limit(lab: Lab) -> Note:
    api = lab.tenant
    net = api.network.create_network(name=TAG + "-tenant")
    api.network.create_subnet(network_id=net.id, ip_version=4, cidr="10.78.0.0/24")
    options = {"flavor_id": lab.flavor.id, "image_id": lab.image.id, "networks": [{"uuid": net.id}]}
    server = api.compute.create_server(name=TAG + "-t0", **options)
    try:
        lab.wait(server, "ACTIVE")
        assert [item.id for item in api.compute.servers()] == [server.id]
        try:
            api.compute.create_server(name=TAG + "-t1", **options)
        except exceptions.ForbiddenException as error:
            return str(error.details)
        raise AssertionError("the second server was accepted")
    finally:
        api.compute.delete_server(server)
        api.compute.wait_for_delete(server, interval=0.5, wait=60)
        api.network.delete_network(net)


# ------------------------------------------------------------------- clean-up ---
@check("nova: delete all servers")
def delete_servers(lab: Lab) -> Note:
    for server in lab.servers:
        lab.cloud.compute.delete_server(server, ignore_missing=True)
    for server in lab.servers:
        lab.cloud.compute.wait_for_delete(server, interval=0.3, wait=120)
    return f"{len(lab.servers)} servers"


@check("clean-up of everything else")
def clean_up(lab: Lab) -> Note:
    api = lab.cloud
    problems = []

    def attempt(function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            problems.append(str(error))

    if lab.floating_ip:
        attempt(api.network.delete_ip, lab.floating_ip)
    if lab.router:
        attempt(api.network.remove_interface_from_router, lab.router, subnet_id=lab.subnet.id)
        attempt(api.network.delete_router, lab.router)
    if lab.network:
        attempt(api.network.delete_network, lab.network)
    if lab.group:
        attempt(api.network.delete_security_group, lab.group)
    if lab.server_group:
        attempt(api.compute.delete_server_group, lab.server_group)
    for name in (TAG, TAG + "-imported"):
        attempt(api.compute.delete_keypair, name, ignore_missing=True)
    for image in list(api.image.images()):
        if image.name.startswith(TAG):  # snapshot and shelve image
            attempt(api.image.delete_image, image)
    if lab.volume:
        attempt(api.block_storage.delete_volume, lab.volume)
        attempt(api.block_storage.wait_for_delete, lab.volume, interval=0.5, wait=60)
    if lab.project:
        for group in list(api.network.security_groups(project_id=lab.project.id)):
            attempt(api.network.delete_security_group, group)
        attempt(api.compute.revert_quota_set, lab.project)
        attempt(api.network.delete_quota, lab.project.id)
    if lab.user:
        attempt(api.identity.delete_user, lab.user)
    if lab.project:
        attempt(api.identity.delete_project, lab.project)
    if problems:
        raise RuntimeError("; ".join(problems))


def main() -> int:
    """All checks, in an order in which each finds what it needs."""
    began = time.perf_counter()
    lab = Lab()
    has_volumes = any(item.type == "volumev3" for item in lab.cloud.identity.services())
    first = (token, flavors, images, zones, hypervisors, statistics, placement, limits)
    for step in (*first, network, router, security_group, keypair, *SERVER_STEPS):
        step(lab)
    for step in (volume, attach, boot_volume) if has_volumes else ():
        step(lab)
    for step in (tenant, quotas, quota_limit, delete_servers, clean_up):
        step(lab)
    failed = [name for name, ok, _required, _seconds, _note in RESULTS if not ok]
    seconds, version = time.perf_counter() - began, importlib.metadata.version("openstacksdk")
    print(f"\n{len(RESULTS)} checks, {len(failed)} failed, {seconds:.1f} s, openstacksdk {version}")
    return int(any(required and not ok for _name, ok, required, _seconds, _note in RESULTS))


if __name__ == "__main__":
    sys.exit(main())
