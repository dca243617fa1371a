"""The socket of a console on the mock: who may, until when, what passes, who else is there."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from importlib import import_module
from socket import socketpair
from typing import Any, ClassVar

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from accounts import actions as accounts
from accounts import journal
from accounts.models import Entry
from descriptors import actions, feed, tree
from descriptors.consoles import consumer, keeper
from descriptors.consoles.consumer import ConsoleConsumer
from descriptors.consoles.keeper import Keeper
from descriptors.consoles.streams import Exchange
from descriptors.feed import Feed
from descriptors.models import ConsoleSession, Node, NodeUserObjectPermission
from hypervisors.gateway import forget_gateways
from olimpus.celery import app
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 5


@pytest.fixture
async def own(monkeypatch) -> AsyncIterator[None]:
    """Feed, keeper and lines of this test's event loop, as a fresh web process has them."""
    told, mine = Feed(), Keeper()
    monkeypatch.setattr(consumer, "feed", told)
    monkeypatch.setattr(consumer, "keeper", mine)
    monkeypatch.setattr(consumer, "exchange", Exchange())
    monkeypatch.setattr(keeper, "TICK", 0.1)
    yield
    # Who was told the end still writes that it is over: into the next test's journal, when nobody waits.
    await asyncio.gather(*(socket.disconnect() for socket in Socket.made), return_exceptions=True)
    Socket.made.clear()
    tasks = [task for task in (told._task, mine._task) if task]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def campus(transactional_db, settings, tmp_path, monkeypatch, own):
    """The world on committed rows; sam's web runs."""
    settings.OLIMPUS_HOME = tmp_path
    monkeypatch.setattr(app, "send_task", lambda *_args, **_options: None)
    if not Node.objects.filter(path="/").exists():
        tree.plant()
    made = World(tmp_path)
    assert made.mia
    made.do("create", made.sam.web)
    made.do("start", made.sam.web)
    yield made
    forget_gateways()


class Socket(WebsocketCommunicator):
    """A browser's end."""

    made: ClassVar[list[Socket]] = []

    def __init__(self, user: Any, ticket: str):
        super().__init__(ConsoleConsumer.as_asgi(), f"/ws/console?ticket={ticket}")
        self.scope["user"] = user
        self.shown = b""
        self.told: list[dict[str, Any]] = []
        self.made.append(self)

    async def next(self) -> None:
        """One more frame."""
        frame = await self.receive_output(SECONDS)
        if "bytes" in frame and frame["bytes"] is not None:
            self.shown += frame["bytes"]
        elif frame.get("text"):
            self.told.append(json.loads(frame["text"]))
        else:
            self.told.append({"closed": frame.get("code")})

    async def until_shown(self, text: str) -> None:
        while text.encode() not in self.shown:
            await self.next()

    async def until_told(self, word: str) -> Any:
        """The next message about this."""
        while True:
            for message in self.told:
                if word in message:
                    self.told.remove(message)
                    return message[word]
            await self.next()

    async def type(self, text: str) -> None:
        await self.send_to(bytes_data=text.encode())


@sync_to_async
def ticket_of(machine: Any, user: Any, **wish: Any) -> str:
    return actions.ask_console(machine, actor=user, **wish).clear


async def opened(machine: Any, user: Any, **wish: Any) -> Socket:
    socket = Socket(user, await ticket_of(machine, user, **wish))
    assert (await socket.connect())[0]
    await socket.until_told("open")
    return socket


@sync_to_async
def journal_of(verb: str) -> list[Entry]:
    return list(Entry.objects.filter(verb=verb).order_by("pk"))


