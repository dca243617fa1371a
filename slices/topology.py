"""Topologies by name: the graph of any size that somebody asks for, the same for the same parameters.

A machine has so many cards and no more (`graph.MOST_CARDS`), which bounds stars and meshes; a bus has one shared network.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import networkx as nx
from jsonschema import Draft202012Validator

from descriptors.faults import Path, explain, nearest, shown
from descriptors.spelling import fault_of
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from olimpus.words import gettext_noop
from slices import layouts
from slices.documents import free_name, usual_name
from slices.fields import Fields
from slices.graph import MOST_CARDS, MOST_LINKS, MOST_NODES, End, Graph, Link, Node, check

Schema = dict[str, Any]
#: Topologies may be joined of joined ones, so deep.
DEEPEST: Final = 4


def generate(kind: str, parameters: Mapping[str, Any] | None = None) -> Graph:
    """The topology of this name, with roles and places on a drawing. Invalid, with the parameter as its place."""
    graph = _generated(kind, parameters or {}, ())
    check(graph)
    return graph


def palette() -> list[dict[str, Any]]:
    """Every topology in the reader's words: name, title, and the JSON Schema of its parameters."""
    return [{"name": name, "title": _(kind.title), "schema": _in_words(kind.schema)} for name, kind in KINDS.items()]


def joined(a: Graph, node_a: str, b: Graph, node_b: str) -> Graph:
    """Both as one: `node_b` of the second becomes `node_a` of the first. Names that both have get a number.

    Invalid where one of the nodes does not exist.
    """
    for graph, name, where in ((a, node_a, "node_a"), (b, node_b, "node_b")):
        names = [node.name for node in graph.nodes]
        if name not in names:
            raise Invalid(_("There is no node “%s”.") % name, where=where, hint=nearest(name, names))
    renamed = {**_free(b, {node.name for node in a.nodes}), node_b: node_a}
    shift = max(node.x or 0 for node in a.nodes) - min(node.x or 0 for node in b.nodes) + 2 * layouts.STEP
    nodes = [
        replace(node, name=renamed[node.name], x=None if node.x is None else node.x + shift)
        for node in b.nodes
        if node.name != node_b
    ]
    return replace(
        a,
        description=a.description or b.description,
        defaults={**b.defaults, **a.defaults},
        nodes=(*a.nodes, *nodes),
        links=tuple(
            sorted((*a.links, *_renamed(b, renamed, {link.name for link in a.links})), key=lambda link: link.shared)
        ),
        routed=a.routed or b.routed,
        parameters={**b.parameters, **a.parameters},
    )


def _free(graph: Graph, taken: set[str]) -> dict[str, str]:
    """Each node's name → one that is free; none of the graph's own is given away."""
    own = {node.name for node in graph.nodes}
    found: dict[str, str] = {}
    for name in own & taken:
        found[name] = free_name(name, taken | own | set(found.values()))
    return {node.name: found.get(node.name, node.name) for node in graph.nodes}


def _renamed(graph: Graph, renamed: Mapping[str, str], taken: set[str]) -> Iterable[Link]:
    for link in graph.links:
        ends = tuple(replace(end, node=renamed[end.node]) for end in link.ends)
        usual = len(ends) == 2 and link.name == usual_name(*link.nodes)
        name = free_name(usual_name(ends[0].node, ends[1].node) if usual else link.name, taken)
        taken.add(name)
        yield replace(link, name=name, ends=ends)


# From parameters to a graph -------------------------------------------------------------------------------------------


