"""What monitoring asks: /metrics for whom, with which figures; /health/openstack with how much for whom."""

from __future__ import annotations

import os

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from hypervisors import metrics, services
from hypervisors.api import watching
from hypervisors.drivers.cloud import ServiceHealth
from hypervisors.drivers.mock import MockDriver
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from hypervisors.registry import DRIVERS
from hypervisors.services import Memory
from hypervisors.tunnels.board import Notice, Status
from olimpus.errors import Unreachable
from tests.worker.conftest import begin
from tests.worker.conftest import tune as tune


def figures(answer) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of their names) → value."""
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, *(value for _name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def scraped(world):
    """The figures now, as a superuser reads them."""
    return lambda: figures(world.api(world.root).get("/metrics"))


# -- /metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer s3same"}, 200),
    ],
)
def test_the_token_opens_the_metrics(db, settings, header, status):
    settings.OLIMPUS_METRICS_TOKEN = "s3same"
    answer = Client().get("/metrics", headers=header)
    assert answer.status_code == status
    assert (b"olimpus_" in answer.content) == (status == 200)


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer x"])
def test_without_a_token_configured_none_opens_them(db, settings, given):
    settings.OLIMPUS_METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"Authorization": given}).status_code == 401


def test_the_token_of_the_metrics_opens_nothing_else(db, settings):
    settings.OLIMPUS_METRICS_TOKEN = "s3same"
    assert Client().get("/api/nodes", headers={"Authorization": "Bearer s3same"}).status_code == 401


def test_only_superusers_read_them_among_people(world):
    assert world.api(world.root).get("/metrics/").status_code == 200
    assert world.api(world.mia).get("/metrics").status_code == 403
    assert world.api(world.sam.user).get("/metrics").status_code == 403


def test_calls_operations_and_machines_are_counted(world, scraped):
    before = scraped()
    world.do("create", world.sam.web)
    begin(world, "create", world.sam.db)
    after = scraped()
    grown = {key: value - before.get(key, 0) for key, value in after.items()}
    assert grown["olimpus_driver_calls_total", "create", "mock-1", "ok"] == 1
    assert grown["olimpus_driver_call_seconds_count", "create", "mock-1"] == 1
    assert grown["olimpus_operations_total", "succeeded", "create"] == 1
    assert after["olimpus_operations_open", "queued", "create"] == 1
    assert (after["olimpus_machines", "created"], after["olimpus_machines", "provisioned"]) == (1, 1)


def test_outcomes_of_calls_and_the_circuit_are_told(world, tune, scraped):
    tune(unreachable=True)
    gateway = gateway_for(world.hypervisor)
    before = scraped()
    for _ in range(12):
        with pytest.raises(Unreachable):
            gateway.list()
    after = scraped()
    calls = "olimpus_driver_calls_total"
    assert after[calls, "list", "mock-1", "unreachable"] - before.get((calls, "list", "mock-1", "unreachable"), 0) == 12
    assert (before["olimpus_circuit_open", "mock-1"], after["olimpus_circuit_open", "mock-1"]) == (0, 2)
    assert after["olimpus_hypervisor_up", "mock-1"] == -1


def test_tunnels_are_told_by_process(world, scraped):
    told = {"state": "up", "since": 0.0, "reconnects": 2, "latency_ms": 1.0, "bytes_in": 0, "bytes_out": 0}
    more = {"connections": 0, "connections_max": 9, "last_error": "", "last_error_at": None}
    status = Status("campus", ("bastion:22",), **told, **more)
    Notice(world.home, "campus", 1).publish(status)
    after = scraped()
    process = f"{status.process}:{status.pid}"
    assert after["olimpus_tunnel_up", "campus", process] == 1
    assert after["olimpus_tunnel_reconnects", "campus", process] == 2


def test_other_processes_are_added_up(world, scraped, tmp_path):
    """What a worker counted is told by the web process that is asked."""
    metrics.OPERATIONS.labels("only here", "succeeded").inc()
    here = scraped()["olimpus_operations_total", "succeeded", "only here"]
    (mine,) = watching.settings.OLIMPUS_METRICS.glob(f"counter_*-{os.getpid()}.db")
    other = mine.with_name("counter_1.db")
    other.write_bytes(mine.read_bytes())
    try:
        assert scraped()["olimpus_operations_total", "succeeded", "only here"] == 2 * here
    finally:
        other.unlink()


# -- /health/openstack -------------------------------------------------------------------------------------------------


class Cloudy(MockDriver):
    """A mock that says what its cloud's services are; counts how often it is asked."""

    name = "openstack"
    asked = 0
    down = ""

    @property
    def cloud(self):
        return self

    def services(self):
        type(self).asked += 1
        return [
            ServiceHealth(
                name, name != self.down, "v3", 0.01, "" if name != self.down else "keystone.example:5000 refused"
            )
            for name in services.SERVICES
        ]


