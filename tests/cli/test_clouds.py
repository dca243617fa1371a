"""What clouds have, as it was last heard: the clouds of these tests are away. (The lab's tests meet a real one.)"""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.acting import answering
from tests.cli.pretender import Pretender, pretender, problem, send
from tests.cli.terminal import Ended, Terminal
from tests.cli.test_completion import offered
from tests.hypervisors import recorded
from tests.processes.installation import Installation

MIB = 1 << 20
#: What the lab's cloud said, three minutes ago; since then nobody answers at its address.
RECORD = """
from dataclasses import replace
from datetime import timedelta
from django.utils import timezone
from hypervisors import inventory
from hypervisors.models import Inventory
from tests.hypervisors import recorded
place = {"auth_url": "http://127.0.0.1:9/v3", "username": "x", "password": "y", "project_name": "z"}
bastion = {"bastion_host": "127.0.0.1", "bastion_port": 9, "bastion_user": "me", "bastion_key_file": "/nowhere"}
for name, more in (("away", {}), ("behind", bastion)):
    wanted = {"name": name, "driver": "openstack", "settings": place | more, "managers": ["manager"]}
    hypervisor_actions.create(wanted | {"reconcile_interval": 86400}, actor=admin)
away = Hypervisor.objects.get(name="away")
twins = [replace(recorded.IMAGES[0], id=f"twin-{number}", name="twin") for number in (1, 2)]
known = {
    "flavors": recorded.FLAVORS, "flavor_use": {"micro": 3}, "images": [*recorded.IMAGES, *twins],
    "zones": recorded.ZONES, "networks": [recorded.NETWORK], "routers": [recorded.ROUTER],
    "volumes": [recorded.VOLUME, recorded.FREE_VOLUME], "volume_snapshots": [recorded.SNAPSHOT],
    "keypairs": recorded.KEYPAIRS, "projects": recorded.PROJECTS,
    f"quotas:{recorded.PROJECTS[1].id}": recorded.QUOTAS,
}
then = timezone.now() - timedelta(minutes=3, seconds=5)
for kind, rows in known.items():
    Inventory.objects.create(hypervisor=away, kind=kind, data=inventory.plain(rows), fetched_at=then)
actions.apply({"path": "/clouds", "descriptors": {"web": None, "db": None}}, actor=admin)
Descriptor.objects.filter(name="web", parent__name="clouds").update(hypervisor=away, vm_ref=recorded.SERVER)
"""
FORGET = """
Descriptor.objects.filter(hypervisor__name="away").update(hypervisor=None, vm_ref="")
for name in ("away", "behind"):
    hypervisor_actions.delete(Hypervisor.objects.get(name=name), actor=admin)
"""
AWAY = ("--hypervisor", "away")


def test_without_a_cloud_the_predefined_serves_and_is_told_as_such(student: Terminal):
    told = student("flavor", "ls")
    assert [row[0] for row in told.table[1:]] == ["nano", "micro", "small", "medium", "large"]
    assert told.table[1][-1] == "predefined, not on the cloud"
    assert told.err == "Predefined values: no cloud has been heard.\n"
    assert student("image", "ls", code=6).err.startswith("olimpus: hypervisor: No OpenStack is connected.")


@pytest.fixture(scope="module")
def clouds(server: Installation, admin: Terminal) -> Iterator[None]:
    """Two OpenStacks that do not answer; `away` did, three minutes ago. The user manager is in charge of both."""
    server.run(RECORD)
    admin("grants", "add", "/clouds", "--user", "manager")
    yield
    server.run(FORGET)
    admin("rm", "-r", "/clouds", "--yes")


@pytest.fixture(scope="module")
def keeper(clouds: None, manager: Terminal) -> Terminal:
    """Who is in charge of the clouds, and is no superuser."""
    return manager


