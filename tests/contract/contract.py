"""The contract of `hypervisors.drivers.base`, as tests that every driver inherits.

A subclass gives `make_driver`; two drivers that it makes for one `home` must see the same, empty hypervisor. What a
technology has of its own it says in the attributes and methods at the head of `DriverContract`; no promise is less for it.
"""

from __future__ import annotations

import itertools
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hypervisors.drivers.base import Capability, Driver, NicSpec, Power, VmInfo, VmSpec
from olimpus.errors import HypervisorError, Rejected, Unsupported, VMNotFound

_numbers = itertools.count(1)


def make_spec(cards: int = 1, **changes) -> VmSpec:
    """Unlike any other; the first card asks for an address, the second for none."""
    number = next(_numbers)
    address = f"10.0.{1 + number // 200}.{10 + number % 200}"
    nics = (
        NicSpec("lan", f"52:54:00:00:{number // 256:02x}:{number % 256:02x}", address, "fixed"),
        NicSpec("wan", f"52:54:00:01:{number // 256:02x}:{number % 256:02x}"),
    )[:cards]
    spec = VmSpec(str(uuid.uuid4()), f"vm-{number}", cpus=2, memory_mib=1024, disk_gib=10, image="debian-12", nics=nics)
    return replace(spec, **changes)


