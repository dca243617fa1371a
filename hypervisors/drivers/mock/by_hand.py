"""What happens behind Olimpus' back: the colleague who makes, changes and deletes VMs on the hypervisor itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypervisors.drivers.base import NicSpec, Power, VmInfo
from hypervisors.drivers.mock import store
from hypervisors.drivers.mock.driver import MockDriver
from hypervisors.drivers.mock.store import Event, Store
from olimpus.errors import VMNotFound
from olimpus.words import gettext as _


def create_by_hand(
    home: Path,
    hypervisor: str,
    name: str,
    *,
    cpus: int = 1,
    memory_mib: int = 512,
    disk_gib: float = 5.0,
    image: str = "",
    nics: tuple[NicSpec, ...] = (),
    power: Power = Power.OFF,
    host: str = "",
) -> VmInfo:
    """A VM made on the hypervisor itself: it carries no `uid`, so it is not ours. Each call makes another one."""
    values = {"name": name, "cpus": cpus, "memory_mib": memory_mib, "disk_gib": disk_gib, "image": image}
    since = None if power == Power.OFF else time.time()
    values |= {"nics": store.dump_nics(nics), "power": Power(power).value, "since": since}
    return _by_hand(home, hypervisor, "create_by_hand", lambda db: store.insert_vm(db, values, host))


def tamper(home: Path, hypervisor: str, ref: str, *, delete: bool = False, **changes: Any) -> VmInfo | None:
    """Change a VM behind Olimpus' back: name, power, cpus, memory_mib, disk_gib, nics, image; or delete it.

    Returns the VM as it is then, None when deleted; `VMNotFound` when there is none.
    """
    driver = MockDriver(hypervisor, {"latency": 0.0}, home)
    vm = driver.get(ref)
    if delete:
        driver.destroy(ref)
        return None
    if "nics" in changes:
        changes["nics"] = store.dump_nics(changes["nics"])
    if "power" in changes:
        changes["power"] = Power(changes["power"]).value
        changes["since"] = None if changes["power"] == Power.OFF else (vm.since or datetime.now(UTC)).timestamp()

    def change(db: sqlite3.Connection) -> str:
        store.change_vm(db, ref, **changes)
        return ref

    return _by_hand(home, hypervisor, "tamper", change)


def events(home: Path, hypervisor: str, after: int = 0) -> list[Event]:
    """What really happened on this mock hypervisor, oldest first, after the event with this id."""
    memory = Store(store.path_of(home, hypervisor))
    with memory.reading() as db:
        found = store.events_of(db, after)
    memory.close()
    return found


def _by_hand(home: Path, hypervisor: str, verb: str, change: Callable[[sqlite3.Connection], str]) -> VmInfo:
    memory = Store(store.path_of(home, hypervisor))
    with memory.writing() as db:
        ref = change(db)
        vm = store.vm_by(db, "ref", ref)
        if vm is None:
            raise VMNotFound(_("No VM has the reference “%(ref)s”.") % {"ref": ref}, where=hypervisor)
        store.log(db, verb, ref, vm.uid, time.time())
    memory.close()
    return vm
