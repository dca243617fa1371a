"""Room on hosts is promised once: for hypervisors whose driver `places`.

A machine holds its claim from before it is made until it is gone; whoever asks again gets the same one. Figures of the
hosts come from a listing that was made before (`inventory`, kind `hosts`); nobody is asked while the lock is held, which
is the row of the hypervisor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Sum
from django.utils.translation import gettext as _

from hypervisors import inventory
from hypervisors.drivers.cloud import Host
from hypervisors.inventory import Answer
from hypervisors.models import Claim, Hypervisor
from hypervisors.phrases import sizes
from hypervisors.placement import RESOURCES, Node, Reason, Size, Sized, Strategy, found, free_of, place_of_host, suggest
from hypervisors.registry import nearest
from olimpus.db import retry_on_deadlock
from olimpus.errors import CapacityExceeded, HypervisorError, Rejected, Unreachable

#: Hosts that a refusal tells about.
SHOWN: Final = 8


@dataclass(frozen=True)
class Wish:
    """Room for a machine; `pinned` names the host where somebody wants it. `new` False: only what has a claim may grow."""

    uid: str
    needs: Sized
    pinned: str = ""
    new: bool = True


Claimed = dict[str, Claim | HypervisorError]


def reserve(hypervisor: Hypervisor, uid: str, needs: Sized, pinned: str = "") -> Claim:
    """The claim of this machine, now or from before; it grows to `needs` where its own host has the room.

    Raises `CapacityExceeded`, telling what is free where; `Rejected` for a pin to a host that is not there or in
    maintenance; `Unreachable` when the hypervisor, or the host of the pin, does not answer.
    """
    wish = Wish(uid, needs, pinned)
    answer = inventory.read(hypervisor, "hosts")
    claim = reserve_many(hypervisor, [wish], answer)[uid]
    if isinstance(claim, HypervisorError) and answer.source == "cached":
        claim = reserve_many(hypervisor, [wish], inventory.read(hypervisor, "hosts", refresh=True))[uid]
    if isinstance(claim, HypervisorError):
        raise claim
    return claim


@retry_on_deadlock
def reserve_many(hypervisor: Hypervisor, wishes: Sequence[Wish], figures: Answer) -> Claimed:
    """uid → its claim, or why there is none, as `reserve` would raise it; by these figures of the hosts.

    A machine that is not `new` and has no claim is left out.
    """
    if figures.source == "last_known":
        return {wish.uid: Unreachable(figures.error, where=hypervisor.name) for wish in wishes}
    lock(hypervisor)
    held = of(hypervisor, [wish.uid for wish in wishes])
    hosts = promised(hypervisor, figures)
    answers: Claimed = {}
    for wish in wishes:
        if wish.uid in held:
            answers[wish.uid] = _grown(held[wish.uid], wish.needs, hosts)
    fresh = [wish for wish in wishes if wish.new and wish.uid not in held]
    return answers | _placed(hypervisor, fresh, hosts)


@retry_on_deadlock
def resize(hypervisor: Hypervisor, uid: str, needs: Sized) -> Claim | None:
    """Make the claim exactly as large; None when the machine has none. `CapacityExceeded` when its host has no room."""
    figures = next(iter(inventory.known(hypervisor, "hosts").values()), None)
    lock(hypervisor)
    claim = of(hypervisor, [uid]).get(uid)
    if claim is None:
        return None
    grown = _grown(claim, needs, promised(hypervisor, figures) if figures else {})
    if isinstance(grown, HypervisorError):
        raise grown
    return _written(grown, grown.host, needs)


def shrink(claim: Claim, size: Sized) -> None:
    """The machine was made no larger than this: what the claim has beyond is free."""
    _written(claim, claim.host, Size(*(min(getattr(claim, name), getattr(size, name)) for name in RESOURCES)))


def release(hypervisor: Hypervisor | int, uid: str | UUID) -> None:
    """The machine is gone, or was never made: its room is free. May be repeated."""
    Claim.objects.filter(hypervisor=hypervisor, uid=uid).delete()


def of(hypervisor: Hypervisor | int, uids: Collection[str]) -> dict[str, Claim]:
    """uid → claim of those machines that hold one. One query."""
    return {str(claim.uid): claim for claim in Claim.objects.filter(hypervisor=hypervisor, uid__in=uids)}


def by_host(hypervisor: Hypervisor) -> dict[str, int]:
    """How many machines hold a claim on each host that has any. One query."""
    rows = Claim.objects.filter(hypervisor=hypervisor).order_by().values("host").annotate(machines=Count("pk"))
    return {row["host"]: row["machines"] for row in rows}


@dataclass(frozen=True)
class Seen:
    """Where a machine of ours was seen, and how large it was."""

    host: str
    size: Size


def lock(hypervisor: Hypervisor) -> None:
    """Until the transaction ends nobody else promises room here. SQLite has one writer anyway."""
    Hypervisor.objects.select_for_update().filter(pk=hypervisor.pk).values_list("pk").first()


@retry_on_deadlock
def check(
    hypervisor: Hypervisor, seen: Mapping[str, Seen], ours: Collection[str], unheard: Sequence[str], looked_at: datetime
) -> int:
    """Have the claims tell what was seen; returns how many changed. Who is at rest, and ours, is best read under `lock`.

    Machines that were seen on a host hold a claim there, of their size. Claims from before `looked_at` of machines that
    are not `ours` and were not seen go, unless they are on a host that was not heard.
    """
    lock(hypervisor)
    held = {str(claim.uid): claim for claim in Claim.objects.filter(hypervisor=hypervisor)}
    missing = [_claim(hypervisor, uid, at.host, at.size, found(at.host)) for uid, at in seen.items() if uid not in held]
    Claim.objects.bulk_create(missing)
    moved = [uid for uid, at in seen.items() if uid in held and _differs(held[uid], at.host, at.size)]
    for uid in moved:
        _written(held[uid], seen[uid].host, seen[uid].size)
    gone = [
        claim.pk
        for uid, claim in held.items()
        if uid not in seen and uid not in ours and claim.created_at < looked_at and f"{claim.host}/" not in unheard
    ]
    Claim.objects.filter(pk__in=gone).delete()
    return len(missing) + len(moved) + len(gone)


def reason_of(claim: Claim) -> Reason:
    """Why it is there."""
    return Reason(claim.reason.get("code", ""), claim.reason.get("params", {}))


def promised(hypervisor: Hypervisor, figures: Answer) -> dict[str, Host]:
    """The hosts with what is promised on them as their use: the claims, and what is there beside them."""
    sums = {f"{name}_sum": Sum(name) for name in RESOURCES}
    rows = Claim.objects.filter(hypervisor=hypervisor).order_by().values("host").annotate(**sums)
    claimed = {row["host"]: row for row in rows}
    found = {}
    for host, row in zip(inventory.hosts(figures), figures.data, strict=True):
        mine, others = claimed.get(host.name, {}), row.get("others", {})
        used = {f"{name}_used": mine.get(f"{name}_sum", 0) + others.get(name, 0) for name in RESOURCES}
        found[host.name] = replace(host, **used)
    return found


# -- inside ------------------------------------------------------------------------------------------------------------


def _placed(hypervisor: Hypervisor, wishes: Sequence[Wish], hosts: Mapping[str, Host]) -> Claimed:
    """A host for each of these, all at once; what is found is written."""
    refused = {wish.uid: error for wish in wishes if (error := _unfit_pin(hypervisor, wish, hosts))}
    asked = {wish.uid: wish for wish in wishes if wish.uid not in refused}
    nodes = [Node(wish.uid, wish.needs, wish.pinned) for wish in asked.values()]
    strategy = Strategy.PACK if hypervisor.settings.get("placement") == "pack" else Strategy.TOGETHER
    claims = []
    for placement in suggest(nodes, [], map(place_of_host, hosts.values()), strategy=strategy):
        needs = asked[placement.node].needs
        if placement.place is None:
            refused[placement.node] = _refusal(hypervisor, asked[placement.node], hosts)
        else:
            claims.append(_claim(hypervisor, placement.node, placement.place, needs, placement.reason))
    return {**refused, **{str(claim.uid): claim for claim in Claim.objects.bulk_create(claims)}}


def _claim(hypervisor: Hypervisor, uid: str, host: str, size: Sized, reason: Reason) -> Claim:
    return Claim(hypervisor=hypervisor, uid=UUID(uid), host=host, reason=asdict(reason), **_sizes(size))


def _sizes(size: Sized) -> dict[str, Any]:
    return {name: getattr(size, name) for name in RESOURCES}


def _differs(claim: Claim, host: str, size: Sized) -> bool:
    return (claim.host, _sizes(claim)) != (host, _sizes(size))


def _written(claim: Claim, host: str, size: Sized) -> Claim:
    if claim.host != host:
        claim.reason = asdict(found(host))
    if _differs(claim, host, size):
        claim.host = host
        for name in RESOURCES:
            setattr(claim, name, getattr(size, name))
        claim.save(update_fields=["host", "reason", *RESOURCES])
    return claim


def _grown(claim: Claim, needs: Sized, hosts: dict[str, Host]) -> Claim | HypervisorError:
    """The claim, at least as large as `needs` if its host has the room; the room is taken out of `hosts`."""
    larger = Size(*(max(getattr(claim, name), getattr(needs, name)) for name in RESOURCES))
    if not _differs(claim, claim.host, larger):
        return claim
    more = larger.less(claim)
    host = hosts.get(claim.host)
    if host is not None and not _has_room(host, more):
        told = {"host": claim.host, "needs": sizes(_sizes(needs)), "free": sizes(_free(host))}
        message = _("%(host)s, where it is, has no room for %(needs)s; it could get %(free)s more.") % told
        return CapacityExceeded(message, where=claim.hypervisor.name)
    if host is not None:
        used = {f"{name}_used": getattr(host, f"{name}_used") + getattr(more, name) for name in RESOURCES}
        hosts[claim.host] = replace(host, **used)
    return _written(claim, claim.host, larger)


def _has_room(host: Host, more: Size) -> bool:
    """What does not grow need not fit: a host may be fuller than it is allowed to be."""
    free = free_of(host)
    return free is None or all(
        getattr(more, name) <= 0 or getattr(more, name) <= getattr(free, name) for name in RESOURCES
    )


def _free(host: Host) -> dict[str, Any]:
    """What is left of what the host counts."""
    free = free_of(host) or Size()
    return {name: getattr(free, name) for name in RESOURCES if getattr(host, f"{name}_total") is not None}


def _unfit_pin(hypervisor: Hypervisor, wish: Wish, hosts: Mapping[str, Host]) -> HypervisorError | None:
    """Why the host that somebody asked for takes nothing."""
    if not wish.pinned or ((host := hosts.get(wish.pinned)) and host.up and host.enabled):
        return None
    told = {"host": wish.pinned}
    if wish.pinned not in hosts:
        hint = _("The nearest is “%(name)s”.") % {"name": nearest(wish.pinned, hosts)} if hosts else ""
        return Rejected(_("There is no worker “%(host)s”.") % told, where=hypervisor.name, hint=hint)
    if not hosts[wish.pinned].up:
        return Unreachable(_("%(host)s, where it is wanted, does not answer.") % told, where=hypervisor.name)
    message = _("%(host)s, where it is wanted, is in maintenance.") % told
    return Rejected(message, where=hypervisor.name, hint=hosts[wish.pinned].detail)


def _refusal(hypervisor: Hypervisor, wish: Wish, hosts: Mapping[str, Host]) -> HypervisorError:
    """What does not fit where."""
    if hosts and not any(host.up for host in hosts.values()):
        return Unreachable(_("No worker answers."), where=hypervisor.name)
    asked = [hosts[wish.pinned]] if wish.pinned else list(hosts.values())
    lines = [_standing(host, wish.needs) for host in sorted(asked, key=lambda host: host.name)]
    hint = "; ".join(lines[:SHOWN]) + ("; …" if len(lines) > SHOWN else "")
    message = _("No worker has room for %(needs)s.") % {"needs": sizes(_sizes(wish.needs))}
    return CapacityExceeded(message, where=hypervisor.name, hint=hint)


def _standing(host: Host, needs: Sized) -> str:
    """One host in words: why it takes nothing, or how much is left of what there is too little of."""
    if not host.up:
        return _("%(host)s does not answer") % {"host": host.name}
    if not host.enabled:
        return _("%(host)s is in maintenance") % {"host": host.name}
    free = _free(host)
    short = {name: value for name, value in free.items() if value < getattr(needs, name)}
    return _("%(host)s has %(free)s left") % {"host": host.name, "free": sizes(short or free)}
