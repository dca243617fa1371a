"""Machines on hypervisors of one technology, with those that nobody owns beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors.models import Descriptor, Nic, Unowned
from descriptors.permissions import visible
from descriptors.selectors.drift import up_to_date
from descriptors.states import EXPECTED_POWER, State
from hypervisors.models import Hypervisor
from olimpus.errors import Conflict, NotFound

#: What is shown of a machine's definition as it was last written to the hypervisor.
APPLIED = ("image", "flavor", "availability_zone")


def instance_keys(user: User, clouds: Sequence[Hypervisor]) -> list[tuple[str, int]]:
    """What this person may see there, as keys for `instance_rows`: his machines by path, then, for managers of the
    hypervisor, those that nobody owns, by name. Three queries and one for each hypervisor."""
    machines = visible(user, Descriptor.objects.filter(hypervisor__in=clouds)).order_by("path")
    found = [("machine", pk) for pk in machines.values_list("pk", flat=True)]
    mine = [cloud.pk for cloud in clouds if cloud.managed_by(user)]
    unowned = Unowned.objects.filter(hypervisor__in=mine).order_by("name", "ref") if mine else Unowned.objects.none()
    return found + [("unowned", pk) for pk in unowned.values_list("pk", flat=True)]


def instance_rows(keys: Collection[tuple[str, int]]) -> list[dict[str, Any]]:
    """These instances in this order; three queries. What is gone is left out."""
    ids = {kind: [pk for which, pk in keys if which == kind] for kind in ("machine", "unowned")}
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    machines = Descriptor.objects.filter(pk__in=ids["machine"]).select_related("hypervisor", "open_operation")
    cards = _addresses(ids["machine"])
    for machine in machines:
        rows["machine", machine.pk] = instance_row(machine, cards.get(machine.pk, []))
    for vm in Unowned.objects.filter(pk__in=ids["unowned"]).select_related("hypervisor"):
        rows["unowned", vm.pk] = _stray(vm)
    return [rows[key] for key in keys if key in rows]


def instance_row(machine: Descriptor, given: Sequence[str] = ()) -> dict[str, Any]:
    """One machine of the tree; `given` are the addresses of its cards."""
    seen, applied = machine.observed or {}, machine.applied or machine.definition
    return {
        "id": machine.pk,
        "uid": str(machine.uid),
        "ref": machine.vm_ref,
        "name": machine.name,
        "path": machine.path,
        "hypervisor": machine.hypervisor.name if machine.hypervisor else "",
        "owned": True,
        "state": machine.state,
        "power": _power(machine),
        "addresses": list(dict.fromkeys([*given, *(seen.get("addresses") or [])])),
        **{name: applied.get(name) for name in APPLIED},
    }


def _power(machine: Descriptor) -> str | None:
    """As it was seen; until somebody looks, as the verb that ended here has made sure it is."""
    if machine.observed and up_to_date(machine):
        return machine.observed.get("power")
    return EXPECTED_POWER.get(State(machine.state))


def _stray(vm: Unowned) -> dict[str, Any]:
    nothing = dict.fromkeys(("id", "uid", "path", "state", *APPLIED))
    seen = {"power": vm.info.get("power"), "addresses": vm.info.get("addresses") or []}
    return {**nothing, "ref": vm.ref, "name": vm.name, "hypervisor": vm.hypervisor.name, "owned": False, **seen}


def _addresses(ids: Collection[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    cards = Nic.objects.filter(descriptor__in=ids, ip__isnull=False).order_by("position")
    for pk, ip in cards.values_list("descriptor_id", "ip"):
        found.setdefault(pk, []).append(ip)
    return found


def instance(user: User, key: str, clouds: Sequence[Hypervisor]) -> Descriptor:
    """The machine on these hypervisors with our id, our uid or the hypervisor's reference. NotFound when it is not
    there or not visible; Conflict, for managers of the hypervisor, when it belongs to nobody."""
    found = instances_named(user, key, clouds).first()
    if found is not None:
        return found
    for vm in Unowned.objects.filter(ref=key, hypervisor__in=clouds).select_related("hypervisor"):
        if vm.hypervisor.managed_by(user):
            hint = _("A superuser adopts it into the tree first.")
            raise Conflict(_("This machine belongs to nobody."), where=key, hint=hint)
    raise NotFound(_("There is no such instance, or you may not see it."), where=key)


def instances_named(user: User, key: str, clouds: Sequence[Hypervisor]) -> QuerySet[Descriptor]:
    """The machines on these hypervisors with our id, our uid or the hypervisor's reference that this person sees."""
    return visible(user, Descriptor.objects.filter(_named(key), hypervisor__in=clouds))


def _named(key: str) -> Q:
    found = Q(vm_ref=key)
    if key.isascii() and key.isdigit() and len(key) <= 18:
        found |= Q(pk=int(key))
    try:
        return found | Q(uid=UUID(key))
    except ValueError:
        return found
