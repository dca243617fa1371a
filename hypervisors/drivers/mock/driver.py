"""The driver: VMs in a file, slow and failing on demand."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from hypervisors.drivers.base import (
    POWER_WORDS,
    Capability,
    Capacity,
    Console,
    Driver,
    Hosts,
    Power,
    Setting,
    Snapshot,
    Snapshots,
    VmInfo,
    VmInfos,
    VmSpec,
    extra_gib,
    network_name,
)
from hypervisors.drivers.checks import Checklist, Checks
from hypervisors.drivers.cloud import Image
from hypervisors.drivers.mock import guest, screen, serial, store, vnc
from hypervisors.drivers.mock.cloud import MockCloud
from hypervisors.drivers.mock.settings import SETTINGS
from hypervisors.drivers.mock.store import Store
from hypervisors.drivers.mock.ways import floating_address, rehearsed_ways
from hypervisors.drivers.mock.workers import Crew
from hypervisors.drivers.ways import first_floating
from olimpus.errors import (
    CapacityExceeded,
    HypervisorError,
    Misconfigured,
    Rejected,
    Transient,
    Unreachable,
    VMNotFound,
)
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

VERSION = "mock 1.0"
WRONG_TOKEN = "wrong"  # noqa: S105 - the one token that the mock refuses, so that failing logins can be rehearsed
CONNECT_SECONDS = 0.05
WATCH_SECONDS = 0.2
#: Said when a bound is met, by the setting that sets it.
NO_ROOM = {
    "capacity_vms": gettext_noop("No room: %(wanted)d VMs wanted, %(free)d free."),
    "capacity_cpus": gettext_noop("No room: %(wanted)d CPUs wanted, %(free)d free."),
    "capacity_memory_mib": gettext_noop("No room: %(wanted)d MiB of memory wanted, %(free)d free."),
}


class MockDriver(Driver):
    """Keeps its VMs in a file of its own; may be slow, flaky, full or unreachable, as its settings say."""

    name: ClassVar[str] = "mock"
    label: ClassVar[str] = gettext_noop("Mock hypervisor")
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    offers: ClassVar[frozenset[str]] = MockCloud.kinds
    floats: bool = True
    consoles: ClassVar[tuple[str, ...]] = ("serial", "vnc")
    steps: ClassVar[tuple[tuple[str, str], ...]] = (
        ("port", gettext_noop("Connect")),
        ("login", gettext_noop("Sign in")),
        ("version", gettext_noop("Version")),
        ("inventory", gettext_noop("Read the inventory")),
    )

    def __init__(self, hypervisor: str, settings: Mapping[str, Any], home: Path):
        super().__init__(hypervisor, settings, home)
        self._store = Store(store.path_of(home, hypervisor))
        self._random = random.Random(self.values["seed"])
        self.places = bool(str(self.values["workers"]).strip())
        self._crew = Crew(hypervisor, str(self.values["workers"]))

    @classmethod
    def workers_of(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(Crew("", str(settings.get("workers") or "")).workers)

    @cached_property
    def _catalogue(self) -> MockCloud:
        return MockCloud(self.hypervisor, str(self.values["images"]), self._store.reading, self._read, self._effect)

    @cached_property
    def cloud(self) -> MockCloud:  # type: ignore[override]
        return self._catalogue

    # -- looking ----------------------------------------------------------------------------------------------------

    def check(self) -> Checks:
        port, login, version, inventory = self.steps
        checks = Checklist()
        with checks.step(*port):
            self._connect()
        if not checks.failed:
            with checks.step(*login) as detail:
                self._sign_in()
                detail.append("api_token" if self.values["api_token"] else "anonymous")
        if not checks.failed:
            with checks.step(*version) as detail:
                detail.append(VERSION)
            with checks.step(*inventory) as detail:
                detail.append(f"{self.capacity().vms} VMs")
        return checks.checks

    def list(self) -> VmInfos:
        with self._read(float(self.values["listing_latency"])) as db:
            vms = store.all_vms(db)
        return self._crew.listing(vms)

    def get(self, ref: str) -> VmInfo:
        with self._read() as db:
            return self._vm(db, ref)

    def find(self, uid: str, host: str = "") -> VmInfo | None:
        with self._read() as db:
            vm = store.vm_by(db, "uid", uid) if uid else None
        return self._crew.found(vm, host)

    def hosts(self) -> Hosts:
        with self._read() as db:
            return self._crew.hosts(db)

    def capacity(self) -> Capacity:
        with self._read() as db:
            vms, cpus, memory_mib, disk_gib = store.usage(db)
            hosts = [host for host in self._crew.hosts(db) if host.up]
        return Capacity(
            cpus_total=self.values["capacity_cpus"] or sum(host.cpus_total or 0 for host in hosts) or None,
            cpus_used=cpus,
            memory_mib_total=self.values["capacity_memory_mib"] or sum(h.memory_mib_total or 0 for h in hosts) or None,
            memory_mib_used=memory_mib,
            disk_gib_total=sum(host.disk_gib_total or 0 for host in hosts) or None,
            disk_gib_used=disk_gib,
            vms=vms,
            vms_max=self.values["capacity_vms"] or None,
        )

    # -- life cycle -------------------------------------------------------------------------------------------------

    def create(self, spec: VmSpec) -> VmInfo:
        self._catalogue.require(spec.image)
        with self._effect() as db:
            present = store.vm_by(db, "uid", spec.uid)
            if present:
                return self._crew.heard(present)
            self._check_room(db, spec.cpus, spec.memory_mib, vms=1)
            values = {"uid": spec.uid, "name": spec.name, "disk_gib": spec.disk_gib, "image": spec.image}
            ref = store.insert_vm(db, values | run_values(spec, self.hypervisor), self._crew.host_for(db, spec))
            if self.values["created_power"] == Power.ON:
                store.change_vm(db, ref, power=Power.ON.value, since=time.time(), boots=1)
            return self._done(db, "create", ref)

    def outside(self, spec: VmSpec) -> str:
        with self._effect():
            return floating_address(spec, first_floating(spec))

    def start(self, ref: str) -> VmInfo:
        with self._effect() as db:
            vm = self._vm(db, ref)
            if vm.power is Power.ON:
                return vm
            if vm.power is Power.PAUSED:
                return self._switch(db, ref, "resume", Power.ON)
            store.change_vm(db, ref, since=time.time(), boots=vm.extra["boots"] + 1)
            return self._switch(db, ref, "power_on", Power.ON)

    def stop(self, ref: str) -> VmInfo:
        with self._effect() as db:
            vm = self._vm(db, ref)
            if vm.power is not Power.ON or self.values["ignore_acpi"]:
                return vm  # a paused guest does not hear the button either
            store.change_vm(db, ref, since=None)
            return self._switch(db, ref, "shutdown", Power.OFF)

    def force_off(self, ref: str) -> VmInfo:
        with self._effect() as db:
            vm = self._vm(db, ref)
            if vm.power is Power.OFF:
                return vm
            store.change_vm(db, ref, since=None)
            return self._switch(db, ref, "power_off", Power.OFF)

    def pause(self, ref: str) -> VmInfo:
        with self._effect() as db:
            vm = self._vm(db, ref)
            if vm.power is Power.PAUSED:
                return vm
            self._require_power(vm, Power.ON)
            return self._switch(db, ref, "pause", Power.PAUSED)

    def resume(self, ref: str) -> VmInfo:
        with self._effect() as db:
            vm = self._vm(db, ref)
            if vm.power is Power.ON:
                return vm
            self._require_power(vm, Power.PAUSED)
            return self._switch(db, ref, "resume", Power.ON)

    def destroy(self, ref: str, *, spare_held: bool = False) -> None:
        """(Floating addresses are worked out of the uid: nothing is to be spared.)"""
        with self._effect() as db:
            vm = store.vm_by(db, "ref", ref)
            if vm:
                self._crew.heard(vm)
                db.execute("DELETE FROM snapshots WHERE ref = ?", (ref,))
                db.execute("DELETE FROM vms WHERE ref = ?", (ref,))
                store.log(db, "destroy", ref, vm.uid, time.time())

    def reconfigure(self, ref: str, spec: VmSpec) -> VmInfo:
        with self._effect() as db:
            vm = self._vm(db, ref)
            self._require_power(vm, Power.OFF)
            self._check_room(db, spec.cpus - vm.cpus, spec.memory_mib - vm.memory_mib)
            more_gib = extra_gib(spec.disks) - vm.extra_gib
            self._crew.check_room(db, vm.host, (spec.cpus - vm.cpus, spec.memory_mib - vm.memory_mib, more_gib))
            store.change_vm(db, ref, **run_values(spec, self.hypervisor))
            changed = self._vm(db, ref)
            return vm if changed == vm else self._done(db, "reconfigure", ref)

    def adopt(self, ref: str, uid: str) -> VmInfo:
        with self._effect() as db:
            vm = self._vm(db, ref)
            if vm.uid == uid:
                return vm
            if vm.uid or store.vm_by(db, "uid", uid):
                message = _("This VM, or another with this uid, belongs to somebody already.")
                raise Rejected(message, where=self.hypervisor)
            store.change_vm(db, ref, uid=uid)
            return self._done(db, "adopt", ref)

    # -- snapshots --------------------------------------------------------------------------------------------------

    def snapshot(self, ref: str, name: str, description: str = "") -> Snapshot:
        with self._effect() as db:
            vm = self._vm(db, ref)
            if name not in store.snapshots_of(db, ref):
                row = (ref, name, description, time.time(), vm.extra["boots"])
                db.execute("INSERT INTO snapshots (ref, name, description, created, boots) VALUES (?, ?, ?, ?, ?)", row)
                self._done(db, "snapshot", ref)
            return store.snapshots_of(db, ref)[name]

    def snapshots(self, ref: str) -> Snapshots:
        with self._read() as db:
            self._vm(db, ref)
            return [*store.snapshots_of(db, ref).values()]

    def delete_snapshot(self, ref: str, name: str) -> None:
        with self._effect() as db:
            gone = db.execute("DELETE FROM snapshots WHERE ref = ? AND name = ?", (ref, name)).rowcount
            if gone:
                self._done(db, "delete_snapshot", ref)

    def revert(self, ref: str, name: str) -> VmInfo:
        """Disk-only snapshots: the VM is off afterwards. `extra["boots"]` stands for what is on the disk."""
        with self._effect() as db:
            self._vm(db, ref)
            if name not in store.snapshots_of(db, ref):
                raise Rejected(_("There is no snapshot “%(name)s”.") % {"name": name}, where=self.hypervisor)
            (boots,) = db.execute("SELECT boots FROM snapshots WHERE ref = ? AND name = ?", (ref, name)).fetchone()
            store.change_vm(db, ref, boots=boots, since=None)
            return self._switch(db, ref, "revert", Power.OFF)

    def publish(self, ref: str, name: str) -> Image:
        with self._effect() as db:
            vm = self._vm(db, ref)
            self._require_power(vm, Power.OFF)
            made_of = store.images(db)
            if name in made_of and made_of[name].id != ref:
                message = _("There is an image “%(name)s” already.") % {"name": name}
                raise Rejected(message, where=self.hypervisor, hint=_("Choose another name."))
            if name not in made_of:
                store.insert_image(db, name, ref, time.time())
                self._done(db, "publish", ref)
            return store.images(db)[name]

    # -- the guest --------------------------------------------------------------------------------------------------

    def console_text(self, ref: str) -> str:
        return guest.console_text(self.get(ref), datetime.now(UTC))

    def console(self, ref: str, kind: str) -> Console:
        if kind not in self.consoles:
            return super().console(ref, kind)
        vm = self._lit(ref)
        if kind == "vnc":
            return Console(vnc.serve(vm, lambda: self._is_still_on(vm)), vnc.PASSWORD)
        return Console(serial.serve(vm, lambda: self._is_still_on(vm)))

    def screenshot(self, ref: str) -> bytes:
        terminal = screen.Terminal()
        terminal.write(guest.console_text(self._lit(ref), datetime.now(UTC)))
        return screen.png(terminal.rows())

    def metrics(self, ref: str) -> dict[str, float]:
        return guest.metrics(self.get(ref), datetime.now(UTC))

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Looks into the log of effects five times a second."""
        ended = threading.Event()
        threading.Thread(target=self._follow, args=(changed, ended), name="mock-watch", daemon=True).start()
        return ended.set

    def close(self) -> None:
        self._store.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _read(self, latency: float = 0.0) -> Iterator[sqlite3.Connection]:
        self._connect()
        self._sign_in()
        self._sleep(latency)
        with self._store.reading() as db:
            yield db

    @contextmanager
    def _effect(self) -> Iterator[sqlite3.Connection]:
        """Latency first, with no transaction open; then perhaps a failure; then the effect, whole or not at all."""
        self._connect()
        self._sign_in()
        self._sleep(float(self.values["latency"]))
        unlucky = self._random.random() < self.values["failure_rate"]
        if unlucky and self.values["failure_kind"] != "lost":
            raise self._failure()
        with self._store.writing() as db:
            yield db
        if unlucky:
            raise Unreachable(_("The answer was lost (pretended)."), where=self.hypervisor)

    def _failure(self) -> HypervisorError:
        if self.values["failure_kind"] == "fatal":
            return Rejected(_("The mock hypervisor refuses (pretended)."), where=self.hypervisor)
        return Transient(_("The mock hypervisor is busy (pretended)."), where=self.hypervisor)

    def _sleep(self, seconds: float) -> None:
        if seconds:
            time.sleep(seconds * (1 + self.values["jitter"] * self._random.uniform(-1, 1)))

    def _connect(self) -> None:
        if self.values["unreachable"]:
            time.sleep(CONNECT_SECONDS)
            hint = _("Its setting “unreachable” is on.")
            raise Unreachable(_("The mock hypervisor does not answer."), where=self.hypervisor, hint=hint)

    def _sign_in(self) -> None:
        if self.values["api_token"] == WRONG_TOKEN:
            hint = _("Check the setting “api_token”.")
            raise Misconfigured(_("The API token was refused."), where=self.hypervisor, hint=hint)

    def _vm(self, db: sqlite3.Connection, ref: str) -> VmInfo:
        vm = store.vm_by(db, "ref", ref)
        if vm is None:
            raise VMNotFound(_("No VM has the reference “%(ref)s”.") % {"ref": ref}, where=self.hypervisor)
        return self._crew.heard(vm)

    def _lit(self, ref: str) -> VmInfo:
        """The VM, which shows something: it is not off."""
        vm = self.get(ref)
        if vm.power is Power.OFF:
            self._require_power(vm, Power.ON)
        return vm

    def _is_still_on(self, vm: VmInfo) -> bool:
        """Whether it has been on all the time since it was seen: a line does not live on into the next boot."""
        with self._store.reading() as db:
            now = store.vm_by(db, "ref", vm.ref)
        return now is not None and now.power is not Power.OFF and now.since == vm.since

    def _require_power(self, vm: VmInfo, power: Power) -> None:
        if vm.power is not power:
            told = {"name": vm.name, "power": _(POWER_WORDS[vm.power]), "wanted": _(POWER_WORDS[power])}
            raise Rejected(_("“%(name)s” is %(power)s; it must be %(wanted)s.") % told, where=self.hypervisor)

    def _switch(self, db: sqlite3.Connection, ref: str, verb: str, power: Power) -> VmInfo:
        store.change_vm(db, ref, power=power.value)
        return self._done(db, verb, ref)

    def _done(self, db: sqlite3.Connection, verb: str, ref: str) -> VmInfo:
        vm = self._vm(db, ref)
        store.log(db, verb, ref, vm.uid, time.time())
        return vm

    def _follow(self, changed: Callable[[str], None], ended: threading.Event) -> None:
        last: int | None = None
        while not ended.wait(WATCH_SECONDS):
            with suppress(HypervisorError), self._read() as db:
                if last is None:
                    last = store.last_event(db)
                    changed("")
                for event in store.events_of(db, last):
                    last = event.id
                    changed(event.ref)

    def _check_room(self, db: sqlite3.Connection, cpus: int, memory_mib: int, vms: int = 0) -> None:
        wanted = {"capacity_vms": vms, "capacity_cpus": cpus, "capacity_memory_mib": memory_mib}
        bounded = {setting: more for setting, more in wanted.items() if more > 0 and self.values[setting]}
        if not bounded:
            return  # adding up thousands of VMs only when somebody asks for a bound
        used = dict(zip(wanted, store.usage(db), strict=False))
        for setting, more in bounded.items():
            if used[setting] + more > self.values[setting]:
                told = {"wanted": more, "free": max(self.values[setting] - used[setting], 0)}
                raise CapacityExceeded(_(NO_ROOM[setting]) % told, where=self.hypervisor)


def run_values(spec: VmSpec, hypervisor: str) -> dict[str, Any]:
    """The run parameters as columns."""
    nics = (replace(nic, network=network_name(spec, nic.network, hypervisor)) for nic in spec.nics)
    extra = {"disks": list(spec.disks), "cdroms": list(spec.cdroms), "boot_order": list(spec.boot_order)}
    extra["ways"] = list(rehearsed_ways(spec))
    return {
        "cpus": spec.cpus,
        "memory_mib": spec.memory_mib,
        "nics": store.dump_nics(nics),
        "extra": json.dumps({name: value for name, value in extra.items() if value}),
    }
