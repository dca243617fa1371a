"""Addresses of a slice: a range for every network and an address for every card, and what is wrong with those given.

What has an address keeps it: adding nodes and links later renumbers nothing.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from descriptors.canonical import canonical_cidr
from olimpus.errors import CapacityExceeded, Invalid
from olimpus.words import gettext as _
from slices.graph import End, Fault, Graph, Link

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

POOL: Final = "10.64.0.0/10"
#: Two machines, a gateway, and the DHCP service of an OpenStack: three addresses and the lower half for machines.
WIRE_BITS: Final = 3
SHARED_BITS: Final = 8
#: The shortest prefix of a range that is guessed from addresses.
WIDEST: Final = 8
#: A network of these types has a router outside the slice, which takes an address.
LED_OUT: Final = frozenset({"nat", "public"})
MOST_FAULTS: Final = 100


def _spans(*ranges: str) -> list[tuple[int, int]]:
    networks = [ipaddress.ip_network(text) for text in ranges]
    return [(int(network[0]), int(network[-1])) for network in networks]


#: Version of IP → first and last address of what is no machine's: this host, loopback, link-local, multicast, reserved.
RESERVED: Final = {
    4: _spans("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
    6: _spans("::/127", "fe80::/10", "ff00::/8"),
}


def addressed(graph: Graph, *, pool: str = POOL, avoid: Iterable[str] = ()) -> Graph:
    """The graph with a range for every network and an address for every card that had none; the same for the same graph.

    Point-to-point links take their ranges from the lower half of `pool`, shared ones from the upper half, both in their
    order and beside all ranges given and those to `avoid`. What somebody else addresses (networks with aliases or of the
    type provider, without a range) stays as it is, and so do cards for which a range has no room: `check_addresses` tells.
    Invalid for a pool that is none; CapacityExceeded when it is used up.
    """
    ends = _ends_in_time(graph)
    found = {link.name: _given(link, ends[link.name]) for link in graph.links}
    taken = [network for network in found.values() if network] + [ipaddress.ip_network(text) for text in avoid]
    ranges = {False: _Free(_pool(pool), taken), True: _Free(_pool(pool), taken, half=1)}
    for link in graph.links:
        if found[link.name] is None and not _foreign(link) and not link.cidr:
            found[link.name] = ranges[link.shared].next(_bits(link, ends[link.name]), link.name)
    return replace(graph, links=tuple(_numbered(link, found[link.name]) for link in graph.links))


def check_addresses(graph: Graph) -> None:
    """Invalid with all faults at once: ranges that are none, overlap, or have no room; addresses outside or kept; what two
    cards have.
    """
    if found := faults_of(graph):
        first = found[0]
        raise Invalid(first["message"], where=first["where"], hint=first["hint"], errors=found)


def faults_of(graph: Graph) -> list[Fault]:
    """What `check_addresses` raises: the first hundred, with the link as its place (`links.r1-r2`)."""
    ranges: list[tuple[Link, Network]] = []
    found: list[Fault] = []
    for link in graph.links:
        try:
            network = ipaddress.ip_network(canonical_cidr(link.cidr)) if link.cidr else None
        except ValueError:
            found.append(_fault(link, _("“%s” is not a range of addresses.") % link.cidr, _("Such as 10.0.0.0/29.")))
            continue
        if network and _is_reserved(network):
            message = _("No machine can have an address in %(cidr)s.") % {"cidr": network}
            found.append(_fault(link, message, _("Such as 10.0.0.0/29.")))
            continue
        if network:
            ranges.append((link, network))
        found += _address_faults(link, network)
    return [*found, *_overlaps(ranges), *_macs_twice(graph)][:MOST_FAULTS]


def _is_reserved(network: Network) -> bool:
    start, size = int(network.network_address), network.max_prefixlen - network.prefixlen
    return any(start <= last and first < start + (1 << size) for first, last in RESERVED[network.version])


# Ranges ---------------------------------------------------------------------------------------------------------------


class _Free:
    """Gives free ranges of a pool one after another, each aligned as ranges are; it never goes back."""

    def __init__(self, pool: Network, taken: Iterable[Network], half: int = 0):
        self._pool = pool
        own = sorted((int(one[0]), int(one[-1]) + 1) for one in taken if one.version == pool.version)
        self._taken = _merged(own)
        self._starts = [start for start, _end in self._taken]
        self._next = int(pool[0]) + half * (pool.num_addresses // 2)
        self._end = int(pool[0]) + pool.num_addresses // (2 - half)

    def next(self, bits: int, name: str) -> Network:
        start = self._aligned(self._next, bits)
        while (blocked := self._blocking(start, start + 2**bits)) is not None:
            start = self._aligned(blocked, bits)
        if start + 2**bits > self._end:
            message = _("The pool %s has no range left for this network.") % self._pool
            raise CapacityExceeded(message, where=f"links.{name}", hint=_("Give “cidr” by hand, or use a larger pool."))
        self._next = start + 2**bits
        return ipaddress.ip_network((start, self._pool.max_prefixlen - bits))

    def _aligned(self, number: int, bits: int) -> int:
        return -(-number // 2**bits) * 2**bits

    def _blocking(self, start: int, end: int) -> int | None:
        """Where the last taken range that touches this one ends."""
        place = bisect_right(self._starts, end - 1) - 1
        return self._taken[place][1] if place >= 0 and self._taken[place][1] > start else None


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in spans that do not touch each other."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _pool(text: str) -> Network:
    try:
        return ipaddress.ip_network(canonical_cidr(text))
    except ValueError:
        raise Invalid(
            _("“%s” is not a range of addresses.") % text, where="pool", hint=_("Such as 10.0.0.0/8.")
        ) from None


def _foreign(link: Link) -> bool:
    """Whether somebody else gives addresses in it."""
    return not link.cidr and (bool(link.options.get("aliases")) or link.options.get("type") == "provider")


def _ends_in_time(graph: Graph) -> dict[str, int]:
    """Link → its cards, with those of what joins its parts on several hypervisors, one on each."""
    usual = graph.defaults.get("hypervisor")
    sites = {node.name: node.definition.get("hypervisor") or usual for node in graph.nodes}
    found = {link.name: len(link.ends) for link in graph.links}
    if len(set(sites.values())) > 1:
        for link in graph.links:
            there = {sites[name] for name in link.talking}
            found[link.name] = max(found[link.name], len(link.talking) + (len(there) if len(there) > 1 else 0))
    return found


def _bits(link: Link, ends: int) -> int:
    """Of the host part of a range in whose lower half there is room for everybody: above, clouds give addresses."""
    least = SHARED_BITS if link.shared else WIRE_BITS
    return max(least, (2 * ends + 1).bit_length())


def _given(link: Link, ends: int) -> Network | None:
    """The range that is said, or in which the addresses are that are said; None where there is none, or no good one."""
    try:
        if link.cidr:
            return ipaddress.ip_network(canonical_cidr(link.cidr))
        said = [ipaddress.ip_address(text) for text in _said(link)]
    except ValueError:
        return None
    if not said or len({address.version for address in said}) > 1 or _foreign(link):
        return None
    return _around(said, _bits(link, ends))


def _said(link: Link) -> list[str]:
    gateway = link.options.get("gateway")
    return [end.ip for end in link.ends if end.ip] + ([gateway] if gateway else [])


def _around(addresses: list[Any], bits: int) -> Network | None:
    """The smallest range of at least so many bits that has all of them as hosts; None where they are too far apart."""
    low, high, length = min(map(int, addresses)), max(map(int, addresses)), addresses[0].max_prefixlen
    while bits < length and not (low >> bits << bits < low and high < (low >> bits << bits) + 2**bits - 1):
        bits += 1
    if bits > length - WIDEST:
        return None
    return ipaddress.ip_network((int(low) >> bits << bits, length - bits))


# Addresses ------------------------------------------------------------------------------------------------------------


def gateway_of(link: Link, network: Network) -> str:
    """The address that a router outside the slice takes: the one said, else the highest where there is such a router."""
    said = str(link.options.get("gateway") or "")
    return said or (str(network[-2]) if link.options.get("type") in LED_OUT and network.num_addresses > 2 else "")


def _room(link: Link, network: Network) -> tuple[int, int]:
    """The first and the last number that a card may have."""
    limits: Mapping[str, str] = link.options.get("pool") or {}
    first, last = int(network[0]) + 1, int(network[-1]) - 1
    start, end = (_number(limits.get(key), network) for key in ("start", "end"))
    return max(first, start or first), min(last, end or last)


def _number(text: str | None, network: Network) -> int | None:
    try:
        return int(ipaddress.ip_address(text)) if text else None
    except ValueError:
        return None


def _kept(link: Link, network: Network) -> set[int]:
    """Numbers that no card gets: the gateway's and the name servers'."""
    texts = [gateway_of(link, network), *map(str, link.options.get("dns") or [])]
    return {int(ipaddress.ip_address(text)) for text in texts if text and _version(text) == network.version}


def _version(text: str) -> int:
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


def _numbered(link: Link, network: Network | None) -> Link:
    """The link with its range, and with an address for each card as long as there are some."""
    if network is None:
        return link
    free = _free_numbers(link, network)
    kind = type(network[0])
    ends = tuple(end if end.ip else _with_address(end, next(free, None), kind) for end in link.ends)
    return replace(link, cidr=str(network), ends=ends)


def _with_address(end: End, number: int | None, kind: Any) -> End:
    return end if number is None else replace(end, ip=str(kind(number)))


def _free_numbers(link: Link, network: Network) -> Iterator[int]:
    taken = _kept(link, network)
    taken |= {int(ipaddress.ip_address(end.ip)) for end in link.ends if end.ip and _version(end.ip) == network.version}
    first, last = _room(link, network)
    return (number for number in range(first, last + 1) if number not in taken)


# Faults ---------------------------------------------------------------------------------------------------------------


def _fault(link: Link, message: str, hint: str = "") -> Fault:
    return {"where": f"links.{link.name}", "message": message, "hint": hint}


def _overlaps(ranges: list[tuple[Link, Network]]) -> Iterator[Fault]:
    """Two ranges are apart, or one is in the other: in their order, it is in the one that was open last."""
    open_: list[tuple[Link, Network]] = []
    for link, network in sorted(ranges, key=lambda one: (one[1].version, int(one[1][0]), one[1].prefixlen)):
        while open_ and not _inside(network, open_[-1][1]):
            open_.pop()
        if open_:
            told = {"cidr": network, "other": open_[-1][1], "name": open_[-1][0].name}
            yield _fault(
                link, _("%(cidr)s overlaps %(other)s of “%(name)s”.") % told, _("Leave “cidr” out to get a free one.")
            )
        open_.append((link, network))


def _macs_twice(graph: Graph) -> Iterator[Fault]:
    """A MAC belongs to one card, whatever the network."""
    holders: defaultdict[str, list[tuple[Link, End]]] = defaultdict(list)
    for link in graph.links:
        for end in link.ends:
            if mac := end.card.get("mac"):
                holders[mac].append((link, end))
    for mac, cards in holders.items():
        if len(cards) > 1:
            told = {"ip": mac, "nodes": ", ".join(end.node for _link, end in cards)}
            yield _fault(cards[-1][0], _("%(ip)s is given to several cards: %(nodes)s.") % told)


def _inside(one: Network, other: Network) -> bool:
    return one.version == other.version and int(one[0]) <= int(other[-1])


def _address_faults(link: Link, network: Network | None) -> Iterator[Fault]:
    numbers = {end.ip: end for end in link.ends if end.ip}
    for ip, times in Counter(end.ip for end in link.ends if end.ip).items():
        if times > 1:
            nodes = ", ".join(end.node for end in link.ends if end.ip == ip)
            yield _fault(link, _("%(ip)s is given to several cards: %(nodes)s.") % {"ip": ip, "nodes": nodes})
    if network is None:
        return
    yield from _crowding(link, network)
    kept, (first, last) = _kept(link, network), _room(link, network)
    gateway = gateway_of(link, network)
    if gateway and (_version(gateway) != network.version or ipaddress.ip_address(gateway) not in network):
        yield _fault(link, _("The gateway %(ip)s is outside of %(cidr)s.") % {"ip": gateway, "cidr": network})
    for ip, end in numbers.items():
        told = {"ip": ip, "node": end.node, "cidr": network}
        if _version(ip) != network.version or not int(network[0]) < int(ipaddress.ip_address(ip)) < int(network[-1]):
            yield _fault(link, _("%(ip)s of “%(node)s” is no address of a machine in %(cidr)s.") % told)
        elif int(ipaddress.ip_address(ip)) in kept:
            yield _fault(link, _("%(ip)s of “%(node)s” is the gateway's or a name server's.") % told)
        elif link.options.get("pool") and not first <= int(ipaddress.ip_address(ip)) <= last:
            yield _fault(link, _("%(ip)s of “%(node)s” is outside of the network's pool.") % told)


def _crowding(link: Link, network: Network) -> Iterator[Fault]:
    """Whether all cards, and what is kept, have room."""
    first, last = _room(link, network)
    kept = sum(first <= number <= last for number in _kept(link, network))
    room = max(0, last - first + 1 - kept)
    if len(link.ends) > room:
        bits = next(bits for bits in range(1, 129) if 2**bits - 2 >= len(link.ends) + kept)
        told = {"cidr": network, "room": room, "ends": len(link.ends), "prefix": network.max_prefixlen - bits}
        hint = _("It takes a /%(prefix)d at least.") % told if not link.options.get("pool") else _("Widen its pool.")
        yield _fault(link, _("%(cidr)s has addresses for %(room)d machines; there are %(ends)d.") % told, hint)
