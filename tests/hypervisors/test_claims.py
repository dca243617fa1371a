"""Room on workers is promised once, whoever asks, however many at once, from threads and from processes."""

from __future__ import annotations

import multiprocessing
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hypervisors import actions, claims, inventory
from hypervisors.claims import Seen, Wish
from hypervisors.drivers.mock import create_by_hand, tamper
from hypervisors.inventory import Answer
from hypervisors.models import Claim, Hypervisor
from hypervisors.placement import Size
from olimpus.errors import CapacityExceeded, Conflict, Invalid, Rejected, Unreachable

SMALL = Size(1, 512, 5)


def cluster(root, workers: str, **settings) -> Hypervisor:
    fields = {"name": "cluster", "driver": "mock", "settings": {"latency": 0, "workers": workers, **settings}}
    return actions.create(fields, actor=root)


@pytest.fixture
def two(root):
    return cluster(root, "w1 4 8192 100\nw2 2 8192 100")


def one() -> str:
    return str(uuid.uuid4())


def by_host() -> Counter[str]:
    return Counter(Claim.objects.values_list("host", flat=True))


def test_whoever_asks_again_gets_the_same_claim(two):
    uid = one()
    first = claims.reserve(two, uid, SMALL)
    again = claims.reserve(two, uid, SMALL)
    assert (first.pk, first.host) == (again.pk, "w1")
    assert claims.reason_of(again).code == "roomiest"
    claims.release(two, uid)
    claims.release(two, uid)
    assert not Claim.objects.exists()


def test_what_does_not_fit_is_refused_with_what_is_left_where(root):
    hypervisor = cluster(root, "w1 4 8192 100\nw2 2 1024 100\nw3 9 9 9 down\nw4 9 9 9 maintenance")
    with pytest.raises(CapacityExceeded) as refused:
        claims.reserve(hypervisor, one(), Size(5, 2048, 10))
    assert refused.value.message == "No worker has room for 5 CPUs, 2 GiB memory, 10 GiB disk."
    assert refused.value.hint == (
        "w1 has 4 CPUs left; w2 has 2 CPUs, 1 GiB memory left; w3 does not answer; w4 is in maintenance"
    )
    assert not Claim.objects.exists()


@pytest.mark.parametrize(
    ("pin", "error", "told"),
    [
        ("w9", Rejected, "w9"),
        ("w3", Unreachable, "w3"),
        ("w4", Rejected, "maintenance"),
        ("w2", CapacityExceeded, "2 CPUs"),
    ],
)
def test_a_pin_that_cannot_be_kept(root, pin, error, told):
    hypervisor = cluster(root, "w1 4 8192 100\nw2 1 8192 100\nw3 9 9999 99 down\nw4 9 9999 99 maintenance")
    with pytest.raises(error, match=told):
        claims.reserve(hypervisor, one(), Size(2, 512, 5), pinned=pin)
    assert claims.reserve(hypervisor, one(), Size(2, 512, 5), pinned="w1").host == "w1"


def test_nothing_is_promised_while_nobody_answers(root):
    hypervisor = cluster(root, "w1 4 8192 100 down")
    with pytest.raises(Unreachable):
        claims.reserve(hypervisor, one(), SMALL)
    with pytest.raises(Unreachable):
        claims.reserve(cluster_away(root), one(), SMALL)


def cluster_away(root) -> Hypervisor:
    settings = {"latency": 0, "workers": "w1 4 8192 100", "unreachable": True}
    return actions.create({"name": "away", "driver": "mock", "settings": settings}, actor=root)


def test_what_others_use_is_taken_out(root, own_home):
    hypervisor = cluster(root, "w1 4 8192 100")
    create_by_hand(own_home, "cluster", "foreign", cpus=2, memory_mib=512, host="w1")
    assert claims.reserve(hypervisor, one(), Size(2, 512, 5)).host == "w1"
    with pytest.raises(CapacityExceeded):
        claims.reserve(hypervisor, one(), SMALL)


def test_old_figures_refuse_nobody(two, own_home):
    """Somebody made room after the last look: before a refusal one looks again."""
    foreign = create_by_hand(own_home, "cluster", "foreign", cpus=4, memory_mib=512, host="w1")
    inventory.read(two, "hosts")
    tamper(own_home, "cluster", foreign.ref, delete=True)
    assert claims.reserve(two, one(), Size(4, 512, 5)).host == "w1"


def test_a_claim_grows_where_it_is_and_shrinks(two):
    uid = one()
    claims.reserve(two, uid, SMALL, pinned="w2")
    assert claims.reserve(two, uid, Size(2, 1024, 5)).cpus == 2
    with pytest.raises(CapacityExceeded, match="w2"):
        claims.reserve(two, uid, Size(3, 1024, 5))
    with pytest.raises(CapacityExceeded, match="w2"):
        claims.resize(two, uid, Size(3, 1024, 5))
    assert claims.resize(two, uid, SMALL).cpus == 1
    assert claims.resize(two, one(), SMALL) is None


