"""What a slice is made of, whoever writes it down: nodes, the links between their cards, and what all of them share.

Generators make a graph, formats read and write it, `ipam` gives it addresses, `plan` says where it lands, and the tree's
folder with its machines is made of it and read back as one. All of it is plain, frozen data; nothing here knows Django.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import networkx as nx

from olimpus.errors import Invalid
from olimpus.words import gettext as _

MOST_NODES: Final = 1000
MOST_LINKS: Final = 5000
#: Cards that a machine may have.
MOST_CARDS: Final = 32


@dataclass(frozen=True)
class End:
    """A node's card in a link. `ip` "" waits for an address; `name` is what its source calls the card (`eth1`)."""

    node: str
    ip: str = ""
    name: str = ""
    #: What else a definition's `nics` entry says: ip_mode, model, mac, forwards, floating, bridge.
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bridged(self) -> bool:
        """Whether it only passes on the frames of the others: such ends come beside the two of a point-to-point link."""
        return bool(self.card.get("bridge"))


@dataclass(frozen=True)
class Link:
    """A layer-2 network of its own: point-to-point between two cards, or `shared` by any number of them."""

    name: str
    ends: tuple[End, ...] = ()
    shared: bool = False
    cidr: str = ""
    #: What else a definition's `networks` entry says: type, gateway, dns, mtu, dhcp, pool, vlan, reaches, description.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Where a shared one is drawn; None where nobody has said.
    x: float | None = None
    y: float | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of its nodes, in the order of its ends."""
        return tuple([end.node for end in self.ends])  # a list is made faster than what a generator gives

    @property
    def talking(self) -> tuple[str, ...]:
        """Names of the nodes that it is there for."""
        return tuple([end.node for end in self.ends if not (end.card and end.bridged)])


@dataclass(frozen=True)
class Node:
    """A machine. `definition` is its local one without cards and networks: image, flavor, cpus, host, hypervisor…

    `role` is a word of its source (host, router, switch…), `group` draws nodes together, nodes of one `apart` shall not
    share a place, `critical` asks for the larger flavor. `x` and `y` are pixels of the drawing, None where nobody has said.
    """

    name: str
    definition: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    group: str = ""
    apart: str = ""
    critical: bool = False
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class Graph:
    """A whole slice. `defaults` is the definition that its nodes share; `routed` asks for routes between its links.

    `parameters` are those that a template asks for: name → {type, title, description, default, …}.
    """

    name: str = ""
    description: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    routed: bool = False
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def node(self, name: str) -> Node:
        """The node of this name. KeyError."""
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def cards(self) -> dict[str, list[tuple[Link, End]]]:
        """Each node's cards, in the order of the links."""
        found: dict[str, list[tuple[Link, End]]] = {node.name: [] for node in self.nodes}
        for link in self.links:
            for end in link.ends:
                found[end.node].append((link, end))
        return found

    def neighbours(self) -> nx.Graph:
        """Who hangs together with whom: an edge for every two nodes of a point-to-point link; the nodes of a shared
        network hang on a vertex of its own, `("link", name)`, so that hundreds of them make no thousands of edges.
        """
        drawn = nx.Graph()
        drawn.add_nodes_from(node.name for node in self.nodes)
        edges: list[tuple[Any, ...]] = []
        for link in self.links:
            if not link.shared and len(link.ends) == 2:
                edges.append(link.nodes)
            else:
                edges += [(("link", link.name), name) for name in link.nodes]
        drawn.add_edges_from(edges)
        return drawn


def check(graph: Graph) -> None:
    """Invalid with all that is wrong at once: bounds, names twice, links to nobody, self-loops, links twice.

    Addresses are judged by `ipam`, definitions by `descriptors.definition`.
    """
    faults = [*_bounds(graph)] or [*_names(graph), *_joined(graph)]
    if faults:
        first = faults[0]
        raise Invalid(first["message"], where=first["where"], hint=first.get("hint", ""), errors=faults)


Fault = dict[str, str]


def _fault(where: str, message: str, hint: str = "") -> Fault:
    return {"where": where, "message": message, "hint": hint}


def _bounds(graph: Graph) -> Iterator[Fault]:
    for where, number, most in (("nodes", len(graph.nodes), MOST_NODES), ("links", len(graph.links), MOST_LINKS)):
        if number > most:
            message = _("A slice has at most %(most)d of these; there are %(number)d.")
            yield _fault(where, message % {"most": most, "number": number})


def _names(graph: Graph) -> Iterator[Fault]:
    for where, names in (("nodes", [one.name for one in graph.nodes]), ("links", [one.name for one in graph.links])):
        for name, number in Counter(names).items():
            if number > 1:
                yield _fault(
                    f"{where}.{name}", _("%(number)d of them are called “%(name)s”.") % {"name": name, "number": number}
                )


def _joined(graph: Graph) -> Iterator[Fault]:
    """How links and nodes fit together."""
    cards = Counter([end.node for link in graph.links for end in link.ends])
    strangers = cards.keys() - {node.name for node in graph.nodes}
    wires = [(link, () if link.shared else link.talking) for link in graph.links]
    yield from _ends(wires, strangers)
    yield from _twice(wires)
    yield from _crowded(cards)


#: A link, and the nodes that it is there for if it is point-to-point.
Wire = tuple[Link, tuple[str, ...]]


def _ends(wires: list[Wire], strangers: set[str]) -> Iterator[Fault]:
    for link, pair in wires:
        for name in dict.fromkeys(link.nodes) if strangers else ():
            if name in strangers:
                yield _fault(f"links.{link.name}", _("There is no node “%s”.") % name)
        if link.shared:
            continue
        if len(pair) != 2:
            hint = _("Make it a shared network, or give it two ends.")
            yield _fault(f"links.{link.name}", _("A point-to-point link has two ends, not %d.") % len(pair), hint)
        elif pair[0] == pair[1]:
            message = _("“%s” would be linked to itself.") % pair[0]
            yield _fault(f"links.{link.name}", message, _("Remove the link, or lead it to another node."))


def _twice(wires: list[Wire]) -> Iterator[Fault]:
    """Two links between the same two nodes mean two cables; the second is refused unless it has a range of its own."""
    firsts: dict[frozenset[str], Link] = {}
    for link, pair in wires:
        if len(nodes := frozenset(pair)) != 2:
            continue
        first = firsts.setdefault(nodes, link)
        if first is not link and not (link.cidr or first.cidr or any(end.name or end.ip for end in link.ends)):
            told = {"first": first.name, "nodes": " – ".join(first.talking)}
            message = _("It links %(nodes)s once more, as “%(first)s” does.") % told
            hint = _("Remove it, or write “cidr” or the cards' names if two cables are meant.")
            yield _fault(f"links.{link.name}", message, hint)


def _crowded(cards: Mapping[str, int]) -> Iterator[Fault]:
    for name, number in cards.items():
        if number > MOST_CARDS:
            message = _("A machine has at most %(most)d cards; this one would have %(number)d.")
            hint = _("Put neighbours into a shared network.")
            yield _fault(f"nodes.{name}", message % {"most": MOST_CARDS, "number": number}, hint)
