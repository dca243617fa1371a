"""Testing the way to a cluster and what is there, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import libvirt

from hypervisors.drivers.checks import Check, Checklist, Checks
from hypervisors.drivers.linux.cluster import Cluster, Member
from hypervisors.drivers.linux.gateway.client import Gateway
from hypervisors.drivers.linux.sheets import GIB
from hypervisors.tunnels import Tunnels
from olimpus.errors import HypervisorError
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

STEPS: Final = (
    ("settings", gettext_noop("Settings")),
    ("workers", gettext_noop("Workers")),
    ("libvirt", gettext_noop("libvirt on the workers")),
    ("pool", gettext_noop("Folder of disks and images")),
    ("gateway", gettext_noop("Gateway")),
)
LABELS: Final = dict(STEPS)
NO_OUTSIDE: Final = gettext_noop(
    "it has no address outside (no default route, or none on “outside_interface”): networks of type “nat” or “public”, "
    "forwarded ports and floating addresses will fail"
)


def run(cluster: Callable[[], Cluster], gateway: Callable[[], Gateway | None], tunnels: Tunnels | None) -> Checks:
    """The first failure ends it; a worker that fails is named."""
    checks = Checklist()
    with checks.step("settings", LABELS["settings"]) as detail:
        found = cluster()
        detail.append(", ".join(found.members))
    if checks.failed:
        return checks.checks
    for step, ask in (("workers", _way), ("libvirt", _libvirt), ("pool", _pool)):
        with checks.step(step, LABELS[step]) as detail:
            detail.append(_of_all(found, ask))
        if checks.failed:
            return checks.checks
    if tunnels:
        with checks.step("gateway", LABELS["gateway"]) as detail:
            detail.append(_gateway(gateway()))
    return checks.checks


def _of_all(cluster: Cluster, ask: Callable[[Member], str]) -> str:
    answers, faults = cluster.each(ask)
    if faults:
        name, fault = next(iter(faults.items()))
        raise type(fault)(f"{name}: {fault.message}", where=fault.where, hint=fault.hint)
    return "; ".join(f"{name}: {answer}" for name, answer in answers.items())


def _way(member: Member) -> str:
    """The hops to the worker, each in its own steps; the first that fails says which."""
    checks = member.worker.tunnels.check()
    failed: Check | None = next((check for check in checks if not check.ok), None)
    if failed:
        raise HypervisorError(f"{_(failed.label)}: {failed.detail}")
    return f"{sum(check.seconds for check in checks) * 1000:.0f} ms"


def _libvirt(member: Member) -> str:
    version = member.worker.ask(libvirt.virConnect.getLibVersion)
    told = f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"
    return f"{told}, {member.virt_type()}"


def _pool(member: Member) -> str:
    total, free = member.pool.room()
    told = {"free": f"{free / GIB:.0f}", "total": f"{total / GIB:.0f}"}
    return _("%(free)s of %(total)s GiB free") % told


def _gateway(gateway: Gateway | None) -> str:
    if gateway is None:
        return ""
    faults = gateway.mend()
    if faults:
        raise HypervisorError("; ".join(faults))
    seen = gateway.look()
    networks = _("networks: %(count)d") % {"count": len(seen.networks)}
    return networks if seen.outside else f"{networks}; {_(NO_OUTSIDE)}"
