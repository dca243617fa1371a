"""What the driver is made of, and what it asks for how often."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import libvirt
import pytest

from hypervisors.drivers.base import Power
from hypervisors.drivers.linux import connection
from hypervisors.drivers.linux import driver as driving
from hypervisors.drivers.linux import watch as watching
from hypervisors.drivers.linux.connection import LOOKING, Wire
from hypervisors.drivers.linux.driver import LinuxDriver
from hypervisors.drivers.linux.gateway.client import Way
from hypervisors.drivers.linux.guests import KEPT, Guests
from hypervisors.drivers.linux.machines import Machines
from hypervisors.drivers.linux.marks import Mark
from hypervisors.tunnels import Ended
from olimpus.errors import Unreachable
from tests.hypervisors.linux.test_watch import Workers
from tests.processes.installation import until

XML = "<domain><name>{0}</name><uuid>{0}</uuid><vcpu>1</vcpu><memory unit='MiB'>64</memory></domain>"


class Domain:
    """A machine as libvirt's library shows it."""

    def __init__(self, name: str, number: int):
        self.name, self.ID, self.UUIDString = (lambda: name), (lambda: number), (lambda: name)
        self.XMLDesc = lambda _flags: XML.format(name)
        self.stats = {"state.state": libvirt.VIR_DOMAIN_RUNNING if number > 0 else libvirt.VIR_DOMAIN_SHUTOFF}


class Worker:
    """A worker with these machines, that counts the commands which it is given."""

    name = where = "w1"

    def __init__(self, *domains: Domain):
        self.domains = domains
        self.commands = 0
        self.spent = 0

    def on_connect(self, tell: Any) -> None: ...

    def ask(self, call: Any) -> Any:
        return call(self)

    def run(self, _argv: Any) -> Ended:
        self.commands += 1
        return Ended(0, "".join(f"{domain.ID()}000.5 {domain.name()}.pid\n" for domain in self.domains).encode(), b"")

    def getAllDomainStats(self, _stats: int, _flags: int) -> list[Any]:
        return [(domain, domain.stats) for domain in self.domains]

    def domainListGetStats(self, domains: list[str], _stats: int, _flags: int) -> list[Any]:
        return [(uuid, {"cpu.time": self.spent}) for uuid in domains]

    def lookupByUUIDString(self, uuid: str) -> str:
        return uuid


def test_many_who_come_first_find_one_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = driving.parse

    def slow(text: str) -> Any:
        time.sleep(0.05)
        return real(text)

    monkeypatch.setattr(driving, "parse", slow)
    driver = LinuxDriver("rack", {"workers": "w1 10.0.0.1", "worker_user": "me"}, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _number: (driver.cluster, driver.maker), range(8)))
    assert len({(id(cluster), id(maker)) for cluster, maker in made}) == 1
    driver.close()


class Silent:
    """A worker whose libvirt takes a connection and says nothing, until somebody cuts it off."""

    where = "rack/w1"

    def __init__(self) -> None:
        self.tries = 0
        self.tried, self.cut = threading.Semaphore(0), threading.Semaphore(0)

    def socket(self) -> Path:
        self.tries += 1
        self.tried.release()
        assert self.cut.acquire(timeout=10)
        raise Unreachable("end of file", where=self.where)


def test_one_at_a_time_finds_out_whether_libvirt_still_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Silent()
    wire = Wire(worker, LOOKING)
    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(wire.connect) for _number in range(4)]
        assert worker.tried.acquire(timeout=10)
        until(lambda: sum(future.running() for future in first) == 4, 5)
        time.sleep(0.2)  # until they wait for the lock
        worker.cut.release()
        assert {str(future.exception(10)) for future in first} == {"rack/w1: end of file"}
    assert worker.tries == 1  # those who waited were told the same
    monkeypatch.setattr(connection, "PATIENCE", 0.0)  # from now on it lasts too long
    worker.cut.release()
    with pytest.raises(Unreachable, match="libvirt does not answer"):
        wire.connect()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(wire.connect)
        assert worker.tried.acquire(timeout=10)
        assert worker.tried.acquire(timeout=10)
        with pytest.raises(Unreachable, match="libvirt does not answer"):
            wire.connect()  # at once: it is being tried
        assert not second.done()
        worker.cut.release()
        assert isinstance(second.exception(10), Unreachable)


def test_a_driver_that_is_closed_connects_nothing_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK", 0.01)
    connects: list[float] = []
    driver = LinuxDriver("rack", {}, tmp_path)
    driver.__dict__["cluster"] = Workers(lambda: connects.append(time.monotonic()))
    stop = driver.watch(lambda _ref: None)
    assert until(lambda: len(connects) > 2, 5)
    driver.close()
    before = len(connects)
    time.sleep(0.1)
    assert len(connects) == before
    stop()


def test_one_command_tells_when_all_machines_were_powered_on() -> None:
    worker = Worker(*(Domain(f"vm-{number}", number) for number in (1, 2, 3)), Domain("off", -1))
    machines = Machines(worker)
    for _again in range(2):
        found = {info.name: info.since for info in machines.all()}
        assert found == {
            **{f"vm-{number}": datetime.fromtimestamp(number * 1000 + 0.5, UTC) for number in (1, 2, 3)},
            "off": None,
        }
        assert worker.commands == 1
    worker.domains = (Domain("vm-1", 7), *worker.domains[1:])  # switched off and on meanwhile
    assert machines.all()[0].since == datetime.fromtimestamp(7000.5, UTC)
    assert worker.commands == 2


def test_looks_at_machines_that_are_gone_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(*(Domain(f"vm-{number}", number) for number in (1, 2)))
    machines = Machines(worker)
    monkeypatch.setattr(machines, "get", lambda uuid: next(info for info in machines.all() if info.name == uuid))
    guests, clock = Guests(worker, machines), [1000.0]
    monkeypatch.setattr("hypervisors.drivers.linux.guests.time.monotonic", lambda: clock[0])
    assert machines.get("vm-1").power is Power.ON
    guests.figures("vm-1")
    clock[0] += KEPT + 1
    guests.figures("vm-2")
    assert set(guests._looks) == {"vm-2"}
    clock[0], worker.spent = clock[0] + 10, int(5e9)
    assert guests.figures("vm-2")["cpu_percent"] == 50.0


def test_ways_in_are_those_of_now_and_those_of_the_making_while_nobody_knows() -> None:
    domain, then = Domain("u-1", 1), Way("jump", "192.0.2.1", 22, "10.0.0.5", "ssh -J old")
    plain = ET.fromstring(XML.format("u-1"))
    ET.SubElement(plain, "metadata").append(Mark("u-1", "web", ways=(vars(then),)).element())
    domain.XMLDesc = lambda _flags: ET.tostring(plain, encoding="unicode")
    now: list[Way] | None = None
    machines = Machines(Worker(domain), lambda _uid: now)
    assert machines.all()[0].extra["ways"] == [vars(then)]
    now = [replace(then, command="ssh -J new")]
    assert machines.all()[0].extra["ways"] == [vars(now[0])]
    now = []
    assert "ways" not in machines.all()[0].extra