# -- looking -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "row"),
    [
        (["zone", "ls"], ["zone-1", "up", "compute-01, compute-02"]),
        (["image", "ls"], ["cirros", "active", "qcow2", "192 KiB"]),
        (["network", "ls"], ["test-net", "active", "192.168.100.0/24"]),
        (["network", "subnet", "ls"], ["test-net", "192.168.100.0/24", "192.168.100.1"]),
        (["network", "router", "ls"], ["way-out", "active", "192.168.100.0/24"]),
        (["volume", "ls"], ["data", "in-use", "1 GiB", f"/clouds/web {recorded.VOLUME.attachments[0].device}"]),
        (["volume", "snapshots"], ["monday", "spare", "available", "1 GiB"]),
        (["project", "ls"], [recorded.PROJECTS[0].name]),
        (["quota", "show", recorded.PROJECTS[1].name], ["compute", "instances", "0", "1,000", "1,000"]),
        (["keypair", "ls"], [recorded.KEYPAIRS[0].name, "ssh", recorded.KEYPAIRS[0].fingerprint]),
    ],
)
def test_what_was_last_known_is_shown_with_its_age_and_why(keeper: Terminal, arguments: list[str], row: list[str]):
    told = keeper(*arguments, *AWAY)
    assert told.table[1][: len(row)] == row
    assert told.err.startswith("Last known, 3 minutes old. ")
    assert told.err.count("\n") == 1
    assert "127.0.0.1:9" in told.err or "away" in told.err


def test_scripts_are_told_the_age_too_and_get_the_data_of_the_api(keeper: Terminal):
    headers = {"Authorization": f"Bearer {keeper.environment['OLIMPUS_TOKEN']}"}
    with httpx.Client(base_url=f"{keeper.environment['OLIMPUS_SERVER']}/api", headers=headers, timeout=30) as api:
        rows = api.get("/openstack/images", params={"hypervisor": "away"}).json()["results"]
    told = keeper("image", "ls", *AWAY, "-o", "json")
    assert (told.data, len(rows)) == (rows, 4)
    assert told.err.startswith("Last known, 3 minutes old. ")
    assert keeper("image", "show", "cirros", *AWAY, "-o", "json").data == next(r for r in rows if r["name"] == "cirros")


def test_what_is_fresh_enough_tells_people_its_age_and_is_data_for_scripts(keeper: Terminal):
    told = keeper("flavor", "list", *AWAY, "-o", "wide")
    rows = {row[0]: row[1:] for row in told.table[1:]}
    assert rows["medium"] == ["2", "2,560 MiB", "20 GiB", "cloud, as predefined", recorded.FLAVORS[1].id]
    assert rows["nano"][-1] == "predefined, not on the cloud"
    assert told.err == "As of 3 minutes ago.\n"
    told = keeper("flavor", "ls", *AWAY, "-o", "json")
    assert ({row["name"]: row["ram"] for row in told.data}["micro"], told.err) == (1024, "")


def test_numbers_for_those_in_charge(keeper: Terminal, student: Terminal):
    rows = {row[0]: row for row in keeper("flavor", "ls", "--stats", *AWAY).table}
    assert rows["micro"][4] == "3"
    hosts = {row[1]: row for row in keeper("zone", "ls", "--capacity", *AWAY).table[1:]}
    assert list(hosts) == ["compute-01", "compute-02", "compute-03", "3 of 3 up"]
    assert hosts["3 of 3 up"][3] == f"{sum(h.cpus_used for z in recorded.ZONES for h in z.hosts)} / 6,144"
    assert student("flavor", "ls", *AWAY).table[1:]
    for arguments in (["flavor", "ls", "--stats"], ["zone", "ls", "--capacity"], ["image", "ls", "--refresh"],
                      ["network", "ls"], ["volume", "ls"], ["project", "ls"], ["quota", "show", "demo"],
                      ["flavor", "create", "nano"], ["network", "create", "x"]):  # fmt: skip
        assert student(*arguments, *AWAY, code=5).err.count("\n") == 1
    student("tunnel", "status", code=5)


def test_where_there_are_several_one_is_named(keeper: Terminal):
    assert keeper("flavor", "ls", code=7).err.endswith("One of: away, behind.\n")
    assert "Did you mean “away”?" in keeper("flavor", "ls", "-H", "awy", code=6).err


def test_things_are_named_by_name_or_id(keeper: Terminal):
    cirros = recorded.IMAGES[0]
    assert dict(keeper("image", "show", cirros.id, *AWAY).table)["Name"] == "cirros"
    assert "Did you mean “cirros”?" in keeper("image", "show", "ciros", *AWAY, code=6).err
    assert keeper("image", "rm", "twin", "--yes", *AWAY, code=2).err.endswith("twin-1, twin-2\n")
    shown = keeper("network", "show", "test-net", *AWAY).table
    assert shown[-1][:2] == ["test-net", "192.168.100.0/24"]
    assert dict(row[:2] for row in keeper("volume", "show", "data", *AWAY).table)["In"].startswith("/clouds/web ")


