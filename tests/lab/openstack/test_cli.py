"""The command line against the lab's cloud: what it makes is there, as bare openstacksdk sees it, and goes again."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import Campus
from tests.lab.openstack.test_service_api import qcow2
from tests.lab.ring import Patient

MIB = 1 << 20
HERE = ("--hypervisor", "cloud")


@pytest.fixture(scope="module")
def admin(campus: Campus, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """The superuser at a terminal."""
    with campus.api() as api:
        token = api.post("/auth/tokens", json={"name": "lab"}).raise_for_status().json()["token"]
    return Patient(tmp_path_factory.mktemp("cli"), campus.installation.address, token)


def rows(terminal: Terminal, *arguments: str) -> dict[str, dict]:
    """What a list holds now, by name."""
    told = terminal(*arguments, "--refresh", *HERE, "-o", "json")
    assert told.err == ""
    return {row["name"]: row for row in told.data}


def test_the_catalogue(admin: Terminal, lab: Cloud):
    flavors = rows(admin, "flavor", "ls", "--stats")
    real = {flavor.name: flavor.ram for flavor in lab.sdk().compute.flavors()}
    told = {name: row["ram"] for name, row in flavors.items() if row["on_cloud"] and row["predefined"]}
    assert told == {name: real[name] for name in ("nano", "micro", "small", "medium", "large")}
    assert admin("zone", "ls", "--refresh", *HERE).table[1][:2] == ["zone-1", "up"]
    assert "compute-03" in {row[1] for row in admin("zone", "ls", "--capacity", *HERE).table}
    assert set(rows(admin, "image", "ls")) >= {"cirros", "ubuntu-20.04"}
    assert admin("flavor", "recommend", "--vcpus", "2", "--ram", "2048", *HERE).out.startswith("medium: 2 vCPUs")
    assert admin("flavor", "ls", code=7).err.endswith("One of: behind, cloud.\n")


def test_a_flavor(admin: Terminal, lab: Cloud, name: str):
    admin("flavor", "create", name, "--vcpus", "3", "--ram", "1000", "--disk", "7", *HERE)
    try:
        assert lab.sdk().compute.find_flavor(name).ram == 1000
    finally:
        admin("flavor", "rm", name, "--yes", *HERE)
    assert lab.sdk().compute.find_flavor(name) is None


def test_an_image_is_uploaded(admin: Terminal, lab: Cloud, name: str, tmp_path: Path):
    disk = tmp_path / "disk.qcow2"
    disk.write_bytes(qcow2(64 * MIB) + bytes(40 * MIB))
    size = disk.stat().st_size
    assert admin("image", "upload", str(disk), "--name", name, *HERE).out == f"{name}: uploaded, 40 MiB.\n"
    try:
        found = lab.sdk().image.find_image(name)
        assert (found.size, found.disk_format, found.status) == (size, "qcow2", "active")
        assert "already" in admin("image", "upload", str(disk), "--name", name, *HERE, code=7).err
    finally:
        admin("image", "rm", name, "--yes", *HERE)
    assert lab.sdk().image.find_image(name) is None


def test_a_network_with_a_way_out(admin: Terminal, lab: Cloud, name: str):
    address = ("--cidr", "10.94.0.0/24", "--pool", "10.94.0.10-10.94.0.20", "--dns", "10.94.0.2")
    admin("network", "create", name, *address, *HERE)
    try:
        (subnet,) = lab.sdk().network.subnets(network_id=lab.sdk().network.find_network(name).id)
        assert (subnet.cidr, subnet.dns_nameservers) == ("10.94.0.0/24", ["10.94.0.2"])
        admin("network", "subnet", "create", name, "10.94.1.0/24", "--name", f"{name}-2", "--no-dhcp", *HERE)
        assert "overlaps" in admin("network", "subnet", "create", name, "10.94.0.0/25", *HERE, code=7).err
        admin("network", "router", "create", name, "--subnet", f"{name}-2", "--external", "public", *HERE)
        (router,) = [row for row in admin("network", "router", "ls", *HERE).table if row[0] == name]
        assert router[2:] == ["10.94.1.0/24", "public"]
        assert name in admin("network", "rm", name, "--yes", *HERE, code=7).err
        assert {row[0] for row in admin("network", "show", name, *HERE).table[-2:]} == {name, f"{name}-2"}
    finally:
        for what in (["router", "rm", name], ["subnet", "rm", f"{name}-2"], ["rm", name]):
            admin("network", *what, "--yes", *HERE, code=None)
    assert lab.sdk().network.find_network(name) is None
    assert lab.sdk().network.find_router(name) is None


def test_the_life_of_a_volume(admin: Terminal, lab: Cloud, name: str, server: str):
    admin("volume", "create", name, "1", *HERE)
    try:
        assert admin("volume", "extend", name, "2", *HERE).out == f"{name}: 2 GiB.\n"
        assert "shrink" in admin("volume", "extend", name, "1", *HERE, code=7).err
        admin("volume", "attach", name, server, *HERE)
        assert rows(admin, "volume", "ls")[name]["attachments"][0]["instance"] == server
        assert admin("volume", "detach", name, *HERE).out == f"{name}: in no machine.\n"
        admin("volume", "snapshot", name, "--name", f"{name}-s", *HERE)
        assert [row[:2] for row in admin("volume", "snapshots", *HERE).table if row[0] == f"{name}-s"] == [
            [f"{name}-s", name]
        ]
        assert f"{name}-s" in admin("volume", "rm", name, "--yes", *HERE, code=7).err
    finally:
        admin("volume", "delete-snapshot", f"{name}-s", "--yes", *HERE, code=None)
        admin("volume", "rm", name, "--yes", *HERE)
    assert name not in {volume.name for volume in lab.sdk().block_storage.volumes(all_projects=True)}


def test_a_project_and_what_it_may_use(admin: Terminal, lab: Cloud, name: str):
    admin("project", "create", name, "instances=5", "cores=unlimited", "--user", "demo", *HERE)
    try:
        limits = {row[1]: row[3] for row in admin("quota", "show", name, *HERE).table}
        assert (limits["instances"], limits["cores"]) == ("5", "unlimited")
        told = admin("quota", "set", name, "instances=7", "ram=-1", *HERE).table
        assert [row[:4] for row in told[1:]] == [
            ["compute", "instances", "0", "7"],
            ["compute", "ram", "0", "unlimited"],
        ]
        assert "elephants" in admin("quota", "set", name, "elephants=1", *HERE, code=7).err
    finally:
        admin("project", "rm", name, "--yes", *HERE)
    assert lab.sdk().identity.find_project(name) is None


@pytest.fixture
def watched(admin: Terminal) -> Iterator:
    """`tunnel status --watch` as a script reads it."""
    process = admin.begin("tunnel", "status", "--watch", "-o", "json")
    yield process
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)


def test_a_tunnel_is_seen_coming_back(admin: Terminal, watched):
    admin("zone", "ls", "--refresh", "--hypervisor", "behind")
    first = json.loads(watched.stdout.readline())
    while first["state"] != "up":
        first = json.loads(watched.stdout.readline())
    assert admin("tunnel", "reconnect").out == "behind: connects anew.\n"
    while (later := json.loads(watched.stdout.readline()))["state"] != "up":
        assert later["hypervisor"] == "behind"
    assert later["reconnects"] > first["reconnects"]
    assert {row[0] for row in admin("tunnel", "status").table} >= {"behind", "· compute"}
