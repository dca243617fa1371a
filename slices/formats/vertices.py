"""Vertices and edges with attributes, as GraphML and node-link files have them ↔ a graph.

A machine is a vertex and a point-to-point link an edge between two of them; a shared network is a vertex of its own with
`network` true, with an edge to each machine in it. Attributes have the names of the own document; what they say of an end
of an edge begins with `source_` or `target_`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

import networkx as nx

from descriptors.definition import PARAMETERS
from descriptors.documents import Positions
from descriptors.parameters import NETWORK
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from olimpus.words import gettext_noop
from slices import documents
from slices.documents import (
    END_FIELDS,
    LINK_FIELDS,
    LINK_NAME,
    NETWORK_FIELDS,
    NODE_FIELDS,
    SAID_ELSEWHERE,
    free_name,
)
from slices.formats.report import Report
from slices.graph import MOST_CARDS, MOST_LINKS, MOST_NODES, Graph
from slices.naming import Names

Said = dict[str, Any]
#: Machines and shared networks; links, and the cards of machines in networks.
MOST_VERTICES: Final = MOST_NODES + MOST_LINKS
MOST_EDGES: Final = MOST_LINKS + MOST_NODES * MOST_CARDS
#: What a file may say of the whole slice.
TOP: Final = frozenset({"name", "description", "defaults", "routed", "parameters"})
_NODE: Final = (NODE_FIELDS - {"name", "networks"}) | (PARAMETERS.keys() - SAID_ELSEWHERE)
_LINK: Final = LINK_FIELDS - {"ends"}
_NETWORK: Final = NETWORK_FIELDS - {"ends"}
_SIDES: Final = ("source", "target")
_END: Final = {f"{_SIDES[side]}_{name}": (side, name) for side in (0, 1) for name in END_FIELDS - {"node"}}
_EDGE: Final = _LINK | _END.keys()
_KINDS: Final = tuple(NETWORK["properties"]["type"]["enum"])
_PIXELS: Final = re.compile(r"-?[0-9]{1,7}(?:\.[0-9]{1,20})?")
_WORDS: Final = ("role", "group", "apart")
_OF_ALL: Final = gettext_noop("“%(name)s” of the whole.")
_OF_NODES: Final = gettext_noop("“%(name)s” of nodes (%(number)d).")
_OF_NETWORKS: Final = gettext_noop("“%(name)s” of networks (%(number)d).")
_OF_LINKS: Final = gettext_noop("“%(name)s” of links (%(number)d).")


#: Where something stands: its line, or its path in a document that looks lines up only when they are told.
Line = int | tuple[str | int, ...] | None


@dataclass(slots=True)
class Vertex:
    """What is called `id` in its file; `label` is what people call it."""

    id: str
    said: Said = field(default_factory=dict)
    line: Line = None
    label: str = ""


@dataclass(slots=True)
class Edge:
    """Between the vertices of two ids."""

    source: str
    target: str
    said: Said = field(default_factory=dict)
    line: Line = None


@dataclass
class Drawing:
    """A file's content before anybody judged it; `format` is where its lines are."""

    format: str
    said: Said = field(default_factory=dict)
    vertices: list[Vertex] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    positions: Positions | None = None

    def line(self, line: Line) -> int | None:
        """The number of the line."""
        if isinstance(line, tuple):
            return self.positions.lookup(line)[0] if self.positions else None
        return line

    def bound(self, line: Line) -> None:
        """Invalid as soon as there is more than can ever be a slice: the rest is not worth reading."""
        for number, most in ((len(self.vertices), MOST_VERTICES), (len(self.edges), MOST_EDGES)):
            if number > most:
                message = _("A slice has at most %(most)d of these; there are %(number)d.")
                raise Invalid(message % {"most": most, "number": number}, where=self.place(line))

    def place(self, line: Line) -> str:
        """For a message: "graphml:12"."""
        number = self.line(line)
        return f"{self.format}:{number}" if number else self.format


