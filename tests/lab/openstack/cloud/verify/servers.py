"""Checks of Nova: servers, and everything that can be done to one."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness import TAG, Lab, Note, check
from openstack import exceptions


@check("nova: 4 servers in 2 zones reach ACTIVE")
def servers(lab: Lab) -> Note:
    names = sorted(lab.zones)[:2]
    created = [
        lab.create(
            f"{TAG}-{number}",
            names[number % 2],
            key_name=TAG,
            security_groups=[{"name": TAG}],
            metadata={"owner": "verify"},
            user_data="I2Nsb3VkLWNvbmZpZwo=",
        )
        for number in range(4)
    ]
    notes = []
    for number, server in enumerate(created):
        server = lab.wait(server, "ACTIVE")
        assert server.availability_zone == names[number % 2]
        assert server.compute_host in lab.zones[server.availability_zone]
        address = server.addresses[TAG][0]["addr"]
        notes.append(f"{address}@{server.compute_host}")
    return ", ".join(notes)


@check("neutron: ports bound and ACTIVE")
def ports(lab: Lab) -> Note:
    found = list(lab.cloud.network.ports(device_id=lab.servers[0].id))
    assert found, found
    assert all(port.status == "ACTIVE" for port in found), found
    assert found[0].security_group_ids == [lab.group.id]
    return f"vif_type {found[0].binding_vif_type}"


@check("neutron: floating IP on a server port")
def floating_ip(lab: Lab) -> Note:
    public = lab.cloud.network.find_network("public")
    port = next(lab.cloud.network.ports(device_id=lab.servers[0].id))
    lab.floating_ip = lab.cloud.network.create_ip(floating_network_id=public.id, port_id=port.id)
    ip = lab.cloud.network.get_ip(lab.floating_ip.id)
    assert ip.status == "ACTIVE", ip
    assert ip.fixed_ip_address, ip
    return f"{ip.floating_ip_address}, status {ip.status}"


def operation(title: str, call: Callable[..., None], *states: str) -> Callable[..., None]:
    @check("nova: " + title)
    def step(lab: Lab) -> Note:
        server = lab.servers[0]
        call(lab.cloud.compute, server)
        server = lab.wait(server, *states)
        return f"{server.status}, power_state {server.power_state}"

    return step


OPERATIONS = [
    operation("stop", lambda api, s: api.stop_server(s), "SHUTOFF"),
    operation("start", lambda api, s: api.start_server(s), "ACTIVE"),
    operation("pause", lambda api, s: api.pause_server(s), "PAUSED"),
    operation("unpause", lambda api, s: api.unpause_server(s), "ACTIVE"),
    operation("suspend", lambda api, s: api.suspend_server(s), "SUSPENDED"),
    operation("resume", lambda api, s: api.resume_server(s), "ACTIVE"),
    operation("reboot, soft", lambda api, s: api.reboot_server(s, "SOFT"), "ACTIVE"),
    operation("reboot, hard", lambda api, s: api.reboot_server(s, "HARD"), "ACTIVE"),
    operation("lock", lambda api, s: api.lock_server(s), "ACTIVE"),
    operation("unlock", lambda api, s: api.unlock_server(s), "ACTIVE"),
    operation("rescue", lambda api, s: api.rescue_server(s), "RESCUE"),
    operation("unrescue", lambda api, s: api.unrescue_server(s), "ACTIVE"),
    operation("shelve", lambda api, s: api.shelve_server(s), "SHELVED_OFFLOADED"),
    operation("unshelve", lambda api, s: api.unshelve_server(s), "ACTIVE"),
]


@check("nova: resize and confirm")
def resize(lab: Lab) -> Note:
    server = lab.servers[1]
    lab.cloud.compute.resize_server(server, lab.cloud.compute.find_flavor("small").id)
    lab.wait(server, "VERIFY_RESIZE")
    lab.cloud.compute.confirm_server_resize(server)
    server = lab.wait(server, "ACTIVE")
    return f"now {server.flavor.name} on {server.compute_host}"


@check("nova: live migration in the zone")
def live_migration(lab: Lab) -> Note:
    server = lab.wait(lab.servers[0], "ACTIVE")
    target = [host for host in lab.zones[server.availability_zone] if host != server.compute_host]
    if not target:
        return "skipped: one host in the zone"
    before = server.compute_host
    lab.cloud.compute.live_migrate_server(server, host=target[0], force=False, block_migration="auto")
    time.sleep(1)
    server = lab.wait(server, "ACTIVE")
    assert server.compute_host == target[0], server.compute_host
    return f"{before} -> {server.compute_host}"


@check("nova: rebuild")
def rebuild(lab: Lab) -> Note:
    lab.cloud.compute.rebuild_server(lab.servers[1], image=lab.cloud.image.find_image("cirros").id)
    return lab.wait(lab.servers[1], "ACTIVE").status


@check("nova: snapshot to an image")
def snapshot(lab: Lab) -> Note:
    lab.snapshot = lab.cloud.compute.create_server_image(lab.servers[1], TAG, wait=False)
    deadline = time.time() + 60
    while True:
        image = lab.cloud.image.get_image(lab.snapshot.id)
        if image.status == "active":
            return f"{image.size} bytes"
        if image.status in ("error", "killed") or time.time() > deadline:
            raise RuntimeError(f"image is {image.status}")
        time.sleep(0.3)


@check("nova: interface attach and detach")
def interface(lab: Lab) -> Note:
    server = lab.servers[2]
    port = lab.cloud.compute.create_server_interface(server, net_id=lab.network.id)
    count = len(list(lab.cloud.compute.server_interfaces(server)))
    lab.cloud.compute.delete_server_interface(port.port_id, server=server)
    assert count == 2, count
    return f"{count} interfaces"


@check("nova: metadata, rename")
def metadata(lab: Lab) -> Note:
    lab.cloud.compute.set_server_metadata(lab.servers[2], role="web")
    lab.cloud.compute.update_server(lab.servers[2], name=TAG + "-renamed")
    server = lab.cloud.compute.get_server(lab.servers[2].id)
    assert server.metadata["role"] == "web"
    assert server.name.endswith("renamed")
    return str(server.metadata)


@check("nova: VNC console URL")
def console(lab: Lab) -> Note:
    return lab.cloud.compute.create_console(lab.servers[1], "novnc")["url"]


@check("nova: console log")
def console_log(lab: Lab) -> Note:
    answer = lab.cloud.compute.get_server_console_output(lab.servers[1])
    return repr(answer["output"][:40])


@check("nova: server actions (event log)")
def actions(lab: Lab) -> Note:
    return ", ".join(item.action for item in lab.cloud.compute.server_actions(lab.servers[0]))[:80]


@check("nova: server group, anti-affinity")
def server_group(lab: Lab) -> Note:
    lab.server_group = lab.cloud.compute.create_server_group(name=TAG, policy="anti-affinity")
    pair = [
        lab.create(f"{TAG}-anti-{number}", "zone-1", scheduler_hints={"group": lab.server_group.id})
        for number in range(2)
    ]
    used = [lab.wait(server, "ACTIVE").compute_host for server in pair]
    assert used[0] != used[1], used
    return " / ".join(used)


@check("nova: failure on request (lab_fail=spawn)")
def failing(lab: Lab) -> Note:
    server = lab.create(TAG + "-fails", "zone-1", metadata={"lab_fail": "spawn"})
    server = lab.wait(server, "ERROR")
    return server.fault["message"]


@check("nova: no valid host -> ERROR")
def no_host(lab: Lab) -> Note:
    big = lab.cloud.compute.create_flavor(name=TAG, vcpus=512, ram=512, disk=1)
    try:
        server = lab.create(TAG + "-too-big", "zone-1", flavor_id=big.id)
        return lab.wait(server, "ERROR").fault["message"]
    finally:
        lab.cloud.compute.delete_flavor(big)


@check("nova: unknown zone is refused")
def bad_zone(lab: Lab) -> Note:
    try:
        lab.create(TAG + "-nowhere", "zone-9")
    except exceptions.BadRequestException as error:
        return str(error.details)
    raise AssertionError("accepted")


STEPS = (
    servers,
    ports,
    floating_ip,
    *OPERATIONS,
    resize,
    live_migration,
    rebuild,
    snapshot,
    interface,
    metadata,
    console,
    console_log,
    actions,
    server_group,
    failing,
    no_host,
    bad_zone,
)
