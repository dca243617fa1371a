"""Sharing a line and bounding what a slow browser is owed."""

from __future__ import annotations

import asyncio
import socket

import pytest

from descriptors.consoles import streams
from descriptors.consoles.streams import ANEW, KEPT, MOST_INPUT, Exchange, Stream, TooMuch, Window

KEY = (1, "vm", "serial")


class Guest:
    """Connections to one guest, counted."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []

    async def connect(self) -> Stream:
        ours, theirs = socket.socketpair()
        theirs.settimeout(5)
        self.ends.append(theirs)
        return await Stream.over(ours)

    def say(self, data: bytes) -> None:
        self.ends[-1].sendall(data)


async def test_one_connection_serves_all_and_closes_after_the_last(monkeypatch):
    monkeypatch.setattr(streams, "LINGER", 0.1)
    guest, exchange = Guest(), Exchange()
    first, second = await asyncio.gather(*(exchange.join(KEY, guest.connect) for _each in range(2)))
    assert len(guest.ends) == 1
    guest.say(b"hello")
    assert [await each.take() for each in (first, second)] == [b"hello", b"hello"]
    second.put(b"typed")
    assert await asyncio.to_thread(guest.ends[0].recv, 10) == b"typed"
    await first.close()
    await first.close()
    guest.say(b"still")
    assert await second.take() == b"still"
    await second.close()
    back = await exchange.join(KEY, guest.connect)
    assert (len(guest.ends), await back.take()) == (1, b"hellostill")
    await back.close()
    assert await asyncio.to_thread(guest.ends[0].recv, 10) == b""
    await exchange.join(KEY, guest.connect)
    assert len(guest.ends) == 2


async def test_who_comes_later_gets_what_was_before():
    guest, exchange = Guest(), Exchange()
    first = await exchange.join(KEY, guest.connect)
    guest.say(b"before")
    assert await first.take() == b"before"
    assert await (await exchange.join(KEY, guest.connect)).take() == b"before"


async def test_who_lags_begins_anew_and_costs_a_bounded_memory():
    guest, exchange = Guest(), Exchange()
    quick, slow = await exchange.join(KEY, guest.connect), await exchange.join(KEY, guest.connect)
    for number in range(20):
        await asyncio.to_thread(guest.say, bytes([65 + number]) * (KEPT // 4))
        seen = 0
        while seen < KEPT // 4:
            seen += len(await quick.take())
    shown = await slow.take()
    assert shown.startswith(ANEW)
    assert len(shown) <= KEPT + len(ANEW)
    assert shown.endswith(b"T" * (KEPT // 4))


async def test_the_end_of_the_line_is_told_to_all():
    guest, exchange = Guest(), Exchange()
    ends = [await exchange.join(KEY, guest.connect) for _each in range(2)]
    guest.say(b"last")
    guest.ends[0].close()
    assert [await end.take() for end in ends] == [b"last", b"last"]
    assert [await end.take() for end in ends] == [b"", b""]
    await exchange.join(KEY, guest.connect)
    assert len(guest.ends) == 2


async def test_a_guest_that_takes_nothing_does_not_fill_our_memory():
    guest = Guest()
    stream = await guest.connect()
    stream.put(bytes(MOST_INPUT // 2))
    stream.put(bytes(MOST_INPUT // 2))
    with pytest.raises(TooMuch):
        stream.put(bytes(MOST_INPUT))
    await stream.close()


async def test_a_browser_that_lags_stops_the_reader_until_it_says_so():
    window = Window(100)
    await window.send(100)
    waiting = asyncio.create_task(window.send(50))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    window.got(10)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    window.got(10**9)  # more than was ever sent counts as all of it
    await asyncio.wait_for(waiting, 1)
    await window.send(100)