def tell_sizes(graph: Graph, report: Report) -> None:
    """Note how much there is, and whether it hangs together."""
    shared = sum(link.shared for link in graph.links)
    told = {"nodes": len(graph.nodes), "links": len(graph.links) - shared, "networks": shared}
    report.understand(_("Nodes: %(nodes)d, links: %(links)d, shared networks: %(networks)d.") % told)
    drawn = graph.neighbours()
    if len(drawn) and (parts := nx.number_connected_components(drawn)) > 1:
        report.understand(_("It falls into %d parts that no link joins.") % parts)


# Writing --------------------------------------------------------------------------------------------------------------


def drawing_of(graph: Graph, format_: str) -> Drawing:
    """All that the graph says."""
    document = documents.write(graph)
    drawing = Drawing(format_, {key: document[key] for key in ("olimpus", *sorted(TOP)) if key in document})
    for node in document.get("nodes", []):
        drawing.vertices.append(Vertex(node["name"], {key: said for key, said in node.items() if key != "name"}))
    for link in document.get("links", []):
        said = link if isinstance(link, dict) else {"ends": link}
        drawing.edges.append(_edge(*said["ends"], {key: value for key, value in said.items() if key != "ends"}))
    taken = {vertex.id for vertex in drawing.vertices}
    for network in document.get("networks", []):
        said = {key: value for key, value in network.items() if key != "ends"}
        vertex = Vertex(free_name(network["name"], taken), {"network": True, **said})
        taken.add(vertex.id)
        drawing.vertices.append(vertex)
        drawing.edges += [_edge(vertex.id, end, {}) for end in network["ends"]]
    return drawing


def _edge(source: Any, target: Any, said: Said) -> Edge:
    nodes, more = [], dict(said)
    for side, end in (("source", source), ("target", target)):
        known = end if isinstance(end, dict) else {"node": end}
        nodes.append(known["node"])
        more |= {f"{side}_{key}": value for key, value in known.items() if key != "node"}
    return Edge(*nodes, more)


# Reading --------------------------------------------------------------------------------------------------------------


def graph_of(drawing: Drawing, report: Report) -> Graph:
    """The graph of a drawing; what it says besides is noted. Invalid with the line of every fault."""
    drawing.bound(None)
    reader = _Reader(drawing, report)
    document = reader.document()
    try:
        graph = documents.read(document)
    except Invalid as error:
        raise reader.located(error) from None
    tell_sizes(graph, report)
    return graph


