"""The driver's promises on the lab's cloud: once, whole or not at all, in few calls, and in clear words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.base import NicSpec, Power, VmSpec
from hypervisors.drivers.openstack import OpenStackDriver
from hypervisors.drivers.openstack.plan import Blueprint
from olimpus.errors import CapacityExceeded, HypervisorError, Missing, Rejected, Transient, Unreachable, VMNotFound
from tests.lab.cloud import Cloud
from tests.lab.openstack.world import World, without_macs, world

Make = Callable[..., OpenStackDriver]


@pytest.fixture(scope="module")
def shared(lab: Cloud) -> Iterator[World]:
    with world(lab) as made:
        yield made


@pytest.fixture
def project(shared: World) -> Iterator[World]:
    yield shared
    shared.empty()


@pytest.fixture
def make(project: World, tmp_path: Path) -> Iterator[Make]:
    """`make(created_power="on")`: a driver of the test's project."""
    drivers: list[OpenStackDriver] = []

    def one(**settings: Any) -> OpenStackDriver:
        drivers.append(project.driver(tmp_path, **settings))
        return drivers[-1]

    yield one
    for driver in drivers:
        driver.close()


@pytest.fixture
def running(make: Make) -> OpenStackDriver:
    """A driver whose new machines stay on."""
    return make(created_power="on")


def calls(driver: OpenStackDriver) -> int:
    told = driver.session.calls()
    return sum(number for service, number in told.items() if service not in ("identity", "discovery"))


# -- once --------------------------------------------------------------------------------------------------------------


def test_many_that_create_the_same_machine_at_once_make_one(project, tmp_path):
    """Two homes stand for two servers of Olimpus: they know nothing of each other."""
    spec = project.spec()
    drivers = [project.driver(tmp_path / f"server-{number % 2}") for number in range(4)] * 2
    with ThreadPoolExecutor(len(drivers)) as pool:
        made = list(pool.map(lambda driver: driver.create(spec), drivers))
    assert len({vm.ref for vm in made}) == 1
    assert {vm.power for vm in made} == {Power.OFF}
    assert len(project.servers()) == 1
    assert len(project.ports()) == len(spec.nics)


@pytest.mark.parametrize("nics", [(), "without macs"])
def test_machines_without_a_mac_are_made_once_too(project, make, nics):
    spec = without_macs(project.spec()) if nics else project.spec(nics=())
    spec = replace(spec, nics=tuple(replace(nic, ip="") for nic in spec.nics))
    drivers = [make(created_power="on") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        refs = {vm.ref for vm in pool.map(lambda driver: driver.create(spec), drivers)}
    assert len(refs) == len(project.servers()) == 1
    assert len(project.ports()) == len(spec.nics)


CREATING = """
import json, sys
from pathlib import Path
from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.openstack import OpenStackDriver
settings, spec, home = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
spec["nics"] = tuple(NicSpec(**nic) for nic in spec["nics"])
driver = OpenStackDriver("lab", settings, home)
driver.session.access()
print("ready", flush=True)
driver.create(VmSpec(**spec))
"""


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5, 3.0])
def test_a_creating_process_that_is_killed_leaves_one_machine_to_the_next(project, make, tmp_path, seconds):
    spec, driver = project.spec(), make()
    process = _creating(driver, spec, tmp_path)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    vm = driver.create(spec)
    assert (vm.uid, vm.power, len(vm.nics)) == (spec.uid, Power.OFF, 2)
    assert [server.id for server in project.servers()] == [vm.ref]
    assert len(project.ports()) == len(spec.nics)


