"""Machines enter and leave the state: tags, addresses and outside ports are given here, each once. Pure.

A function that refuses has not changed the state that it was given: callers work on a copy.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from itertools import chain

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.gateway.program.settings import Settings
from hypervisors.drivers.linux.gateway.program.state import Card, Forward, Machine, Network, State
from hypervisors.drivers.linux.gateway.program.ways import jump_card

#: A public key as it may stand in authorized_keys: kind and key, nothing before or behind.
KEY = re.compile(r"[a-z][a-z0-9@.-]+ [A-Za-z0-9+/]+={0,3}")
#: Addresses that mean “here”, of nobody else.
NOWHERE = ipaddress.ip_network("0.0.0.0/8")


def entered(
    state: State, uid: str, machine: Machine, networks: Mapping[str, Network], settings: Settings, used: Set[int]
) -> State:
    """The state with this machine in it, as it is wished for now; whatever it was given before, it keeps.

    `networks` are the definitions by key, `used` the tags that others use on the bridge. `Refused` says what does not fit.
    """
    after = copy.deepcopy(state)
    before = after.machines.pop(uid, Machine(machine.name))
    machine = copy.deepcopy(machine)
    for text in machine.keys:
        if not KEY.fullmatch(text):
            raise Refused("key", key=text[:80])
    for card in machine.cards:
        _join(after, card.network, networks[card.network], settings, used)
    for position, card in enumerate(machine.cards):
        _check_card(after, card, machine.cards[:position])
    after.machines[uid] = machine
    for key in {card.network: None for card in machine.cards}:
        _give_service(after, key)
    for card in machine.cards:
        _give_address(after, card, _same(before, card))
        _give_ways_out(after, card, _same(before, card), settings)
    machine.jump = _jump(after, uid, before.jump, settings)
    machine.held = before.held
    _forget_empty(after)
    return after


def held(state: State, uid: str) -> State:
    """The state in which this machine, which is in it, is held."""
    after = copy.deepcopy(state)
    after.machines[uid].held = True
    return after


def left(state: State, uid: str) -> State:
    """The state without this machine, and without the networks that nobody is in any more."""
    after = copy.deepcopy(state)
    after.machines.pop(uid, None)
    _forget_empty(after)
    return after


def _forget_empty(state: State) -> None:
    peopled = {card.network for _uid, card in state.cards()}
    state.networks = {key: network for key, network in state.networks.items() if key in peopled}


def _same(machine: Machine, card: Card) -> Card:
    """What the card was before; an empty one when it is new."""
    return next(
        (one for one in machine.cards if (one.network, one.mac) == (card.network, card.mac)), Card(card.network, "")
    )


# -- networks ----------------------------------------------------------------------------------------------------------


def _join(state: State, key: str, wanted: Network, settings: Settings, used: Set[int]) -> None:
    """Put the network into the state as it is defined now, with the tag that it has or the next free one."""
    known = state.networks.get(key)
    tag = _tag(state, key, wanted, settings, used)
    if known and known.tag != tag and state.cards_of(key):
        raise Refused("tag-changed", network=wanted.name, tag=known.tag, wanted=tag)
    state.networks[key] = replace(wanted, tag=tag, service=known.service if known else "")
    for one in (key, *(other for other, network in state.networks.items() if key in network.reaches)):
        _check_network(state, one, settings)


def _tag(state: State, key: str, wanted: Network, settings: Settings, used: Set[int]) -> int:
    known = state.networks.get(key)
    if known and not wanted.vlan and wanted.type != "provider":
        return known.tag
    ours = {network.tag: other for other, network in state.networks.items() if other != key}
    if wanted.vlan or wanted.type == "provider":
        if not settings.may_name(wanted.vlan):
            raise Refused("tag-denied", tag=wanted.vlan, network=wanted.name)
        if wanted.vlan in used and not settings.granted(wanted.vlan):
            raise Refused("tag-used", tag=wanted.vlan, network=wanted.name)
        other = state.networks.get(ours.get(wanted.vlan, ""))
        if other and not other.type == wanted.type == "provider":  # those are names of one VLAN that is there anyway
            raise Refused("tag-taken", tag=wanted.vlan, network=other.name)
        return wanted.vlan
    for first, last in settings.tags():
        for tag in range(first, last + 1):
            if tag not in ours and tag not in used:
                return tag
    raise Refused("tags-used-up", range=settings.vlans)


def _check_network(state: State, key: str, settings: Settings) -> None:
    network = state.networks[key]
    if not network.served:
        if network.reaches:
            raise Refused("reach-unserved", network=network.name)
        return
    cidr = ipaddress.ip_network(network.cidr)
    inner = ipaddress.ip_network(settings.transfer)
    if not is_range(cidr) or cidr.overlaps(inner):
        raise Refused("cidr", network=network.name, cidr=network.cidr)
    if network.gateway and not _is_host(network.gateway, network.cidr):
        raise Refused("address-outside", address=network.gateway, cidr=network.cidr, network=network.name)
    for other in network.reaches:
        theirs = state.networks.get(other)
        if theirs and theirs.served and cidr.overlaps(ipaddress.ip_network(theirs.cidr)):
            raise Refused("reach-overlap", network=network.name, other=theirs.name, cidr=network.cidr)
        if theirs and not theirs.served:
            raise Refused("reach-unserved", network=theirs.name)


def is_range(cidr: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether machines can have its addresses: no loopback, no multicast, nothing that is reserved."""
    usual = not (cidr.is_loopback or cidr.is_multicast or cidr.is_reserved or cidr.overlaps(NOWHERE))
    return cidr.version == 4 and 8 <= cidr.prefixlen <= 30 and usual


