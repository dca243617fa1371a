"""Reading volumes in stretches, with a libvirt that is none."""

from __future__ import annotations

from typing import Any

import pytest

from hypervisors.drivers.linux import pool as pools
from hypervisors.drivers.linux.pool import Pool


class Stream:
    """One download."""

    def __init__(self) -> None:
        self.rest = b""
        self.end = ""

    def recv(self, size: int) -> bytes:
        piece, self.rest = self.rest[:size], self.rest[size:]
        return piece

    def finish(self) -> None:
        self.end = "finished"

    def abort(self) -> None:
        self.end = "aborted"


class Volume:
    """Its own worker, connection, pool and volume."""

    where = "rack/worker-1"

    def __init__(self, content: bytes):
        self.content = content
        self.streams: list[Stream] = []

    def connect(self) -> Volume:
        return self

    def newStream(self) -> Stream:  # noqa: N802 - libvirt's name
        self.streams.append(Stream())
        return self.streams[-1]

    def storageVolLookupByName(self, _name: str) -> Volume:  # noqa: N802 - libvirt's name
        return self

    def download(self, stream: Stream, at: int, length: int, _flags: int) -> None:
        stream.rest = self.content[at : at + length]


def pool(volume: Any, monkeypatch: pytest.MonkeyPatch) -> Pool:
    monkeypatch.setattr(pools, "STRETCH", 4)
    monkeypatch.setattr(pools, "CHUNK", 3)
    monkeypatch.setattr(Pool, "_pool", lambda _self, connection: connection)
    return Pool(volume, "/pool")


@pytest.mark.parametrize("content", [b"", b"123", b"1234", b"12345", b"12345678"])
def test_the_whole_content_comes_and_never_more_than_a_stretch_at_once(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Volume(content)
    assert b"".join(pool(volume, monkeypatch).read("one")) == content
    assert len(volume.streams) == len(content) // 4 + 1
    assert {stream.end for stream in volume.streams} == {"finished"}


def test_who_gives_up_ends_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(b"12345678")
    reading = pool(volume, monkeypatch).read("one")
    assert next(reading) == b"123"
    reading.close()  # type: ignore[attr-defined]
    assert [stream.end for stream in volume.streams] == ["aborted"]