@pytest.fixture
def cloudy(world, monkeypatch):
    monkeypatch.setitem(DRIVERS, "openstack", f"{__name__}.Cloudy")
    monkeypatch.setattr(Cloudy, "asked", 0)
    monkeypatch.setattr(Cloudy, "down", "")
    services.memory.forget()
    yield Hypervisor.objects.create(name="cloud-1", driver="openstack", settings={"latency": 0})
    services.memory.forget()


def test_without_an_openstack_there_is_nothing_to_be_down(db):
    answer = Client().get("/health/openstack")
    assert (answer.status_code, answer.json()) == (200, {"status": "none", "services": {}})


@pytest.mark.parametrize("address", ["/health/openstack", "/health/openstack/"])
def test_everybody_learns_whether_it_is_up_and_no_more(cloudy, address):
    answer = Client().get(address)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "services": dict.fromkeys(services.SERVICES, "up")}


def test_one_service_down_is_503(cloudy, world, monkeypatch):
    monkeypatch.setattr(Cloudy, "down", "cinder")
    answer = Client().get("/health/openstack")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "services": {**dict.fromkeys(services.SERVICES, "up"), "cinder": "down"},
    }
    assert b"example" not in answer.content
    assert b"cloud-1" not in world.api(world.sam.user).get("/health/openstack").content


def test_managers_see_version_latency_and_the_fault(cloudy, world, monkeypatch):
    monkeypatch.setattr(Cloudy, "down", "keystone")
    cloudy.managers.add(world.mia)
    for who in (world.root, world.mia):
        (told,) = world.api(who).get("/health/openstack").json()["hypervisors"]
        assert (told["hypervisor"], told["ok"]) == ("cloud-1", False)
        keystone = told["services"][0]
        assert keystone == {
            "name": "keystone",
            "ok": False,
            "version": "v3",
            "seconds": 0.01,
            "detail": "keystone.example:5000 refused",
        }


def test_it_cannot_be_used_to_hammer_the_cloud(cloudy):
    for _ in range(20):
        Client().get("/health/openstack")
    assert Cloudy.asked == 1


def test_a_cloud_that_cannot_be_asked_is_down(cloudy, monkeypatch):
    def broken(self):
        raise Unreachable("no route")

    monkeypatch.setattr(Cloudy, "services", broken)
    answer = Client().get("/health/openstack")
    assert (answer.status_code, set(answer.json()["services"].values())) == (503, {"down"})


def test_while_one_asks_the_others_get_what_was_known(monkeypatch):
    memory, answers = Memory(seconds=0), []
    assert memory.get("k", lambda: "first") == "first"

    def slow():
        answers.append(memory.get("k", lambda: "never"))
        return "second"

    assert memory.get("k", slow) == "second"
    assert answers == ["first"]


def test_the_api_tells_the_circuit_to_superusers(world, tune):
    tune(unreachable=True)
    gateway = gateway_for(world.hypervisor)
    address = f"/api/hypervisors/{world.hypervisor.pk}"
    assert world.api(world.root).get(address).json()["circuit"] == {
        "state": "closed",
        "since": None,
        "next_try_at": None,
        "failures": 0,
        "error": "",
    }
    for _ in range(10):
        with pytest.raises(Unreachable):
            gateway.list()
    circuit = world.api(world.root).get(address).json()["circuit"]
    assert (circuit["state"], circuit["failures"]) == ("open", 10)
    assert circuit["next_try_at"] > circuit["since"]
    assert "circuit" not in world.api(world.mia).get(address).json()


def test_the_console_shows_the_circuit(world, tune, client):
    client.force_login(world.root)
    address = f"/admin/hypervisors/hypervisor/{world.hypervisor.pk}/"
    assert b"closed: calls go through" in client.get(address).content
    tune(unreachable=True)
    gateway = gateway_for(world.hypervisor)
    for _ in range(10):
        with pytest.raises(Unreachable):
            gateway.list()
    assert b"open: calls fail at once" in client.get(address).content
