"""A slice on several hypervisors: its networks have a part on each of them, and gateways join the parts on layer 2.

Each hypervisor with a part of such a link gets one gateway, an ordinary node: a card in a network of its own that leads
out, and one in each of the links. Which cards they are is worked out anew each time; what the node says of itself stays.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from slices.graph import End, Graph, Link, Node

#: What makes a node one of them, beside its name.
ROLE: Final = "gateway"
#: Characters of a name: a guest's own has no more than 63. Names of hypervisors have none that others have not.
MOST: Final = 60
#: Of a name that would be longer, those that tell it from others that begin alike.
MARK: Final = 8
#: Networks of these types are there already, and are led from one hypervisor to another by whoever made them.
FOREIGN: Final = frozenset({"public", "provider"})
#: Bits of a network's address that tell the tunnels of its parts from those of other networks.
NUMBER_BITS: Final = 24
#: Gateways are drawn side by side below all nodes, each with its way out below it: so many pixels apart.
BELOW: Final = 120
BESIDE: Final = 180


def name_at(hypervisor: str) -> str:
    """What the gateway of this hypervisor is called."""
    return _short(f"gw-{hypervisor}")


def outside_of(hypervisor: str) -> str:
    """The network by which the gateway of this hypervisor comes out."""
    return _short(f"out-{hypervisor}")


def number_of(link: Link) -> int | None:
    """What tells the tunnels of this link from others; None without a range of IPv4."""
    try:
        return int(ipaddress.IPv4Network(link.cidr)[0]) % 2**NUMBER_BITS
    except ValueError:
        return None


def crossing(graph: Graph, sites: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Link → its hypervisors, of links with nodes on several of them (node → its own); gateways count for none."""
    if len(set(sites.values())) < 2:
        return {}
    ours, found = gateways(graph), {}
    for link in graph.links:
        there = tuple(sorted({sites[name] for name in link.nodes if name in sites and name not in ours}))
        if len(there) > 1 and link.options.get("type") not in FOREIGN and not link.options.get("aliases"):
            found[link.name] = there
    return found


def gateways(graph: Graph) -> set[str]:
    """Nodes that are there to join parts of links: by their cards, or called so and without cards of their own."""
    found = {node.name: node for node in graph.nodes if node.role == ROLE}
    bridged = {end.node for link in graph.links for end in link.ends if end.bridged} if found else set()
    return {name for name, node in found.items() if name in bridged or _is_meant(graph, node)}


