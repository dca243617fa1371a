"""Network cards: how a MAC is made, and how assigned identities join a definition. Pure; the rows are in `models.Nic`."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from olimpus.errors import Invalid
from olimpus.words import gettext as _

#: Locally administered, unicast (IEEE 802): never the address of a bought card.
PREFIX = 0x02
#: Prefix of MACs that carry an IPv4 address in their last four bytes (`ip_mode: mac`).
CODED = "02:00"


@dataclass(frozen=True)
class Card:
    """What a network card was given once."""

    mac: str
    ip: str = ""


def mac_for(uid: str, position: int) -> str:
    """A MAC for one card of one machine: the same arguments give the same address (39 bits of a hash)."""
    digest = hashlib.sha256(f"{uid}/{position}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (PREFIX, digest[0] | 0x01, *digest[1:5]))


def mac_of_ip(ip: str) -> str:
    """The MAC that carries this IPv4 address, for DHCP servers that derive the lease from it. Raises Invalid for IPv6."""
    address = ipaddress.ip_address(ip)
    if address.version != 4:
        raise Invalid(_("only an IPv4 address fits into a MAC"), where="ip", hint=_('Use another "ip_mode".'))
    return ":".join([CODED, *(f"{byte:02x}" for byte in address.packed)])


def wanted_mac(nic: Mapping[str, Any]) -> str:
    """The MAC that the definition itself fixes for a card, "" when it is ours to choose."""
    if nic.get("mac"):
        return str(nic["mac"])
    ip = wanted_ip(nic)
    return mac_of_ip(ip) if nic.get("ip_mode") == "mac" and ip else ""


def wanted_ip(nic: Mapping[str, Any]) -> str:
    """The address that the definition fixes for a card, "" when there is none or a pool gives it."""
    ip = nic.get("ip") or ""
    return "" if ip == "auto" else str(ip)


def pool(network: Mapping[str, Any]) -> Iterator[str]:
    """The addresses that a network's definition lets us give, in order: its `pool`, else all hosts of its `cidr`.

    Its gateway and its name servers are never among them. Nothing comes of a network without `cidr`.
    """
    if not network.get("cidr"):
        return
    cidr, limits = ipaddress.ip_network(network["cidr"], strict=False), network.get("pool") or {}
    first = max(int(cidr[0]) + 1, int(ipaddress.ip_address(limits.get("start") or cidr[0])))
    last = min(int(cidr[-1]) - 1, int(ipaddress.ip_address(limits.get("end") or cidr[-1])))
    taken = {str(network.get("gateway") or ""), *map(str, network.get("dns") or [])}
    for number in range(first, last + 1):
        if (address := str(type(cidr[0])(number))) not in taken:
            yield address


def joined(values: Mapping[str, Any], cards: Mapping[int, Card] | Iterable[tuple[int, Card]]) -> dict[str, Any]:
    """The computed values with each card's own MAC and address put into `nics`."""
    given = dict(cards)
    nics: Sequence[Mapping[str, Any]] = values.get("nics") or []
    if not nics or not given:
        return dict(values)
    return {**values, "nics": [_joined(nic, given.get(position)) for position, nic in enumerate(nics)]}


def _joined(nic: Mapping[str, Any], card: Card | None) -> dict[str, Any]:
    if card is None:
        return dict(nic)
    return {**nic, "mac": card.mac} | ({"ip": card.ip} if card.ip else {})


def as_given(values: Mapping[str, Any], applied: Mapping[str, Any]) -> dict[str, Any]:
    """The computed values with the MACs and addresses of `applied`, wherever the definition leaves them to us."""
    before: Sequence[Mapping[str, Any]] = applied.get("nics") or []
    nics: Sequence[Mapping[str, Any]] = values.get("nics") or []
    pairs = zip(nics, [*before, *({} for _nic in nics)], strict=False)
    return {**values, "nics": [_as_given(nic, known) for nic, known in pairs]} if nics else dict(values)


def _as_given(nic: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    given = {} if nic.get("mac") or not known.get("mac") else {"mac": known["mac"]}
    if nic.get("ip") == "auto" and known.get("ip"):
        given["ip"] = known["ip"]
    return {**nic, **given}
