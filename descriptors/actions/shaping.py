"""Changing the tree: create, rename, move, copy, delete. The numbers are `descriptors.tree`'s business."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors import selectors, tree
from descriptors.access import Access
from descriptors.actions.cards import cards_of
from descriptors.actions.editing import checked
from descriptors.actions.effects import machines_under, plan
from descriptors.models import Folder, Kind, Node
from descriptors.names import clean_name, join
from descriptors.nics import joined
from descriptors.permissions import OPERATIONS, access_of, forget, require
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound

#: Parameters by path.
Chosen = Mapping[str, Mapping[str, Any]]
#: Parameters that say where a machine is put.
PLACES = frozenset({"host", "availability_zone"})
#: More nodes than this are not copied or applied in one go.
MOST = 20_000


def create_folder(parent: Node, name: str, *, actor: User, definition: object = None) -> Node:
    """A new folder. Conflict when the name is taken, Invalid, Forbidden."""
    return _create(parent, name, Kind.FOLDER, actor, definition)


def create_descriptor(parent: Node, name: str, *, actor: User, definition: object = None) -> Node:
    """A new machine, provisioned: a definition only. Conflict when the name is taken, Invalid, Forbidden."""
    return _create(parent, name, Kind.DESCRIPTOR, actor, definition)


@retry_on_deadlock
def _create(parent: Node, name: str, kind: Kind, actor: User, definition: object) -> Node:
    require(actor, "create_nodes", parent)
    with tree.lock():
        parent = reread(parent)
        require(actor, "create_nodes", parent)
        draft = tree.Draft(name, kind, {} if definition is None else definition)  # type: ignore[arg-type]
        return insert([(parent, [draft])], actor=actor)[0]


def insert(groups: Iterable[tuple[Node, list[tree.Draft]]], *, actor: User, chosen: Chosen | None = None) -> list[Node]:
    """Check drafts and put them below their parents, told to the journal. The caller has checked `create_nodes`.

    `chosen` are parameters, by path, that Olimpus itself chose: whoever asks needs no right to write them.
    """
    groups = list(groups)
    for parent, drafts in groups:
        check_drafts(parent.path, drafts, actor, chosen or {})
    nodes = tree.insert(groups)
    changes = {node.path: node.definition for node in nodes}
    plan(
        changes, machines_under([node.path for node in nodes if node.parent_id in {p.pk for p, _ in groups}])
    ).refuse_if_broken()
    forget()
    journal.record_many(journal.Draft(actor, f"{node.kind}.create", node.path, node.pk) for node in nodes)
    return nodes


def check_drafts(path: str, drafts: Iterable[tree.Draft], actor: User, chosen: Chosen | None = None) -> None:
    for draft in drafts:
        draft.name = clean_name(draft.name)
        here = join(path, draft.name)
        draft.definition = checked(here, draft.definition, actor=actor, before={}, new=True)
        draft.definition |= (chosen or {}).get(here, {})
        check_drafts(here, draft.children, actor, chosen)


def rename(node: Node, name: str, *, actor: User) -> Node:
    """Give a node another name; everything below gets its new path. Conflict when taken."""
    if node.parent is None:
        raise Conflict(_("The root has no name to change."), where=node.path)
    return move(node, node.parent, actor=actor, name=name)


@retry_on_deadlock
def move(node: Node, parent: Node, *, actor: User, name: str | None = None) -> Node:
    """Put a node, with all below it, under another folder. Machines keep running; what they inherit may change.

    Conflict when it would end below itself or the name is taken; Forbidden without `move` on all of it and
    `create_nodes` at the destination; Invalid when a definition could not be computed there.
    """
    require(actor, "move", node)
    with tree.lock():
        node, parent = reread(node), reread(parent)
        require_branch(actor, "move", node)
        if parent.pk != node.parent_id:
            require(actor, "create_nodes", parent)
        old, before = node.path, access_of(actor)
        machines = machines_under([old])
        fresh = tree.move(node, parent, name=name)
        if fresh.path == old:
            return fresh
        plan({}, machines, moved={old: fresh.path}).refuse_if_broken()
        forget()
        require_no_gain(before, old, fresh.path)
        journal.record(actor, f"{fresh.kind}.move", path=fresh.path, node_id=fresh.pk, data={"from": old})
        return fresh


def require_no_gain(before: Access, old: str, new: str) -> None:
    """Nobody moves a node to where more is allowed to him than where it was."""
    after = before.moved(old, new)
    gained = [label for name, label in OPERATIONS.items() if after.can(name, new) and not before.can(name, old)]
    if gained:
        raise Forbidden(
            _("There you could do what you may not do here: %s.") % ", ".join(map(str, gained)),
            where=f"{old} → {new}",
            hint=_("Ask a manager of this folder."),
        )


@retry_on_deadlock
def copy(node: Node, parent: Node, *, actor: User, name: str | None = None, new_addresses: bool = True) -> Node:
    """Copy a node, with what the actor may see below it, as provisioned machines; returns the copy.

    `new_addresses` leaves MACs and fixed addresses out, so that the copies get their own; otherwise they carry the same,
    and the second one to be created is refused. Grants are not copied.
    """
    require(actor, "see", node)
    require(actor, "create_nodes", parent)
    with tree.lock():
        return _copy(reread(node), reread(parent), actor, name, new_addresses)


def _copy(node: Node, parent: Node, actor: User, name: str | None, new_addresses: bool) -> Node:
    draft = draft_of(node, parent, name, actor=actor, new_addresses=new_addresses)
    return insert([(parent, [draft])], actor=actor)[0]


def draft_of(node: Node, parent: Node, name: str | None, *, actor: User, new_addresses: bool) -> tree.Draft:
    """What `copy` would put below `parent`. Conflict for a folder into itself, Invalid for too many nodes."""
    if node.is_folder and (parent.pk == node.pk or parent.path.startswith(f"{node.path.rstrip('/')}/")):
        raise Conflict(_("A folder cannot be copied into itself."), where=f"{node.path} → {parent.path}")
    draft = _drafts(node, actor, new_addresses=new_addresses)
    draft.name = name or node.name
    return draft


def duplicate(node: Node, *, actor: User) -> Node:
    """A copy beside the original, with the first free name of the form `name-2`."""
    if node.parent is None:
        raise Conflict(_("The root cannot be duplicated."), where=node.path)
    taken = set(Node.objects.filter(parent=node.parent).values_list("name", flat=True))
    number = next(number for number in range(2, len(taken) + 3) if f"{node.name}-{number}" not in taken)
    return copy(node, node.parent, actor=actor, name=f"{node.name}-{number}")


def _drafts(node: Node, actor: User, *, new_addresses: bool) -> tree.Draft:
    branch = Node.objects.filter(selectors.inside(node.path, itself=True)).order_by("lft")
    access = access_of(actor)
    rows = [row for row in branch if access.can("see", row.path)]
    if len(rows) > MOST:
        raise Invalid(_("At most %d nodes are copied at once.") % MOST, where=node.path)
    cards = {} if new_addresses else cards_of(row.pk for row in rows if not row.is_folder)
    stops = (
        set(
            Folder.objects.filter(pk__in=[row.pk for row in rows if row.is_folder], inherit_grants=False).values_list(
                "pk", flat=True
            )
        )
        if rows
        else set()
    )
    made: dict[int, tree.Draft] = {}
    along: dict[int | None, frozenset[str]] = {}  # by folder: the networks that are copied along as another one's own
    for row in rows:
        along[row.pk] = along.get(row.parent_id, frozenset()) | own_networks(row.definition)
        definition = (
            without_addresses(row.definition, along[row.pk])
            if new_addresses
            else joined(row.definition, cards.get(row.pk, {}))
        )
        definition = definition if row.is_folder else without_place(definition)
        made[row.pk] = tree.Draft(row.name, Kind(row.kind), definition, [], row.pk not in stops)
        if row.pk != node.pk and row.parent_id in made:
            made[row.parent_id].children.append(made[row.pk])
    return made[node.pk]


def own_networks(definition: Mapping[str, Any]) -> frozenset[str]:
    """The networks that a folder's local definition says are its own."""
    networks = definition.get("networks") or {}
    return frozenset(name for name, network in networks.items() if (network or {}).get("own"))


