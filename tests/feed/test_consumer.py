"""The WebSocket door: who hears what, resuming, revoked rights, nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError

from accounts import actions as accounts
from accounts import journal
from accounts.models import Entry
from descriptors import actions, consumers, feed, tree
from descriptors.consumers import FeedConsumer
from descriptors.feed import BACKLOG, Feed, last_id
from descriptors.models import Node
from hypervisors.gateway import forget_gateways
from olimpus.celery import app
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def own_feed(monkeypatch) -> AsyncIterator[Feed]:
    """A feed of this test's event loop, as a fresh web process has one."""
    mine = Feed()
    monkeypatch.setattr(consumers, "feed", mine)
    yield mine
    if mine._task:
        mine._task.cancel()
        await asyncio.gather(mine._task, return_exceptions=True)


@pytest.fixture
def campus(transactional_db, settings, tmp_path, monkeypatch):
    """The world on committed rows, with its people made."""
    settings.OLIMPUS_HOME = tmp_path
    monkeypatch.setattr(app, "send_task", lambda *_args, **_options: None)
    if not Node.objects.filter(path="/").exists():
        tree.plant()
    made = World(tmp_path)
    assert made.sam.web
    assert made.ana.web
    assert made.probe
    assert made.stranger
    yield made
    forget_gateways()


class Socket(WebsocketCommunicator):
    """A browser's end."""

    def __init__(self, user: Any):
        super().__init__(FeedConsumer.as_asgi(), "/ws/feed")
        self.scope["user"] = user

    async def subscribe(self, *paths: str, since: int | None = None) -> Any:
        await self.send_json_to({"subscribe": paths, "since": since})
        return await self.receive_json_from(5)

    async def events(self, number: int) -> list[dict[str, Any]]:
        """The next events, however they are packed."""
        found: list[dict[str, Any]] = []
        while len(found) < number:
            found += (await self.receive_json_from(5)).get("events", [])
        return found


async def opened(user: Any) -> Socket:
    socket = Socket(user)
    assert (await socket.connect())[0]
    return socket


@sync_to_async
def happen(verb: str, *nodes: Any, **data: Any) -> list[int]:
    """Entries of the journal about these nodes."""
    return [journal.record(None, verb, path=node.path, node_id=node.pk, data=data).pk for node in nodes]


async def test_whoever_listens_hears_what_happens_below(campus, own_feed):
    socket = await opened(campus.root)
    first = await socket.subscribe("/courses")
    assert first == {"events": [], "settled": await sync_to_async(last_id)()}
    pk, _other = await happen("vm.start", campus.sam.web, campus.probe, state="starting", operation={"id": "1"})
    (event,) = await socket.events(1)
    assert event["id"] == pk
    assert (event["path"], event["node"], event["state"]) == (campus.sam.web.path, campus.sam.web.pk, "starting")
    assert (event["verb"], event["operation"], event["error"]) == ("vm.start", {"id": "1"}, None)
    assert await socket.receive_nothing(0.3)  # the probe is elsewhere
    await socket.disconnect()
    assert own_feed.listeners == set()


async def test_two_people_hear_different_things(campus, own_feed):
    sam, ana = await opened(campus.sam.user), await opened(campus.ana.user)
    for socket in (sam, ana):
        assert "closed" not in await socket.subscribe("/courses")
    await happen("vm.stop", campus.sam.web, campus.ana.web, campus.sam.db, campus.tel141)
    assert [event["path"] for event in await sam.events(2)] == [campus.sam.web.path, campus.sam.db.path]
    assert [event["path"] for event in await ana.events(1)] == [campus.ana.web.path]
    assert await ana.receive_nothing(0.3)
    for socket in (sam, ana):
        await socket.disconnect()


async def test_what_may_not_be_seen_is_closed(campus, own_feed):
    socket = await opened(campus.sam.user)
    assert await socket.subscribe("/lab", campus.ana.folder.path, campus.sam.folder.path) == {
        "closed": sorted([campus.ana.folder.path, "/lab"])
    }
    assert "events" in await socket.receive_json_from(5)
    await happen("vm.stop", campus.ana.web, campus.sam.web)
    assert [event["path"] for event in await socket.events(1)] == [campus.sam.web.path]
    await socket.disconnect()


