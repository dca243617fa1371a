"""The embedded queue: whatever a killed process leaves behind, messages go on and the folder stays small."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection

from olimpus import filequeue


@pytest.fixture
def connection(tmp_path):
    options = {"data_folder_in": str(tmp_path)}
    with Connection("filesystem://localhost", transport_options=options) as made:
        yield made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_messages_come_in_order_and_are_gone_then(connection, tmp_path):
    queue = connection.SimpleQueue("olimpus")
    for number in range(5):
        queue.put({"number": number})
    assert len(queue) == 5
    received = []
    for _ in range(5):
        message = queue.get(timeout=1)
        received.append(message.payload["number"])
        message.ack()
    assert received == [0, 1, 2, 3, 4]
    assert names(tmp_path) == []
    with pytest.raises(Empty):
        queue.get(block=False)


def test_queues_do_not_mix(connection):
    for name in ("site", "site.b"):
        connection.SimpleQueue(name).put(name)
    assert connection.SimpleQueue("site.b").get(timeout=1).payload == "site.b"
    assert connection.SimpleQueue("site").get(timeout=1).payload == "site"


@pytest.mark.parametrize(
    "left", ["", "{", '{"body": "cut off', "\x00\x00", "[]" * 3], ids=["empty", "brace", "cut", "zeros", "twice"]
)
def test_what_cannot_be_read_is_thrown_away(connection, tmp_path, left):
    (tmp_path / "00000000000000000001-broken.olimpus").write_text(left)
    connection.SimpleQueue("olimpus").put("after it")
    assert connection.SimpleQueue("olimpus").get(timeout=1).payload == "after it"
    assert [name for name in names(tmp_path) if name.endswith(".olimpus")] == []


def test_what_a_killed_sender_or_receiver_leaves_is_never_read_and_goes_away(connection, tmp_path):
    for name in ("00000000000000000001-sending.~", "00000000000000000002-receiving.~"):
        (tmp_path / name).write_text('{"body"')
    queue = connection.SimpleQueue("olimpus")
    with pytest.raises(Empty):
        queue.get(block=False)
    assert filequeue.tidy(tmp_path) == 0  # perhaps somebody is just writing them
    long_ago = time.time() - filequeue.STALE - 1
    for name in names(tmp_path):
        os.utime(tmp_path / name, (long_ago, long_ago))
    assert filequeue.tidy(tmp_path) == 2
    assert names(tmp_path) == []


def test_queues_that_nobody_serves_do_not_fill_the_disk(connection, tmp_path):
    for _ in range(10):
        connection.SimpleQueue("nobody").put("hello")
    long_ago = time.time() - filequeue.STALE - 1
    for name in names(tmp_path):
        os.utime(tmp_path / name, (long_ago, long_ago))
    connection.SimpleQueue("nobody").put("fresh")
    assert filequeue.tidy(tmp_path) == 10
    assert len(names(tmp_path)) == 1


def test_no_message_is_received_twice(tmp_path):
    options = {"data_folder_in": str(tmp_path)}

    def receive(_number):
        got = []
        with Connection("filesystem://localhost", transport_options=options) as mine:
            channel = mine.channel()
            while True:
                try:
                    got.append(channel._get("olimpus"))
                except Empty:
                    return got

    with Connection("filesystem://localhost", transport_options=options) as sender:
        for number in range(200):
            sender.channel()._put("olimpus", number)
    with ThreadPoolExecutor(4) as pool:
        received = [number for part in pool.map(receive, range(4)) for number in part]
    assert sorted(received) == list(range(200))


def test_the_folder_may_hold_anything(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queue")

    @given(name=st.text(alphabet="ab.~-0123456789", min_size=1, max_size=20), content=st.binary(max_size=30))
    def attempt(name, content):
        path = folder / name
        if path.name in ("", ".", "..") or path.is_dir():
            return
        path.write_bytes(content)
        with Connection("filesystem://localhost", transport_options={"data_folder_in": str(folder)}) as mine:
            channel = mine.channel()
            channel._put("q", "mine")
            assert channel._get("q") == "mine"

    attempt()