async def test_a_command_is_answered_and_all_is_in_the_journal(campus):
    socket = await opened(campus.sam.web, campus.sam.user)
    await socket.until_shown("# ")
    await socket.type("ip addr\r")
    mac = await sync_to_async(lambda: campus.sam.web.cards.get().mac)()
    await socket.until_shown(mac)
    await socket.disconnect()
    (came,), (went,) = await journal_of("console.open"), await journal_of("console.close")
    assert (came.actor_name, came.path) == ("sam", campus.sam.web.path)
    assert came.data == {"kind": "serial", "mode": "drive"}
    assert went.data == {"kind": "serial", "mode": "drive", "seconds": went.data["seconds"], "reason": "left"}
    assert 0 <= went.data["seconds"] < 60  # on a busy machine more than none
    assert await sync_to_async(ConsoleSession.objects.count)() == 0


async def test_a_ticket_is_good_once_and_for_its_person(campus):
    ticket = await ticket_of(campus.sam.web, campus.sam.user)
    for user, code in ((AnonymousUser(), 4401), (campus.root, 4403), (campus.sam.user, 0), (campus.sam.user, 4403)):
        socket = Socket(user, ticket)
        assert (await socket.connect())[0]
        if code:
            assert (await socket.until_told("end"))["code"] == code
            assert await socket.until_told("closed") == code
        else:
            await socket.until_told("open")
            await socket.disconnect()


async def test_an_old_ticket_opens_nothing(campus, monkeypatch):
    monkeypatch.setattr(actions.consoles, "TICKET", -1)
    socket = Socket(campus.sam.user, await ticket_of(campus.sam.web, campus.sam.user))
    await socket.connect()
    assert "too old" in (await socket.until_told("end"))["message"]


async def test_several_share_one_line_and_see_what_was_before(campus):
    first = await opened(campus.sam.web, campus.sam.user)
    await first.type("echo before\r")
    await first.until_shown("\r\nbefore")
    second = await opened(campus.sam.web, campus.mia)
    await second.until_shown("\r\nbefore")
    await second.type("echo together\r")
    await first.until_shown("\r\ntogether")
    while [one["who"] for one in await first.until_told("viewers")] != ["sam", "mia"]:
        continue
    await second.disconnect()
    while [one["who"] for one in await first.until_told("viewers")] != ["sam"]:
        continue
    await first.type("echo alone\r")
    await first.until_shown("\r\nalone")
    await first.disconnect()


async def test_who_watches_sees_and_cannot_type(campus):
    driver = await opened(campus.sam.web, campus.sam.user)
    watcher = await opened(campus.sam.web, campus.mia, watch=True)
    await watcher.until_shown("# ")
    await watcher.type("echo intruder\r")
    await driver.type("echo owner\r")
    await watcher.until_shown("\r\nowner")
    await driver.until_shown("\r\nowner")
    assert b"intruder" not in watcher.shown + driver.shown
    for socket in (driver, watcher):
        await socket.disconnect()


async def test_rights_that_are_taken_away_close_it_within_seconds(campus):
    socket = await opened(campus.sam.web, campus.sam.user)
    await sync_to_async(actions.edit)(
        campus.tel141, {"rights": {"user": {"console": False}}}, actor=campus.root, version=None
    )
    end = await socket.until_told("end")
    assert (end["code"], "You may not use this console any more." in end["message"]) == (4403, True)
    assert await socket.until_told("closed") == 4403


async def test_it_goes_on_where_the_machine_is_moved_and_ends_where_that_is_forbidden(campus):
    socket = await opened(campus.sam.web, campus.mia)
    move = sync_to_async(actions.move)
    await move(await sync_to_async(Node.objects.get)(pk=campus.sam.web.pk), campus.courses, actor=campus.root)
    await socket.type("echo still\r")
    await socket.until_shown("\r\nstill")
    await move(
        await sync_to_async(Node.objects.get)(pk=campus.sam.web.pk),
        await sync_to_async(lambda: campus.lab)(),
        actor=campus.root,
    )
    assert (await socket.until_told("end"))["code"] == 4403