async def test_a_revoked_grant_closes_the_path_at_once(campus, own_feed):
    socket = await opened(campus.sam.user)
    await socket.subscribe(campus.sam.folder.path)
    await sync_to_async(actions.revoke)(campus.sam.folder, "user", user=campus.sam.user, actor=campus.root)
    await happen("vm.stop", campus.sam.web)
    assert await socket.receive_json_from(5) == {"closed": [campus.sam.folder.path]}
    assert (await socket.receive_output(5))["code"] == 4403


async def test_a_disabled_account_hears_nothing_more(campus, own_feed):
    socket = await opened(campus.sam.user)
    await socket.subscribe(campus.sam.folder.path)
    await sync_to_async(accounts.deactivate)(campus.sam.user, actor=campus.root)
    await happen("vm.stop", campus.sam.web)
    assert await socket.receive_json_from(5) == {"closed": [campus.sam.folder.path]}


async def test_a_new_grant_is_heard_at_once(campus, own_feed):
    socket = await opened(campus.sam.user)
    await socket.subscribe("/courses")
    await sync_to_async(actions.grant)(campus.ana.folder, "user", user=campus.sam.user, actor=campus.root)
    await happen("vm.stop", campus.ana.web)
    assert (await socket.events(2))[-1]["path"] == campus.ana.web.path
    await socket.disconnect()


async def test_resuming_tells_what_was_missed(campus, own_feed):
    socket = await opened(campus.root)
    cursor = (await socket.subscribe("/"))["settled"]
    await socket.disconnect()
    missed = await happen("vm.stop", campus.sam.web, campus.ana.web)
    socket = await opened(campus.sam.user)
    answer = await socket.subscribe("/courses", since=cursor)
    assert [event["id"] for event in answer["events"]] == missed[:1]  # ana's is not his
    assert answer["settled"] >= cursor
    (later,) = await happen("vm.start", campus.sam.web)
    heard: set[int] = set()
    while later not in heard:
        heard |= {event["id"] for event in await socket.events(1)}
    assert heard <= {missed[0], later}  # at least once: the browser knows what it has had
    await socket.disconnect()


async def test_nothing_is_lost_between_the_backlog_and_the_tail(campus, own_feed):
    """Entries that are written all the time while somebody comes arrive once and completely."""
    cursor = await sync_to_async(last_id)()
    written: list[int] = []

    async def write() -> None:
        for _ in range(40):
            written.extend(await happen("vm.stop", campus.sam.web))

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.02)
    socket = await opened(campus.root)
    await socket.send_json_to({"subscribe": ["/"], "since": cursor})
    await writing
    heard: set[int] = set()
    while heard < set(written):
        heard |= {event["id"] for event in (await socket.receive_json_from(5)).get("events", [])}
    assert heard == set(written)
    await socket.disconnect()


async def test_too_long_an_absence_means_reading_the_page_again(campus, own_feed):
    cursor = await sync_to_async(last_id)()
    await sync_to_async(journal.record_many)(journal.Draft(None, "vm.stop", "/lab") for _ in range(BACKLOG + 1))
    socket = await opened(campus.root)
    answer = await socket.subscribe("/", since=cursor)
    assert answer["resync"] is True
    assert answer["settled"] == await sync_to_async(last_id)()
    await happen("vm.start", campus.probe)
    assert [event["verb"] for event in await socket.events(1)] == ["vm.start"]
    await socket.disconnect()