class DriverContract:
    """Safe to repeat, seen afterwards, nothing left behind."""

    missing = "no-such-vm"
    #: How many machines are made at once.
    crowd = 24
    #: Seconds until a machine that was switched on says something.
    boot_seconds = 0.0
    #: Whether the hypervisor gives an address to each card that asks for none.
    gives_addresses = False

    def make_driver(self, home: Path) -> Driver:
        raise AssertionError("a subclass says how")

    def make_spec(self, cards: int = 1, **changes) -> VmSpec:
        """A machine that this hypervisor can make, unlike any other, with so many network cards (at most two)."""
        return make_spec(cards, **changes)

    def floating_spec(self) -> VmSpec:
        """A machine whose only card asks for a floating address."""
        return self.make_spec(parameters={"nics": [{"network": "lan", "floating": True}]})

    def expected_nics(self, spec: VmSpec, vm: VmInfo) -> tuple[NicSpec, ...]:
        """The cards as wanted, with the addresses that the hypervisor gave to those that asked for none."""
        if not self.gives_addresses:
            return spec.nics
        given = {nic.mac: nic.ip for nic in vm.nics}
        assert all(given.values())
        return tuple(nic if nic.ip else replace(nic, ip=given[nic.mac]) for nic in spec.nics)

    @pytest.fixture
    def driver(self, tmp_path) -> Iterator[Driver]:
        driver = self.make_driver(tmp_path)
        yield driver
        driver.close()

    @pytest.fixture
    def spec(self) -> VmSpec:
        return self.make_spec()

    @pytest.fixture
    def vm(self, driver, spec) -> VmInfo:
        return driver.create(spec)

    # -- declaration ------------------------------------------------------------------------------------------------

    def test_says_what_it_is(self, driver):
        assert driver.name
        assert driver.label
        assert driver.capabilities <= frozenset(Capability)

    def test_settings_are_declared_once_each(self, driver):
        names = [setting.name for setting in driver.settings]
        assert len(names) == len(set(names))
        assert all(setting.type in {"text", "lines", "int", "float", "bool", "choice"} for setting in driver.settings)

    def test_repr_tells_no_setting(self, driver):
        assert repr(driver) == f"<{type(driver).__name__} {driver.hypervisor}>"

    def test_check_reports_steps(self, driver):
        checks = driver.check()
        assert checks
        assert all(check.ok for check in checks)
        assert all(check.seconds >= 0 and check.label for check in checks)

    # -- create -----------------------------------------------------------------------------------------------------

    def test_create_builds_what_was_asked_for_powered_off(self, driver):
        spec = self.make_spec(cards=2)
        vm = driver.create(spec)
        assert (vm.uid, vm.name, vm.power) == (spec.uid, spec.name, Power.OFF)
        assert (vm.cpus, vm.memory_mib, vm.disk_gib, vm.image) == (2, 1024, 10, spec.image)
        assert vm.nics == self.expected_nics(spec, vm)
        assert vm.since is None

    def test_create_twice_makes_one_vm(self, driver, spec):
        assert driver.create(spec) == driver.create(spec)
        assert len(driver.list()) == 1

    def test_create_again_returns_a_running_vm_unchanged(self, driver, spec, vm):
        running = driver.start(vm.ref)
        assert driver.create(replace(spec, cpus=8)) == running

    def test_two_vms_may_share_a_name(self, driver):
        first, second = (driver.create(self.make_spec(name="twin")) for _ in range(2))
        assert first.ref != second.ref

    def test_two_threads_creating_the_same_vm_make_one(self, driver, spec, tmp_path):
        drivers = [driver, self.make_driver(tmp_path), self.make_driver(tmp_path), driver]
        with ThreadPoolExecutor(4) as pool:
            refs = set(pool.map(lambda each: each.create(spec).ref, drivers))
        assert len(refs) == 1
        assert len(driver.list()) == 1

    # -- looking ----------------------------------------------------------------------------------------------------

    def test_get_and_find_agree(self, driver, spec, vm):
        assert driver.get(vm.ref) == vm
        assert driver.find(spec.uid) == vm

    def test_find_of_an_unknown_uid_is_none(self, driver, vm):
        assert driver.find(str(uuid.uuid4())) is None
        assert driver.find("") is None

    def test_listing_shows_everything(self, driver):
        made = [driver.create(self.make_spec()) for _ in range(3)]
        made[0] = driver.start(made[0].ref)
        assert sorted(driver.list(), key=lambda vm: vm.ref) == sorted(made, key=lambda vm: vm.ref)

    def test_listing_of_nothing_is_empty(self, driver):
        assert driver.list() == []

    def test_another_driver_object_sees_the_same(self, driver, vm, tmp_path):
        other = self.make_driver(tmp_path)
        assert other.list() == driver.list() == [vm]
        other.close()

    def test_capacity_counts_vms(self, driver, vm):
        capacity = driver.capacity()
        assert capacity.vms == 1
        assert capacity.cpus_used == vm.cpus
        assert capacity.memory_mib_used == vm.memory_mib

    @pytest.mark.parametrize("verb", ["get", "start", "stop", "force_off"])
    def test_a_missing_vm_is_not_found(self, driver, verb):
        with pytest.raises(VMNotFound):
            getattr(driver, verb)(self.missing)

    # -- power ------------------------------------------------------------------------------------------------------

    def test_start_powers_on_and_says_since_when(self, driver, vm):
        before = datetime.now(UTC)
        started = driver.start(vm.ref)
        assert started.power is Power.ON
        assert before - timedelta(seconds=2) <= started.since <= datetime.now(UTC) + timedelta(seconds=2)
        assert driver.get(vm.ref) == started

    def test_start_of_a_running_vm_is_quiet(self, driver, vm):
        assert driver.start(vm.ref) == driver.start(vm.ref)

    def test_stop_powers_off(self, driver, vm):
        driver.start(vm.ref)
        assert driver.stop(vm.ref).power in {Power.ON, Power.OFF}
        assert driver.force_off(vm.ref).power is Power.OFF

    @pytest.mark.parametrize("verb", ["stop", "force_off"])
    def test_stopping_a_stopped_vm_is_quiet(self, driver, vm, verb):
        assert getattr(driver, verb)(vm.ref) == vm

    def test_force_off_twice_is_fine(self, driver, vm):
        driver.start(vm.ref)
        first = driver.force_off(vm.ref)
        assert first.power is Power.OFF
        assert first.since is None
        assert driver.force_off(vm.ref) == first

    def test_pause_and_resume_keep_the_time_of_power_on(self, driver, vm):
        if self.refuses(driver, Capability.PAUSE, lambda: driver.pause(vm.ref)):
            return
        since = driver.start(vm.ref).since
        assert driver.pause(vm.ref).power is Power.PAUSED
        assert driver.pause(vm.ref).power is Power.PAUSED
        assert driver.resume(vm.ref).since == since
        assert driver.resume(vm.ref).power is Power.ON

    def test_start_of_a_paused_vm_resumes_it(self, driver, vm):
        if self.refuses(driver, Capability.PAUSE, lambda: driver.pause(vm.ref)):
            return
        since = driver.start(vm.ref).since
        driver.pause(vm.ref)
        assert driver.start(vm.ref).since == since

    def test_pause_and_resume_need_a_running_vm(self, driver, vm):
        if self.refuses(driver, Capability.PAUSE, lambda: driver.pause(vm.ref)):
            return
        with pytest.raises(Rejected):
            driver.pause(vm.ref)
        with pytest.raises(Rejected):
            driver.resume(vm.ref)
        assert driver.get(vm.ref) == vm

    # -- destroy ----------------------------------------------------------------------------------------------------

    def test_destroy_removes_a_running_vm(self, driver, spec, vm):
        driver.start(vm.ref)
        driver.destroy(vm.ref)
        assert driver.list() == []
        assert driver.find(spec.uid) is None

    def test_destroying_twice_is_fine(self, driver, vm):
        driver.destroy(vm.ref)
        driver.destroy(vm.ref)
        with pytest.raises(VMNotFound):
            driver.get(vm.ref)

    def test_create_after_destroy_makes_a_new_vm(self, driver, spec, vm):
        driver.destroy(vm.ref)
        assert driver.create(spec).uid == spec.uid
        assert len(driver.list()) == 1

    # -- reconfigure ------------------------------------------------------------------------------------------------

    def test_reconfigure_writes_run_parameters(self, driver):
        spec = self.make_spec(cards=2)
        vm = driver.create(spec)
        wanted = replace(spec, cpus=4, memory_mib=2048, nics=spec.nics[:1])
        if self.refuses(driver, Capability.RECONFIGURE, lambda: driver.reconfigure(vm.ref, wanted)):
            return
        changed = driver.reconfigure(vm.ref, wanted)
        assert (changed.cpus, changed.memory_mib) == (4, 2048)
        assert changed.nics == self.expected_nics(wanted, changed)
        assert driver.reconfigure(vm.ref, wanted) == changed == driver.get(vm.ref)

    def test_reconfigure_of_a_running_vm_changes_nothing(self, driver, spec, vm):
        if self.refuses(driver, Capability.RECONFIGURE, lambda: driver.reconfigure(vm.ref, spec)):
            return
        running = driver.start(vm.ref)
        with pytest.raises(Rejected):
            driver.reconfigure(vm.ref, replace(spec, cpus=4))
        assert driver.get(vm.ref) == running

    def test_reconfigure_of_a_missing_vm(self, driver, spec):
        if self.refuses(driver, Capability.RECONFIGURE, lambda: driver.reconfigure(self.missing, spec)):
            return
        with pytest.raises(VMNotFound):
            driver.reconfigure(self.missing, spec)

    # -- snapshots --------------------------------------------------------------------------------------------------

    def test_snapshot_twice_under_a_name_is_one(self, driver, vm):
        if self.refuses(driver, Capability.SNAPSHOT, lambda: driver.snapshot(vm.ref, "one")):
            return
        first = driver.snapshot(vm.ref, "one", "before class")
        assert first.created_at.tzinfo is not None
        assert driver.snapshot(vm.ref, "one", "again") == first
        assert driver.snapshots(vm.ref) == [first]

    def test_snapshots_come_oldest_first_and_go_quietly(self, driver, vm):
        if self.refuses(driver, Capability.SNAPSHOT, lambda: driver.snapshots(vm.ref)):
            return
        made = [driver.snapshot(vm.ref, name) for name in ("b", "a")]
        assert driver.snapshots(vm.ref) == made
        driver.delete_snapshot(vm.ref, "b")
        driver.delete_snapshot(vm.ref, "b")
        assert driver.snapshots(vm.ref) == made[1:]

    def test_revert_may_be_repeated(self, driver, vm):
        if self.refuses(driver, Capability.REVERT, lambda: driver.revert(vm.ref, "clean")):
            return
        driver.snapshot(vm.ref, "clean")
        driver.start(vm.ref)
        reverted = driver.revert(vm.ref, "clean")
        assert reverted == driver.revert(vm.ref, "clean") == driver.get(vm.ref)
        assert reverted.power in {Power.ON, Power.OFF}

    def test_revert_to_an_unknown_snapshot_is_rejected(self, driver, vm):
        if self.refuses(driver, Capability.REVERT, lambda: driver.revert(vm.ref, "never")):
            return
        with pytest.raises(Rejected):
            driver.revert(vm.ref, "never")
        assert driver.get(vm.ref) == vm

    def test_destroy_takes_the_snapshots_along(self, driver, spec, vm):
        if self.refuses(driver, Capability.SNAPSHOT, lambda: driver.snapshot(vm.ref, "one")):
            return
        driver.snapshot(vm.ref, "one")
        driver.destroy(vm.ref)
        assert driver.snapshots(driver.create(spec).ref) == []

    # -- the guest --------------------------------------------------------------------------------------------------

    def test_console_speaks_while_on(self, driver, vm):
        if self.refuses(driver, Capability.CONSOLE_TEXT, lambda: driver.console_text(vm.ref)):
            return
        assert driver.console_text(vm.ref) == ""
        driver.start(vm.ref)
        end = time.monotonic() + self.boot_seconds
        while not driver.console_text(vm.ref) and time.monotonic() < end:
            time.sleep(0.2)
        assert driver.console_text(vm.ref)

    @pytest.mark.parametrize("kind", ["vnc", "serial", "telepathy"])
    def test_a_console_is_a_stream_while_on(self, driver, vm, kind):
        if kind not in driver.consoles:
            with pytest.raises(Unsupported):
                driver.console(vm.ref, kind)
            return
        with pytest.raises(Rejected):
            driver.console(vm.ref, kind)
        driver.start(vm.ref)
        with driver.console(vm.ref, kind).sock as console:
            assert console.gettimeout() is None
            self.speaks(console, kind)
        with pytest.raises(VMNotFound):
            driver.console(self.missing, kind)

    def speaks(self, console: socket.socket, kind: str) -> None:
        """RFB begins with its version; a serial line answers to Enter."""
        console.settimeout(30)
        if kind == "serial":
            console.sendall(b"\r")
        assert console.recv(4096).startswith(b"RFB 003." if kind == "vnc" else b"")
        console.settimeout(None)

    def test_a_console_ends_with_the_power(self, driver, vm):
        driver.start(vm.ref)
        consoles = [driver.console(vm.ref, kind).sock for kind in driver.consoles]
        driver.force_off(vm.ref)
        for console in consoles:
            with console:
                console.settimeout(30)
                while console.recv(4096):
                    continue

    def test_a_screenshot_is_a_picture_while_on(self, driver, vm):
        if self.refuses(driver, Capability.SCREENSHOT, lambda: driver.screenshot(vm.ref)):
            return
        with pytest.raises(Rejected):
            driver.screenshot(vm.ref)
        driver.start(vm.ref)
        assert driver.screenshot(vm.ref).startswith(b"\x89PNG\r\n")
        with pytest.raises(VMNotFound):
            driver.screenshot(self.missing)

    def test_metrics_are_numbers(self, driver, vm):
        if self.refuses(driver, Capability.METRICS, lambda: driver.metrics(vm.ref)):
            return
        assert set(driver.metrics(vm.ref).values()) == {0.0}
        driver.start(vm.ref)
        figures = driver.metrics(vm.ref)
        assert 0 <= figures["cpu_percent"] <= 100
        assert 0 < figures["memory_used_mib"] <= vm.memory_mib

    # -- floating addresses -----------------------------------------------------------------------------------------

    def test_a_floating_address_is_known_before_its_machine_is_made(self, driver, tmp_path):
        spec, other = self.floating_spec(), self.make_driver(tmp_path)
        if not driver.floats:
            with pytest.raises(Unsupported):
                driver.outside(spec)
            return
        address = driver.outside(spec)
        assert address == driver.outside(spec) == other.outside(spec)
        other.close()
        vm = driver.create(spec)
        assert [way["address"] for way in vm.extra["ways"] if way["kind"] == "floating"] == [address]
        assert driver.get(vm.ref) == vm
        assert driver.outside(spec) == address
        driver.destroy(vm.ref, spare_held=True)
        driver.tidy(spec, spare_held=True)
        again = driver.create(spec)
        assert [way["address"] for way in again.extra["ways"] if way["kind"] == "floating"] == [address]
        driver.destroy(again.ref)

    def test_a_floating_address_that_was_reserved_is_let_go_without_a_machine(self, driver):
        spec = self.floating_spec()
        if not driver.floats:
            return
        driver.outside(spec)
        driver.tidy(spec)
        driver.tidy(spec)
        assert driver.list() == []

    def test_nothing_is_reserved_for_a_machine_that_asks_for_no_floating_address(self, driver):
        with pytest.raises(Rejected if driver.floats else Unsupported):
            driver.outside(self.make_spec())

    # -- threads, closing, capabilities -----------------------------------------------------------------------------

    def test_one_driver_serves_many_threads(self, driver):
        def life(spec: VmSpec) -> Power:
            vm = driver.create(spec)
            driver.start(vm.ref)
            return driver.force_off(vm.ref).power

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(life, [self.make_spec() for _ in range(self.crowd)])) == {Power.OFF}
        assert len(driver.list()) == self.crowd

    def test_close_is_repeatable_and_calls_work_afterwards(self, driver, vm):
        driver.close()
        driver.close()
        assert driver.get(vm.ref) == vm

    @pytest.mark.parametrize("capability", list(Capability))
    def test_require_answers_as_declared(self, driver, capability):
        if capability in driver.capabilities:
            assert driver.require(capability) is None
        else:
            with pytest.raises(Unsupported):
                driver.require(capability)

    def test_only_our_errors_leave(self, driver):
        with pytest.raises(HypervisorError) as caught:
            driver.get(self.missing)
        assert caught.value.message

    def refuses(self, driver: Driver, capability: Capability, call: Callable[[], object]) -> bool:
        """Without the capability the call must say `Unsupported`; that is then all there is to test."""
        if capability in driver.capabilities:
            return False
        with pytest.raises(Unsupported):
            call()
        return True