def _generated(kind: object, parameters: Mapping[str, Any], path: Path) -> Graph:
    fields = Fields("")
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if len(path) > DEEPEST:
        fields.add(path, _("Topologies are joined at most %d deep.") % DEEPEST)
        fields.raise_if_any()
    if found is None:
        fields.add((*path, "kind"), _("There is no topology %s.") % shown(kind), nearest(str(kind), KINDS))
        fields.raise_if_any()
        raise AssertionError("never here")
    for error in Draft202012Validator(found.schema).iter_errors(dict(parameters)):
        explain(error, path, "", fields)
    prefix = parameters.get("prefix", "")
    if isinstance(prefix, str) and (fault := fault_of(f"{prefix}r1")):
        fields.add((*path, "prefix"), fault)
    fields.raise_if_any()
    try:
        graph = found.make(**{name: _value(name, schema, parameters, path) for name, schema in found.asks.items()})
    except Invalid as error:
        if error.errors:  # of a part, whose places are complete
            raise
        fields.add((*path, error.where), error.message, error.hint)
    fields.raise_if_any()
    return _prefixed(graph, prefix)


def _value(name: str, schema: Schema, parameters: Mapping[str, Any], path: Path) -> Any:
    """What was asked for: the default where nothing was, a graph where a topology was."""
    value = parameters.get(name, schema.get("default"))
    if schema is PART:
        return _generated(value["kind"], {key: said for key, said in value.items() if key != "kind"}, (*path, name))
    return int(value) if schema["type"] == "integer" and value is not None else value


def _prefixed(graph: Graph, prefix: str) -> Graph:
    if not prefix:
        return graph
    renamed = {node.name: f"{prefix}{node.name}" for node in graph.nodes}
    nodes = tuple(replace(node, name=renamed[node.name]) for node in graph.nodes)
    return replace(graph, nodes=nodes, links=tuple(_renamed(graph, renamed, set())))


# From vertices to machines --------------------------------------------------------------------------------------------

#: Name, role, whether it is critical.
Look = tuple[str, str, bool]


def _drawn(
    drawn: nx.Graph[Any],
    look: Mapping[Hashable, Look],
    places: layouts.Places[Any],
    links: tuple[Link, ...] | None = None,
) -> Graph:
    """The graph of machines that looks like a graph of vertices."""
    nodes = tuple(
        Node(name, role=role, critical=critical, x=places[vertex][0], y=places[vertex][1])
        for vertex, (name, role, critical) in look.items()
    )
    return Graph(
        nodes=nodes, links=tuple(_wire(look[a][0], look[b][0]) for a, b in drawn.edges) if links is None else links
    )


def _wire(first: str, second: str) -> Link:
    return Link(usual_name(first, second), (End(first), End(second)))


def _alike(vertices: Iterable[Any], letter: str = "r", role: str = "router") -> dict[Any, Look]:
    return {vertex: (f"{letter}{number}", role, False) for number, vertex in enumerate(vertices, 1)}


def _linear(size: int) -> Graph:
    drawn = nx.path_graph(size)
    return _drawn(drawn, _alike(drawn), layouts.row(drawn))


def _ring(size: int) -> Graph:
    drawn = nx.path_graph(size)
    drawn.add_edge(size - 1, 0)
    look = _alike(drawn)
    links = tuple(_wire(look[number][0], look[(number + 1) % size][0]) for number in range(size))
    return _drawn(drawn, look, layouts.circle(list(drawn)), links)


def _mesh(size: int) -> Graph:
    drawn = nx.complete_graph(size)
    return _drawn(drawn, _alike(drawn), layouts.circle(list(drawn)))


def _partial_mesh(size: int, degree: int | None, probability: float | None, seed: int) -> Graph:
    if degree is not None and probability is not None:
        raise Invalid(_("Say the degree or the probability, not both."), where="probability")
    if probability is not None:
        drawn = _connected(nx.fast_gnp_random_graph(size, probability, seed=seed), random.Random(seed))
        drawn = _thin(drawn, "probability")
        return _drawn(drawn, _alike(drawn), layouts.circle(list(drawn)))
    wanted = 3 if degree is None else degree
    if wanted >= size:
        message = _("Each of %(size)d nodes has at most %(most)d neighbours.")
        raise Invalid(message % {"size": size, "most": size - 1}, where="degree")
    drawn = _thin(_with_degree(size, wanted, random.Random(seed)), "degree")
    return _drawn(drawn, _alike(drawn), layouts.circle(list(drawn)))


