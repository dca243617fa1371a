"""The files and rules of the programs that do the work: dnsmasq, nft, sshd. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hypervisors.drivers.linux.gateway.program.names import OUT, TABLE, peer_link, port
from hypervisors.drivers.linux.gateway.program.settings import Settings
from hypervisors.drivers.linux.gateway.program.state import Card, Machine, Network
from hypervisors.drivers.linux.gateway.program.ways import SSH, WayIn, routes_out

LEASE = "1h"
_NOT_LABEL = re.compile(r"[^a-z0-9-]+")


# -- dnsmasq -----------------------------------------------------------------------------------------------------------


def name_servers(network: Network, settings: Settings) -> list[str]:
    """Who answers names for its machines: whom the definition names, else the settings, where machines get outside."""
    return list(network.dns or (settings.dns if routes_out(network) else ()))


def dnsmasq_conf(network: Network, folder: Path, settings: Settings) -> str:
    """The DHCP server of one network. It answers names too when the definition says that it does: `dns` names it."""
    cidr = ipaddress.IPv4Network(network.cidr)
    answers = network.service in network.dns
    lines = [
        f"port={53 if answers else 0}",
        f"interface={port(network.tag)}",
        "except-interface=lo",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
        "no-ping",
        "dhcp-authoritative",
        "quiet-dhcp",
        f"dhcp-range={cidr[0]},static,{network.around.netmask},{LEASE}",
        f"dhcp-option=option:netmask,{cidr.netmask}",
        f"dhcp-option=28,{cidr.broadcast_address}",
        "dhcp-ignore=tag:!known",
        f"dhcp-hostsfile={folder / 'hosts'}",
        f"dhcp-leasefile={folder / 'leases'}",
        f"pid-file={folder / 'pid'}",
        f"dhcp-option=option:router{_listed([network.router] if network.router else [])}",
        f"dhcp-option=option:dns-server{_listed(filter(_is_v4, name_servers(network, settings)))}",
    ]
    lines += [f"dhcp-option=option:mtu,{network.mtu}"] if network.mtu else []
    if answers and routes_out(network):
        lines += [f"server={address}" for address in settings.dns if address != network.service]
    return "\n".join(lines) + "\n"


def _listed(values: Iterable[str]) -> str:
    return "".join(f",{value}" for value in values)


def _is_v4(address: str) -> bool:
    """DHCP knows no others: with one of them dnsmasq would not start, for nobody in the network."""
    return ipaddress.ip_address(address).version == 4


def dnsmasq_hosts(cards: Iterable[tuple[Machine, Card]]) -> str:
    """Who gets which address and, where it is one, which name: the first of several with the same has it."""
    lines, names = [], set()
    for machine, card in cards:
        name = label(machine.name)
        lines.append(f"{card.mac},{card.ip}" + (f",{name}" if name and name not in names else ""))
        names.add(name)
    return "".join(f"{line}\n" for line in lines)


def label(name: str) -> str:
    """A machine's name as a host is called, "" when nothing of it can be."""
    return _NOT_LABEL.sub("-", name.lower()).strip("-")[:63].rstrip("-")


# -- nft ---------------------------------------------------------------------------------------------------------------


def network_rules(
    network: Network,
    ways: Sequence[WayIn],
    reaches: Sequence[Network],
    reached_by: Sequence[Network],
    settings: Settings,
) -> str:
    """The rules in a network's namespace: nothing passes but what its definition and its machines' ways in say."""
    device, cidr = port(network.tag), network.cidr
    return _table(
        _chain("input", "filter", "input", "filter", "drop", _to_gateway(network)),
        _chain(
            "forward",
            "filter",
            "forward",
            "filter",
            "drop",
            [
                "ct state invalid drop",
                "ct state established,related accept",
                *([f'iifname "{OUT}" oifname "{device}" ct status dnat accept'] if ways else []),
                *([f'iifname "{device}" oifname "{OUT}" ip saddr {cidr} accept'] if routes_out(network) else []),
                *(_passes(device, peer_link(one.tag), cidr, one.cidr) for one in reaches),
                *(_passes(peer_link(one.tag), device, one.cidr, cidr) for one in reached_by),
            ],
        ),
        _chain("prerouting", "nat", "prerouting", "dstnat", "accept", _inwards(network, ways, settings)),
        _chain("postrouting", "nat", "postrouting", "srcnat", "accept", _outwards(network, ways, settings)),
    )


