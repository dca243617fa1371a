"""What a server remembers of what was asked for, within what Nova's metadata can hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.memory import Card, Disk, Size

CARDS = [
    Card(NicSpec("lan", "52:54:00:00:00:01", "10.0.0.5", "cloud-init", "e1000"), "campus-lan"),
    *(Card(NicSpec("wan", f"52:54:00:00:01:{n:02x}"), "wan") for n in range(12)),
]
DISKS = [Disk("data", 10.5, "", "vol-1"), Disk("logs", 1, "ssd", "vol-2")]


def test_cards_and_disks_come_back_in_their_order():
    metadata = memory.of_cards(CARDS) | memory.of_disks(DISKS) | {"colour": "red"}
    assert memory.cards_in(metadata) == CARDS
    assert memory.disks_in(metadata) == DISKS


def test_the_size_comes_back():
    assert memory.size_in(memory.of_size(Size(2, 1024, 10.5, "my flavor"))) == Size(2, 1024, 10.5, "my flavor")


def test_no_value_is_longer_than_nova_takes():
    long = "ñ" * 250
    card = Card(NicSpec(long, "52:54:00:00:00:01", "10.0.0.5", "cloud-init"), long[:-1])
    metadata = memory.of_cards([card]) | memory.of_disks([Disk(long, 1, long, "vol-1")])
    metadata |= memory.of_size(Size(1, 1, 1, long)) | memory.of_image(long * 2, "id")
    assert max(map(len, metadata.values())) <= memory.LIMIT
    (found,) = memory.cards_in(metadata)
    assert (found.nic.mac, found.nic.ip_mode) == (card.nic.mac, "cloud-init")
    assert [disk.volume for disk in memory.disks_in(metadata)] == ["vol-1"]


@pytest.mark.parametrize("value", ["", "{", "[]", "2", "null", "two many gib nano", '{"size_gib": 1}'])
def test_what_somebody_else_wrote_there_is_not_taken_for_ours(value):
    metadata = {memory.SIZE: value, memory.DISK + "0": value, memory.NIC + "x": value, memory.SINCE: value}
    assert memory.size_in(metadata) is None
    assert memory.disks_in(metadata) == memory.cards_in(metadata) == []
    assert memory.since_in(metadata, "2026-01-01T00:00:00Z", paused=True) is None


def test_an_image_is_remembered_while_the_server_has_it():
    metadata = memory.of_image("debian-12", "image-1")
    assert memory.image_in(metadata, "image-1") == "debian-12"
    assert memory.image_in(metadata, "") == "debian-12"  # its system disk is a volume
    assert memory.image_in(metadata, "image-2") == ""


def test_a_power_on_is_remembered_until_nova_touches_the_server():
    since = datetime(2026, 1, 1, 12, tzinfo=UTC)
    metadata = memory.of_since(since, "2026-01-01T12:59:59Z")
    assert memory.since_in(metadata, "2026-01-01T13:00:00Z", paused=False) == since
    assert memory.since_in(metadata, "2026-01-01T14:00:00Z", paused=False) is None
    assert memory.since_in(metadata, "2026-01-01T14:00:00Z", paused=True) == since


def test_only_our_tag_says_whose_a_server_is():
    assert memory.uid_of({"tags": ["web", memory.tag_of("uid-1")]}) == "uid-1"
    assert memory.uid_of({"tags": ["web"]}) == memory.uid_of({}) == ""