def _with_degree(size: int, degree: int, chance: random.Random) -> nx.Graph[int]:
    """A ring, and chords between those that still want neighbours."""
    drawn = nx.cycle_graph(size)
    for _round in range(10):
        stubs = [vertex for vertex in drawn for _more in range(degree - drawn.degree(vertex))]
        chance.shuffle(stubs)
        for a, b in zip(stubs[::2], stubs[1::2], strict=False):
            if a != b and max(drawn.degree(a), drawn.degree(b)) < degree:
                drawn.add_edge(a, b)
    return drawn


def _connected(drawn: nx.Graph[int], chance: random.Random) -> nx.Graph[int]:
    """The same with an edge from each part to the one before it."""
    parts = [sorted(part) for part in nx.connected_components(drawn)]
    for before, part in itertools.pairwise(parts):
        drawn.add_edge(chance.choice(before), chance.choice(part))
    return drawn


def _thin(drawn: nx.Graph[int], parameter: str) -> nx.Graph[int]:
    """The same. Invalid, when a machine or the slice would have more links than fit: before they are all made."""
    cards, links = max(degree for _vertex, degree in drawn.degree()), drawn.number_of_edges()
    if cards > MOST_CARDS or links > MOST_LINKS:
        message = _(
            "That would be %(links)d links, up to %(cards)d of one machine; at most %(most)d and %(each)d can be."
        )
        told = {"links": links, "cards": cards, "most": MOST_LINKS, "each": MOST_CARDS}
        raise Invalid(message % told, where=parameter, hint=_("Ask for less, or for a bus."))
    return drawn


def _star(size: int) -> Graph:
    drawn = nx.star_graph(size - 1)
    look = {0: ("hub", "router", True), **_alike(range(1, size), "h", "host")}
    return _drawn(drawn, look, {0: (0.0, 0.0), **layouts.circle(range(1, size))})


def _tree(arity: int, depth: int) -> Graph:
    number = sum(arity**level for level in range(depth + 1))
    if number > MOST_NODES:
        message = _("That would be %(number)d nodes; at most %(most)d can be.")
        raise Invalid(message % {"number": number, "most": MOST_NODES}, where="depth")
    drawn = nx.balanced_tree(arity, depth)
    inner = [vertex for vertex in drawn if vertex == 0 or drawn.degree(vertex) > 1]
    look = _alike(inner) | _alike((vertex for vertex in drawn if vertex not in set(inner)), "h", "host")
    look[0] = (*look[0][:2], True)
    return _drawn(drawn, look, layouts.tree(drawn, 0))


def _bus(size: int) -> Graph:
    look = _alike(range(size), "h", "host")
    lan = Link("bus", tuple(End(name) for name, _role, _critical in look.values()), shared=True)
    places = layouts.row(range(0, size, 2)) | layouts.row(range(1, size, 2), y=2 * layouts.STEP)
    return _drawn(nx.empty_graph(size), look, places, (lan,))


def _grid(rows: int, columns: int) -> Graph:
    if rows * columns > MOST_NODES:
        message = _("That would be %(number)d nodes; at most %(most)d can be.")
        raise Invalid(message % {"number": rows * columns, "most": MOST_NODES}, where="columns")
    drawn = nx.grid_2d_graph(rows, columns)
    places = {(y, x): (x * layouts.STEP, y * layouts.STEP) for y, x in drawn}
    return _drawn(drawn, {(y, x): (f"r{y + 1}-{x + 1}", "router", False) for y, x in drawn}, places)


