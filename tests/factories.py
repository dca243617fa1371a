"""Single things for tests, made by the real actions. Named worlds of them are in `tests.world`."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from accounts.models import User
from descriptors import actions, tree
from descriptors.models import Descriptor, Kind, Node, Operation
from hypervisors import actions as hypervisor_actions
from hypervisors.models import Hypervisor

PASSWORD = "correct horse battery"
_numbers = count(1)


def superuser(name: str = "root") -> User:
    """An account that may do everything."""
    return User.objects.create_superuser(name, f"{name}@example.org", PASSWORD)


def user(name: str = "", *, kind: str = "simple", group: Group | None = None) -> User:
    """A simple user (or `kind="manager"`) without any grant."""
    made = User.objects.create_user(name or f"user-{next(_numbers)}", password=PASSWORD, kind=kind)
    if group:
        made.groups.add(group)
    return made


def hypervisor(actor: User, name: str = "mock-1", **settings: Any) -> Hypervisor:
    """A mock hypervisor that answers at once."""
    fields = {"name": name, "driver": "mock", "settings": {"latency": 0, **settings}, "concurrency": 4}
    return hypervisor_actions.create(fields, actor=actor)


def folder(path: str, actor: User, definition: dict[str, Any] | None = None) -> Node:
    """A folder at `path`; its parent is there already."""
    parent, _slash, name = path.rpartition("/")
    return actions.create_folder(tree.by_path(parent or "/"), name, actor=actor, definition=definition)


def machine(path: str, actor: User, definition: dict[str, Any] | None = None) -> Descriptor:
    """A provisioned machine at `path`; its parent is there already."""
    parent, _slash, name = path.rpartition("/")
    node = actions.create_descriptor(tree.by_path(parent or "/"), name, actor=actor, definition=definition)
    return Descriptor.objects.get(pk=node.pk)


def many_machines(path: str, number: int, actor: User) -> list[Node]:
    """`number` machines vm-00000, vm-00001, … in the folder at `path`."""
    drafts = [tree.Draft(f"vm-{index:05}", Kind.DESCRIPTOR) for index in range(number)]
    return tree.insert([(tree.by_path(path), drafts)])


def failed(operation: Operation, message: str = "No room.") -> Operation:
    """The operation as a worker leaves it when the hypervisor refuses."""
    descriptor = Descriptor.objects.get(pk=operation.open_for_id)
    descriptor.fail()
    descriptor.reason = message
    descriptor.save(update_fields=["state", "reason"])
    operation.status, operation.open_for = "failed", None
    operation.error = {"type": "hypervisor:error", "message": message}
    operation.save(update_fields=["status", "open_for", "error"])
    return operation


def client(who: User) -> APIClient:
    """An API client signed in as this person."""
    made = APIClient()
    made.force_authenticate(who)
    return made
