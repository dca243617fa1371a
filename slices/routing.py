"""Static routes of a slice that asks for them: whoever has two cards leads from one network to the other.

Up to `LARGE`, every route goes the shortest way. Larger slices go along one tree of shortest ways to the middle of it, as
otherwise a thousand machines would have a million routes.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from slices.graph import Graph, Link
from slices.ipam import Network, gateway_of

Route = tuple[str, str]
#: Nodes times networks.
LARGE: Final = 60_000
#: Role of a machine that leads nothing on, however many cards it has.
HOST: Final = "host"


def forwarders(graph: Graph) -> list[str]:
    """The nodes that lead from network to network, in the graph's order."""
    cards = graph.cards()
    return [
        node.name for node in graph.nodes if node.role != HOST and len({link.name for link, _e in cards[node.name]}) > 1
    ]


def routes(graph: Graph) -> dict[str, list[Route]]:
    """Each node's static routes as (range, address of the next machine), of a graph with addresses; {} unless `routed`.

    A default route leads towards the middle of the slice; a node that has a gateway outside of it gets the slice's own
    ranges instead. What is reached another way follows, put together where ranges allow.
    """
    if not graph.routed:
        return {}
    found: dict[str, list[Route]] = {}
    for version in (4, 6):
        for name, given in _Map(graph, version).routes().items():
            found.setdefault(name, []).extend(given)
    return found


@dataclass
class _Seat:
    """A network, and who is in it with which address."""

    network: Network
    members: dict[str, str] = field(default_factory=dict)


class _Map:
    """The part of a slice that speaks one version of IP."""

    def __init__(self, graph: Graph, version: int):
        self._forwards = set(forwarders(graph))
        self._at: dict[str, list[_Seat]] = {node.name: [] for node in graph.nodes}
        self._led_out: set[str] = set()
        self._seats = [seat for link in graph.links if (seat := self._seat(link, version))]
        self._all = _collapsed(seat.network for seat in self._seats)

    def _seat(self, link: Link, version: int) -> _Seat | None:
        network = ipaddress.ip_network(link.cidr) if link.cidr else None
        if network is None or network.version != version:
            return None
        seat = _Seat(network, {end.node: end.ip for end in link.ends if end.ip})
        for name in seat.members:
            self._at[name].append(seat)
        if gateway_of(link, network) not in ("", *seat.members.values()):
            self._led_out.update(seat.members)
        return seat

    def routes(self) -> dict[str, list[Route]]:
        up, order = self._upwards()
        small = len(self._at) * len(self._seats) <= LARGE
        other = self._shortest(up) if small else self._along_the_tree(up, order)
        found = {name: [*self._default(name, up, other.get(name, [])), *other.get(name, [])] for name in self._at}
        return {name: given for name, given in found.items() if given}

    def _default(self, name: str, up: Mapping[str, str], other: list[Route]) -> Iterator[Route]:
        """The way upwards, for all that no other route says."""
        if name in up and name not in self._led_out:
            yield "::/0" if ":" in up[name] else "0.0.0.0/0", up[name]
        elif name in up:
            said = {str(seat.network) for seat in self._at[name]} | {target for target, _via in other}
            yield from ((str(network), up[name]) for network in self._all if str(network) not in said)

    # One tree

    def _upwards(self) -> tuple[dict[str, str], list[tuple[str, _Seat, str]]]:
        """Who is next on the way to the middle, and the branches (above, network, below) in the order of their growth."""
        up: dict[str, str] = {}
        branches: list[tuple[str, _Seat, str]] = []
        seen: set[str] = set()
        walked: set[int] = set()
        for root in sorted(self._forwards, key=lambda name: (name not in self._led_out, -len(self._at[name]), name)):
            if root not in seen:
                seen.add(root)
                for above, seat, below in self._walk([root], seen, walked):
                    up[below] = seat.members[above]
                    branches.append((above, seat, below))
        return up, branches

    def _walk(self, start: Iterable[str], seen: set[str], walked: set[int]) -> Iterator[tuple[str, _Seat, str]]:
        """From node to node over those that forward, the nearest first: (from, network, to); each node once."""
        waiting = deque(start)
        while waiting:
            name = waiting.popleft()
            for seat in self._at[name] if name in self._forwards else ():
                if id(seat) in walked:
                    continue
                walked.add(id(seat))
                for member in seat.members:
                    if member not in seen:
                        seen.add(member)
                        waiting.append(member)
                        yield name, seat, member

    def _along_the_tree(self, up: Mapping[str, str], branches: list[tuple[str, _Seat, str]]) -> dict[str, list[Route]]:
        """Downwards, to the networks below each branch; all others are upwards."""
        own = self._shared_out(branches)
        below: defaultdict[str, list[Network]] = defaultdict(list)
        found: defaultdict[str, list[Route]] = defaultdict(list)
        for above, seat, name in reversed(branches):
            networks = _collapsed([*own.get(name, []), *below.pop(name, [])])
            found[above] += [(str(network), seat.members[name]) for network in networks]
            below[above] += networks
        return found

    def _shared_out(self, branches: list[tuple[str, _Seat, str]]) -> dict[str, list[Network]]:
        """Each network to the one node that leads to it from above: the first of those that forward."""
        below = {name for _above, _seat, name in branches}
        taken = {id(seat) for above, _seat, _name in branches if above not in below for seat in self._at[above]}
        own: dict[str, list[Network]] = {}
        for _above, _seat, name in branches:
            seats = [seat for seat in self._at[name] if id(seat) not in taken] if name in self._forwards else []
            taken.update(map(id, seats))
            own[name] = [seat.network for seat in seats]
        return own

    # The shortest ways

    def _shortest(self, up: Mapping[str, str]) -> dict[str, list[Route]]:
        """To each network the shortest way, as far as it is not the one upwards."""
        ways: defaultdict[str, defaultdict[str, list[Network]]] = defaultdict(lambda: defaultdict(list))
        for target in self._seats:
            for before, seat, name in self._walk(list(target.members), set(target.members), {id(target)}):
                via = seat.members[before]
                if up.get(name) != via:
                    ways[name][via].append(target.network)
        return {
            name: [(str(network), via) for via, networks in known.items() for network in _collapsed(networks)]
            for name, known in ways.items()
        }


def _collapsed(networks: Iterable[Network]) -> list[Network]:
    """The same addresses in as few ranges as can be."""
    return list(ipaddress.collapse_addresses(networks))  # type: ignore[type-var]
