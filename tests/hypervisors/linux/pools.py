"""Workers and their pools in memory, slow, full, silent and damaged on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from olimpus.errors import CapacityExceeded, Missing, Unreachable

PIECE = 7


class FakePool:
    """Volumes as bytes; what `Pool` promises."""

    def __init__(self, name: str, room: int = 1 << 40):
        self.name = name
        self.path = "/pool"
        self.free = room
        self.silent = False
        self.pause = 0.0
        self.volumes: dict[str, bytes] = {}
        self.below: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.written: list[str] = []
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        self._answer()
        with self._lock:
            return [*self.volumes, *self.sizes]

    def room(self) -> tuple[int, int]:
        self._answer()
        return self.free, self.free

    def size(self, name: str) -> int | None:
        self._answer()
        return self.sizes.get(name, self.length(name))

    def length(self, name: str) -> int | None:
        self._answer()
        found = self.volumes.get(name)
        return None if found is None else len(found)

    def mark(self, name: str, size: int) -> bool:
        self._answer()
        with self._lock:
            if name in self.sizes:
                return False
            self.sizes[name] = size
            return True

    def grow(self, name: str, size: int) -> None:
        self._answer()
        with self._lock:
            if name not in self.sizes:
                raise Missing(name)
            self.sizes[name] = max(size, self.sizes[name])

    def write(self, name: str, data: BinaryIO | bytes, size: int) -> None:
        self._answer()
        self.volumes[name] = b""
        pieces = iter((data,)) if isinstance(data, bytes) else iter(lambda: data.read(PIECE), b"")
        for piece in pieces:
            time.sleep(self.pause)
            if len(self.volumes[name]) + len(piece) > self.free:
                raise CapacityExceeded("no space left on device", where=self.name)
            self.volumes[name] += piece
        self.written.append(name)

    def read(self, name: str) -> Iterator[bytes]:
        self._answer()
        if name not in self.volumes:
            raise Missing(name)
        content = self.volumes[name]
        for start in range(0, len(content), PIECE):
            self._answer()
            yield content[start : start + PIECE]

    def copy(self, name: str, source: str) -> bool:
        self.volumes[name] = self.volumes[source]
        return True

    def backings(self) -> dict[str, str]:
        self._answer()
        return dict(self.below)

    def remove(self, name: str) -> None:
        self._answer()
        with self._lock:
            self.volumes.pop(name, None)
            self.sizes.pop(name, None)
            self.below.pop(name, None)

    def remove_all(self, names: Iterable[str]) -> None:
        for name in names:
            self.remove(name)

    def _answer(self) -> None:
        if self.silent:
            raise Unreachable(f"{self.name} does not answer", where=self.name)


class FakeWorker:
    """A worker with no machines, or those whose XML it is given."""

    def __init__(self, *domains: str):
        self.domains = domains

    def ask(self, call: Callable[[Any], Any]) -> Any:
        return call(self)

    def listAllDomains(self) -> list[Any]:  # noqa: N802 - libvirt's word
        return [FakeDomain(xml) for xml in self.domains]


class FakeDomain:
    def __init__(self, xml: str):
        self.xml = xml

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's word
        return self.xml
