"""Images on the lab's workers: real volumes, copied through our own tunnels."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.linux.copies import Copies
from hypervisors.drivers.linux.driver import LinuxDriver
from hypervisors.drivers.linux.images import ImageStore
from hypervisors.drivers.linux.sheets import sheet_of, volume_of
from olimpus.errors import CapacityExceeded, Rejected, Unsupported
from tests.lab.linux.cluster import Cluster
from tests.processes.installation import ROOT

#: What all images of these tests are called like, and the disks upon them.
MARK, NAME, DISK = "imgt-", "imgt-tiny", "vm-imgt-1.qcow2"
#: Seconds that each piece of a slow copy takes.
SLOW = 0.5


@pytest.fixture(scope="module")
def driver(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxDriver]:
    """Of the whole cluster."""
    made = LinuxDriver("images", cluster.settings(), tmp_path_factory.mktemp("home"))
    yield made
    made.close()


@pytest.fixture
def images(driver: LinuxDriver) -> Iterator[ImageStore]:
    """The store; afterwards nothing of these tests is left, and nobody holds anything."""
    yield driver.images
    for pool in driver.images.pools.values():
        names = [name for name in pool.names() if MARK in name]
        pool.remove_all(names)
        assert [name for name in names if name.startswith("hold-")] == []


@pytest.fixture
def tiny(cluster: Cluster, images: ImageStore) -> ImageStore:
    """The same, with the tiny guest's image on two workers."""
    with cluster.image.open("rb") as file:
        images.upload(NAME, file)
    return images


def hosts(images: ImageStore, name: str = NAME) -> tuple[str, ...]:
    return next((image.hosts for image in images.images() if image.name == name), ())


def lacking(images: ImageStore) -> str:
    return next(worker for worker in images.pools if worker not in hosts(images))


def damage(cluster: Cluster, images: ImageStore, worker: str) -> None:
    """Change some bytes in the middle of a copy; its length stays."""
    path = images.pools[worker].path_of(volume_of(NAME))
    cluster.run(worker, "dd", f"of={path}", "bs=1", "seek=9000000", "conv=notrunc", "status=none", data="damaged")


def ours(images: ImageStore, worker: str) -> list[str]:
    return sorted(name for name in images.pools[worker].names() if MARK in name)


def test_an_upload_is_on_two_workers_and_repeated_it_is_the_same(cluster: Cluster, images: ImageStore) -> None:
    with cluster.image.open("rb") as file:
        made = images.upload(NAME, file, "qcow2")
        assert images.upload(NAME, file) == made
        with pytest.raises(Rejected, match="already"):
            images.upload(NAME, io.BytesIO(b"something else"))
    assert (made.status, made.format, len(made.hosts)) == ("active", "qcow2", 2)
    for worker in made.hosts:
        path = images.pools[worker].path_of(volume_of(NAME))
        assert cluster.run(worker, "sha256sum", path).split()[0] == made.sha256


