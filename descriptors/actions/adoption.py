"""Taking over a VM that a hypervisor has and no descriptor owns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors import selectors, tree
from descriptors.actions.cards import give_cards
from descriptors.actions.shaping import create_descriptor
from descriptors.jobs import LANDING
from descriptors.models import Descriptor, Node, Unowned
from hypervisors.drivers.base import VmInfo
from hypervisors.gateway import gateway_for
from olimpus.errors import Forbidden, HypervisorError, VMNotFound


def adopt(unowned: Unowned, folder: Node, *, actor: User, name: str | None = None) -> Descriptor:
    """Make a descriptor for the VM in `folder`, in the state in which the VM is. Superusers only.

    The definition is what the hypervisor says about it. Conflict when the name is taken; HypervisorError when the VM
    cannot be marked as ours, and then no descriptor is left.
    """
    if not actor.is_superuser:
        raise Forbidden(_("Only a superuser adopts machines."), where=unowned.hypervisor.name)
    gateway = gateway_for(unowned.hypervisor)
    info = gateway.observe(unowned.ref)
    node = create_descriptor(folder, name or info.name, actor=actor, definition=_definition(info, unowned))
    machine = Descriptor.objects.get(pk=node.pk)
    try:
        info = gateway.adopt(unowned.ref, str(machine.uid))
    except HypervisorError:
        tree.remove([machine.pk])
        raise
    return _settle(machine, info, unowned, actor)


def preview_adoption(vms: Iterable[Unowned], *, actor: User) -> dict[int, dict[str, Any] | HypervisorError]:
    """Key of each VM → the definition that adopting it would write, or why it cannot be known. Superusers only.

    One call to each hypervisor; nothing is changed.
    """
    if not actor.is_superuser:
        raise Forbidden(_("Only a superuser adopts machines."))
    by_host: dict[int, list[Unowned]] = defaultdict(list)
    for vm in vms:
        by_host[vm.hypervisor_id].append(vm)
    told: dict[int, dict[str, Any] | HypervisorError] = {}
    for group in by_host.values():
        told |= _previews(group)
    return told


def _previews(vms: list[Unowned]) -> dict[int, dict[str, Any] | HypervisorError]:
    try:
        there = {info.ref: info for info in gateway_for(vms[0].hypervisor).list()}
    except HypervisorError as error:
        return {vm.pk: error for vm in vms}
    gone = VMNotFound(_("It is no longer there."), hint=_("Let the hypervisor be compared again."))
    return {vm.pk: _definition(there[vm.ref], vm) if vm.ref in there else gone for vm in vms}


def _definition(info: VmInfo, unowned: Unowned) -> dict[str, Any]:
    nics = [
        {key: value for key, value in (("network", nic.network), ("mac", nic.mac), ("ip", nic.ip)) if value}
        for nic in info.nics
    ]
    known = {
        "hypervisor": unowned.hypervisor.name,
        "vm_name": info.name,
        "image": info.image,
        "cpus": info.cpus,
        "memory_mib": info.memory_mib,
        "disk_gib": info.disk_gib,
        "nics": nics,
    }
    return {name: value for name, value in known.items() if value}


def _settle(machine: Descriptor, info: VmInfo, unowned: Unowned, actor: User) -> Descriptor:
    with transaction.atomic():
        computed = selectors.computed(machine)
        faults = give_cards({machine.pk: (machine, computed.values, computed.origins)}, actor)
        machine.adopt(LANDING[info.power])
        machine.hypervisor, machine.vm_ref = unowned.hypervisor, info.ref
        machine.applied, machine.state_since = computed.values, timezone.now()
        machine.save(update_fields=["hypervisor", "vm_ref", "applied", "state", "state_since"])
        unowned.delete()
        data = {"state": machine.state, "hypervisor": machine.hypervisor.name}
        if faults:
            data["clash"] = str(faults[machine.pk])
        journal.record(actor, "descriptor.adopt", path=machine.path, node_id=machine.pk, data=data)
    return machine
