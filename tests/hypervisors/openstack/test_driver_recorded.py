"""The driver of machines on recorded answers of the real OpenStack. Recorded anew as `recorded` says.

While they are recorded, these tests make a network and machines in the lab, and remove them.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openstack
import pytest

from hypervisors.drivers.base import NicSpec, Power, VmSpec
from hypervisors.drivers.openstack import OpenStackDriver, consoles, create, rest, watch
from hypervisors.drivers.openstack.groups import WAYS_IN
from olimpus.errors import CapacityExceeded, HypervisorError, Rejected, VMNotFound
from tests.hypervisors.openstack import recorded

LAN, OUTER = "recorded-lan", "recorded-outer"
UID = "5f0c7c1e-0000-4000-8000-00000000000{}"

Make = Callable[..., OpenStackDriver]


def spec(number: int, **changes: Any) -> VmSpec:
    """Machine number so and so: the same each time, as the questions that were recorded name it."""
    nics = (NicSpec(LAN, f"52:54:00:72:65:{number:02x}", f"10.72.0.{10 + number}"),)
    wanted = VmSpec(UID.format(number), f"recorded-{number}", 1, 512, 1, image="cirros", nics=nics)
    return replace(wanted, **changes)


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """What the machines hang on, made only while the lab is asked."""
    if not recorded.RECORDING:
        yield
        return
    lab = openstack.connect(
        auth=recorded.account("lab"), region_name="RegionOne", load_yaml_config=False, load_envvars=False
    )
    made = lab.network.create_network(name=LAN)
    lab.network.create_subnet(name=LAN, network_id=made.id, ip_version=4, cidr="10.72.0.0/24")
    yield
    for server in lab.compute.servers(name="^recorded-"):
        lab.compute.delete_server(server)
        lab.compute.wait_for_delete(server)
    for port in lab.network.ports(network_id=made.id):
        lab.network.delete_port(port)
    for group in lab.network.security_groups(name=WAYS_IN, project_id=lab.current_project_id):
        lab.network.delete_security_group(group)
    lab.network.delete_network(made)


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`make(created_power="on")`: a driver whose answers come from this test's file."""
    made: list[OpenStackDriver] = []
    monkeypatch.setattr(watch, "LOOK_SECONDS", float("inf"))  # these looks would depend on how long it takes
    if not recorded.RECORDING:  # what took its time in the cloud need not take it again
        monkeypatch.setattr(watch, "PAUSE", 0.001)
        monkeypatch.setattr(rest, "FIRST_PAUSE", 0.001)
        monkeypatch.setattr(rest, "LONGEST_PAUSE", 0.001)
        monkeypatch.setattr(create, "CLAIM_PAUSE", 0.001)

    def one(**settings: Any) -> OpenStackDriver:
        name = f"{request.node.name.removeprefix('test_')}-{len(made)}"
        session = recorded.session(name, tmp_path)
        driver = OpenStackDriver("lab", {**session.values, **settings}, tmp_path)
        driver.session._http = session._http
        made.append(driver)
        return driver

    yield one
    for driver in made:
        driver.close()


