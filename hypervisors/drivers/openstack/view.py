"""A server as Nova lists it, as a `VmInfo`. Pure: everything is in the one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from hypervisors.drivers.base import NicSpec, Power, VmInfo
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.rest import when
from hypervisors.drivers.ways import ssh

Json = dict[str, Any]
ImageName = Callable[[str], str]

POWERS: Final[Mapping[str, Power]] = {
    "ACTIVE": Power.ON,
    "PASSWORD": Power.ON,
    "REBOOT": Power.ON,
    "HARD_REBOOT": Power.ON,
    "RESCUE": Power.ON,
    "PAUSED": Power.PAUSED,
    "SUSPENDED": Power.PAUSED,
    "SHUTOFF": Power.OFF,
    "SHELVED": Power.OFF,
    "SHELVED_OFFLOADED": Power.OFF,
}
#: OS-EXT-STS:power_state, for the states in between (resize, migration, rebuild, error).
POWER_STATES: Final[Mapping[int, Power]] = {1: Power.ON, 3: Power.PAUSED, 4: Power.OFF, 6: Power.OFF, 7: Power.PAUSED}
GONE: Final = frozenset({"DELETED", "SOFT_DELETED"})


def power_of(server: Json) -> Power:
    known = POWERS.get(server["status"])
    return known or POWER_STATES.get(int(server.get("OS-EXT-STS:power_state") or 0), Power.UNKNOWN)


def task_of(server: Json) -> str:
    """What Nova is doing with it just now, "" when nothing."""
    return server.get("OS-EXT-STS:task_state") or ""


def info_of(server: Json, image_name: ImageName = lambda image_id: "") -> VmInfo:
    """`image_name` gives the name of an image that is not remembered, "" when it does not know."""
    metadata = server.get("metadata") or {}
    cpus, memory_mib, disk_gib = _size(server["flavor"], memory.size_in(metadata))
    image_id = (server.get("image") or {}).get("id", "")
    return VmInfo(
        ref=server["id"],
        uid=memory.uid_of(server),
        name=server["name"],
        power=power_of(server),
        cpus=cpus,
        memory_mib=memory_mib,
        disk_gib=disk_gib,
        nics=nics_of(server),
        image=memory.image_in(metadata, image_id) or (image_name(image_id) if image_id else ""),
        since=since_of(server),
        extra=_extra(server),
    )


def since_of(server: Json) -> datetime | None:
    """When it was last powered on; None while off, or while Nova is at it.

    `updated` is when Nova last changed its state: that is the power-on unless it was paused since, which is remembered.
    """
    power, updated = power_of(server), server.get("updated", "")
    if power not in (Power.ON, Power.PAUSED):
        return None
    noted = memory.since_in(server.get("metadata") or {}, updated, paused=power is Power.PAUSED)
    return noted or (None if task_of(server) else when(updated))


def nics_of(server: Json) -> tuple[NicSpec, ...]:
    """The cards that Nova shows: those we know first, in their order."""
    addresses: Json = server.get("addresses") or {}
    seen: dict[tuple[str, str], list[str]] = {}
    for label, entries in addresses.items():
        for entry in entries:
            if entry.get("OS-EXT-IPS:type", "fixed") == "fixed":
                seen.setdefault((label, entry.get("OS-EXT-IPS-MAC:mac_addr", "")), []).append(entry["addr"])
    known = memory.cards_in(server.get("metadata") or {})
    found = [_known_card(card, addresses, seen) for card in known]
    strangers = [NicSpec(label, mac, _address("", ips)) for (label, mac), ips in seen.items()]
    return (*(nic for nic in found if nic), *strangers)


def _known_card(card: memory.Card, addresses: Json, seen: dict[tuple[str, str], list[str]]) -> NicSpec | None:
    """The card as it is now, taken out of what is `seen`; None when it is gone."""
    nic = card.nic
    key = next((key for key in seen if key[1] == nic.mac and key[0] == card.label), None)
    key = key or next((key for key in seen if key[1] == nic.mac), None)
    if key:
        network = nic.network if key[0] == card.label and nic.network else key[0]
        return NicSpec(network, nic.mac, _address(nic.ip, seen.pop(key)), nic.ip_mode, nic.model)
    if addresses.get(card.label) == []:  # a network without subnets: Nova shows it, but no card
        return NicSpec(nic.network, nic.mac, "", nic.ip_mode, nic.model)
    return None


def addresses_of(server: Json) -> set[str]:
    """All addresses that Nova shows, those outside among them."""
    return {entry["addr"] for group in (server.get("addresses") or {}).values() for entry in group}


def _ways(server: Json) -> Iterator[dict[str, Any]]:
    """The floating addresses that lead to it, in the order of its cards, whoever has led them there."""
    entries = [entry for group in (server.get("addresses") or {}).values() for entry in group]
    begin, login = ssh(memory.uid_of(server)), memory.login_in(server.get("metadata") or {})
    at = f"{login}@" if login else ""
    for nic in nics_of(server):
        for entry in entries:
            if (entry.get("OS-EXT-IPS:type"), entry.get("OS-EXT-IPS-MAC:mac_addr")) == ("floating", nic.mac):
                told = {"kind": "floating", "address": entry["addr"], "port": 0, "target": nic.ip}
                yield told | {"command": f"{begin} {at}{entry['addr']}"}


def _address(asked: str, ips: list[str]) -> str:
    """The address that was asked for if it is there, else the first, IPv4 before IPv6."""
    return asked if asked in ips else next((ip for ip in ips if ":" not in ip), ips[0] if ips else "")


def _size(flavor: Json, asked: memory.Size | None) -> tuple[int, int, float]:
    """What was asked for while the server has the flavor that was chosen for it, else the flavor's own size."""
    if asked and asked.flavor == flavor.get("original_name"):
        return asked.cpus, asked.memory_mib, asked.disk_gib
    return flavor.get("vcpus", 0), flavor.get("ram", 0), float(flavor.get("disk", 0))


def _extra(server: Json) -> dict[str, Any]:
    """What else is worth seeing; empty values are left out."""
    disks = memory.disks_in(server.get("metadata") or {})
    found = {
        "status": server["status"],
        "task": task_of(server),
        "flavor": server["flavor"].get("original_name", ""),
        "zone": server.get("OS-EXT-AZ:availability_zone") or "",
        "host": server.get("OS-EXT-SRV-ATTR:host") or "",
        "project": server.get("tenant_id") or "",
        "keypair": server.get("key_name") or "",
        "fault": (server.get("fault") or {}).get("message", ""),
        "disks": [{"name": disk.name, "size_gib": disk.size_gib, "volume": disk.volume} for disk in disks],
        "volumes": [volume["id"] for volume in server.get("os-extended-volumes:volumes_attached") or []],
        "ways": list(_ways(server)),
    }
    return {name: value for name, value in found.items() if value}
