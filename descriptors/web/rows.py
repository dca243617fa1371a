"""A node as a line of a table, a card, or the head of its page: everything read at once, nothing per row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from descriptors import selectors
from descriptors.cascade import Computed
from descriptors.models import Descriptor, Nic, Node, Operation
from descriptors.verbs import VERBS
from olimpus.errors import OlimpusError

#: Kinds of ways in from outside, as a person says it.
ENTRANCES: Final = {
    "forward": gettext_lazy("Forwarded port"),
    "floating": gettext_lazy("Floating address"),
    "jump": gettext_lazy("SSH through the gateway"),
}


@dataclass
class Row:
    """What a page shows of one node. `state` is what we hold; `shown_state` says so when nothing is known now."""

    node: Node
    descriptor: Descriptor | None = None
    operation: Operation | None = None
    offers: list[dict[str, Any]] = field(default_factory=list)
    cards: Sequence[Nic] = ()
    hypervisor: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    pending: bool = False
    fault: str = ""
    #: A link to its console makes sense; the page shows it while the machine is on.
    console: bool = False

    @property
    def picture(self) -> bool:
        """Whether its screen can be shown."""
        return self.console and self.descriptor is not None and selectors.has_picture(self.descriptor)

    @property
    def state(self) -> str:
        return self.descriptor.state if self.descriptor else ""

    @property
    def shown_state(self) -> str:
        """`unknown` while the hypervisor does not answer: its machines are not off."""
        return "unknown" if self.silent else self.state

    @property
    def silent(self) -> str:
        """What does not answer."""
        return self.descriptor.silent if self.descriptor else ""

    @property
    def below(self) -> int:
        """How many nodes are below a folder, by its place in the nested set."""
        return (self.node.rght - self.node.lft - 1) // 2

    @property
    def since(self) -> datetime:
        return self.descriptor.state_since if self.descriptor else self.node.updated_at

    @property
    def busy(self) -> str:
        """The label of the verb in progress, or ""."""
        return str(VERBS[self.operation.verb].label) if self.operation else ""

    @property
    def likely(self) -> list[dict[str, Any]]:
        """The verbs that are the next step in some state: one of them is shown in the row."""
        return [offer for offer in self.offers if offer["verb"].likely]


def rows_of(nodes: Iterable[Node], user: User) -> list[Row]:
    """Rows of nodes read by `selectors.nodes`; two queries whatever their number."""
    nodes = list(nodes)
    machines = [node.descriptor for node in nodes if not node.is_folder]
    return _rows(nodes, machines, user)


def rows_of_machines(machines: Iterable[Descriptor], user: User) -> list[Row]:
    """Rows of descriptors with hypervisor and open operation joined; two queries whatever their number."""
    machines = list(machines)
    return _rows(machines, machines, user)


def _rows(nodes: Sequence[Node], machines: Sequence[Descriptor], user: User) -> list[Row]:
    prefetch_related_objects(machines, "cards")
    computed = selectors.computed_many(machines)
    known = {machine.pk: machine for machine in machines}
    return [_row(node, known.get(node.pk), computed.get(node.pk), user) for node in nodes]


def _row(node: Node, machine: Descriptor | None, computed: Computed | OlimpusError | None, user: User) -> Row:
    if machine is None:
        return Row(node)
    fault = str(computed.message) if isinstance(computed, OlimpusError) else ""
    values = computed.values if isinstance(computed, Computed) else {}
    return Row(
        node,
        machine,
        operation=selectors.open_operation(machine),
        offers=offers_of(machine, user),
        cards=sorted(machine.cards.all(), key=lambda card: card.position),
        hypervisor=machine.hypervisor.name if machine.hypervisor else values.get("hypervisor", ""),
        values=values,
        pending=bool(values and selectors.pending(machine, values)),
        fault=fault,
        console=selectors.may_have_console(machine, user),
    )


def ways_in(row: Row) -> list[dict[str, Any]]:
    """How one gets in, as {what, text, long}: by its own addresses, then from outside.

    `custom.ssh_user` names who signs in at an address, when somebody wrote it.
    """
    user = _ssh_user(row.values)
    found = []
    for card in row.cards:
        found += [_way(_("Address"), card.ip)] if card.ip else []
        found += [_way("SSH", f"ssh {user}@{card.ip}", long=True)] if card.ip and user else []
    for way in selectors.entrances(row.descriptor) if row.descriptor else []:
        found.append(_way(str(ENTRANCES[way["kind"]]), _from_outside(way), long=True))
    return found


def _way(what: str, text: str, *, long: bool = False) -> dict[str, Any]:
    return {"what": what, "text": text, "long": long}


def _ssh_user(values: Mapping[str, Any]) -> str:
    custom = values.get("custom")
    user = custom.get("ssh_user") if isinstance(custom, Mapping) else None
    return user if isinstance(user, str) and user.isprintable() and " " not in user else ""


def _from_outside(way: selectors.Entrance) -> str:
    """What one types, or where it is and where it leads."""
    at = f"{way['address']}:{way['port']}" if way["port"] else way["address"]
    return way["command"] or f"{at} → {way['target']}"


def offers_of(machine: Descriptor, user: User) -> list[dict[str, Any]]:
    """The verbs this person may use here: {verb, enabled, why, likely, primary}."""
    offers = selectors.available(machine, user)
    for offer in offers:
        offer["likely"] = machine.state in offer["verb"].likely
        offer["primary"] = offer["likely"] and offer["enabled"]
    return offers


def told(machine: Descriptor, operation: Operation | None) -> dict[str, Any]:
    """What our script shows at once after a verb was accepted."""
    busy = str(VERBS[operation.verb].label) if operation and operation.is_open else ""
    return {
        "id": machine.pk,
        "operation": str(operation.pk) if operation else "",
        "state": machine.state,
        "busy": busy,
        "since": machine.state_since.isoformat(),
        "reason": machine.reason,
    }