def peers(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Gateway → the others that it shares a link with, by name."""
    ours = gateways(graph)
    found: dict[str, set[str]] = {name: set() for name in ours}
    for link in graph.links if ours else ():
        here = {end.node for end in link.ends if end.bridged and end.node in ours}
        for name in here:
            found[name] |= here - {name}
    return {name: tuple(sorted(others)) for name, others in sorted(found.items())}


def ways_out(graph: Graph) -> dict[str, str]:
    """Gateway → its address in the network by which it comes out, as that network knows it."""
    ours = gateways(graph)
    return {end.node: end.ip for link in graph.links for end in link.ends if end.node in ours and not end.bridged}


@dataclass(frozen=True)
class Told:
    """What a gateway was told when it was made: who its peers are, and its address in the network by which it comes out.

    (Among others, where more of its cards have floating addresses.)
    """

    peers: frozenset[str]
    ways_out: frozenset[str]


def outdated(graph: Graph, told: Mapping[str, Told], renewed: Collection[str] = ()) -> set[str]:
    """Gateways that exist, as `told`, and do not know what they must: these have to be made anew.

    `renewed` are gateways that get another address outside than they had: whoever knew them knows the old one.
    """
    if not told:
        return set()
    outside = ways_out(graph)

    def knows(name: str, others: Sequence[str]) -> bool:
        same = told[name].peers == set(others) and outside.get(name) in told[name].ways_out
        return same and not set(others) & set(renewed)

    return {name for name, others in peers(graph).items() if name in told and not knows(name, others)}


def joined_by(graph: Graph, gateway: str) -> list[str]:
    """The links that the gateway joins with others of their hypervisors."""
    return [link.name for link in graph.links if any(end.node == gateway and end.bridged for end in link.ends)]


def apart(graph: Graph, but: Collection[str] = ()) -> Graph:
    """The graph without its gateways, but for these, and without the networks by which they come out."""
    gone = gateways(graph) - set(but)
    if not gone:
        return graph
    links = tuple(replace(link, ends=_without(link, gone)) for link in graph.links if not _way_out(link, gone))
    return replace(graph, nodes=tuple(node for node in graph.nodes if node.name not in gone), links=links)


def strangers(graph: Graph, hypervisor: str) -> str:
    """What is called as the gateway there, or its network, and is something else: its name, "" when there is nothing."""
    name, outside = name_at(hypervisor), outside_of(hypervisor)
    for node in graph.nodes:
        if node.name == name and (node.role != ROLE or not _is_free(graph, name, outside)):
            return name
    others = (end.node != name for link in graph.links if link.name == outside for end in link.ends)
    return outside if any(others) else ""


def joined(graph: Graph, sites: Mapping[str, str], images: Mapping[str, str] | None = None) -> Graph:
    """The graph with the gateways that it needs and without others; itself when nothing is to be done.

    `sites` is node → hypervisor, `images` node → the image that it says itself. What is new has no address yet; other
    nodes and their cards stay as they are.
    """
    needs = crossing(graph, sites)
    wanted = sorted({site for there in needs.values() for site in there})
    bare = apart(graph, {name_at(site) for site in wanted})
    if not wanted:
        return bare
    work = _Work(bare, sites, images or {}, [site for site in wanted if not strangers(bare, site)])
    links = [work.link(link, needs.get(link.name, ())) for link in bare.links]
    found = replace(bare, nodes=tuple(work.nodes()), links=(*links, *work.ways_out()))
    return graph if found == graph else found


def _short(name: str) -> str:
    if len(name) <= MOST:
        return name
    return f"{name[: MOST - MARK - 1]}-{sha256(name.encode()).hexdigest()[:MARK]}"


@dataclass
class _Work:
    """The gateways of these hypervisors, as they are added to a graph."""

    graph: Graph
    sites: Mapping[str, str]
    images: Mapping[str, str]
    wanted: Sequence[str]
    names: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = {site: name_at(site) for site in self.wanted}

    def nodes(self) -> Iterator[Node]:
        """All nodes: those that are called as gateways are ones from now on, others come at the end."""
        by_name = {name: site for site, name in self.names.items()}
        for node in self.graph.nodes:
            site = by_name.pop(node.name, "")
            yield replace(node, definition={**node.definition, "hypervisor": site}) if site else node
        yield from (self._new(name, site) for name, site in by_name.items())

    def link(self, link: Link, there: Collection[str]) -> Link:
        """The link with a card of each gateway that it needs, behind all others."""
        if link.name in {outside_of(site) for site in self.wanted}:
            return self._way_out(link)
        ours = set(self.names.values())
        known = {end.node: end for end in link.ends if end.node in ours}
        names = [self.names[site] for site in there if site in self.names]
        cards = tuple(_bridged(known.get(name) or End(name)) for name in names)
        return replace(link, ends=(*_without(link, ours), *cards))

    def ways_out(self) -> Iterator[Link]:
        """The networks that are not there yet."""
        known = {link.name for link in self.graph.links}
        missing = (site for site in self.wanted if outside_of(site) not in known)
        yield from (self._way_out(self._new_way_out(site)) for site in missing)

    def _way_out(self, link: Link) -> Link:
        site = next(site for site in self.wanted if outside_of(site) == link.name)
        (end,) = link.ends or (End(self.names[site]),)
        floating = replace(end, card={**end.card, "floating": True})
        return replace(link, ends=(floating,), shared=True, options={**link.options, "type": "nat"})

    def _new(self, name: str, site: str) -> Node:
        there = [node for node in self.graph.nodes if self.sites.get(node.name) == site]
        usual = Counter(self.images.get(node.name, "") for node in there).most_common(1)
        image = usual[0][0] if usual else ""
        definition: dict[str, Any] = {"hypervisor": site} | ({"image": image} if image else {})
        x, y = self._spot(site)
        return Node(name, definition, ROLE, x=x, y=y)

    def _new_way_out(self, site: str) -> Link:
        known = {node.name: (node.x, node.y) for node in self.graph.nodes}
        x, y = known.get(self.names[site]) or self._spot(site)
        return Link(outside_of(site), shared=True, x=x, y=None if y is None else y + BELOW)

    def _spot(self, site: str) -> tuple[float | None, float | None]:
        """Where a new gateway is drawn; nowhere where nothing is."""
        placed = [(node.x, node.y) for node in self.graph.nodes if node.x is not None and node.y is not None]
        if not placed:
            return None, None
        middle = sum(x for x, _y in placed) / len(placed)
        aside = (self.wanted.index(site) - (len(self.wanted) - 1) / 2) * BESIDE
        return round(middle + aside), round(max(y for _x, y in placed) + BELOW)


def _way_out(link: Link, ours: Collection[str]) -> bool:
    """Whether it is there for a gateway alone."""
    return bool(link.ends) and all(end.node in ours and not end.bridged for end in link.ends)


def _is_meant(graph: Graph, node: Node) -> bool:
    hypervisor = str(node.definition.get("hypervisor") or "")
    return node.name == name_at(hypervisor) and _is_free(graph, node.name, outside_of(hypervisor))


def _is_free(graph: Graph, name: str, outside: str) -> bool:
    """Whether the node has no cards of its own that would be lost."""
    return all(end.bridged or link.name == outside for link in graph.links for end in link.ends if end.node == name)


def _without(link: Link, names: Collection[str]) -> tuple[End, ...]:
    return tuple(end for end in link.ends if end.node not in names)


def _bridged(end: End) -> End:
    return end if end.bridged else replace(end, card={**end.card, "bridge": True})
