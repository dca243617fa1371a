"""What the contract does not ask: events, workers that die, machines that somebody touches by hand."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hypervisors.drivers.base import Driver, Listing, NicSpec, Power, VmInfo, VmSpec
from olimpus.errors import HypervisorError, Rejected, Unreachable, VMNotFound
from tests.contract.contract import make_spec
from tests.lab.linux.calls import asking, counted
from tests.lab.linux.cluster import Cluster
from tests.lab.linux.guests import BOOT, answered, is_ready
from tests.processes.installation import until

LAN = {"lan": {"cidr": "10.0.0.0/16", "type": "private"}, "apart": {"cidr": "10.0.0.0/16", "type": "private"}}
#: Seconds within which a change by hand is told.
SOON = 2.0


@pytest.fixture
def driver(cluster: Cluster, tmp_path: Path) -> Iterator[Driver]:
    cluster.empty(tmp_path)
    made = cluster.driver(tmp_path)
    yield made
    made.close()
    cluster.empty(tmp_path)


@pytest.fixture
def spec(image: str) -> Callable[..., VmSpec]:
    def make(cards: int = 1, **changes) -> VmSpec:
        small = {"image": image, "cpus": 1, "memory_mib": 128, "disk_gib": 1, "parameters": {"networks": LAN}}
        return make_spec(cards, **(small | changes))

    return make


def domain(vm: VmInfo) -> str:
    return str(vm.extra["domain"])


def started(driver: Driver, spec: VmSpec) -> VmInfo:
    return driver.start(driver.create(spec).ref)


# -- networks ----------------------------------------------------------------------------------------------------------


def test_neighbours_on_two_workers_talk_and_strangers_do_not(driver, spec, cluster):
    first, second = cluster.workers[:2]
    cards = [NicSpec("lan", "52:54:00:0a:00:01", "10.0.0.11"), NicSpec("lan", "52:54:00:0a:00:02", "10.0.0.12")]
    here, there = (
        started(driver, spec(nics=(card,), host=host)) for card, host in zip(cards, (first, second), strict=True)
    )
    stranger = started(driver, spec(nics=(NicSpec("apart", "52:54:00:0a:00:03", "10.0.0.13"),), host=first))
    assert [vm.host for vm in (here, there, stranger)] == [first, second, first]
    for vm in (here, there, stranger):
        assert until(lambda vm=vm: is_ready(driver, vm.ref), BOOT), driver.console_text(vm.ref)
        assert f"={vm.nics[0].ip}/" in driver.console_text(vm.ref)
    pings = "ping -c 2 -W 2 10.0.0.12; echo got=$?; ping -c 1 -W 1 10.0.0.13; echo lost=$?"
    said = answered(driver, here.ref, pings, until="lost=1")
    assert "got=0" in said
    assert "lost=1" in said


# -- seen at once ------------------------------------------------------------------------------------------------------


def test_what_somebody_does_by_hand_is_told_soon(driver, spec, cluster):
    wanted = spec(cards=0)
    vm = driver.create(wanted)
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    stop = driver.watch(heard.put)
    try:
        for verb, power in (
            ("start", Power.ON),
            ("suspend", Power.PAUSED),
            ("resume", Power.ON),
            ("destroy", Power.OFF),
        ):
            cluster.run(vm.host, "virsh", verb, domain(vm))
            begun = time.monotonic()
            while heard.get(timeout=SOON) != vm.ref or driver.get(vm.ref).power is not power:
                assert time.monotonic() - begun < SOON
        cluster.run(vm.host, "virsh", "setvcpus", domain(vm), "2", "--config", "--maximum")
        cluster.run(vm.host, "virsh", "setvcpus", domain(vm), "2", "--config")
        assert until(lambda: [each.cpus for each in driver.list()] == [2], SOON)
        assert driver.get(vm.ref).cpus == 2
        cluster.run(vm.host, "virsh", "undefine", domain(vm))
        while heard.get(timeout=SOON) != vm.ref:
            pass
        with pytest.raises(VMNotFound):
            driver.get(vm.ref)
    finally:
        stop()
        driver.tidy(wanted)


def test_machines_are_listed_by_one_call_for_each_worker_however_many_there_are(driver, spec, cluster):
    for number in range(6):
        driver.create(spec(cards=0, host=cluster.workers[number // 3]))
    driver.list()  # reads their definitions
    workers = len(cluster.workers)
    with counted() as calls:
        assert len(driver.list()) == 6
    assert asking(calls) == {"virConnectGetAllDomainStats": workers}
    with counted() as calls:  # as each reconcile does
        assert len(driver.list()) == driver.capacity().vms == 6
    assert calls["virConnectGetAllDomainStats"] == workers
    assert set(asking(calls).values()) == {workers}
    assert "virConnectListAllDomains" not in calls


def test_a_guest_that_takes_nothing_from_its_serial_line_keeps_nobody_waiting(driver, spec):
    vm = driver.pause(started(driver, spec(cards=0)).ref)
    with driver.console(vm.ref, "serial").sock as line:
        line.settimeout(0.5)
        with pytest.raises(TimeoutError):  # all that is between us and the guest is full
            line.sendall(b"x" * 16 * 1024 * 1024)
        assert [each.power for each in driver.list()] == [Power.PAUSED]
        with pytest.raises(TimeoutError):  # and still is: the listing did not wait until something gave way
            line.send(b"x")


# -- faults ------------------------------------------------------------------------------------------------------------


def test_a_dead_worker_hides_its_machines_and_no_twin_is_made(driver, spec, cluster):
    here, gone = cluster.workers[:2]
    alive, lost = driver.create(spec(cards=0, host=here)), spec(cards=0, host=gone)
    vm = driver.create(lost)
    cluster.kill(gone)
    try:
        listing = driver.list()
        assert isinstance(listing, Listing)
        assert [each.ref for each in listing] == [alive.ref]
        assert listing.unheard == (f"{gone}/",)
        assert {host.name: host.up for host in driver.hosts()} == {name: name != gone for name in cluster.workers}
        with pytest.raises(Unreachable):
            driver.get(vm.ref)
        with pytest.raises(Unreachable, match=gone):
            driver.find(lost.uid)
        for wanted in (lost, replace(lost, host="")):
            with pytest.raises(Unreachable):
                driver.create(wanted)
        assert driver.create(spec(cards=0, host=here)).host == here
        assert driver.answers()
    finally:
        cluster.revive(gone)
    assert until(lambda: not driver.list().unheard, 90)
    assert driver.find(lost.uid) == driver.create(lost) == driver.get(vm.ref)
    driver.close()
    assert not driver.answers()


def test_libvirt_restarts_below_us(driver, spec, cluster):
    vm = started(driver, spec(cards=0))
    pid = cluster.run(vm.host, "cat", "/run/libvirtd.pid").strip()
    cluster.run(vm.host, "kill", pid)
    cluster.run(vm.host, "sh", "-c", f"while [ -d /proc/{pid} ]; do sleep 0.1; done; libvirtd -d -p /run/libvirtd.pid")
    assert until(lambda: driver.get(vm.ref).power is Power.ON, 15)
    assert driver.get(vm.ref).since == vm.since


def test_a_libvirt_that_hangs_is_not_waited_for_by_those_who_list(driver, spec, cluster):
    """Stopped, not dead: it takes connections and never says a word."""
    hung, here = cluster.workers[:2]
    ours = driver.create(spec(cards=0, host=here))
    assert not driver.list().unheard
    pid = cluster.run(hung, "cat", "/run/libvirtd.pid").strip()
    cluster.run(hung, "kill", "-STOP", pid)
    try:
        begun = time.monotonic()
        for _again in range(2):  # over a connection that stands, and over one that is to be made
            listing = driver.list()
            assert (listing.unheard, [vm.ref for vm in listing]) == ((f"{hung}/",), [ours.ref])
        assert time.monotonic() - begun < 40
        with ThreadPoolExecutor(8) as pool:
            begun = time.monotonic()
            assert {look.unheard for look in pool.map(lambda _look: driver.list(), range(8))} == {(f"{hung}/",)}
            assert time.monotonic() - begun < 15
        assert "libvirt does not answer" in next(host.detail for host in driver.hosts() if host.name == hung)
        helpers = cluster.run(hung, "pgrep", "-c", "virt-ssh-helper", check=False)
        assert int(helpers) < 3, "connections that were given up stay on the worker"
    finally:
        cluster.run(hung, "kill", "-CONT", pid)
    assert until(lambda: not driver.list().unheard, 15)


def test_a_machine_that_is_undefined_by_hand_leaves_nothing(driver, spec, cluster):
    wanted = spec()
    vm = driver.create(wanted)
    cluster.run(vm.host, "virsh", "undefine", domain(vm))
    with pytest.raises(VMNotFound):
        driver.get(vm.ref)
    driver.tidy(wanted)
    member = driver.cluster.members[vm.host]
    assert [name for name in member.pool.names() if wanted.uid in name] == []
    assert driver.gateway.look(thorough=True).networks == {}


def test_an_adopted_machine_keeps_its_hardware_and_takes_no_image_along(driver, spec, cluster):
    member = driver.cluster.members[cluster.workers[0]]
    image = member.pool.path_of("image-tiny")
    pet = f"""<domain type='qemu'><name>pet</name><memory unit='MiB'>64</memory><os><type>hvm</type></os><devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/><target dev='vda'/></disk>
    </devices></domain>"""
    cluster.run(member.name, "virsh", "define", "/dev/stdin", data=pet)
    (stray,) = driver.list()
    wanted = spec(cards=0)
    assert driver.adopt(stray.ref, wanted.uid).uid == wanted.uid
    with pytest.raises(Rejected, match="adopted"):
        driver.reconfigure(stray.ref, wanted)
    driver.destroy(stray.ref)
    assert driver.list() == []
    assert "image-tiny" in member.pool.names()


def test_what_cannot_be_is_refused_and_leaves_nothing(driver, spec, cluster):
    taken = driver.create(spec(nics=(NicSpec("lan", "52:54:00:0b:00:01", "10.0.0.21"),)))
    bad = {
        "image": spec(image="no-such-image"),
        "disk": spec(disk_gib=0.001),
        "network": spec(nics=(NicSpec("nowhere", "52:54:00:0b:00:02"),)),
        "address": spec(nics=(NicSpec("lan", "52:54:00:0b:00:03", "192.168.1.1"),)),
        "twice": spec(nics=(NicSpec("lan", "52:54:00:0b:00:04", "10.0.0.21"),)),
        "mac": spec(nics=(NicSpec("lan", "52:54:00:0b:00:01", "10.0.0.22"),)),
        "host": spec(host="worker-99"),
        "cd": spec(cdroms=({"image": "no-such.iso"},)),
    }
    before = {name: member.pool.names() for name, member in driver.cluster.members.items()}
    for what, wanted in bad.items():
        with pytest.raises(HypervisorError) as caught:
            driver.create(wanted)
        assert isinstance(caught.value, Rejected), (what, caught.value)
    assert [vm.ref for vm in driver.list()] == [taken.ref]
    assert {name: member.pool.names() for name, member in driver.cluster.members.items()} == before
