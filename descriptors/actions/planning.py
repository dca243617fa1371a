"""What a move or a copy would do, before it is done: paths, machines, access. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import selectors, tree
from descriptors.actions.cards import cards_of
from descriptors.actions.effects import EditPlan, machines_under, plan
from descriptors.actions.shaping import (
    check_drafts,
    draft_of,
    require_branch,
    require_no_gain,
    reread,
    without_addresses,
)
from descriptors.models import Descriptor, Kind, Node
from descriptors.names import join
from descriptors.permissions import access_of, can, require
from descriptors.states import State

Holder = tuple[str, str, str]  # "user" or "group", the name, the role


@dataclass(frozen=True)
class Share:
    """A role that somebody gains or loses, and the path where it was given."""

    kind: str  # "user" or "group"
    holder: str
    role: str
    where: str


@dataclass
class ShapePlan:
    """What a move or a copy does. Machines are named by their present paths."""

    old: str
    new: str
    folders: int
    machines: int
    #: Machines whose computed definition differs at the new place, and definitions that would break there.
    effects: EditPlan = field(default_factory=EditPlan)
    gained: list[Share] = field(default_factory=list)
    lost: list[Share] = field(default_factory=list)
    #: Roles that change and that whoever asks may not know of: only counted.
    unseen_shares: int = 0
    #: Addresses that two machines would carry: {"where", "message"}.
    clashes: list[dict[str, str]] = field(default_factory=list)

    @property
    def stays(self) -> bool:
        """Whether it is there already."""
        return self.old == self.new


def plan_move(node: Node, target: Node, *, actor: User, name: str | None = None) -> ShapePlan:
    """What `move` of the node below `target` would do; a rename when `target` is its folder. Changes nothing.

    Raises like `move`, except that definitions which would break are listed in the plan. A constant number of queries.
    """
    require(actor, "move", node)
    node, target = reread(node), reread(target)
    require_branch(actor, "move", node)
    if target.pk != node.parent_id:
        require(actor, "create_nodes", target)
    new = tree.destination(node, target, name)
    found = ShapePlan(node.path, new, *_numbers(node))
    if found.stays:
        return found
    access = access_of(actor)
    require_no_gain(access, node.path, new)
    found.effects = plan({}, machines_under([node.path]), moved={node.path: new}).veil(access)
    if target.pk != node.parent_id and _inherits(node):
        _share_move(found, node, target, actor)
    return found


def plan_copy(
    node: Node, target: Node, *, actor: User, name: str | None = None, new_addresses: bool = True
) -> ShapePlan:
    """What `copy` of the node into `target` would do: every copy is a definition only. Changes nothing.

    The effects compare each copy with its original: what it would inherit differently. Raises like `copy`, except that
    definitions which would break are listed in the plan. The number of queries grows with each five thousand nodes only.
    """
    require(actor, "see", node)
    require(actor, "create_nodes", target)
    node, target = reread(node), reread(target)
    draft = draft_of(node, target, name, actor=actor, new_addresses=new_addresses)
    check_drafts(target.path, [draft], actor)
    tree.check_insert(target, [draft])
    kinds = Counter(_kinds(draft))
    found = ShapePlan(node.path, join(target.path, draft.name), kinds[Kind.FOLDER], kinds[Kind.DESCRIPTOR])
    originals = _seen_machines(node, actor)
    if not new_addresses:
        found.clashes = _clashes(originals)
    found.effects = plan({}, _as_copies(originals, new_addresses), moved={found.old: found.new})
    _share_copy(found, node, target, actor)
    return found


def _numbers(node: Node) -> tuple[int, int]:
    """Folders and machines at and below the node."""
    machines = Descriptor.objects.filter(selectors.inside(node.path, itself=True)).count()
    return (node.rght - node.lft + 1) // 2 - machines, machines


def _kinds(draft: tree.Draft) -> Iterable[Kind]:
    yield draft.kind
    for child in draft.children:
        yield from _kinds(child)


def _seen_machines(node: Node, actor: User) -> list[Descriptor]:
    access = access_of(actor)
    return [machine for machine in machines_under([node.path]) if access.can("see", machine.path)]


def _as_copies(machines: Iterable[Descriptor], new_addresses: bool) -> list[Descriptor]:
    """The machines in memory as their copies begin: provisioned, their own addresses left out of the comparison."""
    copies = list(machines)
    for machine in copies:
        machine.state = State.PROVISIONED
        if new_addresses:
            machine.definition = without_addresses(machine.definition)
    return copies


def _clashes(machines: Collection[Descriptor]) -> list[dict[str, str]]:
    """Copies that carry the addresses of their originals."""
    cards = cards_of(machine.pk for machine in machines)
    message = _("The copy would carry %(mac)s too; of the two, only one can exist on a hypervisor.")
    return [
        {"where": machine.path, "message": message % {"mac": card.mac}}
        for machine in machines
        for card in cards.get(machine.pk, {}).values()
    ]


# -- who gains and who loses -------------------------------------------------------------------------------------------


def _inherits(node: Node) -> bool:
    return not node.is_folder or bool(node.folder.inherit_grants)


def _held(node: Node) -> dict[Holder, str]:
    """Who holds which role at the node, with the nearest path where it was given."""
    held: dict[Holder, str] = {}
    for row in selectors.grants_of(node):
        kind = "user" if "user" in row else "group"
        held.setdefault((kind, row[kind], row["role"]), row["from"])
    return held


def _share_move(found: ShapePlan, node: Node, target: Node, actor: User) -> None:
    """What the node has itself moves along; what it inherits is that of the new place."""
    here, there = _held(node), _held(target)
    gained = {holder: where for holder, where in there.items() if holder not in here}
    lost = {holder: where for holder, where in here.items() if holder not in there and where != node.path}
    _tell(found, gained, lost, node, target, actor)


def _share_copy(found: ShapePlan, node: Node, target: Node, actor: User) -> None:
    """Grants are not copied: the copy has what its place gives, unless its original inherits nothing."""
    here, there = _held(node), _held(target) if _inherits(node) else {}
    lost = {holder: where for holder, where in here.items() if holder not in there}
    _tell(found, there, lost, node, target, actor)


def _tell(
    found: ShapePlan,
    gained: Mapping[Holder, str],
    lost: Mapping[Holder, str],
    node: Node,
    target: Node,
    actor: User,
) -> None:
    """Names people only to those who may give access at the place in question."""
    for place, shares, told in ((target, gained, found.gained), (node, lost, found.lost)):
        if can(actor, "grant", place):
            told += [Share(*holder, where) for holder, where in shares.items()]
        else:
            found.unseen_shares += len(shares)