def addresses_of_consoles(driver: OpenStackDriver, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where consoles would be opened; a pretended proxy answers there."""
    asked: list[str] = []

    def pretend(address: str) -> Any:
        asked.append(address)
        return iter([b"RFB"])

    monkeypatch.setattr(driver._consoles, "_open", pretend)
    monkeypatch.setattr(consoles, "piped", lambda messages: _said(b"".join(messages)))
    return asked


def _said(data: bytes) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data)
    return ours


def test_a_machine_s_life(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, wanted = make(), spec(1)
    vm = driver.create(wanted)
    assert (vm.uid, vm.name, vm.power, vm.since) == (wanted.uid, wanted.name, Power.OFF, None)
    assert (vm.cpus, vm.memory_mib, vm.disk_gib, vm.image, vm.nics) == (1, 512, 1, "cirros", wanted.nics)
    assert vm.extra["flavor"] == "nano"
    assert driver.console_text(vm.ref) == ""
    assert set(driver.metrics(vm.ref).values()) == {0.0}
    started = driver.start(vm.ref)
    assert (started.power, started.since is not None) == (Power.ON, True)
    assert driver.console_text(vm.ref)
    asked = addresses_of_consoles(driver, monkeypatch)
    assert driver.console(vm.ref, "vnc").sock.recv(8) == b"RFB"
    assert re.fullmatch(r"ws://127\.0\.0\.1:6080/\?token=[\w-]+", asked[0])
    assert driver.metrics(vm.ref)["memory_used_mib"] > 0
    paused = driver.pause(vm.ref)
    assert (paused.power, paused.since) == (Power.PAUSED, started.since)
    resumed = driver.resume(vm.ref)
    assert (resumed.power, resumed.since) == (Power.ON, started.since)
    assert driver.force_off(vm.ref).power is Power.OFF
    driver.destroy(vm.ref)
    with pytest.raises(VMNotFound):
        driver.get(vm.ref)


def test_a_snapshot_and_the_way_back(make: Make) -> None:
    driver = make(created_power="on")
    vm = driver.create(spec(2))
    taken = driver.snapshot(vm.ref, "clean", "before class")
    assert driver.snapshots(vm.ref) == [taken]
    assert driver.get(vm.ref).since == vm.since
    back = driver.revert(vm.ref, "clean")
    assert (back.power, back.image) == (Power.OFF, "cirros")
    driver.destroy(vm.ref)


def test_a_machine_without_cards_and_then_of_another_size(make: Make) -> None:
    driver, wanted = make(), spec(3)
    vm = driver.create(wanted)
    bare = replace(wanted, nics=())
    assert driver.reconfigure(vm.ref, bare).nics == ()
    larger = replace(bare, memory_mib=1024)
    changed = driver.reconfigure(vm.ref, larger)
    assert (changed.memory_mib, changed.nics, changed.power) == (1024, (), Power.OFF)
    assert driver.reconfigure(vm.ref, larger) == changed
    driver.destroy(vm.ref)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"image": "ciros"}, Rejected, "The nearest is “cirros”"),
        ({"nics": (NicSpec("recorded-lam", "52:54:00:72:65:f0"),)}, Rejected, "There is no network “recorded-lam”"),
        ({"parameters": {"keypair": "nobodys"}}, Rejected, "Invalid key_name provided"),
        ({"parameters": {"availability_zone": "zone-9"}}, Rejected, "availability zone"),
        ({"parameters": {"host": "compute-99"}}, Rejected, "compute-99"),
        ({"parameters": {"security_groups": ["defautl"]}}, Rejected, "The nearest is “default”"),
        ({"nics": (NicSpec(LAN, "52:54:00:72:65:f1", "192.168.1.1"),)}, Rejected, "192.168.1.1"),
        ({"parameters": {"availability_zone": "zone-2", "host": "compute-01"}}, CapacityExceeded, "No valid host"),
        ({"parameters": {"nics": [{"floating": True}]}}, Rejected, "No router leads from the network “recorded-lan”"),
    ],
    ids=["image", "network", "keypair", "zone", "host", "group", "address", "host of another zone", "no router"],
)
def test_a_refusal_in_words(make: Make, changes: dict[str, Any], error: type[HypervisorError], words: str) -> None:
    with pytest.raises(error) as caught:
        make().create(spec(4, **changes))
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_floating_address_comes_before_its_machine_and_goes_with_it(make: Make) -> None:
    driver, nics = make(), (NicSpec(OUTER, "52:54:00:72:66:01", "10.73.0.10"),)
    networks = {OUTER: {"cidr": "10.73.0.0/24", "type": "nat"}}
    plain = spec(8, nics=nics, parameters={"networks": networks, "custom": {"ssh_user": "ana"}})
    wanted = replace(plain, parameters={**plain.parameters, "nics": [{"network": OUTER, "floating": True}]})
    address = driver.outside(wanted)
    told = {"kind": "floating", "address": address, "port": 0, "target": "10.73.0.10"}
    way = told | {"command": f"ssh -o HostKeyAlias=vm-5f0c7c1e ana@{address}"}
    vm = driver.create(wanted)
    assert vm.extra["ways"] == [way]
    assert driver.outside(wanted) == address
    assert "ways" not in driver.reconfigure(vm.ref, plain).extra
    assert len(driver.reconfigure(vm.ref, wanted).extra["ways"]) == 1
    driver.destroy(vm.ref)
    driver.tidy(wanted)
    assert driver._ports.floating.of_uid(wanted.uid) == []


def test_a_cloud_that_lets_no_other_frames_pass_says_so(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = make()
    monkeypatch.setattr(driver._ports.rest, "optional", lambda *_asked: None)
    with pytest.raises(Rejected, match="port-security"):
        driver.create(spec(9, parameters={"nics": [{"bridge": True}]}))


def test_a_size_that_no_host_has_is_told_apart(make: Make) -> None:
    wanted = spec(5, cpus=1, memory_mib=512, disk_gib=60_000)
    with pytest.raises(CapacityExceeded, match="No valid host"):
        make().create(wanted)


def test_no_flavor_names_the_nearest(make: Make) -> None:
    wanted = spec(6, cpus=1, memory_mib=700, parameters={"flavor": "mikro"})
    with pytest.raises(Rejected) as caught:
        make(flavor_policy="exact").create(wanted)
    assert "“micro”: 1 CPUs, 1024 MiB, 5 GiB" in caught.value.hint
    begun = time.monotonic()
    vm = make(flavor_policy="fitting", created_power="on").create(wanted)
    assert (vm.cpus, vm.memory_mib, vm.disk_gib) == (1, 700, 1)
    assert vm.extra["flavor"] in ("micro", "olimpus-1c-1024m-1g")
    assert recorded.RECORDING or time.monotonic() - begun < 5


def test_a_capacity_of_hosts_or_of_the_project(make: Make) -> None:
    whole, own = make().capacity(), make(scope="project").capacity()
    assert (whole.vms_max, own.disk_gib_total) == (None, None)
    assert whole.cpus_total
    assert own.cpus_total
    assert whole.memory_mib_total == 3 * 261_632 * 1.5  # what is reserved is left out, the overcommit counted in