def test_a_disk_that_names_another_file_is_refused(images: ImageStore, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    make = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", str(disk), "1M"]
    subprocess.run(make, check=True)
    with disk.open("rb") as file, pytest.raises(Rejected, match="another file"):
        images.upload(NAME, file)
    assert [ours(images, worker) for worker in images.pools] == [[]] * len(images.pools)


def test_thirty_that_ask_at_once_get_one_copy(tiny: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, found, copies, copy = lacking(tiny), [], [], Copies._copy
    monkeypatch.setattr(Copies, "_copy", lambda *args: (copies.append(args[3]), copy(*args)))
    threads = [threading.Thread(target=lambda: found.append(tiny.ensure(worker, NAME))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found)), copies) == (30, 1, [worker])


def asking(cluster: Cluster, worker: str, home: Path) -> subprocess.Popen[str]:
    """A process of its own that needs the image on a worker, and tells each copy that it begins and ends."""
    call = f"from tests.lab.linux.test_images import ask; ask({str(cluster.folder)!r}, {worker!r}, {str(home)!r})"
    return subprocess.Popen([sys.executable, "-c", call], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def ask(folder: str, worker: str, home: str) -> None:
    """What that process does, slowly."""
    driver = LinuxDriver("images", Cluster.running({"LINUX_LAB_DIR": folder}).settings(), Path(home))
    for pool in driver.images.pools.values():
        pool.read = slowly(pool.read)  # type: ignore[method-assign]
    print(driver.images.ensure(worker, NAME).sha256, flush=True)
    driver.close()


def slowly(read):  # type: ignore[no-untyped-def]
    """Read in pieces that take their time, and tell of images."""
    from time import sleep

    def reading(name: str) -> Iterator[bytes]:
        for number, piece in enumerate(read(name)):
            if name == volume_of(NAME) and number % 16 == 0:
                print("piece", flush=True)
                sleep(SLOW)
            yield piece

    return reading


def test_two_processes_make_one_copy(cluster: Cluster, tiny: ImageStore, tmp_path: Path) -> None:
    worker = lacking(tiny)
    processes = [asking(cluster, worker, tmp_path / str(number)) for number in range(2)]
    told = [process.communicate(timeout=60)[0].split() for process in processes]
    assert told[0][-1] == told[1][-1] == tiny.ensure(worker, NAME).sha256
    assert sorted(len(lines) > 1 for lines in told) == [False, True]  # one copied, the other waited


def test_a_copy_of_somebody_killed_is_made_anew(cluster: Cluster, tiny: ImageStore, tmp_path: Path) -> None:
    worker = lacking(tiny)
    process = asking(cluster, worker, tmp_path)
    assert process.stdout
    assert process.stdout.readline() == "piece\n"
    assert process.stdout.readline() == "piece\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = ours(tiny, worker)
    assert volume_of(NAME) in left
    assert sheet_of(NAME) not in left
    assert any(name.startswith("hold-") for name in left)
    assert worker not in hosts(tiny)
    tiny.ensure(worker, NAME)
    assert ours(tiny, worker) == [volume_of(NAME), sheet_of(NAME)]


def test_a_corrupt_copy_is_not_copied_but_refused_by_name(cluster: Cluster, tiny: ImageStore) -> None:
    first, second = hosts(tiny)
    target = lacking(tiny)
    damage(cluster, tiny, first)
    damage(cluster, tiny, second)
    with pytest.raises(Rejected, match=f"{NAME}.*{first}.*{NAME}.*{second}|{NAME}.*{second}.*{NAME}.*{first}"):
        tiny.ensure(target, NAME)
    assert ours(tiny, target) == []
    assert hosts(tiny) == ()
    with pytest.raises(Rejected, match="no image"):
        tiny.ensure(target, NAME)
    with cluster.image.open("rb") as file:
        assert len(tiny.upload(NAME, file).hosts) == 2


def test_a_copy_whose_files_somebody_took_away_is_made_again(cluster: Cluster, tiny: ImageStore) -> None:
    first = hosts(tiny)[0]
    paths = [tiny.pools[first].path_of(name) for name in ours(tiny, first)]
    cluster.run(first, "rm", *paths)  # libvirt has not looked since: for it they are still there
    assert tiny.ensure(first, NAME).format == "qcow2"
    assert len(ours(tiny, first)) == 2


def test_a_good_copy_serves_where_another_is_corrupt(cluster: Cluster, tiny: ImageStore) -> None:
    first, second = hosts(tiny)
    cluster.run(first, "truncate", "-s", "1000", tiny.pools[first].path_of(volume_of(NAME)))
    base = tiny.ensure(lacking(tiny), NAME)
    assert base.format == "qcow2"
    assert first not in hosts(tiny)
    assert second in hosts(tiny)
    assert tiny.ensure(first, NAME) == base  # and there it is mended


def test_an_image_that_is_stood_upon_is_not_deleted(tiny: ImageStore) -> None:
    first, second = hosts(tiny)
    tiny.pools[first].make(DISK, 64 << 20, backing=volume_of(NAME))
    with pytest.raises(Rejected, match=DISK):
        tiny.delete(NAME)
    assert hosts(tiny) == (first, second)
    tiny.pools[first].remove(DISK)
    tiny.delete(NAME)
    tiny.delete(NAME)
    assert [ours(tiny, worker) for worker in tiny.pools] == [[]] * len(tiny.pools)


def test_tidying_keeps_two_copies_and_those_in_use(tiny: ImageStore) -> None:
    for worker in tiny.pools:
        tiny.ensure(worker, NAME)
    half = next(iter(tiny.pools))
    tiny.pools[half].write("image-imgt-half", b"half of it", 10)
    assert [one for one in tiny.tidy(days=1) if one.name == NAME] == []
    used = hosts(tiny)[0]
    tiny.pools[used].make(DISK, 64 << 20, backing=volume_of(NAME))
    cleared = tiny.tidy()
    assert used in hosts(tiny)
    assert len(hosts(tiny)) == 2
    assert len([one for one in cleared if one.name == NAME]) == len(tiny.pools) - 2
    assert "image-imgt-half" not in tiny.pools[half].names()


def test_a_full_disk_is_told_and_nothing_stays(cluster: Cluster, tiny: ImageStore) -> None:
    worker = lacking(tiny)
    path = tiny.pools[worker].path
    cluster.run(worker, "mount", "-t", "tmpfs", "-o", "size=8m", "small", path)
    try:
        with pytest.raises(CapacityExceeded, match="space"):
            tiny.ensure(worker, NAME)
        assert ours(tiny, worker) == []
    finally:
        cluster.run(worker, "umount", path)
        tiny.pools[worker].names()
    assert tiny.ensure(worker, NAME).volume == volume_of(NAME)


def test_a_disk_becomes_an_image_that_needs_no_other(cluster: Cluster, tiny: ImageStore) -> None:
    worker = hosts(tiny)[0]
    tiny.pools[worker].make(DISK, 64 << 20, backing=volume_of(NAME))
    made = tiny.publish(worker, DISK, "imgt-published", "ref-1")
    assert tiny.publish(worker, DISK, "imgt-published", "ref-1") == made
    with pytest.raises(Rejected, match="already"):
        tiny.publish(worker, DISK, "imgt-published", "ref-2")
    tiny.pools[worker].remove(DISK)
    tiny.delete(NAME)
    other = next(name for name in tiny.pools if name != worker)
    base = tiny.ensure(other, "imgt-published")
    told = cluster.run(other, "qemu-img", "info", tiny.pools[other].path_of(base.volume))
    assert "file format: qcow2" in told
    assert "backing file" not in told
    assert base.virtual_bytes == 64 << 20


def test_machines_may_stand_on_raw_images(tiny: ImageStore, cluster: Cluster) -> None:
    made = tiny.upload("imgt-raw", io.BytesIO(b"\0" * (1 << 20)))
    worker = made.hosts[0]
    base = tiny.ensure(worker, "imgt-raw")
    assert (base.format, base.virtual_bytes) == ("raw", 1 << 20)
    tiny.pools[worker].make(DISK, 4 << 20, backing=base.volume, backing_format=base.format)
    assert "backing file format: raw" in cluster.run(worker, "qemu-img", "info", tiny.pools[worker].path_of(DISK))


def test_a_stopped_machine_is_published_and_the_cluster_tells_what_it_has(
    driver: LinuxDriver, tiny: ImageStore
) -> None:
    made = driver.create(VmSpec(str(uuid4()), "imgt", 1, 128, 0.0625, NAME))
    try:
        with pytest.raises(Rejected, match="imgt"):
            driver.cloud.delete_image(NAME)
        image = driver.publish(made.ref, "imgt-machine")
        assert driver.publish(made.ref, "imgt-machine") == image
        driver.start(made.ref)
        with pytest.raises(Rejected, match="is on"):
            driver.publish(made.ref, "imgt-other")
    finally:
        driver.destroy(made.ref)
    assert {"imgt-machine", NAME} <= {image.name for image in driver.cloud.images()}
    assert [zone.name for zone in driver.cloud.zones()] == list(tiny.pools)
    assert [network for network in driver.cloud.networks() if "imgt" in network.name] == []
    with pytest.raises(Unsupported, match="volumes"):
        driver.cloud.volumes()
