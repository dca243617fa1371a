"""The other machines that a machine must know, or that its end concerns: read together with it for its job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from accounts.models import User
from descriptors import selectors
from descriptors.actions.requesting import hypervisor_of
from descriptors.cascade import Computed
from descriptors.models import Descriptor
from descriptors.nics import mac_for
from descriptors.peers import peers_in
from descriptors.permissions import require
from descriptors.states import State
from hypervisors.drivers.base import VmSpec
from hypervisors.models import Hypervisor


def peers_of(machines: Iterable[Descriptor]) -> dict[int, list[Descriptor]]:
    """Machine → its peers, as far as they are in its folder, each with its hypervisor; nothing for machines without any.

    Two queries for any number, none when nobody has peers.
    """
    wanted = {row.pk: (row.parent_id, names) for row in machines if (names := peers_in(row.definition, row.applied))}
    if not wanted:
        return {}
    names = {name for _folder, known in wanted.values() for name in known}
    rows = Descriptor.objects.filter(parent__in={folder for folder, _known in wanted.values()}, name__in=names)
    found: dict[int | None, list[Descriptor]] = defaultdict(list)
    for row in rows.select_related("open_operation").defer("observed"):
        found[row.parent_id].append(row)
    return {pk: [row for row in found[folder] if row.name in known] for pk, (folder, known) in wanted.items()}


def hypervisors_of(peers: Mapping[int, list[Descriptor]]) -> dict[str, Hypervisor]:
    """All hypervisors by name, when somebody has peers: one that is not made yet only names its own."""
    return {row.name: row for row in Hypervisor.objects.all()} if peers else {}


def require_reserving(
    actor: User | None, peer: Descriptor, computed: Computed, known: Mapping[str, Hypervisor]
) -> None:
    """That who makes a machine may have an address reserved for its peer: who may make that one, where it is offered.

    NotFound, Forbidden, Invalid. Nobody is asked of what somebody left who is gone.
    """
    if actor is not None:
        require(actor, "create", peer)
    hypervisor_of(computed, known)


def is_there(machine: Descriptor) -> bool:
    """Whether it is on its hypervisor, or on its way to it or from it."""
    return machine.state != State.PROVISIONED or selectors.open_operation(machine) is not None


def with_macs(spec: VmSpec) -> VmSpec:
    """The machine with the cards that it will have: nobody may have asked for it yet."""
    nics = [nic if nic.mac else replace(nic, mac=mac_for(spec.uid, at)) for at, nic in enumerate(spec.nics)]
    return replace(spec, nics=tuple(nics))