def _to_gateway(network: Network) -> Iterator[str]:
    """DHCP, names where they are offered, and an answer to ping."""
    device = port(network.tag)
    yield "ct state established,related accept"
    yield 'iifname "lo" accept'
    if network.dhcp:
        yield f'iifname "{device}" udp dport 67 accept'
    yield f'iifname "{device}" ip daddr {network.service} icmp type echo-request accept'
    if network.service in network.dns:
        yield f'iifname "{device}" ip daddr {network.service} meta l4proto {{ tcp, udp }} th dport 53 accept'


def _passes(source: str, target: str, from_cidr: str, to_cidr: str) -> str:
    return f'iifname "{source}" oifname "{target}" ip saddr {from_cidr} ip daddr {to_cidr} accept'


def _inwards(network: Network, ways: Sequence[WayIn], settings: Settings) -> Iterator[str]:
    root, inner = settings.pair(network.tag)
    for way in ways:
        if way.kind == "floating":
            yield f'iifname "{OUT}" ip daddr {way.outside} dnat ip to {way.inside}'
        else:
            told = f"ip daddr {inner}" if way.kind == "forward" else f"ip saddr {root} ip daddr {way.outside}"
            yield (
                f'iifname "{OUT}" {told} {way.protocol} dport {way.outside_port} '
                f"dnat ip to {way.inside}:{way.inside_port}"
            )


def _outwards(network: Network, ways: Sequence[WayIn], settings: Settings) -> Iterator[str]:
    """Machines appear as their floating address or as the gateway; who comes in, as the gateway if it is no router."""
    for way in ways:
        if way.kind == "floating":
            yield f'oifname "{OUT}" ip saddr {way.inside} snat ip to {way.outside}'
    if routes_out(network):
        yield f'oifname "{OUT}" ip saddr {network.cidr} snat ip to {settings.pair(network.tag)[1]}'
    if not network.routed:
        yield f'oifname "{port(network.tag)}" snat ip to {network.service}'


def root_rules(ways: Iterable[tuple[WayIn, str]], settings: Settings, outside: str) -> str:
    """The rules on the gateway itself, about our links only. `ways` come with the network's address on its link."""
    ways = list(ways)
    floats = [way.outside for way, _inner in ways if way.kind == "floating"]
    ours = '"olgv*"'
    lines = [f"iifname != {ours} oifname != {ours} accept", "ct state established,related accept"]
    if outside:
        lines.append(f'iifname "{outside}" oifname {ours} ct status dnat accept')
        lines += [f'iifname "{outside}" oifname {ours} ip daddr {{ {", ".join(floats)} }} accept'] if floats else []
        lines.append(f'iifname {ours} oifname "{outside}" accept')
    answers = [f"iifname {ours} ct state established,related accept", f"iifname {ours} drop"]
    forwards = [
        f'iifname "{outside}" fib daddr type local {way.protocol} dport {way.outside_port} '
        f"dnat ip to {inner}:{way.outside_port}"
        for way, inner in ways
        if way.kind == "forward" and outside
    ]
    leaving = [f'oifname "{outside}" ip saddr {settings.transfer} masquerade'] if outside else []
    return _table(
        _chain("input", "filter", "input", "filter", "accept", answers),
        _chain("forward", "filter", "forward", "filter", "accept", [*lines, "drop"]),
        _chain("prerouting", "nat", "prerouting", "dstnat", "accept", forwards),
        _chain("postrouting", "nat", "postrouting", "srcnat", "accept", leaving),
    )


def no_rules() -> str:
    """What takes our table away, also where there is none."""
    return f"table inet {TABLE}\ndelete table inet {TABLE}\n"


def _table(*chains: str) -> str:
    return f"{no_rules()}table inet {TABLE} {{\n{''.join(chains)}}}\n"


def _chain(name: str, kind: str, hook: str, priority: str, policy: str, rules: Iterable[str]) -> str:
    body = "".join(f"    {rule}\n" for rule in rules)
    return f"  chain {name} {{\n    type {kind} hook {hook} priority {priority}; policy {policy};\n{body}  }}\n"


# -- sshd --------------------------------------------------------------------------------------------------------------


def authorized_keys(machines: Iterable[Machine]) -> list[str]:
    """One line for each key: it may pass through to the machines that it belongs to, and do nothing else.

    Listening for others cannot be switched off here, so that it is limited to a port that only root may have.
    """
    may: dict[str, set[str]] = {}
    for machine in machines:
        for key in machine.keys if machine.jump else []:
            may.setdefault(key, set()).add(machine.jump)
    return [
        ",".join(["restrict", "port-forwarding", 'permitlisten="localhost:1"', *_opens(may[key])]) + f" {key}"
        for key in sorted(may)
    ]


def _opens(addresses: Iterable[str]) -> Iterator[str]:
    for address in sorted(addresses, key=ipaddress.IPv4Address):
        yield f'permitopen="{address}:{SSH}"'
