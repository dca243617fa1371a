"""The settings of a gateway as they come with each request, read and checked."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypervisors.drivers.linux.faults import Refused

#: The part of `transfer` that follows: 4096 pairs of the gateway with a network, 4096 ends between networks, jumps.
PAIRS, ENDS, JUMPS = 0, 16384, 32768


@dataclass(frozen=True)
class Settings:
    """What the cluster's record says about its gateway."""

    bridge: str = "br-int"
    vlans: str = "100-999"
    provider_vlans: str = ""  # those of others that definitions may name; 0: what has no tag
    outside_interface: str = ""
    floating_pool: str = ""
    forward_ports: str = ""
    jump_user: str = ""
    dns: tuple[str, ...] = ()  # who answers names for machines whose networks name nobody
    transfer: str = "100.64.0.0/10"
    home: Path = Path("/var/lib/olimpus/gateway")
    run: Path = Path("/run/olimpus-gateway")

    def tags(self) -> list[tuple[int, int]]:
        """First and last of each range of VLAN tags."""
        return ranges(self.vlans, "vlans", 1, 4094)

    def may_name(self, tag: int) -> bool:
        """Whether a definition may say that its network is this VLAN."""
        return self.granted(tag) or any(first <= tag <= last for first, last in self.tags())

    def granted(self, tag: int) -> bool:
        """Whether it may be so though others use this VLAN."""
        return any(first <= tag <= last for first, last in ranges(self.provider_vlans, "provider_vlans", 0, 4094))

    def ports(self) -> list[tuple[int, int]]:
        """First and last of each range of outside ports; none: no forwards."""
        return ranges(self.forward_ports, "forward_ports", 1, 65535)

    def floats(self) -> Iterator[str]:
        """The outside addresses that machines may get, in order."""
        for text in split(self.floating_pool):
            first, last = _addresses(text)
            yield from map(str, map(ipaddress.IPv4Address, range(first, last + 1)))

    def pair(self, tag: int) -> tuple[str, str]:
        """The gateway's and the network's address on the link between them; it is a /30."""
        return self._inner(PAIRS + 4 * tag + 1), self._inner(PAIRS + 4 * tag + 2)

    def end(self, tag: int) -> str:
        """A network's address on links to other networks."""
        return self._inner(ENDS + tag)

    def jumps(self) -> Iterator[str]:
        """Addresses by which the gateway alone reaches machines, in order."""
        last = ipaddress.IPv4Network(self.transfer).num_addresses - 1
        return (self._inner(number) for number in range(JUMPS + 1, last))

    def _inner(self, number: int) -> str:
        return str(ipaddress.IPv4Network(self.transfer)[number])


def settings_from(data: Mapping[str, Any]) -> Settings:
    """Settings of JSON, checked; what is not said has its default."""
    values = {name: value for name, value in data.items() if name in Settings.__dataclass_fields__}
    for name in ("home", "run"):
        if name in values:
            values[name] = Path(values[name])
    settings = Settings(**{**values, "dns": tuple(values.get("dns") or ())})
    try:
        if ipaddress.IPv4Network(settings.transfer).prefixlen > 15:
            raise ValueError
    except ValueError:
        raise Refused("setting", name="transfer", value=settings.transfer) from None
    if not settings.tags():
        raise Refused("setting", name="vlans", value=settings.vlans)
    settings.may_name(0)
    settings.ports()
    for text in settings.dns:
        _address(text)
    for text in split(settings.floating_pool):
        _addresses(text)
    return settings


def _address(text: str) -> None:
    """Refuse what is no address: it becomes a line of dnsmasq's."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise Refused("setting", name="dns", value=text) from None


def split(text: str) -> list[str]:
    """The parts of a list that a person wrote, with commas or spaces."""
    return text.replace(",", " ").split()


def ranges(text: str, name: str, least: int, most: int) -> list[tuple[int, int]]:
    """First and last of each part such as 100-199 or 300."""
    found = []
    for part in split(text):
        first, _dash, last = part.partition("-")
        if not (
            first.isdecimal() and (last or first).isdecimal() and least <= int(first) <= int(last or first) <= most
        ):
            raise Refused("setting", name=name, value=text)
        found.append((int(first), int(last or first)))
    return found


def _addresses(text: str) -> tuple[int, int]:
    """The first and the last usable address of 203.0.113.64/28 or 203.0.113.65-203.0.113.70."""
    try:
        if "/" in text:
            cidr = ipaddress.IPv4Network(text)
            ends = (cidr[0], cidr[-1]) if cidr.num_addresses <= 2 else (cidr[1], cidr[-2])
        else:
            first, _dash, last = text.partition("-")
            ends = (ipaddress.IPv4Address(first), ipaddress.IPv4Address(last or first))
    except ValueError:
        raise Refused("setting", name="floating_pool", value=text) from None
    if ends[0] > ends[1] or int(ends[1]) - int(ends[0]) > 65535:
        raise Refused("setting", name="floating_pool", value=text)
    return int(ends[0]), int(ends[1])
