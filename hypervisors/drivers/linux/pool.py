"""The folder of disks of one worker, as libvirt's storage pool: everything that we keep on a worker is a volume in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import BinaryIO, Final
from xml.etree import ElementTree as ET

import libvirt
from defusedxml.ElementTree import fromstring

from hypervisors.drivers.linux.connection import Worker
from hypervisors.drivers.linux.errors import translated
from olimpus.errors import HypervisorError, Missing, Rejected
from olimpus.words import gettext as _

NAME: Final = "olimpus"
CHUNK: Final = 256 * 1024
#: What is asked for at once: libvirt's library keeps all that has come until it is read, however slowly that is.
STRETCH: Final = 32 * 1024**2
#: Of a new volume; QEMU takes it over when the machine starts.
MODE: Final = "0600"
#: Seconds that a look at the folder waits while volumes are being made: libvirt does not look then.
PATIENCE: Final = 3.0
BUSY: Final = "asynchronous jobs"


class Pool:
    """Volumes by name. Names are ours: nothing that a user typed becomes one unchecked."""

    def __init__(self, worker: Worker, path: str):
        self.worker = worker
        self.path = path
        self._lock = threading.Lock()

    def path_of(self, name: str) -> str:
        """Where QEMU finds the volume."""
        return f"{self.path}/{name}"

    def names(self) -> list[str]:
        """All volumes, those that others put into the folder included."""
        return self._with_pool(lambda pool: _refreshed(pool).listVolumes())

    def room(self) -> tuple[int, int]:
        """Bytes in all and bytes that are free, of the file system."""

        def ask(pool: libvirt.virStoragePool) -> tuple[int, int]:
            _state, capacity, _allocation, available = _refreshed(pool).info()
            return int(capacity), int(available)

        return self._with_pool(ask)

    def size(self, name: str) -> int | None:
        """Virtual size in bytes; None when there is no such volume."""
        try:
            return int(self._with_volume(name, lambda volume: volume.info()[1]))
        except Missing:
            return None

    def backings(self) -> dict[str, str]:
        """Volume → the one that it stands on, of those that do."""

        def ask(pool: libvirt.virStoragePool) -> dict[str, str]:
            found = {}
            for volume in pool.listAllVolumes():
                with suppress(libvirt.libvirtError):  # it is gone meanwhile
                    if path := fromstring(volume.XMLDesc()).findtext("backingStore/path"):
                        found[volume.name()] = PurePosixPath(path).name
            return found

        return dict(self._with_pool(ask))  # type: ignore[call-overload]

    def length(self, name: str) -> int | None:
        """Bytes of the file now; None when there is no such volume, or somebody took its file away."""
        try:
            described = self._with_volume(name, lambda volume: volume.XMLDesc())
        except (Missing, Rejected):
            return None
        return int(fromstring(str(described)).findtext("physical") or 0)

    def make(
        self, name: str, size: int, format: str = "qcow2", backing: str = "", backing_format: str = "qcow2"
    ) -> bool:
        """An empty volume, or one upon another of this pool. One that is there stays as it is: False."""
        described = _volume_xml(name, size, format, self.path_of(backing) if backing else "", backing_format)
        return self._create(name, lambda pool: pool.createXML(described, 0))

    def mark(self, name: str, size: int) -> bool:
        """A volume of this size that takes no room, also where there is none; False when it is there already."""
        described = _volume_xml(name, size, "raw", allocation=0)
        return self._create(name, lambda pool: pool.createXML(described, 0))

    def copy(self, name: str, source: str, format: str = "qcow2") -> bool:
        """A whole copy of a volume, without any backing file, made by the worker. One that is there stays: False."""

        def make(pool: libvirt.virStoragePool) -> None:
            volume = pool.storageVolLookupByName(source)
            pool.createXMLFrom(_volume_xml(name, int(volume.info()[1]), format), volume, 0)

        return self._create(name, make)

    def grow(self, name: str, size: int) -> None:
        """Let a volume have this virtual size; one that is larger is left alone."""

        def ask(volume: libvirt.virStorageVol) -> None:
            if volume.info()[1] < size:
                volume.resize(size, 0)

        self._with_volume(name, ask)

    def write(self, name: str, data: BinaryIO | bytes, size: int) -> None:
        """A volume with this content (`size` bytes), whatever was there before. Half a one may stay when it fails."""
        chunks = iter((data,)) if isinstance(data, bytes) else iter(lambda: data.read(CHUNK), b"")
        self.remove(name)
        self.make(name, size, "raw")

        def ask(connection: libvirt.virConnect) -> None:
            stream = connection.newStream()
            volume = self._pool(connection).storageVolLookupByName(name)
            volume.upload(stream, 0, size, 0)
            _send(stream, chunks)

        self.worker.work(ask)
        self._with_pool(lambda pool: _refreshed(pool, PATIENCE))  # format and virtual size are read from its content

    def read(self, name: str) -> Iterator[bytes]:
        """The content in pieces. `Missing`."""
        connection = self.worker.connect()
        with translated(self.worker.where):
            volume, at, come = self._pool(connection).storageVolLookupByName(name), 0, STRETCH
            while come == STRETCH:
                come = 0
                for data in _stretch(connection, volume, at):
                    come += len(data)
                    yield data
                at += come

    def remove(self, name: str) -> None:
        """Delete a volume; a missing one succeeds quietly."""
        try:
            self._with_volume(name, lambda volume: volume.delete(0))
        except Missing:
            return

    def remove_all(self, names: Iterable[str]) -> None:
        """Delete these."""
        for name in names:
            self.remove(name)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _create(self, name: str, make: Callable[[libvirt.virStoragePool], object]) -> bool:
        def ask(pool: libvirt.virStoragePool) -> bool:
            try:
                make(pool)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_STORAGE_VOL_EXIST:
                    raise
                return False
            return True

        return bool(self._with_pool(ask))

    def _with_pool(self, ask: Callable[[libvirt.virStoragePool], object]) -> object:
        return self.worker.ask(lambda connection: ask(self._pool(connection)))

    def _with_volume(self, name: str, ask: Callable[[libvirt.virStorageVol], object]) -> object:
        def find(pool: libvirt.virStoragePool) -> object:
            try:
                volume = pool.storageVolLookupByName(name)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                    raise
                raise Missing(_("There is no volume “%(name)s”.") % {"name": name}, where=self.worker.where) from None
            return ask(volume)

        return self._with_pool(find)

    def _pool(self, connection: libvirt.virConnect) -> libvirt.virStoragePool:
        """The pool, made and started when it is not there yet. `Rejected` when it lies in another folder."""
        try:
            pool = connection.storagePoolLookupByName(NAME)
            self._require_here(pool)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_POOL:
                raise
            with self._lock:
                pool = connection.storagePoolDefineXML(_pool_xml(self.path), 0)
                pool.setAutostart(1)
        if not pool.isActive():
            with self._lock:
                _start(pool)
        return pool

    def _require_here(self, pool: libvirt.virStoragePool) -> None:
        there = fromstring(pool.XMLDesc(0)).findtext("target/path", "")
        if there != self.path:
            message = _("The pool “%(name)s” of libvirt is in %(there)s; the settings say %(here)s.")
            hint = _("Let the setting name that folder, or move the pool while no machine runs.")
            told = {"name": NAME, "there": there, "here": self.path}
            raise Rejected(message % told, where=self.worker.where, hint=hint)


def _start(pool: libvirt.virStoragePool) -> None:
    if not pool.isActive():
        pool.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)


def _refreshed(pool: libvirt.virStoragePool, patience: float = 0.0) -> libvirt.virStoragePool:
    """The pool, once libvirt looked at the folder; without a new look while volumes are being made for so long."""
    deadline = time.monotonic() + patience
    while True:
        try:
            pool.refresh(0)
        except libvirt.libvirtError as error:
            if BUSY not in str(error):
                raise
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
        return pool


def _stretch(connection: libvirt.virConnect, volume: libvirt.virStorageVol, at: int) -> Iterator[bytes]:
    """The content from there on, at most `STRETCH` bytes."""
    stream = connection.newStream()
    volume.download(stream, at, STRETCH, 0)
    try:
        while data := stream.recv(CHUNK):
            yield data
        stream.finish()
    except BaseException:  # who reads has given up, too: the rest would still come
        with suppress(libvirt.libvirtError):
            stream.abort()
        raise


def _send(stream: libvirt.virStream, chunks: Iterator[bytes]) -> None:
    try:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[stream.send(bytes(view[:CHUNK])) :]
        stream.finish()
    except (libvirt.libvirtError, HypervisorError, OSError):
        stream.abort()
        raise


def _pool_xml(path: str) -> str:
    pool = ET.Element("pool", type="dir")
    ET.SubElement(pool, "name").text = NAME
    ET.SubElement(ET.SubElement(pool, "target"), "path").text = path
    return ET.tostring(pool, encoding="unicode")


def _volume_xml(
    name: str, size: int, format: str, backing: str = "", backing_format: str = "qcow2", allocation: int | None = None
) -> str:
    volume = ET.Element("volume")
    ET.SubElement(volume, "name").text = name
    ET.SubElement(volume, "capacity", unit="bytes").text = str(size)
    if format == "qcow2" or allocation is not None:
        ET.SubElement(volume, "allocation", unit="bytes").text = str(allocation or 0)
    target = ET.SubElement(volume, "target")
    ET.SubElement(target, "format", type=format)
    ET.SubElement(ET.SubElement(target, "permissions"), "mode").text = MODE
    if backing:
        below = ET.SubElement(volume, "backingStore")
        ET.SubElement(below, "path").text = backing
        ET.SubElement(below, "format", type=backing_format)
    return ET.tostring(volume, encoding="unicode")
