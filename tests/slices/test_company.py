"""Two people at one drawing: each hears who else is there and who saved; who may only look is not seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser

from descriptors import actions as tree_actions
from descriptors.feed import Feed
from descriptors.models import Node
from olimpus.errors import Conflict
from slices import actions, company, consumers
from slices.company import Round
from slices.graph import Graph
from slices.graph import Node as Machine
from slices.models import Visit
from tests.feed.test_consumer import campus as campus
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def drawing(campus: World, monkeypatch: Any) -> AsyncIterator[Node]:
    """A slice in a folder that sam manages, in a process of its own."""
    listened, round_ = Feed(), Round()
    monkeypatch.setattr(consumers, "feed", listened)
    monkeypatch.setattr(consumers, "company", round_)
    yield await sync_to_async(_drawn)(campus)
    for task in (listened._task, round_._task):
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _drawn(campus: World) -> Node:
    tree_actions.grant(campus.courses, "manager", user=campus.sam.user, actor=campus.root)
    tree_actions.grant(campus.courses, "user", user=campus.ana.user, actor=campus.root)
    return actions.create(Graph("ring", nodes=(Machine("r1"),)), campus.courses.path, actor=campus.root)


async def opened(user: Any, key: int) -> WebsocketCommunicator:
    """A browser's end, with the drawing open."""
    socket = WebsocketCommunicator(URLRouter(consumers.websocket_urlpatterns), f"/ws/slices/{key}")
    socket.scope["user"] = user
    assert (await socket.connect())[0]
    return socket


async def test_what_is_removed_while_it_is_opened_is_not_there(campus: World, drawing: Node, monkeypatch: Any) -> None:
    seen = consumers.can

    def slow(*asked: Any) -> bool:
        tree_actions.remove(Node.objects.get(pk=drawing.pk), actor=campus.root)
        return seen(*asked)

    monkeypatch.setattr(consumers, "can", slow)
    socket = await opened(campus.root, drawing.pk)
    assert await socket.receive_output(5) == {"type": "websocket.close", "code": 4403}


async def test_each_hears_who_edits_too_and_who_saved(campus: World, drawing: Node) -> None:
    root = await opened(campus.root, drawing.pk)
    assert await root.receive_json_from(5) == {"others": [], "version": 0, "by": "", "at": None}
    sam = await opened(campus.sam.user, drawing.pk)
    name = campus.sam.user.get_username()
    assert (await sam.receive_json_from(5))["others"] == [campus.root.username]
    assert (await root.receive_json_from(5))["others"] == [name]

    document = {"nodes": [{"name": "r1"}, {"name": "r2"}]}
    await sync_to_async(actions.save_draft)(drawing, document, version=0, actor=campus.sam.user)
    told = await root.receive_json_from(5)
    assert (told["version"], told["by"]) == (1, name)
    await sam.disconnect()
    assert (await root.receive_json_from(5))["others"] == []
    await root.disconnect()
    assert not await Visit.objects.aexists()


async def test_who_may_only_look_is_not_seen_but_hears(campus: World, drawing: Node) -> None:
    ana = await opened(campus.ana.user, drawing.pk)
    root = await opened(campus.root, drawing.pk)
    assert (await root.receive_json_from(5))["others"] == []
    while not (told := await ana.receive_json_from(5))["others"]:
        pass
    assert told["others"] == [campus.root.username]
    for socket in (ana, root):
        await socket.disconnect()


async def test_who_is_there_twice_is_one_person(campus: World, drawing: Node) -> None:
    name = campus.sam.user.get_username()
    root, one = await opened(campus.root, drawing.pk), await opened(campus.sam.user, drawing.pk)
    other = await opened(campus.sam.user, drawing.pk)
    assert (await other.receive_json_from(5))["others"] == [campus.root.username, name]
    while (await one.receive_json_from(5))["others"] != [campus.root.username, name]:
        pass
    while (told := (await root.receive_json_from(5))["others"]) == []:
        pass
    assert told == [name]

    save = sync_to_async(actions.save_draft)
    await save(drawing, {"nodes": []}, version=0, actor=campus.sam.user)
    told = await other.receive_json_from(5)
    assert (told["by"], name in told["others"]) == (name, True)
    with pytest.raises(Conflict, match="You yourself"):
        await save(drawing, {"nodes": [{"name": "r9"}]}, version=0, actor=campus.sam.user)
    with pytest.raises(Conflict, match=name):
        await save(drawing, {"nodes": [{"name": "r9"}]}, version=0, actor=campus.root)
    for socket in (root, one, other):
        await socket.disconnect()


async def test_nobody_has_too_many_windows(campus: World, drawing: Node, monkeypatch: Any) -> None:
    monkeypatch.setattr(company, "MOST_WINDOWS", 2)
    monkeypatch.setattr(consumers, "MOST_WINDOWS", 2)
    here = [await opened(campus.sam.user, drawing.pk) for _each in range(2)]
    more = await opened(campus.sam.user, drawing.pk)
    end = (await more.receive_json_from(5))["end"]
    assert (end["code"], end["message"]) == (
        4429,
        "You have 2 drawings open: this window is not told who else edits it.",
    )
    assert (await more.receive_output(5))["code"] == consumers.FULL
    await more.disconnect()
    others = await opened(campus.root, drawing.pk)
    assert (await others.receive_json_from(5))["others"] == [campus.sam.user.get_username()]
    await here.pop().disconnect()
    here += [others, await opened(campus.sam.user, drawing.pk)]
    assert "others" in await here[-1].receive_json_from(5)
    for socket in here:
        await socket.disconnect()
    assert not await Visit.objects.aexists()


async def test_who_loses_the_right_is_gone(campus: World, drawing: Node) -> None:
    sam = await opened(campus.sam.user, drawing.pk)
    await sam.receive_json_from(5)
    await sync_to_async(tree_actions.revoke)(campus.courses, "manager", user=campus.sam.user, actor=campus.root)
    assert (await sam.receive_output(5))["code"] == consumers.NOT_ALLOWED
    await sam.disconnect()
    assert not await Visit.objects.aexists()


async def test_strangers_are_told_why(campus: World, drawing: Node) -> None:
    for user, code in ((AnonymousUser(), consumers.NOT_SIGNED_IN), (campus.stranger, consumers.NOT_ALLOWED)):
        socket = await opened(user, drawing.pk)
        assert (await socket.receive_output(5))["code"] == code
