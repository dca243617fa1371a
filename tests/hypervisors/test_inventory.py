"""What is known of a cloud: asked once, kept for a while, the last answer while it is silent, the predefined beneath."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Entry
from hypervisors import actions, inventory
from hypervisors.flavors import PREDEFINED
from hypervisors.models import Health, Hypervisor, Inventory
from olimpus.errors import Invalid, Missing, NotFound, Rejected, TimedOut, Unreachable, Unsupported
from tests.hypervisors.recorded import FLAVORS, ZONES, Silent

NAMES = {flavor.name for flavor in FLAVORS}


def age_by(seconds: float) -> None:
    Inventory.objects.update(fetched_at=timezone.now() - timedelta(seconds=seconds))


def test_an_answer_is_kept_until_it_expires(cloud, spoken):
    first = inventory.read(cloud, "flavors")
    again = inventory.read(cloud, "flavors")
    assert (first.source, again.source, spoken.asked) == ("live", "cached", ["flavors"])
    assert (first.age_seconds, again.data) == (0.0, first.data)
    age_by(inventory.KINDS["flavors"].seconds + 1)
    assert inventory.read(cloud, "flavors").source == "live"
    assert spoken.asked == ["flavors", "flavors"]


def test_it_is_kept_for_other_processes(cloud, spoken):
    inventory.read(cloud, "zones")
    inventory._flights.clear()
    told = inventory.read(cloud, "zones")
    assert (told.source, spoken.asked) == ("cached", ["zones"])
    assert inventory.zones(told) == ZONES


def test_refresh_asks_whatever_is_known(cloud, spoken):
    inventory.read(cloud, "flavors")
    assert inventory.read(cloud, "flavors", refresh=True).source == "live"
    assert spoken.asked == ["flavors", "flavors"]


def test_each_project_has_an_inventory_of_its_own(cloud, spoken):
    inventory.read(cloud, "quotas", of="demo")
    inventory.read(cloud, "quotas", of="admin")
    assert inventory.read(cloud, "quotas", of="demo").source == "cached"
    assert spoken.asked == ["quotas demo", "quotas admin"]
    with pytest.raises(Invalid):
        inventory.read(cloud, "quotas", of="x" * 200)


def test_a_write_makes_it_out_of_date(cloud, spoken):
    for of in ("demo", ""):
        inventory.read(cloud, "networks", of=of)
    inventory.read(cloud, "flavors")
    inventory.forget(cloud, "networks")
    assert inventory.read(cloud, "networks", of="demo").source == "live"
    assert inventory.read(cloud, "networks").source == "live"
    assert inventory.read(cloud, "flavors").source == "cached"


def test_what_was_asked_before_a_write_is_not_believed_after_it(cloud, spoken):
    spoken.meanwhile = lambda: inventory.forget(cloud, "networks")
    inventory.read(cloud, "networks")
    inventory.forget(cloud, "networks")
    inventory.read(cloud, "networks")  # the write falls into this call
    spoken.meanwhile = lambda: None
    assert inventory.read(cloud, "networks").source == "live"


# -- a silent cloud ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unreachable("no route"), TimedOut("late"), Rejected("wrong password")])
def test_a_silent_cloud_is_answered_for_by_its_last_answer_with_its_age(cloud, spoken, silent, error):
    before = inventory.read(cloud, "flavors").data
    age_by(4000)
    silent(error)
    told = inventory.read(cloud, "flavors")
    assert (told.source, told.data) == ("last_known", before)
    assert 4000 <= told.age_seconds < 4010
    assert str(error) in told.error


def test_without_a_last_answer_flavors_and_zones_are_predefined(cloud, silent):
    silent(Unreachable("no route"))
    told = inventory.read(cloud, "flavors")
    assert (told.source, told.age_seconds) == ("predefined", None)
    assert {row["name"] for row in told.data} == set(PREDEFINED)
    zones = inventory.zones(inventory.read(cloud, "zones"))
    assert {zone.name: len(zone.hosts) for zone in zones} == {"nova": 1, "zone-1": 2, "zone-2": 1}


def test_without_anything_to_give_the_fault_is_told(cloud, silent):
    silent(Unreachable("no route"))
    with pytest.raises(Unreachable, match="no route"):
        inventory.read(cloud, "networks")


def test_nobody_waits_again_for_a_cloud_that_was_silent_just_now(cloud, silent, monkeypatch):
    quiet = silent(Unreachable("no route"))
    for _time in range(3):
        inventory.read(cloud, "flavors")
    assert quiet.asked == 1
    inventory.read(cloud, "flavors", refresh=True)
    assert quiet.asked == 2
    monkeypatch.setattr(inventory, "REST_SECONDS", 0.0)
    inventory.read(cloud, "flavors")
    assert quiet.asked == 3


def test_a_cloud_that_speaks_again_is_heard(cloud, silent, speak):
    silent(Unreachable("no route"))
    inventory.read(cloud, "flavors")
    speak()
    assert inventory.read(cloud, "flavors", refresh=True).source == "live"
    assert Hypervisor.objects.get(pk=cloud.pk).health == Health.OK


def test_its_health_is_noted_once(cloud, silent):
    silent(Unreachable("no route"))
    for _time in range(3):
        inventory.read(cloud, "flavors", refresh=True)
    assert Hypervisor.objects.get(pk=cloud.pk).health == Health.UNREACHABLE
    assert Entry.objects.filter(verb="hypervisor.unreachable").count() == 1


@pytest.mark.parametrize("error", [Missing("no such project"), Unsupported("no cloud")])
def test_what_concerns_one_thing_is_told_however_much_is_known(cloud, spoken, silent, error):
    inventory.read(cloud, "quotas", of="demo")
    silent(error)
    with pytest.raises(type(error)):
        inventory.read(cloud, "quotas", of="demo", refresh=True)


def test_without_any_cloud():
    assert inventory.read(None, "flavors").source == "predefined"
    assert inventory.read(None, "zones").error == ""
    with pytest.raises(NotFound) as caught:
        inventory.read(None, "networks")
    assert "OPENSTACK_AUTH_URL" in caught.value.hint


def test_other_settings_may_be_another_cloud(cloud, spoken, root):
    inventory.read(cloud, "flavors")
    changed = actions.update(cloud, {"description": "the same"}, actor=root)
    assert inventory.read(changed, "flavors").source == "cached"
    actions.update(changed, {"settings": {"username": "other"}}, actor=root)
    assert not Inventory.objects.exists()


def test_an_answer_by_former_settings_is_not_kept(cloud, spoken):
    Hypervisor.objects.filter(pk=cloud.pk).update(version=cloud.version + 1)
    assert inventory.read(cloud, "flavors").source == "live"
    assert not Inventory.objects.exists()


# -- many at once ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_many_readers_cause_one_question(cloud, spoken):
    spoken.meanwhile = lambda: time.sleep(0.2)
    sources = at_once(8, lambda: inventory.read(cloud, "flavors", refresh=True).source)
    assert spoken.asked == ["flavors"]
    assert sorted(sources) == ["cached"] * 7 + ["live"]


@pytest.mark.django_db(transaction=True)
def test_many_readers_wait_once_for_a_silent_cloud(cloud, silent):
    quiet: Silent = silent(Unreachable("no route"))
    quiet.meanwhile = lambda: time.sleep(0.3)
    began = time.monotonic()
    sources = at_once(8, lambda: inventory.read(cloud, "zones", refresh=True).source)
    assert (sources, quiet.asked) == (["predefined"] * 8, 1)
    assert time.monotonic() - began < 2


def at_once(number, ask):
    told, ready = [], threading.Barrier(number)

    def run() -> None:
        ready.wait()
        try:
            told.append(ask())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return told


# -- as what it is -----------------------------------------------------------------------------------------------------


def test_real_flavors_are_merged_with_the_predefined_ones(cloud, spoken):
    rows = {row["name"]: row for row in inventory.read(cloud, "flavors").data}
    assert set(rows) == NAMES | set(PREDEFINED)
    assert all(rows[name]["on_cloud"] for name in NAMES)
    assert all(rows[name]["predefined"] == (name in PREDEFINED) for name in rows)
    missing = set(PREDEFINED) - NAMES
    assert missing
    assert all(not rows[name]["on_cloud"] and rows[name]["id"] == "" for name in missing)


def test_flavors_come_back_as_flavors(cloud, spoken):
    told = {flavor.name: flavor for flavor in inventory.flavors(inventory.read(cloud, "flavors"))}
    for flavor in FLAVORS:
        assert (told[flavor.name].cpus, told[flavor.name].memory_mib) == (flavor.cpus, flavor.memory_mib)


def test_statistics_add_up_the_hosts_that_are_up():
    told = inventory.statistics(ZONES)
    hosts = [host for zone in ZONES for host in zone.hosts]
    assert (told["hosts"], told["hosts_up"]) == (len(hosts), len(hosts))
    assert told["cpus_total"] == sum(host.cpus_total for host in hosts)
    assert inventory.statistics([])["cpus_total"] is None
