"""Addresses in a machine's disk: on disks of every make with the real tools, and in machines that really boot."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hypervisors.drivers.base import Driver, NicSpec, VmInfo, VmSpec
from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.guestdisk.client import write_network
from hypervisors.drivers.linux.guestdisk.files import CLOUD_INIT, OURS, GuestFile, files_for
from hypervisors.drivers.linux.guestdisk.program.commands import write
from hypervisors.drivers.linux.guestdisk.program.partitions import Part, parts_of
from olimpus.errors import Rejected, Transient
from tests.contract.contract import make_spec
from tests.lab.linux.cluster import Cluster

MIB = 1024 * 1024
NETWORKS = {"lan": {"cidr": "10.77.0.0/24", "gateway": "10.77.0.1"}}
FILES = files_for((NicSpec("lan", "52:54:00:00:00:0a", "10.77.0.5", "disk"),), NETWORKS)
GPT = "label: gpt\nstart=2048, size=8192\nstart=10240, size=32768\n"
LOGICAL = (
    "label: dos\nstart=2048, size=8192, type=83\nstart=10240, size=38912, type=5\nstart=12288, size=32768, type=83\n"
)
BOOT = 90.0


def done(*argv: str, data: str = "") -> str:
    return subprocess.run(argv, input=data, text=True, capture_output=True, check=True).stdout


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where nobody, too, may open what he is told the name of."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o711)
        yield Path(name)


@pytest.fixture
def tree(folder: Path) -> Path:
    """The file system of a guest that has a bit of everything."""
    top = folder / "tree"
    for place in (*OURS, "/home/ana"):
        (top / place.strip("/")).mkdir(parents=True)
    (top / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (top / "etc/netplan/50-cloud-init.yaml").write_text("network: {version: 2}\n")
    (top / "home/ana/thesis").write_bytes(os.urandom(200_000))
    return top


def file_system(folder: Path, tree: Path, kind: str = "ext4", size: int = 16 * MIB, *options: str) -> bytes:
    file = folder / "fs"
    file.write_bytes(b"")
    os.truncate(file, size)
    done("mke2fs", "-q", "-t", kind, "-m", "0", *options, "-d", str(tree), str(file))
    return file.read_bytes()


def disk(folder: Path, content: bytes, table: str = "", start: int = 0) -> Path:
    """A disk with this partition table, and a file system somewhere; it is larger than the table knows, as overlays are."""
    raw = folder / "raw"
    raw.write_bytes(b"")
    os.truncate(raw, 32 * MIB)
    if table:
        done("sfdisk", "-q", str(raw), data=table)
    with raw.open("r+b") as file:
        file.seek(start)
        file.write(content)
    if table:
        os.truncate(raw, 48 * MIB)
    if not os.geteuid():
        os.chown(raw, 65534, 65534)
    return raw


def wrote(folder: Path, raw: Path, files: Sequence[GuestFile] = FILES) -> int:
    request = {
        "files": [asdict(file) for file in files],
        "ours": OURS,
        "alone": [one for one in OURS if one != CLOUD_INIT],
    }
    return int(write(lambda part: shown(raw, part), str(folder), request)["written"])


@contextmanager
def shown(raw: Path, part: Part | None) -> Iterator[str]:
    """What QEMU does for the program: a part of the disk as a file."""
    if not part:
        yield str(raw)
        return
    device = raw.with_name("device")
    device.write_bytes(raw.read_bytes()[part.start : part.start + part.size])
    if not os.geteuid():
        os.chown(device, 65534, 65534)
    yield str(device)
    with raw.open("r+b") as file:
        file.seek(part.start)
        file.write(device.read_bytes())


def content(folder: Path, raw: Path, start: int) -> dict[str, bytes]:
    """Every file in the file system; which is whole."""
    device = f"{raw}?offset={start}"
    done("e2fsck", "-fn", device)
    out = Path(tempfile.mkdtemp(dir=folder))
    done("debugfs", "-R", f"rdump / {out}", device)
    return {f"/{file.relative_to(out)}": file.read_bytes() for file in out.rglob("*") if file.is_file()}


def is_ours(path: str) -> bool:
    place, _slash, name = path.rpartition("/")
    return place in OURS and fnmatch.fnmatch(name, OURS[place])


class TestDisks:
    @pytest.mark.parametrize(
        ("kind", "table", "start"),
        [
            ("ext4", GPT, 10240 * 512),
            ("ext3", LOGICAL, 12288 * 512),
            ("ext2", "", 0),
        ],
    )
    def test_our_files_come_and_go_and_nothing_else_changes(
        self, folder: Path, tree: Path, kind: str, table: str, start: int
    ) -> None:
        raw = disk(folder, file_system(folder, tree, kind), table, start)
        before = content(folder, raw, start)
        for _again in range(2):
            assert wrote(folder, raw) == 1
        after = content(folder, raw, start)
        assert {f"{file.folder}/{file.name}": file.text.encode() for file in FILES} == dict(
            after.items() - before.items()
        )
        assert before.items() <= after.items()
        assert wrote(folder, raw, ()) == 1
        assert content(folder, raw, start) == before

    def test_what_is_so_already_is_not_written(self, folder: Path, tree: Path) -> None:
        raw = disk(folder, file_system(folder, tree))
        wrote(folder, raw)
        entries = done("debugfs", "-R", "ls -p /etc/netplan", str(raw))
        wrote(folder, raw)
        assert done("debugfs", "-R", "ls -p /etc/netplan", str(raw)) == entries  # the inode is the same

    def test_files_are_roots_and_keys_of_connections_are_nobody_elses_to_read(self, folder: Path, tree: Path) -> None:
        raw = disk(folder, file_system(folder, tree))
        wrote(folder, raw)
        said = done("debugfs", "-R", "ls -p /etc/netplan", str(raw))
        assert re.search(r"/100600/0/0/90-olimpus\.yaml/", said)

    def test_only_folders_that_are_there(self, folder: Path, tree: Path) -> None:
        for gone in ("etc/network/interfaces.d", "etc/NetworkManager/system-connections", "etc/cloud/cloud.cfg.d"):
            (tree / gone).rmdir()
        raw = disk(folder, file_system(folder, tree))
        wrote(folder, raw)
        ours = sorted(path for path in content(folder, raw, 0) if is_ours(path))
        assert ours == ["/etc/netplan/90-olimpus.yaml", "/etc/systemd/network/05-olimpus-0.network"]

    def test_a_card_less_is_a_file_less_whatever_its_name(self, folder: Path, tree: Path) -> None:
        odd = 'etc/systemd/network/05-olimpus-"7; rm x\\ "".network'
        (tree / odd).write_text("odd")
        (tree / "etc/systemd/network/05-olimpus-9.network").write_text("of a card that was")
        raw = disk(folder, file_system(folder, tree))
        wrote(folder, raw)
        there = [path for path in content(folder, raw, 0) if path.startswith("/etc/systemd/network/")]
        assert there == ["/etc/systemd/network/05-olimpus-0.network"]

    def test_links_lead_nowhere(self, folder: Path, tree: Path) -> None:
        (tree / "etc/netplan/90-olimpus.yaml").symlink_to("../passwd")
        (tree / "etc/systemd/network").rmdir()
        (tree / "etc/systemd/network").symlink_to("../../home/ana")
        raw = disk(folder, file_system(folder, tree))
        wrote(folder, raw)
        after = content(folder, raw, 0)
        assert after["/etc/passwd"] == (tree / "etc/passwd").read_bytes()
        assert after["/etc/netplan/90-olimpus.yaml"] == FILES[0].text.encode()
        assert not any("05-olimpus" in path for path in after)


class TestRefusals:
    def test_what_there_is_instead_is_named(self, folder: Path, tree: Path) -> None:
        table = "label: gpt\nstart=2048, size=8192\nstart=10240, size=8192\nstart=20480, size=32768\nstart=53248, size=2048\n"
        empty = folder / "empty"
        empty.mkdir()
        raw = disk(folder, file_system(folder, empty), table, 20480 * 512)
        fat = folder / "fat"
        fat.write_bytes(b"")
        os.truncate(fat, 4 * MIB)
        done("mkfs.vfat", str(fat))
        with raw.open("r+b") as file:
            file.seek(2048 * 512)
            file.write(fat.read_bytes())
            file.seek(10240 * 512)
            file.write(b"LUKS\xba\xbe\0\1")
        assert [part.kind for part in parts_of(str(raw), 48 * MIB)] == ["vfat", "crypto_LUKS", "ext4", ""]
        with pytest.raises(Refused) as refused:
            wrote(folder, raw)
        assert refused.value.code == "no-guest"
        assert refused.value.told == {"found": ["1 vfat", "2 crypto_LUKS", "3 ext4", "4 ?"]}
        assert wrote(folder, raw, ()) == 0

    def test_a_full_file_system(self, folder: Path, tree: Path) -> None:
        raw = disk(folder, file_system(folder, tree, "ext4", 2 * MIB))
        filler = folder / "filler"
        filler.write_bytes(b"x" * 2 * MIB)
        done("debugfs", "-w", "-R", f"write {filler} filler", str(raw))
        with pytest.raises(Refused) as refused:
            wrote(folder, raw)
        assert refused.value.code == "not-written"

    def test_a_damaged_file_system(self, folder: Path, tree: Path) -> None:
        raw = disk(folder, file_system(folder, tree))
        done("debugfs", "-w", "-R", "set_inode_field /home block[0] 1", str(raw))
        done("debugfs", "-w", "-R", "set_super_value state 2", str(raw))
        with pytest.raises(Refused) as refused:
            wrote(folder, raw)
        assert refused.value.code == "damaged"


# -- machines ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def driver(cluster: Cluster, tmp_path: Path) -> Iterator[Driver]:
    made = cluster.driver(tmp_path)
    yield made
    made.close()


@pytest.fixture
def create(driver: Driver, image: str) -> Iterator[Callable[[str], VmInfo]]:
    """Makes a machine in a network without DHCP, whose card has this address in the disk."""
    made: list[VmInfo] = []

    def make(ip: str) -> VmInfo:
        made.append(driver.create(spec_of(image, ip)))
        return made[-1]

    yield make
    for vm in made:
        driver.destroy(vm.ref)


def spec_of(image: str, ip: str) -> VmSpec:
    spec = make_spec(cpus=1, memory_mib=128, disk_gib=1, image=image)
    card = NicSpec("in-disk", spec.nics[0].mac.replace("52:54:00:00", "52:54:00:d1"), ip, "disk")
    networks = {"in-disk": {"cidr": "10.78.0.0/24", "dhcp": False}}
    return replace(spec, nics=(card,), parameters={"networks": networks})


def address_after_boot(driver: Driver, vm: VmInfo) -> str:
    """Switch it on, and wait until the guest says what addresses it has."""
    driver.start(vm.ref)
    end = time.monotonic() + BOOT
    while time.monotonic() < end:
        if found := re.search(r"LAB-READY .*eth0=(\S+)", driver.console_text(vm.ref)):
            return found[1]
        time.sleep(0.5)
    raise AssertionError(driver.console_text(vm.ref)[-500:])


def test_a_machine_has_the_address_of_its_disk_and_is_reached_there(
    cluster: Cluster, driver: Driver, create: Callable[[str], VmInfo], image: str
) -> None:
    vm = create("10.78.0.10")
    space = f"olg-{driver.gateway.look().networks['in-disk 10.78.0.0/24']['tag']}"
    assert address_after_boot(driver, vm) == "10.78.0.10/24"
    cluster.run("headnode", "ip", "netns", "exec", space, "ping", "-c", "3", "-i", "0.3", "-W", "2", "10.78.0.10")

    wanted = spec_of(image, "10.78.0.11")
    moved = replace(wanted, uid=vm.uid, nics=(replace(vm.nics[0], ip="10.78.0.11"),))
    with pytest.raises(Rejected, match="stop it first"):
        driver.reconfigure(vm.ref, moved)
    driver.force_off(vm.ref)  # its journal is not empty now
    driver.reconfigure(vm.ref, moved)
    assert address_after_boot(driver, vm) == "10.78.0.11/24"


def test_a_disk_that_cannot_be_written_leaves_no_machine(cluster: Cluster, driver: Driver, image: str) -> None:
    spec = spec_of(image, "10.78.0.12")
    for name in cluster.workers:
        cluster.run(name, "mv", "/dev/fuse", "/dev/fuse.away")
    try:
        with pytest.raises(Rejected, match="modprobe fuse"):
            driver.create(spec)
    finally:
        for name in cluster.workers:
            cluster.run(name, "mv", "/dev/fuse.away", "/dev/fuse")
    assert driver.find(spec.uid) is None
    for member in driver.cluster.members.values():
        assert not [name for name in member.pool.names() if spec.uid in name]


def test_a_disk_that_a_machine_uses_is_left_alone(driver: Driver, create: Callable[[str], VmInfo]) -> None:
    vm = create("10.78.0.13")
    driver.start(vm.ref)
    member, uuid = driver.cluster.of(vm.ref)
    with pytest.raises(Transient, match="lock"):
        write_network(member.worker, member.machines.facts(uuid).disks[0], FILES)


#: Kills the program as soon as its daemon has the disk whose name is given.
KILLER = 'until pid=$(pgrep -f "[q]emu-storage-daemon.*$0"); do sleep 0.01; done; kill -9 $(ps -o ppid= -p $pid)'


def test_who_is_killed_in_the_middle_holds_nothing(
    cluster: Cluster, driver: Driver, create: Callable[[str], VmInfo]
) -> None:
    vm = create("10.78.0.14")
    member, uuid = driver.cluster.of(vm.ref)
    path = member.machines.facts(uuid).disks[0]
    with ThreadPoolExecutor(1) as threads:
        killer = threads.submit(cluster.run, member.name, "timeout", "30", "sh", "-c", KILLER, vm.uid)
        with pytest.raises(Transient, match="broke off"):
            write_network(member.worker, path, FILES)
        killer.result()
    assert "olimpus-disk" not in cluster.run(member.name, "cat", "/proc/mounts")
    write_network(member.worker, path, FILES)
