"""Machines put on workers by Olimpus: spread, claimed, told why; changed by hand and seen at once; a document of aliases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descriptors import actions, reconcile, selectors, tree, watching
from descriptors.models import Descriptor, Node
from descriptors.worker.engine import Engine
from hypervisors import actions as hypervisor_actions
from hypervisors import resources
from hypervisors.gateway import forget_gateways
from hypervisors.models import Claim, Hypervisor
from tests import factories
from tests.lab.linux.cluster import Cluster
from tests.processes.installation import until

#: On any hypervisor: it names what none of them calls so.
DOCUMENT = {"image": "course-linux", "flavor": "course-size", "cpus": 1, "memory_mib": 128, "disk_gib": 1}
ALIASES = {"flavors": {"course-size": "nano"}}


@pytest.fixture
def rack(transactional_db: Any, settings: Any, tmp_path: Path, cluster: Cluster, image: str) -> Iterator[Hypervisor]:
    settings.OLIMPUS_HOME = tmp_path
    selectors.forget_sizes()
    if not Node.objects.filter(path="/").exists():
        tree.plant()
    fields = {"name": "placed", "driver": "linux", "settings": cluster.settings()}
    fields["aliases"] = {**ALIASES, "images": {"course-linux": image}}
    yield hypervisor_actions.create(fields, actor=factories.superuser())
    forget_gateways()


def asked(verb: str, node: Node, hypervisor: Hypervisor) -> None:
    root = factories.User.objects.get(username="root")
    operation = actions.request(verb, node, actor=root, arguments={"force": True} if verb == "destroy" else {})
    Engine(name="test").drain([hypervisor.pk])
    operation.refresh_from_db()
    assert operation.status == "succeeded", operation.error or operation.reason


def test_machines_are_spread_claimed_and_followed(rack: Hypervisor, cluster: Cluster) -> None:
    root = factories.User.objects.get(username="root")
    folder = factories.folder("/placed", root, {**DOCUMENT, "hypervisor": rack.name})
    machines = [factories.machine(f"/placed/vm{number}", root) for number in range(3)]
    watchers = watching.Watchers()
    try:
        asked("create", folder, rack)
        assert set(Claim.objects.values_list("host", flat=True)) == set(cluster.workers)
        reconcile.reconcile(rack.pk)
        seen = [Descriptor.objects.get(pk=machine.pk) for machine in machines]
        assert {machine.host for machine in seen} == set(cluster.workers)
        assert [selectors.drift(machine) for machine in seen] == [[], [], []]
        assert selectors.seat(seen[0]).why
        (report,) = resources.reports(root)
        assert (report.error, sum(host.up for host in report.hosts)) == ("", len(cluster.workers))

        watchers.look()
        time.sleep(3)  # the first look at everything is over
        host, _slash, domain = seen[0].vm_ref.partition("/")
        begun = time.monotonic()
        cluster.run(host, "virsh", "start", domain)
        assert until(lambda: Descriptor.objects.get(pk=seen[0].pk).drifted, 10)
        took = time.monotonic() - begun
        assert took < 2.5, took  # virsh itself takes some of it
    finally:
        watchers.stop()
        asked("destroy", folder, rack)
    assert not Claim.objects.exists()