# -- advice ------------------------------------------------------------------------------------------------------------


def test_a_flavor_is_recommended_or_what_is_missing_is_told(keeper: Terminal):
    wanted = ("--vcpus", "2", "--ram", "2048", "--disk", "20")
    lines = keeper("flavor", "recommend", *wanted, *AWAY).out.splitlines()
    assert lines[0].startswith("medium: 2 vCPUs, 2,560 MiB, 20 GiB. ")
    assert lines[1].startswith("Next: large: ")
    told = keeper("flavor", "recommend", *wanted, *AWAY, "-o", "json").data
    assert (told["recommended"]["name"], told["runner_up"]["name"]) == ("medium", "large")
    none = keeper("flavor", "recommend", "--vcpus", "64", *AWAY, code=6)
    assert [line[:2] == "  " for line in none.out.splitlines()] == [False, True]


def test_a_zone_is_suggested_for_each_machine_with_a_reason(keeper: Terminal):
    asked = ("web=medium", "db", "--topology", "star", "--link", "web,db", "--high-availability", *AWAY)
    rows = keeper("zone", "suggest", *asked).table[1:]
    assert [(row[0], row[2]) for row in rows] == [("web", "medium"), ("db", "small")]
    assert {row[1] for row in rows} == {"zone-1", "zone-2"}
    assert all(row[3] for row in rows)
    assert keeper("zone", "suggest", *asked, "-o", "json").data["zones"] == {"zone-1": 1, "zone-2": 1}
    assert "topology" in keeper("zone", "suggest", "web", "--topology", "spiral", *AWAY, code=7).err


# -- changing ----------------------------------------------------------------------------------------------------------


def test_what_is_lost_is_asked_for_and_a_cloud_that_is_away_does_nothing(keeper: Terminal):
    for arguments in (["image", "rm", "cirros"], ["flavor", "rm", "micro"], ["network", "rm", "test-net"],
                      ["network", "subnet", "rm", "test-net"], ["network", "router", "rm", "way-out"],
                      ["volume", "rm", "spare"], ["volume", "delete-snapshot", "monday"],
                      ["project", "delete", recorded.PROJECTS[1].name]):  # fmt: skip
        assert "--yes" in keeper(*arguments, *AWAY, code=2).err
        away = keeper(*arguments, "--yes", *AWAY, code=8)
        assert away.err.startswith("olimpus: ")
        assert away.err.count("\n") == 1
    assert answering(keeper, "n", "network", "rm", "test-net", *AWAY).code == 130


def test_a_volume_goes_into_machines_of_the_tree_that_are_on_a_cloud(admin: Terminal, clouds: None):
    told = admin("volume", "attach", "spare", "/clouds/db", *AWAY, code=7)
    assert "This machine is not on a hypervisor." in told.err
    assert "/clouds/nope" in admin("volume", "attach", "spare", "/clouds/nope", *AWAY, code=6).err
    assert admin("volume", "attach", "spare", "/clouds/web", *AWAY, code=8).err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["network", "create", "x", "--cidr", "10.0.0.0/24", "--pool", "10.0.0.5"], "10.0.0.5: Two addresses"),
        (["zone", "suggest", "a", "b", "--link", "a"], "a: Two names"),
        (["quota", "set", "demo", "cores=many"], "cores=many: This is no limit. Limits: instances=10"),
        (["project", "create", "x", "cores"], "cores: This is no limit."),
        (["image", "upload", "/nowhere.qcow2"], "/nowhere.qcow2: The file cannot be read: No such file"),
        (["volume", "create", "x", "0"], "0"),
    ],
)
def test_what_makes_no_sense_is_not_sent(keeper: Terminal, arguments: list[str], said: str):
    assert said in keeper(*arguments, *AWAY, code=2).err


def test_what_the_server_refuses_is_told_in_its_words(keeper: Terminal):
    pool = ("--cidr", "10.0.0.0/24", "--pool", "10.0.1.5-10.0.1.9")
    assert "10.0.0.0/24" in keeper("network", "create", "x", *pool, *AWAY, code=7).err
    assert "vcpus" in keeper("flavor", "create", "huge", *AWAY, code=7).err

    def refuse(handler: Any, _record: Pretender) -> None:
        problem(handler, 409, "It said no.", type="hypervisor:rejected")

    with pretender(refuse) as said:
        assert keeper("-s", said.address, "flavor", "create", "nano", code=7).err == "olimpus: It said no.\n"


