"""What shall really be there on the gateway, worked out from the state. Pure: the same state gives the same plan."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hypervisors.drivers.linux.gateway.program import texts
from hypervisors.drivers.linux.gateway.program.names import OUT, peer_link, port, root_link
from hypervisors.drivers.linux.gateway.program.settings import Settings
from hypervisors.drivers.linux.gateway.program.state import Network, State
from hypervisors.drivers.linux.gateway.program.ways import leads_out, ways_into

MTU = 1500


@dataclass
class Links:
    """Addresses by device, the size of packets by device, and routes: range → next hop and device."""

    addresses: dict[str, list[str]] = field(default_factory=dict)
    mtus: dict[str, int] = field(default_factory=dict)
    routes: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class NetworkPlan:
    """One network: `conf` and `hosts` are dnsmasq's ("" without DHCP), `leases` who may have one: (MAC, address)."""

    tag: int
    key: str
    out: bool
    peers: list[int]
    links: Links
    rules: str
    conf: str
    hosts: str
    leases: list[tuple[str, str]]

    @property
    def base(self) -> str:
        """Says what is built: while it is the same, the network need not be built again."""
        return _digest([self.tag, self.key, self.out, self.peers, self.conf])

    @property
    def digest(self) -> str:
        """Says what passes: while it is the same, rules and addresses stay as they are."""
        return _digest([self.base, asdict(self.links), self.rules])


@dataclass
class RootPlan:
    """The gateway itself: `floats` are addresses that it answers for outside, `keys` the lines of authorized_keys."""

    links: Links
    rules: str
    floats: list[str]
    keys: list[str]

    @property
    def digest(self) -> str:
        """Says everything: while it is the same, nothing need be done."""
        return _digest(asdict(self))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def folder(settings: Settings, tag: int) -> Path:
    """Where the files of a network's DHCP server are; it is there as long as anything of the network may be."""
    return settings.home / "networks" / str(tag)


def network_plans(state: State, settings: Settings) -> list[NetworkPlan]:
    """The plan of each network that is served, by tag."""
    served = [(network.tag, key) for key, network in state.networks.items() if network.served]
    return [_network_plan(state, key, settings) for _tag, key in sorted(served)]


def _network_plan(state: State, key: str, settings: Settings) -> NetworkPlan:
    network, ways = state.networks[key], ways_into(state, key)
    reaches = _served(state, set(network.reaches))
    reached_by = _served(state, {other for other, one in state.networks.items() if key in one.reaches})
    peers = {one.tag: one for one in (*reaches, *reached_by)}
    out = leads_out(state, key)
    cards = state.cards_of(key) if network.dhcp else []
    leased = [(machine, card) for machine, card in cards if card.dhcp and card.ip]
    conf = texts.dnsmasq_conf(network, folder(settings, network.tag), settings) if network.dhcp else ""
    return NetworkPlan(
        network.tag,
        key,
        out,
        sorted(peers),
        _links(network, list(peers.values()), out, settings),
        texts.network_rules(network, ways, reaches, reached_by, settings),
        conf,
        texts.dnsmasq_hosts(leased),
        [(card.mac, card.ip) for _machine, card in leased],
    )


def _served(state: State, keys: set[str]) -> list[Network]:
    return [network for key, network in sorted(state.networks.items()) if key in keys and network.served]


def _links(network: Network, peers: list[Network], out: bool, settings: Settings) -> Links:
    links, device = Links(), port(network.tag)
    links.addresses[device] = [f"{network.service}/{network.around.prefixlen}"]
    links.mtus[device] = network.mtu or MTU
    if out:
        root, inner = settings.pair(network.tag)
        links.addresses[OUT] = [f"{inner}/30"]
        links.routes["default"] = (root, OUT)
    for peer in peers:
        links.addresses[peer_link(peer.tag)] = [f"{settings.end(network.tag)}/32"]
        links.routes[peer.cidr] = (settings.end(peer.tag), peer_link(peer.tag))
    return links


def root_plan(state: State, settings: Settings, outside: str) -> RootPlan:
    """The plan of the gateway itself; `outside` is its interface to the outside, "" when it has none."""
    links, ways = Links(), []
    for key, network in sorted(state.networks.items()):
        if not (network.served and leads_out(state, key)):
            continue
        mine, inner = settings.pair(network.tag)
        links.addresses[root_link(network.tag)] = [f"{mine}/30"]
        for way in ways_into(state, key):
            ways.append((way, inner))
            if way.kind != "forward":
                links.routes[f"{way.outside}"] = (inner, root_link(network.tag))
    floats = sorted(way.outside for way, _inner in ways if way.kind == "floating")
    rules = texts.root_rules(ways, settings, outside) if links.addresses else ""
    return RootPlan(links, rules, floats, texts.authorized_keys(state.machines.values()))
