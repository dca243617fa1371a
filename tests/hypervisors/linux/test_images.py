"""Copies of images between workers: one for all who ask, whole or none, never of what is corrupt."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypervisors.drivers.linux import holds, images
from hypervisors.drivers.linux.holds import Hold
from hypervisors.drivers.linux.images import ImageStore
from hypervisors.drivers.linux.sheets import Sheet, image_of, parse, sheet_of, volume_of
from olimpus.errors import CapacityExceeded, Rejected, Transient, Unreachable
from tests.hypervisors.linux.pools import FakePool, FakeWorker

CONTENT = b"an image, raw, of some length: " * 20


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(images, "GRACE", 0)
    monkeypatch.setattr(holds, "LOOK", 0.005)


def cluster(*names: str, **workers: FakeWorker) -> ImageStore:
    pools = {name: FakePool(name) for name in names or ("a", "b", "c")}
    return ImageStore({name: workers.get(name, FakeWorker()) for name in pools}, pools, "rack")  # type: ignore[arg-type, misc]


def hosts(store: ImageStore, name: str = "debian") -> tuple[str, ...]:
    return next((image.hosts for image in store.images() if image.name == name), ())


def at_once(*calls: Callable[[], object]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def upload(store: ImageStore, content: bytes = CONTENT, name: str = "debian") -> Sequence[str]:
    return store.upload(name, io.BytesIO(content)).hosts


def lacking(store: ImageStore) -> str:
    return next(worker for worker in store.pools if worker not in hosts(store))


def test_an_upload_goes_to_the_two_roomiest_workers() -> None:
    store = cluster()
    for name, free in (("a", 10**4), ("b", 10**6), ("c", 10**5)):
        store.pools[name].free = free  # type: ignore[attr-defined]
    assert upload(store) == ("b", "c")
    assert store.pools["a"].names() == []


def test_the_same_again_is_the_same_image_and_another_is_refused() -> None:
    store = cluster()
    assert upload(store) == upload(store)
    with pytest.raises(Rejected, match="already"):
        upload(store, b"another")
    assert store.images()[0].size_bytes == len(CONTENT)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../x", "x.json", "a" * 102, "ñ", "a b"])
def test_names_that_are_no_names_are_refused(name: str) -> None:
    store = cluster()
    with pytest.raises(Rejected, match="no name"):
        upload(store, name=name)
    with pytest.raises(Rejected, match="no name"):
        store.ensure("a", name)


def test_thirty_threads_in_three_processes_make_one_copy_on_each_worker() -> None:
    store = cluster()
    upload(store)
    others = [ImageStore(store.workers, store.pools, "rack") for _ in range(3)]  # as other processes have it
    target = lacking(store)
    pool = store.pools[target]
    pool.pause = 0.002  # type: ignore[attr-defined]
    found: list[object] = []
    at_once(*(lambda other=other: found.append(other.ensure(target, "debian")) for other in others * 10))
    assert len(found) == 30
    assert len(set(found)) == 1
    assert pool.written == [volume_of("debian"), sheet_of("debian")]  # type: ignore[attr-defined]
    assert sorted(pool.names()) == [volume_of("debian"), sheet_of("debian")]


def test_a_corrupt_copy_is_left_for_a_good_one_and_all_corrupt_ones_are_refused() -> None:
    store = cluster()
    first, second = upload(store)
    target = lacking(store)
    store.pools[first].volumes[volume_of("debian")] = CONTENT[:-1] + b"X"  # type: ignore[attr-defined]
    assert store.ensure(target, "debian").sha256 == store.images()[0].sha256
    for worker in (second, target):
        store.pools[worker].volumes[volume_of("debian")] = CONTENT[:-1] + b"X"  # type: ignore[attr-defined]
    if first in hosts(store):  # it was never asked: the other one served
        store.pools[first].remove(sheet_of("debian"))
    with pytest.raises(Rejected, match="corrupt"):
        store.ensure(first, "debian")
    assert hosts(store) == ()


def test_a_full_worker_says_so_and_nothing_stays() -> None:
    store = cluster()
    upload(store)
    target = lacking(store)
    store.pools[target].free = 50  # type: ignore[attr-defined]
    with pytest.raises(CapacityExceeded):
        store.ensure(target, "debian")
    assert store.pools[target].names() == []


def test_without_room_anywhere_an_upload_is_refused_before_it_begins() -> None:
    store = cluster()
    for pool in store.pools.values():
        pool.free = 5  # type: ignore[attr-defined]
    with pytest.raises(CapacityExceeded, match="No worker has room"):
        upload(store)
    assert [pool.names() for pool in store.pools.values()] == [[], [], []]


def test_silence_is_told_as_such_and_not_as_absence() -> None:
    store = cluster()
    first, second = upload(store)
    target = lacking(store)
    for worker in (first, second):
        store.pools[worker].silent = True  # type: ignore[attr-defined]
    with pytest.raises(Unreachable, match=f"{first}, {second}"):
        store.ensure(target, "debian")
    assert store.images() == []
    store.pools[target].silent = True  # type: ignore[attr-defined]
    with pytest.raises(Unreachable):
        store.images()


def test_what_is_unknown_is_refused_with_the_nearest_name() -> None:
    store = cluster()
    upload(store)
    with pytest.raises(Rejected) as refused:
        store.ensure("a", "debain")
    assert "debian" in refused.value.hint


def test_the_newest_of_different_images_under_one_name_wins_and_is_told() -> None:
    store = cluster("a", "b")
    store.pools["b"].silent = True  # type: ignore[attr-defined]
    upload(store, b"old")
    store.pools["a"].silent, store.pools["b"].silent = True, False  # type: ignore[attr-defined]
    upload(store, b"new one")
    store.pools["a"].silent = False  # type: ignore[attr-defined]
    (told,) = store.images()
    assert (told.status, told.hosts, told.size_bytes) == ("conflict", ("b",), 7)
    assert [(one.name, one.host) for one in store.tidy()] == [("debian", "a")]
    assert store.ensure("a", "debian").virtual_bytes == 7
    assert store.images()[0].status == "active"


def test_what_machines_stand_on_stays() -> None:
    domain = """<domain><name>web</name><uuid>1</uuid><memory>1</memory><vcpu>1</vcpu><devices><disk device='disk'>
        <source file='/pool/vm-1.qcow2'/></disk></devices></domain>"""
    store = cluster("a", "b", a=FakeWorker(domain))
    upload(store)
    store.pools["a"].below["vm-1.qcow2"] = volume_of("debian")  # type: ignore[attr-defined]
    with pytest.raises(Rejected, match="web"):
        store.delete("debian")
    assert hosts(store) == ("a", "b")
    store.pools["a"].below.clear()  # type: ignore[attr-defined]
    store.delete("debian")
    store.delete("debian")
    assert [pool.names() for pool in store.pools.values()] == [[], []]


def test_nothing_is_deleted_while_a_worker_is_silent() -> None:
    store = cluster()
    first, _second = upload(store)
    store.pools[first].silent = True  # type: ignore[attr-defined]
    with pytest.raises(Unreachable, match=first):
        store.delete("debian")
    store.pools[first].silent = False  # type: ignore[attr-defined]
    assert len(hosts(store)) == 2


@settings(max_examples=40, deadline=None)
@given(
    copies=st.sets(st.sampled_from("abcde"), min_size=1),
    used=st.sets(st.sampled_from("abcde")),
    halves=st.sets(st.sampled_from("abcde")),
)
def test_tidying_loses_no_image_and_takes_nothing_from_machines(
    copies: set[str], used: set[str], halves: set[str]
) -> None:
    store = cluster(*"abcde")
    upload(store)
    for worker in copies:
        store.ensure(worker, "debian")
    had = set(hosts(store))
    for worker in used & had:
        store.pools[worker].below["vm-1"] = volume_of("debian")  # type: ignore[attr-defined]
    for worker in halves:
        store.pools[worker].volumes["image-half"] = b"ha"  # type: ignore[attr-defined]
    cleared = store.tidy()
    left = set(hosts(store))
    assert left >= used & had
    assert len(left) == max(2, len(used & had))
    assert sorted(one.host for one in cleared if one.name == "half") == sorted(halves)
    assert store.tidy() == []
    assert not any("hold" in name for pool in store.pools.values() for name in pool.names())


def test_a_published_disk_is_the_same_image_for_its_machine_only() -> None:
    store = cluster()
    store.pools["a"].volumes["vm-1.qcow2"] = CONTENT  # type: ignore[attr-defined]
    made = store.publish("a", "vm-1.qcow2", "mine", "a/1")
    assert len(made.hosts) == 2
    assert store.publish("a", "vm-1.qcow2", "mine", "a/1") == made
    with pytest.raises(Rejected, match="already"):
        store.publish("a", "vm-1.qcow2", "mine", "a/2")


def test_a_dead_holder_is_followed_by_one_and_a_live_one_is_waited_for() -> None:
    pool = FakePool("a")
    pool.mark("hold-1-debian", 5)  # of somebody who died
    order: list[str] = []

    def work(name: str) -> None:
        with Hold(pool, "debian", "rack/a", dead=0.1, beat=0.02) as hold:
            order.append(name)
            threading.Event().wait(0.3)
            hold.require()
            order.append(name)

    at_once(*(lambda name=name: work(name) for name in "xyz"))
    assert order[::2] == order[1::2]
    assert pool.names() == []


def test_who_slept_too_long_is_told_and_takes_nothing_from_the_next() -> None:
    pool = FakePool("a")
    slept = Hold(pool, "debian", "rack/a", beat=1000, dead=0.05)
    with slept:
        with Hold(pool, "debian", "rack/a", beat=0.01, dead=0.05), pytest.raises(Transient, match="Somebody else"):
            slept.require()
        with pytest.raises(Transient):
            slept.require()
    assert pool.names() == []


def test_patience_ends() -> None:
    pool = FakePool("a")
    with Hold(pool, "debian", "rack/a", beat=0.01), pytest.raises(Transient, match="busy"):
        Hold(pool, "debian", "rack/a", patience=0.05).__enter__()


@given(st.binary(max_size=60))
def test_half_a_sheet_is_none(data: bytes) -> None:
    whole = Sheet("debian", "raw", 1, 1, "0" * 64, "2026-01-01T00:00:00+00:00").dump()
    assert parse(data) is None
    assert parse(whole[: len(data)]) is None
    assert parse(whole) is not None


def test_volumes_of_others_are_no_images() -> None:
    assert image_of("image-debian.json") == image_of("image-debian") == "debian"
    assert [image_of(name) for name in ("vm-1", "image-", "image-.x", "debian")] == ["", "", "", ""]
