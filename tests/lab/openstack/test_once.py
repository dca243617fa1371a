"""What the driver makes it makes once, whoever asks, whenever its process dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.base import Power, VmSpec
from hypervisors.drivers.openstack import OpenStackDriver
from olimpus.errors import Unreachable
from tests.lab.openstack.world import without_macs


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
from typing import Any
from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.openstack import OpenStackDriver
settings, spec, home = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
spec["nics"] = tuple(NicSpec(**nic) for nic in spec["nics"])
driver = OpenStackDriver("lab", settings, home)
driver.session.access()
print("ready", flush=True)
driver.create(VmSpec(**spec))
"""


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0])
def test_a_creating_process_that_is_killed_leaves_one_machine_to_the_next(
    project, make, tmp_path, monkeypatch, seconds
):
    monkeypatch.setattr("hypervisors.drivers.openstack.create.IN_FLIGHT_SECONDS", 10.0)
    spec, driver = project.spec(), make()
    process = _creating(driver, spec, tmp_path)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    vm = driver.create(spec)
    assert (vm.uid, vm.power, len(vm.nics)) == (spec.uid, Power.OFF, len(spec.nics))
    assert [server.id for server in project.servers()] == [vm.ref]
    assert len(project.ports()) == len(spec.nics)


def _creating(driver: OpenStackDriver, spec: VmSpec, home: Path) -> subprocess.Popen:
    told = {name: value for name, value in asdict(spec).items() if name in ("uid", "name", "image", "nics")}
    told |= {"cpus": spec.cpus, "memory_mib": spec.memory_mib, "disk_gib": spec.disk_gib}
    arguments = [json.dumps(driver.values), json.dumps(told), str(home)]
    process = subprocess.Popen([sys.executable, "-c", CREATING, *arguments], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_server_that_comes_after_we_stopped_waiting_is_the_machine(project, make, monkeypatch):
    """Nova was asked and is slow: it goes on when nobody waits for its answer any more."""
    driver, spec = make(created_power="on"), project.spec()
    post, late = driver.servers.rest.post, []

    def slow(service: str, path: str, *args: Any, **more: Any) -> Any:
        if path != "/servers":
            return post(service, path, *args, **more)
        late.append(threading.Timer(2.0, post, (service, path, *args), more))
        late[-1].start()
        raise Unreachable("OpenStack did not answer in time.")

    with monkeypatch.context() as patch:
        patch.setattr(driver.servers.rest, "post", slow)
        with pytest.raises(Unreachable):
            driver.create(spec)
    vm = driver.create(spec)
    late[0].join()
    assert ([server.id for server in project.servers()], vm.power) == ([vm.ref], Power.ON)
    assert [port.device_id for port in project.ports()] == [vm.ref]


@pytest.mark.parametrize("home", ["here", "elsewhere"])
def test_ports_that_a_dead_attempt_left_are_used(project, make, tmp_path, monkeypatch, home):
    patience = "IN_FLIGHT_SECONDS" if home == "here" else "CLAIM_SECONDS"
    monkeypatch.setattr(f"hypervisors.drivers.openstack.create.{patience}", 3.0)
    # Of a flavor that is the lab's: one made for a test may be taken away by another test in these three seconds.
    spec, driver = project.spec(cpus=1, memory_mib=512, disk_gib=1), make(created_power="on")
    died = project.driver(tmp_path if home == "here" else tmp_path / "elsewhere")
    plan = died._creator.planner.plan(spec)
    left = died._creator.ports.make(spec.uid, plan.ports, "")
    vm = driver.create(spec)
    assert {port.id for port in project.ports()} == {port["id"] for port in left}
    assert [nic.mac for nic in vm.nics] == [nic.mac for nic in spec.nics]