async def test_it_ends_with_the_power(campus):
    socket = await opened(campus.sam.web, campus.sam.user)
    await sync_to_async(campus.do)("force_off", campus.sam.web)
    end = await socket.until_told("end")
    assert (end["code"], end["message"]) == (4410, "The machine was switched off.")


async def test_an_idle_one_ends_and_a_touched_one_stays(campus, settings):
    socket = await opened(campus.sam.web, campus.sam.user)
    settings.OLIMPUS_CONSOLE_IDLE_MINUTES = 0.5 / 60
    for _again in range(5):
        await asyncio.sleep(0.2)
        await socket.send_json_to({"here": True})
    assert not [message for message in socket.told if "end" in message]
    assert (await socket.until_told("end"))["code"] == 4408


@pytest.mark.parametrize("bound", ["OLIMPUS_CONSOLES_PER_USER", "OLIMPUS_CONSOLES"])
async def test_there_is_a_most(campus, settings, bound):
    setattr(settings, bound, 1)
    first = await opened(campus.sam.web, campus.sam.user)
    second = Socket(campus.sam.user, await ticket_of(campus.sam.web, campus.sam.user))
    await second.connect()
    assert (await second.until_told("end"))["code"] == 4429
    await first.disconnect()
    third = await opened(campus.sam.web, campus.sam.user)
    await third.disconnect()


async def test_a_hypervisor_that_does_not_answer_is_told_in_words(campus):
    ticket = await ticket_of(campus.sam.web, campus.sam.user)
    await sync_to_async(campus.do)("force_off", campus.sam.web)
    socket = Socket(campus.sam.user, ticket)
    await socket.connect()
    end = await socket.until_told("end")
    assert end["code"] == 4502
    assert "it must be on" in end["message"]


# -- screens -----------------------------------------------------------------------------------------------------------

REQUEST = struct.pack(">BBHHHH", 3, 1, 0, 0, 480, 250)
KEY = struct.pack(">BBxxI", 4, 1, ord("k"))


async def screen(campus: World, user: Any, **wish: Any) -> Socket:
    """A viewer who has said hello and has the whole picture."""
    socket = await opened(campus.sam.web, user, kind="vnc", **wish)
    await socket.until_shown("RFB 003.008\n")
    for said in (b"RFB 003.008\n", b"\x01", b"\x01"):
        await socket.send_to(bytes_data=said)
    await socket.until_shown(campus.sam.web.name)
    await socket.send_to(bytes_data=REQUEST)
    await drawn(socket)
    return socket


async def drawn(socket: Socket) -> None:
    """The next rows that the screen draws."""
    before = len(socket.shown)
    while len(socket.shown) < before + 480 * 10 * 4:
        await socket.next()


async def test_a_screen_is_drawn_and_asks_no_viewer_for_its_password(campus):
    socket = await screen(campus, campus.sam.user)
    assert socket.shown.startswith(b"RFB 003.008\n\x01\x01\0\0\0\0")
    await socket.send_to(bytes_data=KEY + REQUEST)
    await drawn(socket)
    await socket.disconnect()


async def test_keys_of_who_watches_a_screen_are_dropped(campus):
    socket = await screen(campus, campus.mia, watch=True)
    await socket.send_to(bytes_data=KEY + REQUEST)
    while True:  # whatever is told about viewers is no picture
        try:
            frame = await socket.receive_output(0.5)
        except TimeoutError:
            break
        assert "bytes" not in frame or frame["bytes"] is None


async def test_what_is_no_rfb_ends_it(campus):
    socket = await opened(campus.sam.web, campus.sam.user, kind="vnc")
    await socket.send_to(bytes_data=b"GET / HTTP/1.1\r\n\r\n")
    assert (await socket.until_told("end"))["code"] == 4400