def _creating(driver: OpenStackDriver, spec: VmSpec, home: Path) -> subprocess.Popen:
    told = {name: value for name, value in asdict(spec).items() if name in ("uid", "name", "image", "nics")}
    told |= {"cpus": spec.cpus, "memory_mib": spec.memory_mib, "disk_gib": spec.disk_gib}
    arguments = [json.dumps(driver.values), json.dumps(told), str(home)]
    process = subprocess.Popen([sys.executable, "-c", CREATING, *arguments], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("home", ["here", "elsewhere"])
def test_ports_that_a_dead_attempt_left_are_used(project, make, tmp_path, monkeypatch, home):
    patience = "IN_FLIGHT_SECONDS" if home == "here" else "CLAIM_SECONDS"
    monkeypatch.setattr(f"hypervisors.drivers.openstack.create.{patience}", 1.0)
    spec, driver = project.spec(), make(created_power="on")
    died = project.driver(tmp_path if home == "here" else tmp_path / "elsewhere")
    plan = died._creator.planner.plan(spec)
    left = died._creator.ports.make(spec.uid, plan.ports, "")
    vm = driver.create(spec)
    assert {port.id for port in project.ports()} == {port["id"] for port in left}
    assert [nic.mac for nic in vm.nics] == [nic.mac for nic in spec.nics]


# -- whole or not at all -----------------------------------------------------------------------------------------------


def fails(driver: OpenStackDriver, spec: VmSpec, error: type[HypervisorError]) -> HypervisorError:
    with pytest.raises(error) as caught:
        driver.create(spec)
    assert "password" not in str(caught.value).lower()
    return caught.value


def test_a_machine_that_cannot_be_built_leaves_nothing(project, make, monkeypatch):
    whole = Blueprint.metadata
    monkeypatch.setattr(Blueprint, "metadata", lambda self, disks: whole(self, disks) | {"lab_fail": "spawn"})
    error = fails(make(), project.spec(disks=({"name": "data", "size_gib": 1},)), HypervisorError)
    assert error.message
    assert not error.retry
    assert project.left() == []


def test_what_no_host_has_room_for_leaves_nothing(project, make, lab):
    flavor = lab.sdk().compute.create_flavor(name=f"h2-{uuid.uuid4().hex[:6]}", vcpus=500, ram=4_000_000, disk=1)
    try:
        spec = project.spec(cpus=500, memory_mib=4_000_000, disk_gib=1)
        lab.sdk().compute.update_quota_set(project.project.id, cores=1000, ram=8_000_000)
        error = fails(make(), spec, CapacityExceeded)
        assert "No valid host" in error.message
        assert project.left() == []
    finally:
        lab.sdk().compute.delete_flavor(flavor)


@pytest.mark.parametrize(
    ("service", "quota", "words"),
    [
        ("compute", {"instances": 1}, "The quota of instances is exceeded by 1: 1 wanted, 1 of 1 used."),
        ("compute", {"cores": 3}, "The quota of cores is exceeded by 1: 2 wanted, 2 of 3 used."),
        ("compute", {"ram": 2000}, "The quota of ram is exceeded by 48: 1024 wanted, 1024 of 2000 used."),
        ("network", {"port": 3}, "quota"),
        ("volume", {"volumes": 1}, "The quota of volumes is exceeded by 1: 1 wanted, 1 of 1 used."),
    ],
)
def test_a_quota_says_which_and_by_how_much(project, make, lab, service, quota, words):
    driver = make(created_power="on")
    disks = ({"name": "data", "size_gib": 1},) if service == "volume" else ()
    driver.create(project.spec(disks=disks))
    before = len(project.left())
    _set_quota(lab, service, project.project.id, quota)
    try:
        assert words in fails(driver, project.spec(disks=disks), CapacityExceeded).message
    finally:
        _set_quota(lab, service, project.project.id, {name: 1000 if name != "ram" else 10**7 for name in quota})
    assert len(project.left()) == before


def _set_quota(lab: Cloud, service: str, project: str, quota: dict[str, int]) -> None:
    sdk = lab.sdk()
    if service == "compute":
        sdk.compute.update_quota_set(project, **quota)
    elif service == "network":
        sdk.network.put(f"/quotas/{project}", json={"quota": quota})
    else:
        sdk.block_storage.update_quota_set(project, **quota)


def test_a_machine_deleted_behind_our_back_while_it_is_made(project, make, lab, monkeypatch):
    monkeypatch.setattr("hypervisors.drivers.openstack.watch.LOOK_SECONDS", 1.0)
    driver, spec = make(), project.spec()
    post = driver.servers.rest.post

    def and_gone(service: str, path: str, *args: Any, **kwargs: Any) -> Any:
        answer = post(service, path, *args, **kwargs)
        if path == "/servers":
            lab.sdk().compute.delete_server(answer["server"]["id"], force=True)
        return answer

    monkeypatch.setattr(driver.servers.rest, "post", and_gone)
    error = fails(driver, spec, VMNotFound)
    assert "deleted" in error.message
    assert project.left() == []


def test_a_machine_deleted_behind_our_back_is_told_apart(project, running):
    vm = running.create(project.spec())
    project.sdk.compute.delete_server(vm.ref, force=True)
    running.servers.watcher.until_gone(vm.ref, 60)
    for verb in (running.get, running.start, running.force_off, running.pause):
        with pytest.raises(VMNotFound):
            verb(vm.ref)
    assert running.find(vm.uid) is None
    running.destroy(vm.ref)


def test_what_a_machine_deleted_behind_our_back_left_is_tidied(project, running):
    kept, spec = running.create(project.spec()), project.spec(disks=({"name": "data", "size_gib": 1},))
    gone = running.create(spec)
    running.tidy(spec)
    assert running.get(gone.ref) == gone
    project.sdk.compute.delete_server(gone.ref, force=True)
    running.servers.watcher.until_gone(gone.ref, 60)
    running.tidy(spec)
    assert running.get(kept.ref) == kept
    assert len(project.ports()) == len(kept.nics)


def test_ports_of_a_destroy_that_died_are_swept_up(project, running, monkeypatch):
    monkeypatch.setattr("hypervisors.drivers.openstack.create.ORPHAN_AGE", timedelta(0))
    kept, gone = running.create(project.spec()), running.create(project.spec())
    project.sdk.compute.delete_server(gone.ref, force=True)
    running.servers.watcher.until_gone(gone.ref, 60)
    assert len(project.ports()) == 4
    running.destroy(gone.ref)
    assert len(project.ports()) == 2
    assert running.get(kept.ref) == kept


# -- what is refused, with the nearest name ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "where", "hint"),
    [
        ({"image": "ciros"}, "image", "cirros"),
        ({"nics": (NicSpec("lann", "52:54:00:99:00:01"),)}, "nics", ""),
        ({"nics": (NicSpec("lan", "52:54:00:99:00:01", ip_mode="disk"),)}, "nics", "cloud-init"),
        ({"cdroms": ({"image": "tools.iso"},)}, "cdroms", "user_data"),
        ({"parameters": {"security_groups": ["defautl"]}}, "security_groups", "default"),
        ({"nics": (NicSpec("lan", "52:54:00:99:00:01", "192.168.1.1"),)}, "", ""),
        ({"parameters": {"keypair": "nobodys"}}, "", ""),
        ({"parameters": {"availability_zone": "zone-9"}}, "", ""),
        ({"parameters": {"host": "compute-99"}}, "", ""),
    ],
)
def test_what_there_is_not_is_refused(project, make, changes, where, hint):
    error = fails(make(), project.spec(**changes), Rejected)
    assert hint in error.hint
    assert where in ("", error.where)
    assert project.left() == []