# -- uploading ---------------------------------------------------------------------------------------------------------


def test_an_image_that_is_not_what_it_should_be_is_refused(keeper: Terminal, tmp_path: Path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"QFI\xfb" + (2).to_bytes(4) + (72).to_bytes(8) + bytes(4096))  # its data is in another file, too
    assert "iso" in keeper("image", "upload", str(disk), "--format", "iso", *AWAY, code=7).err
    assert "needs another file" in keeper("image", "upload", str(disk), *AWAY, code=7).err
    disk.write_bytes(b"")
    assert "empty" in keeper("image", "upload", str(disk), *AWAY, code=7).err


def test_a_large_image_is_sent_without_being_kept_in_memory(stranger: Terminal, tmp_path: Path):
    disk = tmp_path / 'my "disk".raw'
    with disk.open("wb") as file:
        file.truncate(400 * MIB)
    made = {"id": "1", "name": "big", "size_bytes": 400 * MIB}
    with pretender(lambda handler, _record: send(handler, 201, made)) as server:
        stranger.environment["OLIMPUS_TOKEN"] = "oli_x"
        process = stranger.begin(
            "-s", server.address, "image", "upload", str(disk), "-n", "big", "--public",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (200 * MIB, 200 * MIB)),
        )  # fmt: skip
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "big: uploaded, 400 MiB.\n", "")
    ((method, path, headers),) = server.asked
    assert (method, path) == ("POST", "/api/openstack/images")
    assert int(headers["Content-Length"]) > 400 * MIB
    assert "Idempotency-Key" not in headers


def test_people_see_how_far_it_is(stranger: Terminal, tmp_path: Path):
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(3 * MIB))
    made = {"id": "1", "name": "disk", "size_bytes": 3 * MIB}
    with pretender(lambda handler, _record: send(handler, 201, made)) as server:
        stranger.environment["OLIMPUS_TOKEN"] = "oli_x"
        ended = watched(stranger, "-s", server.address, "image", "upload", str(disk))
    assert (ended.code, ended.out) == (0, "disk: uploaded, 3 MiB.\n")
    assert "the cloud takes it in" in ended.err
    assert "3.0/3.0 MiB" in ended.err


def watched(terminal: Terminal, *arguments: str) -> Ended:
    """Run with somebody who looks at what it says beside its results."""
    here, there = pty.openpty()
    process = terminal.begin(*arguments, stderr=there, env=terminal.environment | {"TERM": "xterm", "COLUMNS": "100"})
    os.close(there)
    seen = b""
    while True:
        try:
            seen += os.read(here, 65536)
        except OSError:  # the other end is closed
            break
    out, _none = process.communicate(timeout=30)
    os.close(here)
    return Ended(process.returncode, out, seen.decode())


def test_an_upload_that_breaks_is_told_and_not_repeated(stranger: Terminal, tmp_path: Path):
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(MIB))
    with pretender(lambda handler, _record: handler.connection.close()) as server:
        stranger.environment["OLIMPUS_TOKEN"] = "oli_x"
        told = stranger("-s", server.address, "image", "upload", str(disk), code=3)
    assert len(server.asked) == 1
    assert told.err.count("\n") == 1


# -- tunnels -----------------------------------------------------------------------------------------------------------


def test_tunnels_are_shown_and_connected_anew(keeper: Terminal):
    (row,) = keeper("tunnel", "status", "-o", "json").data
    assert (row["hypervisor"], row["hops"]) == ("behind", ["127.0.0.1:9"])
    assert keeper("tunnel", "status").table[1][0] == "behind"
    assert "One of: behind." in keeper("tunnel", "status", *AWAY, code=6).err
    done = keeper("tunnel", "reconnect")
    assert done.out == "behind: connects anew.\n"
    keeper("tunnel", "reconnect", *AWAY, code=6)


def test_a_tunnel_is_watched(keeper: Terminal):
    process = keeper.begin("tunnel", "status", "--watch", "-o", "json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["hypervisor"] == "behind"
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err) == (130, False)


# -- completion --------------------------------------------------------------------------------------------------------


def test_names_are_completed(keeper: Terminal):
    assert offered(keeper, "flavor", "ls", "-H", "aw") == ["away"]
    assert offered(keeper, "image", "show", "-H", "away", "ci") == ["cirros"]
    assert offered(keeper, "network", "rm", "-H", "away", "t") == ["test-net"]
    assert offered(keeper, "image", "show", "ci") == []