def test_what_grows_and_what_is_new_share_the_room(root):
    hypervisor, held = cluster(root, "w1 4 8192 100"), one()
    claims.reserve(hypervisor, held, SMALL)
    wishes = [Wish(held, Size(3, 512, 5)), Wish(one(), Size(2, 512, 5)), Wish(one(), SMALL, new=False)]
    answers = claims.reserve_many(hypervisor, wishes, inventory.read(hypervisor, "hosts"))
    assert answers[held].cpus == 3
    assert isinstance(answers[wishes[1].uid], CapacityExceeded)
    assert wishes[2].uid not in answers


def test_claims_are_made_to_tell_what_was_seen(two):
    gone, moved, unheard, young = (one() for _ in range(4))
    for uid, host in ((gone, "w1"), (moved, "w1"), (unheard, "w2")):
        claims.reserve(two, uid, SMALL, pinned=host)
    looked_at = timezone.now()
    claims.reserve(two, young, SMALL, pinned="w1")
    found = one()
    seen = {moved: Seen("w2", Size(2, 512, 5)), found: Seen("w1", SMALL)}
    assert claims.check(two, seen, (), ["w2/"], looked_at) == 3
    assert set(claims.of(two, [gone, moved, unheard, young, found])) == {moved, unheard, young, found}
    assert (Claim.objects.get(uid=moved).host, Claim.objects.get(uid=moved).cpus) == ("w2", 2)
    assert claims.reason_of(Claim.objects.get(uid=found)).code == "found"
    assert claims.check(two, seen, {unheard, young}, (), looked_at + timedelta(hours=1)) == 0


def test_many_at_once_cost_few_queries(root):
    hypervisor = cluster(root, "w1 99 99999 999\nw2 99 99999 999")
    figures = inventory.read(hypervisor, "hosts")
    with CaptureQueriesContext(connection) as asked:
        claims.reserve_many(hypervisor, [Wish(one(), SMALL) for _ in range(64)], figures)
    assert len(asked) <= 6
    assert by_host() == {"w1": 32, "w2": 32}


# -- many at once ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_threads_never_oversubscribe(root):
    """64 ask at once for room that 48 fill exactly; each asks twice, as after a lost answer."""
    hypervisor = cluster(root, "w1 16 99999 999\nw2 16 99999 999\nw3 16 99999 999")
    uids = [one() for _ in range(64)]

    def ask(uid: str) -> str:
        try:
            return claims.reserve(hypervisor, uid, SMALL).host
        except CapacityExceeded:
            return ""
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, uids + uids))
    assert by_host() == {"w1": 16, "w2": 16, "w3": 16}
    assert answers[:64] == answers[64:]
    assert Counter(answers[:64])[""] == 16


FIGURES = Answer(
    [
        {"name": name, "zone": name, "cpus_total": 10, "memory_mib_total": 99999, "disk_gib_total": 999, "others": {}}
        for name in ("w1", "w2")
    ],
    "live",
)


def grab(pk: int, number: int) -> None:
    """In a process of its own."""
    hypervisor = Hypervisor.objects.get(pk=pk)
    for _ in range(number):
        claims.reserve_many(hypervisor, [Wish(one(), SMALL)], FIGURES)
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_processes_never_oversubscribe(root):
    hypervisor = cluster(root, "w1 10 99999 999\nw2 10 99999 999")
    connections.close_all()  # a child must not share its parent's connection
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=grab, args=(hypervisor.pk, 8)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert by_host() == {"w1": 10, "w2": 10}


# -- a worker leaves the settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "workers", ["w2 2 8192 100", "worker-1 4 8192 100\nw2 2 8192 100", "w1 many\nw2 2 8192 100", ""]
)
def test_a_worker_with_machines_stays_in_the_settings(two, root, workers):
    claims.reserve(two, one(), SMALL, pinned="w1")
    with pytest.raises((Conflict, Invalid)) as refused:
        actions.update(two, {"settings": {"workers": workers}}, actor=root)
    assert refused.value.where == "settings.workers"
    two.refresh_from_db()
    assert (two.settings["workers"], two.version) == ("w1 4 8192 100\nw2 2 8192 100", 1)


def test_who_may_not_leave_is_named_with_what_to_do(two, root):
    for pin in ("w1", "w1", "w2"):
        claims.reserve(two, one(), SMALL, pinned=pin)
    with pytest.raises(Conflict, match=r"w1 \(2\), w2 \(1\)") as refused:
        actions.update(two, {"settings": {"workers": "w3 4 8192 100"}}, actor=root)
    assert "maintenance" in refused.value.hint


def test_workers_without_machines_come_and_go(two, root):
    claims.reserve(two, one(), SMALL, pinned="w1")
    saved = actions.update(two, {"settings": {"workers": "w3 1 512 9\nw1 8 512 50 maintenance"}}, actor=root)
    assert [host.name for host in inventory.hosts(inventory.read(saved, "hosts"))] == ["w3", "w1"]
    Claim.objects.all().delete()
    assert actions.update(saved, {"settings": {"workers": "w3 1 512 9"}}, actor=root).version == 3


def test_settings_that_nobody_can_read_are_put_right_without_losing_a_worker(two, root):
    claims.reserve(two, one(), SMALL, pinned="w1")
    Hypervisor.objects.update(settings={"workers": "w1 ?"})
    with pytest.raises(Conflict):
        actions.update(two, {"settings": {"workers": "w2 4 8192 100"}}, actor=root)
    actions.update(two, {"settings": {"workers": "w1 4 8192 100"}}, actor=root)