def test_a_size_without_a_flavor_is_refused_or_fitted_as_the_policy_says(project, make):
    spec = project.spec(cpus=1, memory_mib=700, disk_gib=1, parameters={"flavor": "mikro"})
    error = fails(make(flavor_policy="exact"), spec, Rejected)
    assert "“micro”" in error.hint
    fitted = make(flavor_policy="fitting", created_power="on").create(spec)
    assert (fitted.cpus, fitted.memory_mib, fitted.disk_gib) == (1, 700, 1)
    assert fitted.extra["flavor"] != "nano"
    assert not [flavor for flavor in project.sdk.compute.flavors() if flavor.ram == 700]


def test_a_mac_of_somebody_else_is_refused(project, running):
    first = project.spec()
    running.create(first)
    error = fails(running, project.spec(nics=first.nics), Rejected)
    assert first.nics[0].mac in error.message or first.nics[0].ip in error.message
    assert len(project.servers()) == 1
    assert len(project.ports()) == 2


# -- few calls ---------------------------------------------------------------------------------------------------------


def test_a_listing_is_one_call_however_many_there_are(project, running):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(running.create, [project.spec() for _ in range(6)]))
    before = calls(running)
    assert {vm.ref for vm in running.list()} == {vm.ref for vm in made}
    assert calls(running) - before == 1


def test_a_created_machine_costs_four_calls_and_its_share_of_the_watching(project, running):
    running.create(project.spec())
    before, number = calls(running), 8
    begun = time.monotonic()
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(running.create, [project.spec() for _ in range(number)]))
    watching = 2 * (time.monotonic() - begun) + 2
    assert calls(running) - before <= 4 * number + watching


