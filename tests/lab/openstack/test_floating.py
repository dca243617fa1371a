"""Floating addresses, the security group that lets in what comes to them, and cards through which others' frames pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.base import VmInfo, VmSpec
from hypervisors.drivers.openstack import OpenStackDriver, create
from hypervisors.drivers.openstack.groups import WAYS_IN, Groups
from hypervisors.drivers.openstack.rest import Rest
from olimpus.errors import CapacityExceeded, HypervisorError, Rejected
from tests.lab.openstack.world import World

Make = Callable[..., OpenStackDriver]


class Killed(BaseException):
    """As kill -9: nobody cleans up."""


@contextmanager
def killed_after(monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> Iterator[None]:
    """Whoever asks this inside has his answer no more, and asks for nothing else."""
    real, dead = Rest.ask, []

    def ask(self: Rest, service: str, verb: str, at: str, **options: Any) -> Any:
        if dead:
            raise Killed
        answer = real(self, service, verb, at, **options)
        if verb == method and re.fullmatch(path, at):
            dead.append(at)
            raise Killed
        return answer

    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(Rest, "ask", ask)
        yield
    assert dead, f"{method} {path} was not asked"


def ways(vm: VmInfo) -> list[tuple[str, str, str]]:
    return [(way["address"], way["target"], way["command"]) for way in vm.extra.get("ways", [])]


def wishes(spec: VmSpec, *cards: dict[str, Any]) -> VmSpec:
    """The same machine, whose cards wish for something else."""
    return replace(spec, parameters={**spec.parameters, "nics": list(cards)})


def groups(project: World, port: Any) -> set[str]:
    return {project.sdk.network.get_security_group(group).name for group in port.security_group_ids}


def test_an_address_and_an_open_card_come_and_go(project: World, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, spec = make(), project.floating()
    inside = project.spec().nics[0]
    spec = replace(spec, nics=(*spec.nics, inside), parameters={**spec.parameters, "custom": {"ssh_user": "ana"}})
    spec = wishes(spec, {"network": "outer", "floating": True}, {"network": "lan", "bridge": True})

    def ports() -> list[Any]:
        found = {port.mac_address: port for port in project.ports()}
        return [found[nic.mac] for nic in spec.nics]

    vm = driver.create(spec)
    (ip,) = project.ips()
    begin = f"ssh -o HostKeyAlias=vm-{spec.uid[:8]} ana@"
    assert ways(vm) == [(ip.floating_ip_address, spec.nics[0].ip, begin + ip.floating_ip_address)]
    outer, lan = ports()
    assert (ip.port_id, groups(project, outer)) == (outer.id, {"default", WAYS_IN})
    assert (lan.is_port_security_enabled, lan.security_group_ids) == (False, [])

    plain = wishes(spec)
    assert ways(driver.reconfigure(vm.ref, plain)) == project.ips() == []
    outer, lan = ports()
    assert groups(project, outer) == groups(project, lan) == {"default"}
    assert lan.is_port_security_enabled

    with killed_after(monkeypatch, "PUT", r"/ports/[^/]+"):
        driver.reconfigure(vm.ref, spec)
    driver.reconfigure(vm.ref, plain)
    assert [groups(project, port) for port in ports()] == [{"default"}, {"default"}]
    assert project.ips() == []

    (way,) = ways(driver.reconfigure(vm.ref, spec))
    assert [ip.floating_ip_address for ip in project.ips()] == [way[0]]
    with killed_after(monkeypatch, "DELETE", r"/floatingips/[^/]+"):
        driver.destroy(vm.ref)
    driver.destroy(vm.ref)
    assert project.left() == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/ports"), ("PUT", r"/floatingips/[^/]+"), ("POST", "/servers")])
def test_an_attempt_that_died_leaves_its_address_to_the_next(
    project: World, make: Make, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setattr(create, "IN_FLIGHT_SECONDS", 1.0)
    driver, spec = make(created_power="on"), project.floating()
    with killed_after(monkeypatch, "POST", "/floatingips"):
        driver.outside(spec)
    address = driver.outside(spec)
    with killed_after(monkeypatch, method, path):
        driver.create(spec)
    assert [way[0] for way in ways(driver.create(spec))] == [address]
    assert [ip.floating_ip_address for ip in project.ips()] == [address]


def test_many_at_once_make_one_group(project: World, tmp_path: Path) -> None:
    """Two homes stand for two servers of Olimpus: they know nothing of each other."""
    for group in project.sdk.network.security_groups(project_id=project.project.id, name=WAYS_IN):
        project.sdk.network.delete_security_group(group)
    drivers = [project.driver(tmp_path / f"server-{number % 2}") for number in range(6)]
    with ThreadPoolExecutor(len(drivers)) as pool:
        list(pool.map(lambda driver: Groups(driver.session).ways_in(""), drivers))
    made = {Groups(driver.session).ways_in("") for driver in drivers}
    (group,) = project.sdk.network.security_groups(project_id=project.project.id, name=WAYS_IN)
    assert made == {group.id}
    inward = [rule["ethertype"] for rule in group.security_group_rules if rule["direction"] == "ingress"]
    assert sorted(inward) == ["IPv4", "IPv6"]


def test_what_fails_keeps_no_address_but_the_one_that_others_know(lab: Any, project: World, make: Make) -> None:
    driver, spec, other = make(), project.floating(), project.floating()
    address = driver.outside(spec)
    for one in (spec, other):
        with pytest.raises(HypervisorError):
            driver.create(replace(one, disks=({"name": "huge", "size_gib": 60000},)))
    assert [ip.floating_ip_address for ip in project.ips()] == [address]

    lab.sdk().network.update_quota(project.project.id, floating_ips=1)
    with pytest.raises(CapacityExceeded, match="floating_ips.*1 of 1 used"):
        driver.create(other)
    lab.sdk().network.update_quota(project.project.id, floating_ips=50)
    driver.tidy(spec)
    assert project.left() == [*project.sdk.network.routers(project_id=project.project.id)] == []

    alone = replace(spec, nics=(replace(spec.nics[0], network="lan", ip=""),))
    with pytest.raises(Rejected, match="No router leads from the network “lan”"):
        driver.create(alone)
