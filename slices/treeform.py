"""A slice's graph ↔ the local definitions of its folder and of its machines.

Shared links and point-to-point ones are the folder's `networks`, its own; what those cannot say stands under `slice`, and
what a definition cannot say of a machine under its `node`. What a graph does not know of (rights, cards in networks of
folders above) stays as it was.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Final

from slices import joins
from slices.graph import End, Graph, Link, Node

Json = dict[str, Any]
#: Parameters of a folder that are no business of its slice.
NOT_OURS: Final = frozenset({"rights", "hypervisors"})
#: Parameters that a plan chooses where nobody has: how large a machine is, where it goes, what it is told of its slice.
PLANNED: Final = ("flavor", "host", "availability_zone", "user_data")
WORDS: Final = ("role", "group", "apart")


@dataclass(frozen=True)
class Tree:
    """Local definitions: the folder's, and those of its machines by name."""

    folder: Json = field(default_factory=dict)
    machines: Mapping[str, Json] = field(default_factory=dict)


#: Node → what a plan has chosen for it, of `PLANNED`.
Choices = Mapping[str, Mapping[str, str]]


def tree_of(graph: Graph, before: Tree | None = None, choices: Choices | None = None) -> Tree:
    """The definitions of the graph, where those `before` stood until now. What was chosen before stays, unless anew."""
    before, cards, choices = before or Tree(), graph.cards(), choices or {}
    links, peers = frozenset(_links_in(before.folder)), joins.peers(graph)
    machines = {}
    for node in graph.nodes:
        old = before.machines.get(node.name, {})
        chosen = choices.get(node.name, chosen_in(old))
        own = _way_out_first(cards[node.name]) if node.name in peers else cards[node.name]
        made = _machine(node, own, chosen, old.get("nics") or [], links)
        machines[node.name] = _with_peers(made, peers.get(node.name, ()))
    return Tree(_folder(graph, before.folder), machines)


def graph_of(name: str, tree: Tree) -> Graph:
    """The graph that these definitions are. What the plan has chosen for a machine is no wish of its definition."""
    slice_ = tree.folder.get("slice") or {}
    networks = _links_in(tree.folder)
    ends = _ends(networks, tree.machines)
    said_of = {link: said or {} for link, said in (slice_.get("links") or {}).items()}
    return Graph(
        name=name,
        description=slice_.get("description") or "",
        defaults={k: v for k, v in tree.folder.items() if k not in NOT_OURS and k not in ("slice", "networks")},
        nodes=tuple(_node(machine, definition) for machine, definition in tree.machines.items()),
        links=tuple(_link(link, ends[link], said, said_of.get(link, {})) for link, said in networks.items()),
        routed=bool(slice_.get("routed")),
        parameters=slice_.get("parameters") or {},
    )


# -- definitions -------------------------------------------------------------------------------------------------------


def _folder(graph: Graph, before: Mapping[str, Any]) -> Json:
    old: Mapping[str, Any] = before.get("networks") or {}
    networks = {link.name: _network(link, old.get(link.name) or {}) for link in graph.links}
    said = before.get("slice") or {}
    slice_: Json = {
        "description": graph.description,
        "links": {link.name: {"shared": True, **_place(link)} for link in graph.links if link.shared},
        "routed": graph.routed,
        "template": bool(said.get("template")),
        "parameters": {name: dict(parameter) for name, parameter in graph.parameters.items()},
    }
    kept = {name: value for name, value in before.items() if name in NOT_OURS}
    return {
        **kept,
        **graph.defaults,
        **({"networks": networks} if networks else {}),
        "slice": {name: value for name, value in slice_.items() if value},
    }


def _network(link: Link, before: Mapping[str, Any]) -> Json:
    own = before.get("own", not before)  # one that was there and is not its own stays so
    return {**({"cidr": link.cidr} if link.cidr else {}), **link.options, **({"own": True} if own else {})}


def _machine(
    node: Node,
    cards: Sequence[tuple[Link, End]],
    chosen: Mapping[str, str],
    before: Sequence[Mapping[str, Any]],
    links: frozenset[str],
) -> Json:
    planned = {name: value for name, value in chosen.items() if name not in node.definition}
    nics, names = _nics(cards, before, links)
    said = {
        **{word: getattr(node, word) for word in WORDS if getattr(node, word)},
        **({"critical": True} if node.critical else {}),
        **_place(node),
        **({"cards": names} if any(names) else {}),
        **({"planned": sorted(planned)} if planned else {}),
    }
    return {**node.definition, **planned, **({"nics": nics} if nics else {}), **({"node": said} if said else {})}


def _place(drawn: Node | Link) -> Json:
    return {name: getattr(drawn, name) for name in ("x", "y") if getattr(drawn, name) is not None}


def _way_out_first(cards: Sequence[tuple[Link, End]]) -> Sequence[tuple[Link, End]]:
    """A gateway's cards: guests often ask for the way out on their first one only."""
    return sorted(cards, key=lambda card: card[1].bridged)


def _with_peers(definition: Json, peers: Sequence[str]) -> Json:
    """Whose addresses outside it is told when it is made."""
    return {**definition, "node": {**definition["node"], "peers": list(peers)}} if peers else definition