# -- everything else that a definition says ----------------------------------------------------------------------------


def test_zone_host_and_user_data_are_as_asked_for(project, make):
    driver = make(created_power="on")
    wanted = {"availability_zone": "zone-2", "host": "compute-03", "user_data": "#cloud-config\n", "description": "web"}
    vm = driver.create(project.spec(parameters=wanted))
    assert (vm.extra["zone"], vm.extra["host"]) == ("zone-2", "compute-03")
    server = project.sdk.compute.get_server(vm.ref)
    assert server.description == "web"


def test_extra_disks_are_volumes_that_come_and_go_with_the_machine(project, make):
    driver = make()
    spec = project.spec(disks=({"name": "data", "size_gib": 1}, {"name": "logs", "size_gib": 1}))
    vm = driver.create(spec)
    assert [disk["name"] for disk in vm.extra["disks"]] == ["data", "logs"]
    assert {volume.status for volume in project.volumes()} == {"in-use"}
    wanted = replace(spec, disks=({"name": "logs", "size_gib": 2}, {"name": "new", "size_gib": 1}))
    changed = driver.reconfigure(vm.ref, wanted)
    assert [disk["name"] for disk in changed.extra["disks"]] == ["logs", "new"]
    assert sorted(volume.size for volume in project.volumes()) == [1, 2]
    assert driver.reconfigure(vm.ref, wanted) == changed
    with pytest.raises(Rejected):
        driver.reconfigure(vm.ref, spec)
    driver.destroy(vm.ref)
    assert project.left() == []


def test_changing_the_disks_may_be_repeated_wherever_it_died(project, make, monkeypatch):
    driver, spec = make(), project.spec(nics=(), disks=({"name": "a", "size_gib": 1},))
    vm = driver.create(spec)
    wanted = replace(spec, disks=({"name": "b", "size_gib": 1},))

    def dies(*_told: Any) -> None:
        raise Transient("killed")

    with monkeypatch.context() as patch:
        patch.setattr(driver._reconfigurer, "_remember", dies)
        with pytest.raises(Transient):
            driver.reconfigure(vm.ref, wanted)
    assert [disk["name"] for disk in driver.reconfigure(vm.ref, wanted).extra["disks"]] == ["b"]
    assert len(project.volumes()) == 1


def test_a_port_that_a_dead_attempt_left_is_in_nobody_s_way(project, make):
    driver, spec = make(), project.spec()
    vm = driver.create(replace(spec, nics=spec.nics[:1]))
    plan = driver._ports.plan(spec.nics[1:], spec)
    driver._ports.make(spec.uid, plan, "")
    assert [nic.mac for nic in driver.reconfigure(vm.ref, spec).nics] == [nic.mac for nic in spec.nics]
    assert len(project.ports()) == 2


def test_a_long_description_is_cut_as_nova_wants_it(project, make):
    vm = make().create(project.spec(nics=(), parameters={"description": "word\n" * 100}))
    (server,) = project.servers()
    assert (server.id, server.description) == (vm.ref, ("word " * 100)[:255])


def test_a_machine_may_have_its_system_disk_on_a_volume(project, make):
    driver = make()
    spec = project.spec(disk_gib=3, parameters={"boot_from_volume": True, "storage": "files"})
    vm = driver.create(spec)
    assert (vm.disk_gib, vm.image) == (3, spec.image)
    assert [(volume.size, volume.is_bootable) for volume in project.volumes()] == [(3, True)]
    driver.snapshot(vm.ref, "one")
    with pytest.raises(Rejected, match="volume"):
        driver.revert(vm.ref, "one")
    driver.destroy(vm.ref)
    assert project.left() == []


def test_a_machine_of_a_named_project_is_in_it(lab, project, tmp_path):
    driver = OpenStackDriver("lab", {**lab.account(), "created_power": "on"}, tmp_path)
    spec = project.spec(parameters={"project": project.name})
    vm = driver.create(spec)
    assert vm.extra["project"] == project.project.id
    assert vm.ref in {one.ref for one in driver.list()}
    assert driver.find(spec.uid) == vm
    driver.destroy(vm.ref)
    assert project.left() == []
    with pytest.raises(Missing):
        driver.create(project.spec(parameters={"project": "no-such-project"}))
    driver.close()