class _Reader:
    """Makes a document of a drawing, and remembers the lines of its parts."""

    def __init__(self, drawing: Drawing, report: Report):
        self._drawing = drawing
        self._report = report
        self._names: dict[str, str] = {}
        self._networks: dict[str, Said] = {}
        self._lines: dict[str, list[Line]] = {"nodes": [], "links": [], "networks": []}
        self._wires: dict[frozenset[str], Said] = {}
        self._unknown: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], Line] = {}

    def document(self) -> Said:
        nodes = list(self._nodes())
        links = list(self._links())
        top = {key: value for key, value in self._drawing.said.items() if key in TOP}
        self._leave_out(_OF_ALL, self._drawing.said, TOP | {"olimpus"}, None)
        for (what, name), number in self._unknown.items():
            told = {"name": name, "number": number}
            self._ignore(_(what) % told, self._first[what, name])
        return {**top, "nodes": nodes, "links": links, "networks": list(self._networks.values())}

    def located(self, error: Invalid) -> Invalid:
        """The error with the line of the part that each fault is in."""
        faults = [fault | {"where": self._where(fault)} for fault in error.errors]
        return type(error)(error.message, where=faults[0]["where"], hint=error.hint, errors=faults)

    def _where(self, fault: Mapping[str, Any]) -> str:
        part, number = [*fault.get("path", ()), "", None][:2]
        lines = self._lines.get(part, [])
        place = self._drawing.place(lines[number] if isinstance(number, int) and number < len(lines) else None)
        return f"{place}: {fault['where']}" if fault["where"] else place

    def _nodes(self) -> Iterator[Said]:
        names = Names()
        for vertex in self._drawing.vertices:
            if vertex.said.get("network") is True:
                self._network(vertex)
                continue
            label = vertex.label or vertex.id
            self._names[vertex.id] = name = names.take(label)
            if name != label:
                told = {"label": label[:80], "name": name}
                self._report.unmap(_("“%(label)s” is called “%(name)s” here.") % told, self._drawing.line(vertex.line))
            self._leave_out(_OF_NODES, vertex.said, _NODE, vertex.line)
            self._lines["nodes"].append(vertex.line)
            yield {"name": name} | {key: _fit(key, said) for key, said in vertex.said.items() if key in _NODE}

    def _network(self, vertex: Vertex) -> None:
        said = {key: value for key, value in vertex.said.items() if key in _NETWORK}
        said.setdefault("name", (vertex.label or vertex.id)[:LINK_NAME])
        self._leave_out(_OF_NETWORKS, vertex.said, _NETWORK | {"network"}, vertex.line)
        self._lines["networks"].append(vertex.line)
        self._networks[vertex.id] = said | {"ends": []}

    def _links(self) -> Iterator[Said]:
        known = self._names.keys() | self._networks.keys()
        for edge in self._drawing.edges:
            for end in (edge.source, edge.target):
                if end not in known:
                    raise Invalid(_("There is no node “%s”.") % end[:80], where=self._drawing.place(edge.line))
            if edge.source in self._networks or edge.target in self._networks:
                self._join(edge)
            elif link := self._wire(edge):
                self._lines["links"].append(edge.line)
                yield link

    def _ends(self, edge: Edge) -> tuple[Said, Said]:
        """Both ends, with what is said of them."""
        ends: tuple[Said, Said] = ({"node": self._names.get(edge.source)}, {"node": self._names.get(edge.target)})
        for key, value in edge.said.items():
            if key in _END:
                side, name = _END[key]
                ends[side][name] = value
        return ends

    def _join(self, edge: Edge) -> None:
        """A machine into a shared network."""
        if edge.source in self._networks and edge.target in self._networks:
            self._ignore(_("Two networks are not joined by a link; put a node between them."), edge.line)
            return
        source, target = self._ends(edge)
        network, end = (edge.source, target) if edge.source in self._networks else (edge.target, source)
        self._networks[network]["ends"].append(end)

    def _wire(self, edge: Edge) -> Said | None:
        if edge.source == edge.target:
            told = {"node": self._names[edge.source]}
            self._ignore(_("“%(node)s” is linked to itself: left out.") % told, edge.line)
            return None
        link = {key: value for key, value in edge.said.items() if key in _LINK}
        self._leave_out(_OF_LINKS, edge.said, _EDGE, edge.line)
        for key in ("type", "network_type"):
            if key in link and link[key] not in _KINDS:
                self._leave_out(_OF_LINKS, {key: link.pop(key)}, frozenset(), edge.line)
        link["ends"] = ends = list(self._ends(edge))
        first = self._wires.setdefault(frozenset((edge.source, edge.target)), link)
        if first is not link and not (link.get("cidr") or first.get("cidr") or any(map(_addressed, ends))):
            told = {"nodes": " – ".join(self._names[name] for name in (edge.source, edge.target))}
            self._ignore(_("%(nodes)s are linked once more: left out.") % told, edge.line)
            return None
        return link

    def _ignore(self, what: str, line: Line) -> None:
        self._report.ignore(what, self._drawing.line(line))

    def _leave_out(self, what: str, said: Said, known: Set[str], line: Line) -> None:
        """Count what is said and not known."""
        for name in () if said.keys() <= known else sorted(said.keys() - known):
            self._unknown[what, name] += 1
            self._first.setdefault((what, name), line)


def _addressed(end: Said) -> bool:
    """Whether it is the end of a cable of its own."""
    return bool(end.get("ip") or end.get("name"))


def _fit(key: str, said: Any) -> Any:
    """Numbers in words' places are words: other programs number their groups. Places that are texts are numbers."""
    if key in ("x", "y") and isinstance(said, str) and _PIXELS.fullmatch(said.strip()):
        return float(said)
    return str(said) if key in _WORDS and isinstance(said, (int, float)) and not isinstance(said, bool) else said
