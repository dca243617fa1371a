"""Slices come into being: a folder with its machines, definitions only."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors import selectors as nodes
from descriptors import tree
from descriptors.actions.deploying import folder_for, undone_on_errors
from descriptors.actions.editing import edit
from descriptors.actions.shaping import insert, rename, reread
from descriptors.models import Kind, Node
from descriptors.permissions import require
from hypervisors.models import Hypervisor
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, Invalid
from slices import ipam
from slices.graph import Graph, check
from slices.treeform import tree_of


def create(graph: Graph, folder: str, *, actor: User) -> Node:
    """A new slice of this name in the folder at this path; "": the one called as its hypervisor, made when it is missing.

    Its networks get ranges and its cards addresses. All or nothing: Invalid, Forbidden, NotFound, Conflict (the name is
    taken).
    """
    if not graph.name:
        raise Invalid(_("A slice needs a name."), where="name")
    check(graph)
    graph = ipam.addressed(graph)
    ipam.check_addresses(graph)
    return undone_on_errors(_create, graph, folder, actor)


def _create(graph: Graph, path: str, actor: User) -> Node:
    above = _above(graph, path, actor)
    with tree.lock():
        parent = reread(above)
        require(actor, "create_nodes", parent)
        made = tree_of(graph)
        drafts = [tree.Draft(name, Kind.DESCRIPTOR, definition) for name, definition in made.machines.items()]
        new = insert([(parent, [tree.Draft(graph.name, Kind.FOLDER, made.folder, drafts)])], actor=actor)
        folder = next(node for node in new if node.is_folder)
        journal.record(actor, "slice.create", path=folder.path, node_id=folder.pk, data={"nodes": len(drafts)})
    return folder


def _above(graph: Graph, path: str, actor: User) -> Node:
    if path:
        found = nodes.get(actor, path)
        if not found.is_folder:
            raise Conflict(_("This is a machine, not a folder."), where="folder")
        return found
    name = str(graph.defaults.get("hypervisor") or "")
    hypervisor = Hypervisor.objects.filter(name=name).first()
    if hypervisor is None:
        raise Invalid(_("Name the folder that gets it."), where="folder", hint=_("Or name its hypervisor."))
    return folder_for(hypervisor, "", actor=actor)


@retry_on_deadlock
def describe(folder: Node, *, actor: User, name: str | None = None, **said: str | bool) -> Node:
    """Another name, or what the slice says of itself (`description`, `template`); the fresh folder.

    Raises like `rename` and `edit`.
    """
    with transaction.atomic():
        if said:
            slice_ = {key: value for key, value in {**folder.definition["slice"], **said}.items() if value}
            folder = edit(folder, {**folder.definition, "slice": slice_}, actor=actor)
        return rename(folder, name, actor=actor) if name is not None and name != folder.name else folder