def without_addresses(definition: Mapping[str, Any], own: Collection[str] = ()) -> dict[str, Any]:
    """The definition without MACs and fixed addresses, but those in networks `own` that are copied along."""
    nics = definition.get("nics")
    return {**definition, "nics": [_without_address(nic, own) for nic in nics]} if nics else dict(definition)


def _without_address(nic: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    # An address that makes the MAC would make the same one again.
    stays = nic.get("ip") == "auto" or (nic.get("network") in own and nic.get("ip_mode") != "mac")
    return {name: value for name, value in nic.items() if name != "mac" and (name != "ip" or stays)}


def without_place(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition without the place that the plan of a slice chose for its machine."""
    node = definition.get("node") or {}
    chosen = PLACES.intersection(node.get("planned") or ())
    if not chosen:
        return dict(definition)
    kept = {name: value for name, value in definition.items() if name not in chosen}
    return kept | {"node": {**node, "planned": [name for name in node["planned"] if name not in chosen]}}


@retry_on_deadlock
def remove(node: Node, *, actor: User) -> int:
    """Delete a node and all below it; returns how many. Conflict, naming them, while machines below stand on a hypervisor."""
    require(actor, "delete", node)
    with tree.lock():
        fresh = reread(node)
        require_branch(actor, "delete", fresh)
        number = (fresh.rght - fresh.lft + 1) // 2
        tree.remove([fresh])
        forget()
        journal.record(actor, f"{node.kind}.delete", path=fresh.path, node_id=fresh.pk, data={"nodes": number})
        return number


def remove_machines(nodes: Sequence[Node], *, actor: User) -> None:
    """Delete machines that stand nowhere. Raises as `remove` does; called under the lock of the tree."""
    for node in nodes:
        require(actor, "delete", node)
    tree.remove(nodes)
    forget()
    journal.record_many(journal.Draft(actor, f"{node.kind}.delete", node.path, node.pk, {"nodes": 1}) for node in nodes)


def reread(node: Node) -> Node:
    """The row as it is now, under the lock: positions and paths shift while others work."""
    fresh = Node.objects.filter(pk=node.pk).first()
    if fresh is None:
        raise NotFound(_("It was removed meanwhile."), where=node.path)
    return fresh


def require_branch(actor: User, operation: str, node: Node) -> None:
    """The operation must be allowed at the node and at everything below it."""
    require(actor, operation, node)
    access = access_of(actor)
    if access.everything:
        return
    for path in Node.objects.filter(selectors.inside(node.path)).values_list("path", flat=True):
        if not access.can(operation, path):
            raise Forbidden(
                _("Something below is not yours to move or delete."),
                where=path if access.can("see", path) else node.path,
                hint=_("Ask a manager of this folder."),
            )
