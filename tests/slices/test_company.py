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
from slices import actions, consumers
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