async def test_a_huge_burst_arrives_completely(campus, own_feed):
    socket = await opened(campus.root)
    await socket.subscribe("/")
    number = 2 * BACKLOG + 500
    await sync_to_async(journal.record_many)(
        journal.Draft(None, "vm.stop", campus.probe.path, campus.probe.pk) for _ in range(number)
    )
    heard = [event["id"] for event in await socket.events(number)]
    assert len(set(heard)) == number
    assert heard == sorted(heard)
    await socket.disconnect()


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "hello",
        "[]",
        "{}",
        '{"subscribe": "/"}',
        '{"subscribe": [1]}',
        '{"subscribe": [], "since": "1"}',
        '{"subscribe": ["/"], "since": -1}',
        '{"subscribe": ["/"], "since": true}',
        '{"subscribe": ["/"], "since": 99999999999999999999}',
        '{"subscribe": ["/"], "since": 1.5}',
        '{"subscribe": [' + ",".join(['"/a"'] * 201) + "]}",
        '"' + "x" * 70000 + '"',
        "[" * 30000,
    ],
)
async def test_nonsense_is_answered_and_changes_nothing(campus, own_feed, text):
    socket = await opened(campus.root)
    await socket.send_to(text_data=text)
    assert "error" in await socket.receive_json_from(5)
    assert own_feed.listeners == set()
    assert "settled" in await socket.subscribe("/")
    await socket.disconnect()


async def test_binary_messages_are_nonsense_too(campus, own_feed):
    socket = await opened(campus.root)
    await socket.send_to(bytes_data=b"\x00\x01")
    assert "error" in await socket.receive_json_from(5)
    await socket.disconnect()


async def test_anonymous_visitors_are_told_to_sign_in(campus, own_feed):
    socket = Socket(AnonymousUser())
    assert (await socket.connect())[0]
    await socket.send_to(text_data=json.dumps({"subscribe": ["/"]}))
    assert (await socket.receive_output(5))["code"] == 4401
    assert own_feed.listeners == set()


async def test_subscribing_again_replaces_the_paths(campus, own_feed):
    socket = await opened(campus.root)
    await socket.subscribe("/courses")
    await socket.subscribe("/lab/common", campus.sam.web.path + "/")
    await happen("vm.stop", campus.ana.web, campus.probe, campus.sam.web)
    assert [event["path"] for event in await socket.events(2)] == [campus.probe.path, campus.sam.web.path]
    await socket.disconnect()


async def test_one_broken_socket_does_not_silence_the_others(campus, own_feed):
    class Broken:
        user, paths = campus.root, {"/"}

        async def tell(self, text: str) -> None:
            raise ConnectionResetError

    broken = Broken()
    await own_feed.join(broken)
    socket = await opened(campus.root)
    await socket.subscribe("/")
    await happen("vm.stop", campus.probe)
    assert len(await socket.events(1)) == 1
    assert broken not in own_feed.listeners
    await socket.disconnect()


async def test_a_database_that_fails_for_a_while_loses_nothing(campus, own_feed, monkeypatch):
    socket = await opened(campus.root)
    await socket.subscribe("/")
    real, failures = feed._news, iter(range(3))

    async def sometimes(*arguments: Any) -> Any:
        for _failure in failures:
            raise OperationalError("gone away")
        return await real(*arguments)

    monkeypatch.setattr(feed, "_news", sometimes)
    (pk,) = await happen("vm.stop", campus.probe)
    assert [event["id"] for event in await socket.events(1)] == [pk]
    await socket.disconnect()


async def test_ids_that_were_missing_when_the_first_listener_came_are_told_when_they_appear(campus, own_feed):
    """A transaction that overlaps: its id is older than what is visible when the socket opens."""
    (late, visible) = await happen("vm.stop", campus.probe, campus.probe)
    entry = await Entry.objects.aget(pk=late)
    await Entry.objects.filter(pk=late).adelete()
    cursor = await sync_to_async(last_id)()
    assert cursor < late < visible
    socket = await opened(campus.root)
    answer = await socket.subscribe("/", since=cursor)
    assert [event["id"] for event in answer["events"]] == [visible]
    assert answer["settled"] < late
    await sync_to_async(entry.save)(force_insert=True)
    assert [event["id"] for event in await socket.events(1)] == [late]
    await socket.disconnect()
