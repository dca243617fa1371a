"""What all hypervisors have, joined: for whom, how fresh, and what of one that does not answer."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hypervisors import actions, resources
from hypervisors.drivers.mock import MockDriver, create_by_hand
from hypervisors.gateway import forget_gateways
from hypervisors.models import Hypervisor, Inventory

ADDRESS = "/api/resources/status"
WORKERS = "w1 4 8192 100\nw2 8 8192 100 maintenance\nw3 2 4096 50 down"


def make(root, name: str, **settings) -> Hypervisor:
    return actions.create({"name": name, "driver": "mock", "settings": {"latency": 0, **settings}}, actor=root)


@pytest.fixture
def cluster(root, own_home) -> Hypervisor:
    made = make(root, "cluster", workers=WORKERS)
    create_by_hand(own_home, "cluster", "vm", cpus=2, memory_mib=1024, disk_gib=10, host="w1")
    return made


def test_clusters_and_single_hosts_are_joined(api, root, cluster, own_home):
    make(root, "rack", capacity_cpus=10)
    create_by_hand(own_home, "rack", "vm", cpus=3, memory_mib=512, disk_gib=5)
    found = api.get(ADDRESS).json()
    clusters, rack = found["hypervisors"]
    assert [(host["name"], host["up"], host["enabled"]) for host in clusters["hosts"]] == [
        ("w1", True, True),
        ("w2", True, False),
        ("w3", False, True),
    ]
    assert (clusters["cpus_used"], clusters["cpus_total"], clusters["hosts"][0]["cpu_percent"]) == (2, 12, 50.0)
    assert (rack["cpus_used"], rack["cpus_total"], rack["memory_mib_total"], rack["hosts"]) == (3, 10, None, [])
    assert {row["source"] for row in found["hypervisors"]} == {"live"}
    totals = found["totals"]
    assert (totals["cpus_used"], totals["cpus_total"], totals["vms"]) == (5, 22, 2)
    assert totals["memory_mib_total"] is None, "512 MiB of what is used have no bound"
    assert (totals["hosts"], totals["hosts_up"], totals["silent"]) == (3, 2, 0)


def test_a_silent_one_is_told_with_what_was_last_known(api, root, cluster):
    api.get(ADDRESS)
    make(root, "never", unreachable=True)
    settings = {**cluster.settings, "unreachable": True}
    Hypervisor.objects.filter(pk=cluster.pk).update(settings=settings)
    Inventory.objects.all().delete()
    forget_gateways()
    Hypervisor.objects.filter(pk=cluster.pk).update(capacity={"cpus_used": 2, "cpus_total": 12, "vms": 1})
    found = {row["name"]: row for row in api.get(ADDRESS).json()["hypervisors"]}
    assert (found["cluster"]["source"], found["cluster"]["cpus_used"]) == ("last_known", 2)
    assert "does not answer" in found["cluster"]["error"]
    assert (found["never"]["source"], found["never"]["age_seconds"], found["never"]["cpus_total"]) == (
        "none",
        None,
        None,
    )


def test_many_who_look_are_one_question(api, root, cluster, monkeypatch):
    asked = []
    hosts = MockDriver.hosts
    monkeypatch.setattr(MockDriver, "hosts", lambda self: asked.append(1) or hosts(self))
    for _viewer in range(20):
        api.get(ADDRESS)
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as queries:
        resources.reports(root)
    assert len(queries) <= 2
    make(root, "second")
    resources.reports(root)
    with CaptureQueriesContext(connection) as queries:
        resources.reports(root)
    assert len(queries) <= 2


def test_those_who_are_slow_are_asked_side_by_side(api, root, own_home, monkeypatch):
    """Each answers only when all have been asked; one is away, and the error is in the words of who looks."""
    together = threading.Barrier(3)
    capacity = MockDriver.capacity

    def slow(self):
        together.wait(10)
        return capacity(self)

    monkeypatch.setattr(MockDriver, "capacity", slow)
    for name in ("one", "two"):
        make(root, name)
    make(root, "three", unreachable=True)
    rows = api.get(ADDRESS, headers={"Accept-Language": "es"}).json()["hypervisors"]
    assert [(row["name"], row["source"]) for row in rows] == [("one", "live"), ("three", "none"), ("two", "live")]
    assert "no responde" in rows[1]["error"]
    assert Inventory.objects.filter(kind="capacity").count() == 2
    assert {row["source"] for row in api.get(ADDRESS).json()["hypervisors"]} == {"cached", "none"}


def test_a_cloud_is_told_by_its_capacity(api, cloud):
    found = api.get(ADDRESS).json()
    (row,) = found["hypervisors"]
    assert (row["name"], row["driver"]) == ("campus", "openstack")
    assert row["error"]  # it has no settings: told, not raised
    assert found["totals"]["silent"] == 1


def test_only_who_is_in_charge_looks(teacher, teacher_api, root, cluster):
    assert teacher_api.get(ADDRESS).status_code == 403
    make(root, "other")
    actions.update(cluster, {"managers": ["teacher"]}, actor=root)
    assert [row["name"] for row in teacher_api.get(ADDRESS).json()["hypervisors"]] == ["cluster"]


def test_the_page_of_the_console_has_bars(client, root, cluster):
    make(root, "rack", unreachable=True)
    client.force_login(root)
    for address in ("/admin/hypervisors/hypervisor/resources/", "/admin/hypervisors/hypervisor/resources/now/"):
        page = client.get(address).text
        assert 'data-host="w2"' in page
        assert 'data-resources="rack"' in page
        assert "Nothing was ever heard of it." in page
        assert page.count("<progress") >= 6


def test_nobody_else_opens_the_page(client, teacher, cluster):
    teacher.is_staff = True
    teacher.save()
    client.force_login(teacher)
    assert client.get("/admin/hypervisors/hypervisor/resources/").status_code == 403
