"""What a definition says is what the cloud gets; what there is not is refused in clear words."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from hypervisors.drivers.base import NicSpec, Power
from hypervisors.drivers.openstack import OpenStackDriver
from olimpus.errors import HypervisorError, Missing, Rejected, Transient, Unreachable
from tests.lab.openstack.world import fails

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
    assert len(project.ports()) == 1


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
    driver, spec = make(), project.spec(2)
    vm = driver.create(replace(spec, nics=spec.nics[:1]))
    plan = driver._ports.plan(replace(spec, nics=spec.nics[1:]))
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


def test_a_network_that_the_branch_defines_goes_when_its_last_machine_moves_away(project, make):
    networks = {"lab-net": {"cidr": "10.7.0.0/24", "type": "private", "aliases": {"lab": "h2-moved"}}}
    driver, card = make(), NicSpec("lab-net", "52:54:00:78:00:01")
    spec = project.spec(nics=(card,), parameters={"networks": networks})
    vm = driver.create(spec)
    assert len(list(project.sdk.network.networks(name="h2-moved"))) == 1
    moved = driver.reconfigure(vm.ref, replace(spec, nics=(replace(card, network="lan"),)))
    assert [nic.network for nic in moved.nics] == ["lan"]
    assert not list(project.sdk.network.networks(name="h2-moved"))


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
    driver, spec = make(), project.spec(2)
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
