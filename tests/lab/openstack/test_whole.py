"""A machine is made whole or not at all; of one that is gone nothing stays."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from hypervisors.drivers.openstack.plan import Blueprint
from olimpus.errors import CapacityExceeded, HypervisorError, VMNotFound
from tests.lab.cloud import Cloud
from tests.lab.openstack.world import fails


def test_a_machine_that_cannot_be_built_leaves_nothing(project, make, monkeypatch):
    whole = Blueprint.metadata
    monkeypatch.setattr(Blueprint, "metadata", lambda self, disks: whole(self, disks) | {"lab_fail": "spawn"})
    error = fails(make(), project.spec(disks=({"name": "data", "size_gib": 1},)), HypervisorError)
    assert error.message
    assert not error.retry
    assert project.left() == []


def test_what_no_host_has_room_for_leaves_nothing(project, make, lab):
    flavor = lab.sdk().compute.create_flavor(name=f"h2-{uuid.uuid4().hex[:6]}", vcpus=500, ram=4_000_000, disk=1)
    try:
        spec = project.spec(cpus=500, memory_mib=4_000_000, disk_gib=1)
        lab.sdk().compute.update_quota_set(project.project.id, cores=1000, ram=8_000_000)
        error = fails(make(), spec, CapacityExceeded)
        assert "No valid host" in error.message
        assert project.left() == []
    finally:
        lab.sdk().compute.delete_flavor(flavor)


@pytest.mark.parametrize(
    ("service", "quotas"),
    [
        (
            "compute",
            {
                "instances": (1, "The quota of instances is exceeded by 1: 1 wanted, 1 of 1 used."),
                "cores": (3, "The quota of cores is exceeded by 1: 2 wanted, 2 of 3 used."),
                "ram": (2000, "The quota of ram is exceeded by 48: 1024 wanted, 1024 of 2000 used."),
            },
        ),
        ("network", {"port": (3, "quota")}),
        ("volume", {"volumes": (1, "The quota of volumes is exceeded by 1: 1 wanted, 1 of 1 used.")}),
    ],
)
def test_a_quota_says_which_and_by_how_much(project, make, lab, service, quotas):
    driver = make(created_power="on")
    disks = ({"name": "data", "size_gib": 1},) if service == "volume" else ()
    driver.create(project.spec(2, disks=disks))
    before = len(project.left())
    for quota, (limit, words) in quotas.items():
        _set_quota(lab, service, project.project.id, {quota: limit})
        try:
            assert words in fails(driver, project.spec(2, disks=disks), CapacityExceeded).message
        finally:
            _set_quota(lab, service, project.project.id, {quota: 10**7 if quota == "ram" else 1000})
    assert len(project.left()) == before


def _set_quota(lab: Cloud, service: str, project: str, quota: dict[str, int]) -> None:
    sdk = lab.sdk()
    if service == "compute":
        sdk.compute.update_quota_set(project, **quota)
    elif service == "network":
        sdk.network.put(f"/quotas/{project}", json={"quota": quota})
    else:
        sdk.block_storage.update_quota_set(project, **quota)


def test_a_machine_deleted_behind_our_back_while_it_is_made(project, make, lab, monkeypatch):
    monkeypatch.setattr("hypervisors.drivers.openstack.watch.LOOK_SECONDS", 1.0)
    driver, spec = make(), project.spec()
    post = driver.servers.rest.post

    def and_gone(service: str, path: str, *args: Any, **kwargs: Any) -> Any:
        answer = post(service, path, *args, **kwargs)
        if path == "/servers":
            lab.sdk().compute.delete_server(answer["server"]["id"], force=True)
        return answer

    monkeypatch.setattr(driver.servers.rest, "post", and_gone)
    error = fails(driver, spec, VMNotFound)
    assert "deleted" in error.message
    assert project.left() == []


def test_a_machine_deleted_behind_our_back_is_told_apart(project, running):
    vm = running.create(project.spec())
    project.sdk.compute.delete_server(vm.ref, force=True)
    running.servers.watcher.until_gone(vm.ref, 60)
    for verb in (running.get, running.start, running.force_off, running.pause):
        with pytest.raises(VMNotFound):
            verb(vm.ref)
    assert running.find(vm.uid) is None
    running.destroy(vm.ref)


def test_what_a_machine_deleted_behind_our_back_left_is_tidied(project, running):
    kept, spec = running.create(project.spec()), project.spec(disks=({"name": "data", "size_gib": 1},))
    gone = running.create(spec)
    running.tidy(spec)
    assert running.get(gone.ref) == gone
    project.sdk.compute.delete_server(gone.ref, force=True)
    running.servers.watcher.until_gone(gone.ref, 60)
    running.tidy(spec)
    assert running.get(kept.ref) == kept
    assert len(project.ports()) == len(kept.nics)


def test_ports_of_a_destroy_that_died_are_swept_up(project, running, monkeypatch):
    monkeypatch.setattr("hypervisors.drivers.openstack.create.ORPHAN_AGE", timedelta(0))
    ports = running._creator.ports  # the lab's administrator sees those of other tests, too, which are in the making
    found = ports.unbound
    monkeypatch.setattr(ports, "unbound", lambda: [one for one in found() if one["project_id"] == project.project.id])
    kept, gone = running.create(project.spec()), running.create(project.spec())
    project.sdk.compute.delete_server(gone.ref, force=True)
    running.servers.watcher.until_gone(gone.ref, 60)
    assert len(project.ports()) == 2
    running.destroy(gone.ref)
    assert len(project.ports()) == 1
    assert running.get(kept.ref) == kept
