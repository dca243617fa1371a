"""The mock hypervisor: the contract, and what only it can show (faults, crashes, a log of effects)."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hypervisors.drivers.base import Capability, Driver, NicSpec, Power
from hypervisors.drivers.mock import MockDriver, create_by_hand, events, tamper
from olimpus.errors import CapacityExceeded, Rejected, Transient, Unreachable, VMNotFound

from .contract import DriverContract, make_spec

NAME = "rack-1"
WORKERS = "w1 64 65536 900\nw2 64 65536 900"


def mock(home: Path, **settings) -> MockDriver:
    return MockDriver(NAME, {"latency": 0.0, **settings}, home)


def effects(home: Path) -> Counter:
    return Counter(event.verb for event in events(home, NAME))


class TestMock(DriverContract):
    def make_driver(self, home: Path) -> Driver:
        return mock(home)


class PlainDriver(MockDriver):
    """A technology that can do nothing beyond the minimum."""

    capabilities = frozenset()
    floats = False
    outside = Driver.outside
    consoles = ()
    screenshot, console = Driver.screenshot, Driver.console
    pause, resume, reconfigure, adopt = Driver.pause, Driver.resume, Driver.reconfigure, Driver.adopt
    snapshot, snapshots, delete_snapshot = Driver.snapshot, Driver.snapshots, Driver.delete_snapshot
    revert, console_text, metrics = Driver.revert, Driver.console_text, Driver.metrics


class TestPlain(DriverContract):
    def make_driver(self, home: Path) -> Driver:
        return PlainDriver(NAME, {"latency": 0.0}, home)


class TestSecondDriverEachTime(DriverContract):
    """As after a restart: the state is on the hypervisor, not in the driver object."""

    def make_driver(self, home: Path) -> Driver:
        mock(home).close()
        return mock(home, jitter=0.5, latency=0.001)


class TestWithWorkers(DriverContract):
    """The same machines, on one of two workers."""

    def make_driver(self, home: Path) -> Driver:
        return mock(home, workers=WORKERS)


# -- workers -----------------------------------------------------------------------------------------------------------


def test_workers_are_hosts_with_their_room(tmp_path):
    driver = mock(tmp_path, workers="w1 8 16384 200\n\nw2 4 8192 100 maintenance\nw3 4 8192 100 down")
    vm = driver.create(replace(make_spec(), host="w1"))
    assert (vm.host, vm.ref.partition("/")[0]) == ("w1", "w1")
    one, two, three = driver.hosts()
    assert (one.cpus_used, one.memory_mib_used, one.disk_gib_used, one.vms) == (2, 1024, 10, 1)
    assert [(host.up, host.enabled) for host in (one, two, three)] == [(True, True), (True, False), (False, True)]
    assert driver.places
    assert not mock(tmp_path).places


def test_a_full_or_missing_worker_takes_nothing(tmp_path):
    driver = mock(tmp_path, workers="w1 1 16384 200\nw2 2 16384 200")
    with pytest.raises(CapacityExceeded, match="w1 has no room"):
        driver.create(replace(make_spec(), host="w1"))
    with pytest.raises(Rejected, match="w9"):
        driver.create(replace(make_spec(), host="w9"))
    assert driver.create(make_spec()).host == "w2"
    with pytest.raises(CapacityExceeded):
        driver.create(make_spec())
    assert len(driver.list()) == 1


def test_what_a_dead_worker_carries_is_unheard_not_absent(tmp_path):
    spec, other = make_spec(), make_spec()
    driver = mock(tmp_path, workers="w1 8 16384 200\nw2 8 16384 200")
    lost, kept = driver.create(replace(spec, host="w1")), driver.create(replace(other, host="w2"))
    broken = mock(tmp_path, workers="w1 8 16384 200 down\nw2 8 16384 200")
    listed = broken.list()
    assert ([vm.ref for vm in listed], listed.unheard) == ([kept.ref], ("w1/",))
    for call in (broken.get, broken.start, broken.destroy):
        with pytest.raises(Unreachable, match="w1"):
            call(lost.ref)
    with pytest.raises(Unreachable):
        broken.find(spec.uid)
    with pytest.raises(Unreachable):
        broken.create(replace(spec, host="w2"))  # it may be there
    assert broken.find(other.uid) == kept
    assert broken.find(make_spec().uid, "w2") is None  # only the living one is asked
    with pytest.raises(Unreachable):
        mock(tmp_path, workers="w1 8 16384 200 down").list()


@pytest.mark.parametrize("line", ["w1", "w1 8 x 200", "w1 8 16384 200 drained", "a/b 1 1 1", "w1 -1 1 1"])
def test_a_line_that_is_no_worker_is_named(tmp_path, line):
    checks = mock(tmp_path, workers=f"w0 1 1 1\n{line}").check()
    assert (checks[-1].step, checks[-1].ok) == ("inventory", False)
    assert "Line 2" in checks[-1].detail


# -- events ------------------------------------------------------------------------------------------------------------


def test_it_tells_which_machines_change(tmp_path):
    told: queue.Queue[str] = queue.Queue()
    driver = mock(tmp_path)
    vm = driver.create(make_spec())
    stop = driver.watch(told.put)
    assert told.get(timeout=5) == ""  # whatever was before
    tamper(tmp_path, NAME, vm.ref, power=Power.ON)
    assert told.get(timeout=5) == vm.ref
    stop()
    time.sleep(0.5)
    tamper(tmp_path, NAME, vm.ref, power=Power.OFF)
    time.sleep(0.5)
    assert told.empty()


# -- a failed create leaves nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"images": "debian-13, alpine"}, Rejected),
        ({"capacity_cpus": 1}, CapacityExceeded),
        ({"capacity_memory_mib": 1000}, CapacityExceeded),
        ({"failure_rate": 1.0}, Transient),
        ({"failure_rate": 1.0, "failure_kind": "fatal"}, Rejected),
        ({"unreachable": True}, Unreachable),
        ({"api_token": "wrong"}, Rejected),
    ],
)
def test_a_failed_create_leaves_nothing(tmp_path, settings, error):
    with pytest.raises(error):
        mock(tmp_path, **settings).create(make_spec())
    assert mock(tmp_path).list() == []
    assert not effects(tmp_path)


def test_an_unknown_image_names_the_nearest(tmp_path):
    with pytest.raises(Rejected) as caught:
        mock(tmp_path, images="debian-13, alpine").create(make_spec(image="debian-12"))
    assert "debian-13" in caught.value.hint


def test_the_last_free_place_is_given_once(tmp_path):
    driver = mock(tmp_path, capacity_vms=1)
    driver.create(make_spec())
    with pytest.raises(CapacityExceeded):
        driver.create(make_spec())
    assert driver.capacity().vms == driver.capacity().vms_max == 1


def test_growing_needs_room_and_shrinking_does_not(tmp_path):
    driver = mock(tmp_path, capacity_cpus=3)
    spec = make_spec()
    ref = driver.create(spec).ref
    with pytest.raises(CapacityExceeded):
        driver.reconfigure(ref, replace(spec, cpus=4))
    assert driver.get(ref).cpus == 2
    assert driver.reconfigure(ref, replace(spec, cpus=1)).cpus == 1


# -- faults on demand --------------------------------------------------------------------------------------------------


def test_a_lost_answer_did_happen_and_its_repetition_doubles_nothing(tmp_path):
    spec = make_spec()
    with pytest.raises(Unreachable):
        mock(tmp_path, failure_rate=1.0, failure_kind="lost").create(spec)
    assert mock(tmp_path).create(spec).uid == spec.uid
    assert effects(tmp_path) == {"create": 1}


def test_failures_of_a_seed_are_the_same_each_time(tmp_path):
    def run() -> list[bool]:
        driver = mock(tmp_path, failure_rate=0.5, seed=7)
        return [_fails(driver) for _ in range(20)]

    first = run()
    assert first == run()
    assert 0 < sum(first) < 20


def _fails(driver: MockDriver) -> bool:
    try:
        driver.destroy("nothing")
    except Transient:
        return True
    return False


def test_a_guest_that_ignores_shutdown_stays_on(tmp_path):
    driver = mock(tmp_path, ignore_acpi=True)
    ref = driver.create(make_spec()).ref
    driver.start(ref)
    assert driver.stop(ref).power is Power.ON
    assert driver.force_off(ref).power is Power.OFF


def test_a_paused_guest_does_not_hear_the_button(tmp_path):
    driver = mock(tmp_path)
    ref = driver.create(make_spec()).ref
    driver.start(ref)
    driver.pause(ref)
    assert driver.stop(ref).power is Power.PAUSED


def test_latency_is_of_verbs_and_of_listings(tmp_path):
    driver = mock(tmp_path, latency=0.05, listing_latency=0.05)
    begun = time.perf_counter()
    driver.destroy("nothing")
    assert time.perf_counter() - begun >= 0.05
    begun = time.perf_counter()
    driver.list()
    assert time.perf_counter() - begun >= 0.05


@pytest.mark.parametrize(("settings", "step"), [({"unreachable": True}, "port"), ({"api_token": "wrong"}, "login")])
def test_check_stops_at_the_step_that_fails(tmp_path, settings, step):
    checks = mock(tmp_path, **settings).check()
    assert [check.step for check in checks if not check.ok] == [step]
    assert checks[-1].step == step
    assert checks[-1].detail


def test_no_message_carries_the_token(tmp_path):
    driver = mock(tmp_path, api_token="s3cr3t-token", failure_rate=1.0)
    with pytest.raises(Transient) as caught:
        driver.destroy("nothing")
    assert "s3cr3t" not in f"{caught.value} {driver!r} {driver.check()}"


# -- behind our back ---------------------------------------------------------------------------------------------------


def test_a_vm_made_by_hand_is_not_ours_until_adopted(tmp_path):
    driver = mock(tmp_path)
    found = create_by_hand(tmp_path, NAME, "lab-server", nics=(NicSpec("lan", "52:54:00:ff:00:01"),), power=Power.ON)
    assert driver.list() == [found]
    assert (found.uid, found.power) == ("", Power.ON)
    adopted = driver.adopt(found.ref, "uid-1")
    assert adopted == driver.adopt(found.ref, "uid-1") == driver.find("uid-1")


def test_a_vm_that_is_somebodys_cannot_be_adopted(tmp_path):
    driver = mock(tmp_path)
    ours, foreign = driver.create(make_spec()), create_by_hand(tmp_path, NAME, "lab-server")
    with pytest.raises(Rejected):
        driver.adopt(ours.ref, "another")
    with pytest.raises(Rejected):
        driver.adopt(foreign.ref, ours.uid)
    assert driver.get(foreign.ref) == foreign


def test_tampering_is_seen(tmp_path):
    driver = mock(tmp_path)
    vm = driver.create(make_spec())
    nics = (NicSpec("dmz", "52:54:00:ff:00:02"),)
    assert tamper(tmp_path, NAME, vm.ref, power="on", cpus=16, nics=nics) == driver.get(vm.ref)
    seen = driver.get(vm.ref)
    assert (seen.power, seen.cpus, seen.nics) == (Power.ON, 16, nics)
    assert seen.since is not None
    assert tamper(tmp_path, NAME, vm.ref, delete=True) is None
    with pytest.raises(VMNotFound):
        tamper(tmp_path, NAME, vm.ref, cpus=1)


# -- effects, once -----------------------------------------------------------------------------------------------------


def test_repeated_calls_have_one_effect_each(tmp_path):
    driver, spec = mock(tmp_path), make_spec()
    wanted = replace(spec, cpus=4)
    ref = driver.create(spec).ref
    for call in (
        lambda: driver.create(spec),
        lambda: driver.reconfigure(ref, wanted),
        lambda: driver.start(ref),
        lambda: driver.pause(ref),
        lambda: driver.resume(ref),
        lambda: driver.snapshot(ref, "one"),
        lambda: driver.stop(ref),
        lambda: driver.destroy(ref),
    ):
        call()
        call()
    once = ["create", "reconfigure", "power_on", "pause", "resume", "snapshot", "shutdown", "destroy"]
    assert effects(tmp_path) == Counter(once)
    assert {event.uid for event in events(tmp_path, NAME)} == {spec.uid}


def test_revert_brings_the_disk_back(tmp_path):
    driver = mock(tmp_path)
    ref = driver.create(make_spec()).ref
    driver.snapshot(ref, "clean")
    assert driver.start(ref).extra["boots"] == 1
    assert driver.revert(ref, "clean").extra["boots"] == 0


CHILD = """
import sys, threading
from pathlib import Path
from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.mock import MockDriver
home, latency = Path(sys.argv[1]), float(sys.argv[2])
driver = MockDriver("rack-1", {"latency": latency, "jitter": 1.0}, home)
def work(n):
    for i in range(n, 400, 8):
        driver.start(driver.create(VmSpec(f"uid-{i}", f"vm-{i}", 1, 512, 5)).ref)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]
