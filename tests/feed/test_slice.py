"""The live status of a slice of 500 nodes: a change of one of them is one message, of that node alone; many are bundled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from descriptors import actions, reconcile, tree
from descriptors.models import Descriptor, Kind, Node
from hypervisors.drivers.mock import tamper
from tests.feed.test_consumer import campus as campus
from tests.feed.test_consumer import opened
from tests.feed.test_consumer import own_feed as own_feed

pytestmark = pytest.mark.django_db(transaction=True)

NODES = 500
#: Bytes that a message of one change may have.
SMALL = 600


def slice_of(world: Any, number: int) -> tuple[Node, list[Node]]:
    """A slice whose machines are only defined."""
    draft = tree.Draft("big", Kind.FOLDER, {"slice": {}, "hypervisor": world.hypervisor.name, "image": "debian-12"})
    (folder,) = tree.insert([(tree.by_path("/"), [draft])])
    drafts = [tree.Draft(f"n{each:03}", Kind.DESCRIPTOR, {}) for each in range(number)]
    return folder, tree.insert([(folder, drafts)])


@sync_to_async
def made(world: Any) -> tuple[Node, list[Node]]:
    return slice_of(world, NODES)


def running(world: Any, node: Node) -> Descriptor:
    world.do("create", Node.objects.get(pk=node.pk))
    world.do("start", Node.objects.get(pk=node.pk))
    return Descriptor.objects.get(pk=node.pk)


def by_hand(world: Any, node: Descriptor, power: str) -> None:
    """Behind our back; the hypervisor tells that this machine has changed."""
    tamper(world.home, world.hypervisor.name, node.vm_ref, power=power)
    reconcile.look(world.hypervisor.pk, {node.vm_ref})


@sync_to_async
def asked(verb: str, node: Node, world: Any) -> None:
    actions.request(verb, Node.objects.get(pk=node.pk), actor=world.root)


@pytest.mark.parametrize("power", ["paused", "off"])
async def test_one_change_is_one_message_of_that_node_alone(campus, own_feed, power):
    """What somebody does by hand with a machine that runs, as the hypervisor tells it."""
    folder, nodes = await made(campus)
    node = await sync_to_async(running)(campus, nodes[7])
    socket = await opened(campus.root)
    await socket.subscribe(folder.path)
    await sync_to_async(by_hand)(campus, node, power)
    text = await socket.receive_from(5)
    (event,) = json.loads(text)["events"]
    assert (event["path"], event["node"]) == (node.path, node.pk)
    assert len(text) < SMALL
    assert await socket.receive_nothing(0.3)
    await socket.disconnect()


async def test_an_operation_tells_each_of_its_steps_once(campus, own_feed):
    folder, nodes = await made(campus)
    socket = await opened(campus.root)
    await socket.subscribe(folder.path)
    await asked("create", nodes[7], campus)
    (queued,) = (await socket.receive_json_from(5))["events"]
    assert (queued["state"], queued["operation"]["status"]) == ("provisioned", "queued")
    await sync_to_async(campus.perform)()
    (ended,) = (await socket.receive_json_from(5))["events"]
    assert (ended["node"], ended["state"], ended["operation"]["status"]) == (nodes[7].pk, "created", "succeeded")
    assert await socket.receive_nothing(0.3)
    await socket.disconnect()


async def test_what_changes_together_is_told_together(campus, own_feed):
    folder, nodes = await made(campus)
    socket = await opened(campus.root)
    await socket.subscribe(folder.path)
    await asked("create", folder, campus)
    events = (await socket.receive_json_from(5))["events"]
    assert {event["node"] for event in events} == {folder.pk, *(node.pk for node in nodes)}
    assert len(events) == NODES + 1
    assert await socket.receive_nothing(0.3)
    await socket.disconnect()