def _give_service(state: State, key: str) -> None:
    """The gateway's own address in a network: its definition's, else the last that is free.

    Where machines have them all, as the two of a /30, and need no router: one beside the range, to give them by DHCP.
    """
    network = state.networks[key]
    if not network.served:
        network.service = ""
        return
    taken = {card.ip for _machine, card in state.cards_of(key)}
    if network.routed and network.gateway:
        if network.gateway in taken:
            raise Refused("gateway-taken", address=network.gateway, network=network.name)
        network.service = network.gateway
        return
    wanted = [network.service, network.gateway] if network.service else [network.gateway]
    for address in chain(filter(None, wanted), from_above(network.cidr)):
        if address not in taken and _is_host(address, network.cidr):
            network.service = address
            return
    if network.routed:
        raise Refused("addresses-used-up", network=network.name, cidr=network.cidr)
    network.service = _beside(network.cidr)


def _is_host(address: str, cidr: str) -> bool:
    network, found = ipaddress.ip_network(cidr), ipaddress.ip_address(address)
    return found in network and found not in (network[0], network[-1])


def from_above(cidr: str) -> Iterator[str]:
    network = ipaddress.IPv4Network(cidr)
    return (str(network[number]) for number in range(network.num_addresses - 2, 0, -1))


def _beside(cidr: str) -> str:
    """An address next to the range, in the one that is twice as large."""
    network = ipaddress.IPv4Network(cidr)
    twice = network.supernet()
    return str(twice[-2] if twice[0] == network[0] else twice[1])


# -- addresses ---------------------------------------------------------------------------------------------------------


def _check_card(state: State, card: Card, siblings: Iterable[Card]) -> None:
    """Refuse a card whose MAC or address another one of its network has, or that does not belong there."""
    network = state.networks[card.network]
    if card.ip and network.served and not _is_host(card.ip, network.cidr):
        raise Refused("address-outside", address=card.ip, cidr=network.cidr, network=network.name)
    others = [(machine.name, one) for machine, one in state.cards_of(card.network)]
    others += [("", one) for one in siblings if one.network == card.network]
    for name, one in others:
        if one.mac == card.mac:
            raise Refused("mac-taken", mac=card.mac, machine=name, network=network.name)
        if card.ip and one.ip == card.ip:
            raise Refused("address-taken", address=card.ip, machine=name, network=network.name)