def _leaf_spine(spines: int, leaves: int, hosts: int) -> Graph:
    if spines + hosts > MOST_CARDS:
        message = _("A leaf has at most %(most)d cards; this would be %(number)d.")
        raise Invalid(message % {"most": MOST_CARDS, "number": spines + hosts}, where="hosts")
    if (number := spines + leaves + leaves * hosts) > MOST_NODES:
        message = _("That would be %(number)d nodes; at most %(most)d can be.")
        raise Invalid(message % {"number": number, "most": MOST_NODES}, where="hosts")
    top, middle = [f"spine{n + 1}" for n in range(spines)], [f"leaf{n + 1}" for n in range(leaves)]
    bottom = [f"h{leaf + 1}-{n + 1}" for leaf in range(leaves) for n in range(hosts)]
    drawn = nx.Graph([(spine, leaf) for spine in top for leaf in middle])
    drawn.add_edges_from((middle[number // hosts], host) for number, host in enumerate(bottom))
    look = {name: (name, "spine", True) for name in top} | {name: (name, "leaf", False) for name in middle}
    width = max(spines, leaves, len(bottom)) * layouts.STEP
    layers = ((top, 0.0), (middle, layouts.LAYER), (bottom, 2 * layouts.LAYER))
    places = {name: at for names, y in layers for name, at in layouts.centred(names, y, width).items()}
    return _drawn(drawn, look | {name: (name, "host", False) for name in bottom}, places)


def _dumbbell(left: int, right: int, path: int) -> Graph:
    if (cards := left + right if path == 1 else max(left, right) + 1) > MOST_CARDS:
        message = _("A machine has at most %(most)d cards; this one would have %(number)d.")
        where = "right" if path == 1 or right >= left else "left"
        raise Invalid(message % {"most": MOST_CARDS, "number": cards}, where=where)
    drawn = nx.path_graph(path)
    places = layouts.row(range(path), x=2 * layouts.STEP)
    look = {number: (f"r{number + 1}", "router", True) for number in range(path)}
    for side, number, at, x in (("a", left, 0, 0.0), ("b", right, path - 1, (path + 3) * layouts.STEP)):
        for index in range(number):
            vertex = (side, index)
            drawn.add_edge(vertex, at)
            look[vertex] = (f"{side}{index + 1}", "host", False)
            places[vertex] = (x, (index - (number - 1) / 2) * layouts.STEP)
    return _drawn(drawn, look, places)


def _random(size: int, links: int | None, seed: int) -> Graph:
    most = min(size * (size - 1) // 2, size * MOST_CARDS // 3, MOST_LINKS)
    wanted = min(most, size - 1 + size // 2) if links is None else links
    least = size - 1
    if not least <= wanted <= max(least, most):
        message = _("%(size)d nodes hang together with %(least)d to %(most)d links.")
        raise Invalid(message % {"size": size, "least": least, "most": max(least, most)}, where="links")
    chance = random.Random(seed)
    drawn = nx.Graph()
    drawn.add_node(0)
    for vertex in range(1, size):
        drawn.add_edge(vertex, _roomy(drawn, vertex, chance))
    while drawn.number_of_edges() < wanted:
        a, b = chance.randrange(size), chance.randrange(size)
        if a != b and max(drawn.degree(a), drawn.degree(b)) < MOST_CARDS:
            drawn.add_edge(a, b)
    return _drawn(drawn, _alike(range(size)), layouts.sunflower(drawn))


def _roomy(drawn: nx.Graph[int], most: int, chance: random.Random) -> int:
    """One of the vertices below `most` that has a card left."""
    return next(one for one in iter(lambda: chance.randrange(most), None) if drawn.degree(one) < MOST_CARDS)


# The table ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A topology: what it is called, what makes it, what it asks for (JSON Schema of each) and what has no default."""

    title: str
    make: Callable[..., Graph]
    asks: Mapping[str, Schema]
    needed: tuple[str, ...] = ()

    @property
    def schema(self) -> Schema:
        """The JSON Schema of all parameters."""
        asked = {**self.asks, "prefix": PREFIX}
        return {"type": "object", "properties": asked, "required": list(self.needed), "additionalProperties": False}


def _whole(title: str, least: int, most: int, default: int | None = None) -> Schema:
    schema: Schema = {"type": "integer", "title": title, "minimum": least, "maximum": most}
    return schema if default is None else schema | {"default": default}


def _in_words(schema: Schema) -> Schema:
    told = {name: said | {"title": _(said["title"])} for name, said in schema["properties"].items()}
    return schema | {"properties": told}


PREFIX: Final[Schema] = {"type": "string", "title": gettext_noop("Before all names"), "default": "", "maxLength": 32}
PART: Final[Schema] = {
    "type": "object",
    "title": gettext_noop("Topology"),
    "properties": {"kind": {"type": "string"}},
    "required": ["kind"],
}
_NODE: Final[Schema] = {"type": "string", "title": gettext_noop("Node that both share"), "maxLength": 128}
_CHANCE: Final[Schema] = {"type": "number", "title": gettext_noop("Probability of a link"), "minimum": 0, "maximum": 1}
_SEED: Final = _whole(gettext_noop("Seed of chance"), 0, 2**31 - 1, 1)
_SIZE: Final = gettext_noop("Nodes")

KINDS: Final[dict[str, Kind]] = {
    "linear": Kind(gettext_noop("Line"), _linear, {"size": _whole(_SIZE, 1, MOST_NODES, 3)}),
    "ring": Kind(gettext_noop("Ring"), _ring, {"size": _whole(_SIZE, 3, MOST_NODES, 4)}),
    "mesh": Kind(gettext_noop("Full mesh"), _mesh, {"size": _whole(_SIZE, 2, MOST_CARDS + 1, 4)}),
    "partial-mesh": Kind(
        gettext_noop("Partial mesh"),
        _partial_mesh,
        {
            "size": _whole(_SIZE, 3, MOST_NODES, 6),
            "degree": _whole(gettext_noop("Neighbours of each"), 2, MOST_CARDS),
            "probability": _CHANCE,
            "seed": _SEED,
        },
    ),
    "star": Kind(gettext_noop("Star"), _star, {"size": _whole(_SIZE, 2, MOST_CARDS + 1, 5)}),
    "tree": Kind(
        gettext_noop("Tree"),
        _tree,
        {
            "arity": _whole(gettext_noop("Branches of each"), 1, MOST_CARDS - 1, 2),
            "depth": _whole(gettext_noop("Levels below the root"), 0, MOST_NODES - 1, 2),
        },
    ),
    "bus": Kind(gettext_noop("Bus (one network)"), _bus, {"size": _whole(_SIZE, 1, MOST_NODES, 4)}),
    "grid": Kind(
        gettext_noop("Grid"),
        _grid,
        {
            "rows": _whole(gettext_noop("Rows"), 1, MOST_NODES, 3),
            "columns": _whole(gettext_noop("Columns"), 1, MOST_NODES, 3),
        },
    ),
    "leaf-spine": Kind(
        gettext_noop("Leaf and spine (Clos)"),
        _leaf_spine,
        {
            "spines": _whole(gettext_noop("Spines"), 1, MOST_CARDS, 2),
            "leaves": _whole(gettext_noop("Leaves"), 1, MOST_CARDS, 3),
            "hosts": _whole(gettext_noop("Hosts of each leaf"), 0, MOST_CARDS - 1, 1),
        },
    ),
    "dumbbell": Kind(
        gettext_noop("Dumbbell"),
        _dumbbell,
        {
            "left": _whole(gettext_noop("Hosts on the left"), 1, MOST_CARDS, 2),
            "right": _whole(gettext_noop("Hosts on the right"), 1, MOST_CARDS, 2),
            "path": _whole(gettext_noop("Routers between them"), 1, MOST_NODES - 2 * MOST_CARDS, 2),
        },
    ),
    "random": Kind(
        gettext_noop("Random"),
        _random,
        {
            "size": _whole(_SIZE, 1, MOST_NODES, 6),
            "links": _whole(gettext_noop("Links"), 0, MOST_LINKS),
            "seed": _SEED,
        },
    ),
    "joined": Kind(
        gettext_noop("Two topologies joined at a node"),
        joined,
        {"a": PART, "node_a": _NODE, "b": PART, "node_b": _NODE},
        needed=("a", "node_a", "b", "node_b"),
    ),
}