def test_a_network_that_the_branch_defines_is_made_once(project, make):
    definition = {"cidr": "10.7.0.0/24", "type": "private", "aliases": {"lab": "h2-campus"}}
    specs = [
        project.spec(
            nics=(NicSpec("lab-net", f"52:54:00:77:00:{n:02x}"),), parameters={"networks": {"lab-net": definition}}
        )
        for n in range(3)
    ]
    driver = make(created_power="on")
    try:
        with ThreadPoolExecutor(3) as pool:
            made = list(pool.map(driver.create, specs))
        assert {nic.network for vm in made for nic in vm.nics} == {"lab-net"}
        found = list(project.sdk.network.networks(name="h2-campus"))
        assert len(found) == 1
    finally:
        project.empty()
        for network in project.sdk.network.networks(name="h2-campus"):
            project.sdk.network.delete_network(network)


def test_a_machine_made_by_hand_is_not_ours_until_adopted(project, running):
    sdk = project.sdk
    flavor, image = sdk.compute.find_flavor("nano"), sdk.image.find_image("ubuntu-20.04")
    network = sdk.network.find_network("lan", project_id=project.project.id)
    made = sdk.compute.create_server(
        name="by-hand", flavor_id=flavor.id, image_id=image.id, networks=[{"uuid": network.id}]
    )
    sdk.compute.wait_for_server(made, interval=0.5)
    (found,) = running.list()
    assert (found.uid, found.name, found.image, found.power) == ("", "by-hand", "ubuntu-20.04", Power.ON)
    assert (found.cpus, found.memory_mib) == (flavor.vcpus, flavor.ram)
    assert [nic.network for nic in found.nics] == ["lan"]
    uid = str(uuid.uuid4())
    adopted = running.adopt(found.ref, uid)
    assert adopted == running.adopt(found.ref, uid) == running.find(uid)
    with pytest.raises(Rejected):
        running.adopt(found.ref, str(uuid.uuid4()))
    running.destroy(found.ref)
    assert project.left() == []


def test_snapshots_of_a_machine_keep_the_time_of_its_power_on(project, running):
    vm = running.create(project.spec())
    running.snapshot(vm.ref, "clean")
    assert running.get(vm.ref).since == vm.since


def test_another_address_moves_the_port_and_another_order_moves_the_cards(project, make):
    driver, spec = make(), project.spec()
    vm = driver.create(spec)
    lan, wan = spec.nics
    moved = driver.reconfigure(vm.ref, replace(spec, nics=(replace(lan, ip="10.0.99.7"), wan)))
    assert [nic.ip for nic in moved.nics][0] == "10.0.99.7"
    assert len(project.ports()) == 2
    turned = driver.reconfigure(vm.ref, replace(spec, nics=(wan, lan)))
    assert [nic.mac for nic in turned.nics] == [wan.mac, lan.mac]
    assert len(project.ports()) == 2


# -- the connection ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "step", "error"),
    [
        ({"auth_url": "http://127.0.0.1:1/v3"}, "port", Unreachable),
        ({"auth_url": "http://no-such-host.invalid:5000/v3"}, "name", Unreachable),
        ({"password": "wr0ng-s3cret"}, "login", Rejected),
        ({"project_name": "no-such-project"}, "login", Rejected),
        ({"region_name": "RegionTwo"}, "api", HypervisorError),
    ],
)
def test_a_wrong_setting_is_told_by_the_step_that_fails(lab, tmp_path, settings, step, error):
    driver = OpenStackDriver("lab", {**lab.account(), **settings}, tmp_path)
    checks = driver.check()
    assert [check.step for check in checks if not check.ok] == [step]
    assert checks[-1].detail
    with pytest.raises(error) as caught:
        driver.list()
    assert "wr0ng-s3cret" not in f"{caught.value} {checks} {driver!r}"
    driver.close()


def test_a_token_that_is_no_good_any_more_is_renewed(running):
    assert running.list() == []
    running.session.access()._auth_token = "expired"
    assert running.list() == []
    assert running.session.access().auth_token != "expired"


def test_an_account_without_rights_over_others_sees_its_own_project(lab, tmp_path):
    driver = OpenStackDriver("lab", lab.account("lab-demo"), tmp_path)
    assert isinstance(driver.list(), list)
    assert driver.capacity().vms_max is not None
    assert all(check.ok for check in driver.check())
    driver.close()
