"""A world whose workers are engines of the tests; the queue only remembers what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from descriptors import actions, tree
from descriptors.models import Descriptor, Node, Operation, Status
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers import mock
from hypervisors.gateway import forget_gateways
from olimpus.celery import app
from tests import factories
from tests.world import World


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    """(task, ids, queue) of every message."""
    messages: list[tuple[str, list[str], str]] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue, **_: messages.append((task, args[0], queue)))
    return messages


@pytest.fixture
def threads_world(transactional_db: Any, settings: Any, tmp_path: Any) -> Iterator[World]:
    """The world, on committed rows: several threads see the same."""
    settings.OLIMPUS_HOME = tmp_path
    if not Node.objects.filter(path="/").exists():
        tree.plant()
    yield World(tmp_path)
    forget_gateways()


@pytest.fixture
def tune(world: World) -> Callable[..., None]:
    """Changes settings of the mock hypervisor."""

    def change(**settings: Any) -> None:
        hypervisor_actions.update(
            world.hypervisor, {"settings": world.hypervisor.settings | settings}, actor=world.root
        )
        world.hypervisor.refresh_from_db()

    return change


@pytest.fixture
def effects(world: World, settings: Any) -> Callable[[], list[str]]:
    """What really happened on the hypervisor so far."""
    return lambda: [event.verb for event in mock.events(settings.OLIMPUS_HOME, "mock-1")]


@pytest.fixture
def class_of(world: World) -> Callable[..., list[Descriptor]]:
    """Makes a folder of machines."""

    def make(number: int, definition: dict[str, Any] | None = None) -> list[Descriptor]:
        folder = factories.folder(f"{world.courses.path}/class", world.root, definition)
        factories.many_machines(folder.path, number, world.root)
        return list(Descriptor.objects.filter(parent=folder).order_by("path"))

    return make


def fresh(machine: Node) -> Descriptor:
    """As the database has it."""
    return Descriptor.objects.select_related("hypervisor", "open_operation").get(pk=machine.pk)


def make_due() -> None:
    """Let the pauses before the next attempts pass."""
    Operation.objects.filter(status=Status.QUEUED).update(wake_at=timezone.now() - timedelta(seconds=1))


def begin(world: World, verb: str, node: Node, **arguments: Any) -> Operation:
    """Ask for a verb as the superuser."""
    return actions.request(verb, node, actor=world.root, arguments=arguments)
