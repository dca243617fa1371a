"""From a wish to machines in one step: definitions in the tree, and the operation that creates them, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors, tree
from descriptors.actions.requesting import faults_of, request
from descriptors.actions.shaping import create_descriptor, create_folder, insert, reread
from descriptors.models import Kind, Node, Operation
from descriptors.permissions import can, forget, require
from hypervisors.models import Hypervisor
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, Invalid, OlimpusError

T = TypeVar("T")


@dataclass(frozen=True)
class Slice:
    """A folder with its definition, and the machines in it: name → local definition."""

    name: str
    common: Mapping[str, Any]
    machines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def deploy_machine(
    hypervisor: Hypervisor, folder: str, name: str, definition: Mapping[str, Any], *, actor: User, start: bool = False
) -> tuple[Operation, Node]:
    """Define a machine and ask for `create`, and with `start` for switching it on, as one operation.

    `folder` "": `/<name of the hypervisor>`, made when it is missing by whoever may. Invalid, Forbidden, NotFound, Conflict;
    nothing is changed then.
    """
    return undone_on_errors(_machine, hypervisor, folder, name, definition, actor=actor, start=start)


def deploy_slice(
    hypervisor: Hypervisor, folder: str, wish: Slice, *, actor: User, start: bool = True, rollback: bool = False
) -> tuple[Operation, Node]:
    """Make the slice's folder with its machines and ask for `create` on all of it: one operation with one for each machine.

    With `rollback` all of them are destroyed when one fails; otherwise what failed can be asked for again. Raises like
    `deploy_machine`; Conflict too when one of the machines could not begin.
    """
    return undone_on_errors(_slice, hypervisor, folder, wish, actor=actor, start=start, rollback=rollback)


def require_place(hypervisor: Hypervisor, folder: str, *, actor: User) -> None:
    """Raise what `deploy_machine` and `deploy_slice` would for want of a right at their folder; nothing is changed.

    For doors that ask the cloud about a wish: what it has is told to nobody who may make nothing there.
    """
    place = _place(hypervisor, folder, actor) or tree.by_path("/")
    for operation in ("create_nodes", "create"):
        require(actor, operation, place)


def undone_on_errors(do: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """What `do` returns, tried again after a deadlock. It is one transaction: after an error nothing of it is true."""
    try:
        return retry_on_deadlock(do)(*args, **kwargs)
    except OlimpusError:
        forget()  # what was read of rights inside the transaction is not so
        raise


def _machine(
    hypervisor: Hypervisor, folder: str, name: str, definition: Mapping[str, Any], *, actor: User, start: bool
) -> tuple[Operation, Node]:
    parent = folder_for(hypervisor, folder, actor=actor)
    node = create_descriptor(parent, name, actor=actor, definition=dict(definition))
    return request("create", node, actor=actor, arguments={"start": start}), node


def _slice(
    hypervisor: Hypervisor, folder: str, wish: Slice, *, actor: User, start: bool, rollback: bool
) -> tuple[Operation, Node]:
    above = folder_for(hypervisor, folder, actor=actor)
    with tree.lock():
        parent = reread(above)
        require(actor, "create_nodes", parent)
        machines = [tree.Draft(name, Kind.DESCRIPTOR, dict(own)) for name, own in wish.machines.items()]
        made = insert([(parent, [tree.Draft(wish.name, Kind.FOLDER, dict(wish.common), machines)])], actor=actor)
    top = next(node for node in made if node.is_folder)
    operation = request("create", top, actor=actor, arguments={"start": start, "rollback": rollback})
    if operation.skipped:
        faults = faults_of((operation.result or {}).get("skipped") or [])
        raise Conflict(_("Not all of its machines can be created."), where=top.path, errors=faults)  # half is none
    return operation, top


def folder_for(hypervisor: Hypervisor, path: str, *, actor: User) -> Node:
    """The folder that was named, or the one that is called as the hypervisor, made when it is missing."""
    if place := _place(hypervisor, path, actor):
        return place
    root = tree.by_path("/")
    return create_folder(root, hypervisor.name, actor=actor, definition={"hypervisor": hypervisor.name})


def _place(hypervisor: Hypervisor, path: str, actor: User) -> Node | None:
    """The folder as it is; None when it is missing and this person may make it."""
    if path:
        return _visible(path, actor)
    path = f"/{hypervisor.name}"
    if Node.objects.filter(path=path).exists():
        if can(actor, "create_nodes", path):
            return _visible(path, actor)
    elif can(actor, "create_nodes", "/"):
        return None
    hint = _("Without one it would be “%(path)s”, where you may not create machines.") % {"path": path}
    raise Invalid(_("Name the folder that gets it."), where="folder", hint=hint)


def _visible(path: str, actor: User) -> Node:
    try:
        node = selectors.get(actor, path)
    except OlimpusError as error:
        error.where = "folder"
        raise
    if not node.is_folder:
        raise Conflict(_("This is a machine, not a folder."), where="folder")
    return node
