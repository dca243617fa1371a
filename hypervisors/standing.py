"""How full the hosts of a hypervisor are, and how much of that is by machines that hold no claim: what claims reckon with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hypervisors.drivers.base import VmInfo, VmSpec
from hypervisors.drivers.cloud import Host
from hypervisors.gateway import Gateway
from hypervisors.placement import RESOURCES, Size


@dataclass(frozen=True)
class Look:
    """Hosts and machines as they were seen at one moment."""

    hosts: tuple[Host, ...]
    infos: tuple[VmInfo, ...]


def look(gateway: Gateway) -> Look:
    """Ask the hypervisor, in two calls. The hosts first: what is made in between then counts as nobody else's."""
    hosts = gateway.hosts()
    return Look(tuple(hosts), tuple(gateway.list()))


def room_of(machine: VmSpec | VmInfo) -> Size:
    """What a machine takes up, or will: with its extra disks."""
    return Size(machine.cpus, machine.memory_mib, machine.room_gib)


def rows(seen: Look, claimed: Collection[str]) -> list[dict[str, Any]]:
    """Each host as plain JSON; `others` is what is in use there beyond the machines with these uids.

    That are machines without a claim, and whatever else the host counts (images on its disk).
    """
    machines = _sums(seen.infos)
    foreign = _sums(info for info in seen.infos if info.uid not in claimed)
    return [asdict(host) | {"others": _others(host, machines[host.name], foreign[host.name])} for host in seen.hosts]


def _sums(infos: Iterable[VmInfo]) -> Mapping[str, Counter[str]]:
    """Host → what its machines have of each resource."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for info in infos:
        sums[info.host].update(asdict(room_of(info)))
    return sums


def _others(host: Host, machines: Counter[str], foreign: Counter[str]) -> dict[str, float]:
    beside = {name: max(0, getattr(host, f"{name}_used") - machines[name]) for name in RESOURCES}
    return {name: foreign[name] + beside[name] for name in RESOURCES}