async def test_who_signs_out_has_left(campus, monkeypatch):
    browser = Client()
    await sync_to_async(browser.force_login)(campus.sam.user)
    store = import_module(settings.SESSION_ENGINE).SessionStore
    socket = Socket(campus.sam.user, await ticket_of(campus.sam.web, campus.sam.user))
    socket.scope["session"] = store(browser.session.session_key)
    await socket.connect()
    await socket.until_told("open")
    await sync_to_async(journal.record)(campus.sam.user, "user.sign_out")  # elsewhere: this session goes on
    await socket.type("echo still\r")
    await socket.until_shown("\r\nstill")
    await sync_to_async(browser.logout)()
    await sync_to_async(journal.record)(campus.sam.user, "user.sign_out")
    assert (await socket.until_told("end"))["code"] == 4401


async def test_rights_that_go_without_a_word_in_the_journal_are_missed_soon(campus, monkeypatch):
    browser = Client()
    await sync_to_async(browser.force_login)(campus.sam.user)
    store = import_module(settings.SESSION_ENGINE).SessionStore
    socket = Socket(campus.sam.user, await ticket_of(campus.sam.web, campus.sam.user))
    socket.scope["session"] = store(browser.session.session_key)
    monkeypatch.setattr(feed, "RECHECK", 0.2)
    await socket.connect()
    await socket.until_told("open")
    await sync_to_async(NodeUserObjectPermission.objects.filter(user=campus.sam.user).delete)()
    assert (await socket.until_told("end"))["code"] == 4403


@pytest.mark.parametrize("deed", [accounts.deactivate, accounts.delete_user])
async def test_an_account_that_is_closed_loses_its_consoles(campus, deed):
    socket = await opened(campus.sam.web, campus.sam.user)
    await sync_to_async(deed)(campus.sam.user, actor=campus.root)
    assert (await socket.until_told("end"))["code"] in (4401, 4403)
    await socket.disconnect()
    assert (len(await journal_of("console.close")), consumer.keeper.held) == (1, set())


async def test_a_browser_that_goes_as_soon_as_it_is_told_leaves_nothing_open(campus, settings, monkeypatch):
    close = consumer._close_session

    async def slowly(*args: Any) -> None:
        await asyncio.sleep(0.2)
        await close(*args)

    monkeypatch.setattr(consumer, "_close_session", slowly)
    settings.OLIMPUS_CONSOLE_IDLE_MINUTES = 0.5 / 60
    socket = await opened(campus.sam.web, campus.sam.user)
    await socket.until_told("end")
    await socket.disconnect()
    assert (len(await journal_of("console.close")), consumer.keeper.held) == (1, set())
    assert not await sync_to_async(ConsoleSession.objects.exists)()


async def test_a_fault_of_ours_is_told(campus, monkeypatch):
    def fail(*_args: Any, **_more: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(consumer, "open_console", fail)
    socket = Socket(campus.sam.user, await ticket_of(campus.sam.web, campus.sam.user))
    assert (await socket.connect())[0]
    assert (await socket.until_told("end"))["code"] == 4502


async def test_a_bell_does_not_ring_into_the_hello_of_a_screen(campus, monkeypatch):
    greeted = consumer._greeted

    def ringing(console: Any) -> bytes:
        init = greeted(console)
        ours, theirs = socketpair()
        theirs.sendall(b"\x02")
        bells.append((theirs, console.sock))
        console.__dict__["sock"] = ours
        return init

    bells: list[Any] = []
    monkeypatch.setattr(consumer, "_greeted", ringing)
    socket = await opened(campus.sam.web, campus.sam.user, kind="vnc")
    await asyncio.sleep(0.1)
    await socket.send_to(bytes_data=b"RFB 003.008\n\x01\x01")
    await socket.until_shown("\x02")
    assert socket.shown.startswith(b"RFB 003.008\n\x01\x01\0\0\0\0")
    assert (socket.shown.count(b"\x02"), socket.shown[-1:]) == (1, b"\x02")
    for each in (sock for pair in bells for sock in pair):
        each.close()