def chosen_in(definition: Mapping[str, Any]) -> dict[str, str]:
    """What a plan has chosen, of a machine's definition."""
    planned = (definition.get("node") or {}).get("planned") or []
    return {name: definition[name] for name in PLANNED if name in planned and name in definition}


def _nics(
    cards: Sequence[tuple[Link, End]], before: Sequence[Mapping[str, Any]], links: frozenset[str]
) -> tuple[list[Json], list[str]]:
    """The cards and what their source calls them. Those that stay keep their order: a card's identity is its position."""
    waiting: defaultdict[str, list[End]] = defaultdict(list)
    for link, end in cards:
        waiting[link.name].append(end)
    nics: list[Json] = []
    names: list[str] = []

    def add(nic: Mapping[str, Any], name: str = "") -> None:
        nics.append(dict(nic))
        names.append(name)

    for nic in before:
        name = str(nic.get("network") or "")
        if waiting[name]:
            end = waiting[name].pop(0)
            add(_nic(name, end), end.name)
        elif name not in links:
            add(nic)
    for link, _end in cards:
        for end in waiting.pop(link.name, []):
            add(_nic(link.name, end), end.name)
    return nics, names


def _nic(link: str, end: End) -> Json:
    return {"network": link, **({"ip": end.ip} if end.ip else {}), **end.card}


# -- graphs ------------------------------------------------------------------------------------------------------------


def _links_in(folder: Mapping[str, Any]) -> dict[str, Json]:
    networks: Mapping[str, Any] = folder.get("networks") or {}
    return {name: dict(said) for name, said in networks.items() if isinstance(said, Mapping)}


def _link(name: str, ends: Sequence[End], said: Mapping[str, Any], slice_: Mapping[str, Any]) -> Link:
    """`slice_`: what the folder's `slice` says of it."""
    shared = bool(slice_.get("shared")) or sum(not end.bridged for end in ends) != 2
    link = Link(name, tuple(ends), shared, said.get("cidr") or "", _options(said))
    return replace(link, x=slice_.get("x"), y=slice_.get("y")) if shared else link


def _options(said: Mapping[str, Any]) -> Json:
    return {name: value for name, value in said.items() if name not in ("cidr", "own")}


def _ends(networks: Mapping[str, Any], machines: Mapping[str, Json]) -> dict[str, list[End]]:
    ends: dict[str, list[End]] = {name: [] for name in networks}
    for machine, definition in machines.items():
        names = (definition.get("node") or {}).get("cards") or []
        for nic, name in zip_longest(definition.get("nics") or [], names, fillvalue=""):
            if isinstance(nic, Mapping) and nic.get("network") in ends:
                ends[nic["network"]].append(_end(machine, nic, name))
    return ends


def _end(machine: str, nic: Mapping[str, Any], name: str) -> End:
    ip = str(nic.get("ip") or "")
    card = {key: value for key, value in nic.items() if key not in ("network", "ip")}
    return End(machine, "" if ip == "auto" else ip, name, card)


def _node(name: str, definition: Mapping[str, Any]) -> Node:
    said = definition.get("node") or {}
    chosen = chosen_in(definition)
    own = {key: value for key, value in definition.items() if key not in ("nics", "node") and key not in chosen}
    words = {word: said.get(word) or "" for word in WORDS}
    return Node(name, own, critical=bool(said.get("critical")), x=said.get("x"), y=said.get("y"), **words)


# -- what differs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """From one graph to another: names of nodes, and of links. `changed` nodes have other definitions or cards."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    links_added: tuple[str, ...] = ()
    links_removed: tuple[str, ...] = ()
    links_changed: tuple[str, ...] = ()
    links_kept: tuple[str, ...] = ()

    def change(self, node: str) -> str:
        """add, change, keep or remove."""
        known = {"add": self.added, "change": self.changed, "remove": self.removed}
        return next((change for change, names in known.items() if node in names), "keep")


def differences(before: Graph, after: Graph) -> Difference:
    """What turns `before` into `after`. Drawings, roles and groups make no difference: they are on no hypervisor."""
    return Difference(*_compared(_nodes(before), _nodes(after)), *_compared(_links(before), _links(after)))


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    added = tuple(name for name in after if name not in before)
    removed = tuple(name for name in before if name not in after)
    changed = tuple(name for name in after if name in before and before[name] != after[name])
    return added, removed, changed, tuple(name for name in after if name in before and before[name] == after[name])


def _links(graph: Graph) -> dict[str, Any]:
    return {link.name: (link.cidr, link.options) for link in graph.links}


def _nodes(graph: Graph) -> dict[str, Any]:
    """Node → what makes it: its definition with what it inherits, its cards with the links that they are in."""
    cards = graph.cards()
    return {
        node.name: ({**graph.defaults, **node.definition}, Counter(repr(_card(*card)) for card in cards[node.name]))
        for node in graph.nodes
    }


def _card(link: Link, end: End) -> tuple[Any, ...]:
    return link.name, link.cidr, sorted(link.options.items(), key=str), end.ip, sorted(end.card.items(), key=str)