def _give_address(state: State, card: Card, before: Card) -> None:
    """A card that asks for no address, in a network with DHCP, gets one that Olimpus does not give by itself."""
    network = state.networks[card.network]
    if card.ip or not (card.dhcp and network.dhcp and network.served):
        return
    taken = {one.ip for _machine, one in state.cards_of(card.network)}
    taken |= {network.service, network.gateway, *network.dns}
    card.ip = next((one for one in chain([before.ip], _spare(network)) if one and one not in taken), "")
    if not card.ip:
        raise Refused("addresses-used-up", network=network.name, cidr=network.cidr)


def _spare(network: Network) -> Iterator[str]:
    """Addresses from above: first those outside of the pool that Olimpus gives from, which begins below."""
    cidr = ipaddress.IPv4Network(network.cidr)
    least, most = int(cidr[1]), int(cidr[-2])
    first, last = (int(ipaddress.IPv4Address(one)) for one in network.pool or (cidr[0], cidr[0]))
    for high, low in ((most, last + 1), (first - 1, least), (last, first)):
        for number in range(min(high, most), max(low, least) - 1, -1):
            yield str(ipaddress.IPv4Address(number))


# -- ways in -----------------------------------------------------------------------------------------------------------


def _give_ways_out(state: State, card: Card, before: Card, settings: Settings) -> None:
    """The outside ports and the floating address of a card; what it had, it keeps."""
    network = state.networks[card.network]
    if (card.forwards or card.floating) and not (card.ip and network.served):
        raise Refused("way-without-address", network=network.name)
    if card.floating:
        card.floating = _floating(state, before, settings)
    had = {(one.port, one.protocol) for one in before.forwards}
    order = sorted(card.forwards, key=lambda one: (not one.outside, (one.port, one.protocol) not in had))
    for forward in order:  # first those that say which, then those that had one
        _give_port(state, forward, before, settings)


def _floating(state: State, before: Card, settings: Settings) -> str:
    pool = list(settings.floats())
    if not pool:
        raise Refused("floating-off")
    taken = {card.floating for _uid, card in state.cards()}
    for address in (before.floating, *pool):
        if address in pool and address not in taken:
            return address
    raise Refused("floats-used-up", range=settings.floating_pool)


def _give_port(state: State, forward: Forward, before: Card, settings: Settings) -> None:
    """An outside port: the one that was asked for, or had before, or the next that is free."""
    taken = {
        (one.protocol, one.outside): machine.name
        for machine in state.machines.values()
        for card in machine.cards
        for one in card.forwards
        if one is not forward and one.outside
    }
    offered = settings.ports()
    if not offered:
        raise Refused("forwards-off")
    if forward.outside:
        if not any(first <= forward.outside <= last for first, last in offered):
            raise Refused("forward-range", port=forward.outside, range=settings.forward_ports)
        if (forward.protocol, forward.outside) in taken:
            raise Refused("forward-taken", port=forward.outside, machine=taken[forward.protocol, forward.outside])
        return
    had = [one.outside for one in before.forwards if (one.port, one.protocol) == (forward.port, forward.protocol)]
    free = (port for first, last in offered for port in range(first, last + 1))
    kept = [port for port in had if any(first <= port <= last for first, last in offered)]
    for port in chain(kept, free):
        if (forward.protocol, port) not in taken:
            forward.outside = port
            return
    raise Refused("forwards-used-up", range=settings.forward_ports)


def _jump(state: State, uid: str, before: str, settings: Settings) -> str:
    """The address by which the gateway reaches the machine, when somebody may jump to it."""
    machine = state.machines[uid]
    if not (machine.keys and settings.jump_user and jump_card(state, machine)):
        return ""
    taken = {one.jump for other, one in state.machines.items() if other != uid}
    addresses = chain([before], settings.jumps())
    found = next((address for address in addresses if address and address not in taken), "")
    if not found:
        raise Refused("jumps-used-up", range=settings.transfer)
    return found
