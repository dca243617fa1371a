"""Gives network cards their MAC and address, once. Called inside the transaction that asks for the machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import IntegrityError
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors.models import Descriptor, Nic
from descriptors.nics import Card, mac_for, mac_of_ip, pool, wanted_ip, wanted_mac
from descriptors.permissions import can
from olimpus.errors import Conflict, Invalid, OlimpusError

CHUNK = 5000
#: A machine, its computed values and their origins.
Wanted = tuple[Descriptor, Mapping[str, Any], Mapping[str, str]]


def cards_of(descriptors: Iterable[int]) -> dict[int, dict[int, Card]]:
    """The cards given so far: {descriptor id: {position: card}}; one query per five thousand machines."""
    found: dict[int, dict[int, Card]] = defaultdict(dict)
    ids = list(descriptors)
    for start in range(0, len(ids), CHUNK):
        rows = Nic.objects.filter(descriptor__in=ids[start : start + CHUNK])
        for descriptor, position, mac, ip in rows.values_list("descriptor_id", "position", "mac", "ip"):
            found[descriptor][position] = Card(mac, ip or "")
    return found


def give_cards(wanted: Mapping[int, Wanted], actor: User) -> dict[int, OlimpusError]:
    """Give every machine the cards that its definition names, keeping those it has; returns the machines that clash.

    `wanted` is by the descriptor's id. What a clash concerns is not written; the `actor` is told of machines that
    he may see. Conflict when somebody else takes the same MAC or address at the same moment: then nothing is written, and
    asking again helps.
    """
    have = {
        (nic.descriptor_id, nic.position): nic
        for start in range(0, len(wanted), CHUNK)
        for nic in Nic.objects.filter(descriptor__in=list(wanted)[start : start + CHUNK])
    }
    faults: dict[int, OlimpusError] = {}
    drafts: list[Nic] = []
    for pk, (descriptor, values, origins) in wanted.items():
        try:
            drafts += [
                _draft(descriptor, position, nic, values, origins, have.get((pk, position)))
                for position, nic in enumerate(values.get("nics") or [])
            ]
        except Invalid as error:
            faults[pk] = error
    faults |= _allocate(drafts, wanted)
    drafts = [nic for nic in drafts if nic.descriptor_id not in faults]
    changed = [nic for nic in drafts if nic.pk is None or _differs(nic, have[nic.descriptor_id, nic.position])]
    surplus = _surplus(have.values(), wanted)
    faults |= _clashes(changed, {(nic.descriptor_id, nic.position) for nic in (*changed, *surplus)}, actor)
    _write(*([nic for nic in nics if nic.descriptor_id not in faults] for nics in (changed, surplus)))
    return faults


def _surplus(have: Iterable[Nic], wanted: Mapping[int, Wanted]) -> list[Nic]:
    """Cards that their machines have no longer."""
    numbers = {pk: len(values.get("nics") or []) for pk, (_machine, values, _origins) in wanted.items()}
    return [nic for nic in have if nic.position >= numbers[nic.descriptor_id]]


def _draft(
    descriptor: Descriptor,
    position: int,
    nic: Mapping[str, Any],
    values: Mapping[str, Any],
    origins: Mapping[str, str],
    known: Nic | None,
) -> Nic:
    mac = wanted_mac(nic) or (known.mac if known else mac_for(str(descriptor.uid), position))
    ip = wanted_ip(nic) or (known.ip if known and nic.get("ip") == "auto" else "")
    network = str(nic.get("network") or "")
    return Nic(
        pk=known.pk if known else None,
        descriptor=descriptor,
        position=position,
        network=network,
        scope=_scope(network, values, origins),
        mac=mac,
        ip=ip or None,
    )


def _allocate(drafts: Sequence[Nic], wanted: Mapping[int, Wanted]) -> dict[int, OlimpusError]:
    """Give cards that ask for `ip: auto` the next free address of their network; returns the machines that get none."""
    asking = [nic for nic in drafts if nic.ip is None and _entry(nic, wanted).get("ip") == "auto"]
    if not asking:
        return {}
    used: dict[str, set[str]] = defaultdict(set)
    scopes = {nic.scope for nic in asking}
    for scope, ip in Nic.objects.filter(scope__in=scopes, ip__isnull=False).values_list("scope", "ip"):
        used[scope].add(ip)
    for nic in drafts:
        if nic.ip:
            used[nic.scope].add(nic.ip)
    pools: dict[str, Iterator[str]] = {}
    faults: dict[int, OlimpusError] = {}
    for nic in asking:
        network = (wanted[nic.descriptor_id][1].get("networks") or {}).get(nic.network) or {}
        free = pools.setdefault(nic.scope, (ip for ip in pool(network) if ip not in used[nic.scope]))
        nic.ip = next(free, None)
        if nic.ip is None:
            faults[nic.descriptor_id] = _exhausted(nic, network)
        elif _entry(nic, wanted).get("ip_mode") == "mac" and not wanted_mac(_entry(nic, wanted)):
            nic.mac = mac_of_ip(nic.ip)
    return faults


def _entry(nic: Nic, wanted: Mapping[int, Wanted]) -> Mapping[str, Any]:
    return wanted[nic.descriptor_id][1]["nics"][nic.position]


def _exhausted(nic: Nic, network: Mapping[str, Any]) -> Conflict:
    return Conflict(
        _("No address is left in “%(network)s”.") % {"network": nic.network}
        if network.get("cidr")
        else _("No network “%(network)s” with a “cidr” is defined here.") % {"network": nic.network},
        where=f"{nic.descriptor.path}: nics[{nic.position}].ip",
        hint=_("“auto” takes addresses from the network's pool, or from its cidr."),
    )


def _scope(network: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """Where an address must not repeat: the folder that defines the network, else the hypervisor that offers it."""
    if network in (values.get("networks") or {}):
        return f"{origins.get(f'networks.{network}', '')}#{network}"[-640:]
    return f"{values.get('hypervisor', '')}:{network}"


def _differs(nic: Nic, known: Nic) -> bool:
    return any(getattr(nic, name) != getattr(known, name) for name in ("mac", "ip", "network", "scope"))


def _clashes(drafts: Sequence[Nic], leaving: Collection[tuple[int, int]], actor: User) -> dict[int, OlimpusError]:
    """Machines whose card names a MAC or an address that another machine holds, in the table or among the drafts.

    What the cards that are `leaving` (descriptor, position) hold in the table is free: they change, or go.
    """
    faults: dict[int, OlimpusError] = {}
    macs, ips = _holders(drafts, leaving)
    for nic in drafts:
        holder = macs.setdefault(nic.mac, nic)
        if holder.descriptor_id != nic.descriptor_id or holder.position != nic.position:
            faults[nic.descriptor_id] = _taken("mac", nic.mac, holder, nic, actor)
        if nic.ip:
            holder = ips.setdefault((nic.scope, nic.ip), nic)
            if holder.descriptor_id != nic.descriptor_id or holder.position != nic.position:
                faults[nic.descriptor_id] = _taken("ip", nic.ip, holder, nic, actor)
    return faults


def _holders(
    drafts: Sequence[Nic], leaving: Collection[tuple[int, int]]
) -> tuple[dict[str, Nic], dict[tuple[str, str], Nic]]:
    macs: dict[str, Nic] = {}
    ips: dict[tuple[str, str], Nic] = {}
    for start in range(0, len(drafts), CHUNK):
        chunk = drafts[start : start + CHUNK]
        same = Q(mac__in=[nic.mac for nic in chunk]) | Q(ip__in=[nic.ip for nic in chunk if nic.ip])
        for nic in Nic.objects.filter(same).select_related("descriptor"):
            if (nic.descriptor_id, nic.position) not in leaving:
                macs[nic.mac] = nic
                ips |= {(nic.scope, nic.ip): nic} if nic.ip else {}
    return macs, ips


def _taken(field: str, value: str, holder: Nic, nic: Nic, actor: User) -> Conflict:
    told = {"value": value, "path": holder.descriptor.path}
    seen = can(actor, "see", holder.descriptor)
    return Conflict(
        _("%(value)s belongs to %(path)s already.") % told
        if seen
        else _("%(value)s belongs to another machine.") % told,
        where=f"{nic.descriptor.path}: nics[{nic.position}].{field}",
        hint=_("Each MAC and each address is given once; choose another or leave it out."),
    )


def _write(nics: Sequence[Nic], surplus: Sequence[Nic]) -> None:
    known = [nic for nic in nics if nic.pk is not None]
    for start in range(0, len(surplus), CHUNK):
        Nic.objects.filter(pk__in=[nic.pk for nic in surplus[start : start + CHUNK]]).delete()
    for start in range(0, len(known), CHUNK):  # addresses that cards hand to each other are nobody's in between
        Nic.objects.filter(pk__in=[nic.pk for nic in known[start : start + CHUNK]]).update(ip=None)
    try:
        Nic.objects.bulk_create([nic for nic in nics if nic.pk is None], batch_size=1000)
        if known:
            Nic.objects.bulk_update(known, ["mac", "ip", "network", "scope"], batch_size=500)
    except IntegrityError as error:  # another transaction gave them away between our reading and our writing
        raise Conflict(_("Somebody else has just taken the same MAC or address."), hint=_("Ask again.")) from error