print("ready", flush=True)
[t.join() for t in threads]
"""


def child(home: Path, latency: float) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(home), str(latency)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_a_process_killed_in_the_middle_leaves_no_half_vm(tmp_path, seconds):
    process = child(tmp_path, 0.01)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    half = mock(tmp_path).list()
    assert len(half) < 400
    assert len({vm.uid for vm in half}) == len(half)
    assert child(tmp_path, 0.0).wait() == 0
    assert effects(tmp_path) == {"create": 400, "power_on": 400}
    assert {vm.power for vm in mock(tmp_path).list()} == {Power.ON}


def test_processes_at_once_make_each_vm_once(tmp_path):
    processes = [child(tmp_path, 0.0) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert effects(tmp_path) == {"create": 400, "power_on": 400}


# -- the guest ---------------------------------------------------------------------------------------------------------


def test_the_boot_log_grows_with_time(tmp_path):
    driver = mock(tmp_path)
    ref = driver.create(make_spec(name="web")).ref
    driver.start(ref)
    early = driver.console_text(ref)
    long_ago = time.time() - 60
    with driver._store.writing() as db:
        db.execute("UPDATE vms SET since = ?", (long_ago,))
    late = driver.console_text(ref)
    assert late.startswith(early.splitlines()[0])
    assert late.endswith("web login: ")
    assert len(late) > len(early)
    assert driver.metrics(ref)["uptime_seconds"] == pytest.approx(60, abs=5)


def test_declares_all():
    assert frozenset(Capability) == MockDriver.capabilities


def test_drivers_import_neither_django_nor_the_tree():
    code = "import sys, hypervisors.drivers.mock; print({'django', 'rest_framework', 'descriptors'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"
