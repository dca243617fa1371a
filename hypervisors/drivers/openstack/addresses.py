"""Address ranges, checked before a cloud is asked, so that a refusal says in words what is wrong. Pure.

Every function raises `Rejected`, with `where` naming the parameter.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol

from olimpus.errors import Rejected
from olimpus.words import gettext as _

Range = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Named(Protocol):
    """A subnet, as far as it matters here."""

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def cidr(self) -> str: ...


def parse_range(cidr: str) -> Range:
    """The range; one with host bits set is refused, and the nearest right one offered."""
    try:
        return ipaddress.ip_network(cidr.strip())
    except ValueError:
        hint = _("Write it like 192.168.100.0/24.")
        try:
            nearest = ipaddress.ip_network(cidr.strip(), strict=False)
        except ValueError:
            pass
        else:
            hint = _("Did you mean “%(name)s”?") % {"name": nearest}
        raise Rejected(_("“%(cidr)s” is no range of addresses.") % {"cidr": cidr}, where="cidr", hint=hint) from None


def check_free(cidr: Range, taken: Iterable[Named]) -> None:
    """Refuse a range that overlaps one that is there."""
    for subnet in taken:
        other = ipaddress.ip_network(subnet.cidr, strict=False)
        if cidr.version == other.version and cidr.overlaps(other):
            told = {"wanted": cidr, "taken": other, "name": subnet.name or subnet.id}
            message = _("%(wanted)s overlaps %(taken)s, the range of subnet “%(name)s”.") % told
            raise Rejected(message, where="cidr", hint=_("Choose a range that the network does not have yet."))


def check_within(cidr: Range, gateway: str, pool: tuple[str, str] | None, dns: Sequence[str]) -> None:
    """Refuse a gateway or a pool outside of the range, a pool that runs backwards, and what is no address."""
    if gateway:
        _inside(cidr, gateway, "gateway")
    if pool:
        first, last = (_inside(cidr, address, "pool") for address in pool)
        if int(first) > int(last):
            told = {"first": first, "last": last}
            raise Rejected(_("The pool begins at %(first)s, after its end %(last)s.") % told, where="pool")
    for server in dns:
        _parse(server, "dns")


def _inside(cidr: Range, text: str, where: str) -> Address:
    address = _parse(text, where)
    if address not in cidr:
        raise Rejected(_("%(address)s is not in %(cidr)s.") % {"address": address, "cidr": cidr}, where=where)
    return address


def _parse(text: str, where: str) -> Address:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        raise Rejected(_("“%(text)s” is no address.") % {"text": text}, where=where) from None


def spare(cidr: Range, kept: tuple[str, str] | None, gateway: str) -> tuple[str, str] | None:
    """The longest run of addresses that the cloud may give by itself, beside those that are given by us; None: none left.

    Ours are the pool that is kept, or the lower half of the range without one, as we give addresses from below.
    """
    first, last = int(cidr[0]) + 1, int(cidr[-1]) - (1 if cidr.version == 4 else 0)
    ours = tuple(int(ipaddress.ip_address(address)) for address in kept) if kept else (first, (first + last) // 2)
    barred = sorted([ours, *([(int(ipaddress.ip_address(gateway)),) * 2] if gateway else [])])
    runs, begin = [], first
    for start, end in [*barred, (last + 1, last + 1)]:
        runs.append((begin, min(start - 1, last)))
        begin = max(begin, end + 1)
    begin, end = max(runs, key=lambda run: run[1] - run[0])
    kind = type(cidr[0])
    return (str(kind(begin)), str(kind(end))) if begin <= end else None


def last_host(cidr: Range) -> str:
    """The highest address that a machine can have: the gateway where nobody says which."""
    return str(cidr[-2 if cidr.num_addresses > 2 else -1])
