"""Node-link JSON, as networkx, D3 and others write it: lists of nodes with `id`, of edges (or links) with their ends."""

from __future__ import annotations

import re
from typing import Any, Final

from descriptors.documents import Positions, dump_json, load_with_lines
from descriptors.faults import shown
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices.formats.base import Format
from slices.formats.report import Report
from slices.formats.vertices import Drawing, Edge, Vertex, drawing_of, graph_of
from slices.graph import Graph

NAME: Final = "nodelink"
_EDGES: Final = re.compile(r'"(?:source|directed|multigraph)"\s*:')
_LABELS: Final = ("label", "name")
#: What says which one it is, and what people call it.
_OF_NETWORK: Final = frozenset({"id", "label"})
_OF_NODE: Final = frozenset({"id", "label", "name"})
_OF_EDGE: Final = frozenset({"source", "target", "key"})
#: What says how the file is meant, and nothing of a machine.
_HOW: Final = frozenset({"directed", "multigraph", "graph", "nodes", "edges", "links"})


def write(graph: Graph) -> str:
    """All of the graph, as networkx' node_link_graph reads it."""
    drawing = drawing_of(graph, NAME)
    data = {
        "directed": False,
        "multigraph": True,
        "graph": drawing.said,
        "nodes": [{"id": vertex.id, **vertex.said} for vertex in drawing.vertices],
        "edges": [
            {"source": edge.source, "target": edge.target, "key": number, **edge.said}
            for number, edge in enumerate(drawing.edges)
        ],
    }
    return dump_json(data)


def read(text: str | bytes) -> tuple[Graph, Report]:
    """The graph of a node-link file, under the names of `edges` or `links`."""
    data, positions = load_with_lines(text, name=NAME)
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list):
        raise Invalid(_("This is no node-link file: it has no list of nodes."), where=NAME)
    edges = "edges" if "edges" in data else "links"
    report = Report()
    drawing = Drawing(NAME, _mapping(data.get("graph", {}), positions, "graph"), positions=positions)
    drawing.vertices = [_vertex(one, positions, "nodes", place) for place, one in enumerate(data["nodes"])]
    listed = data.get(edges, [])
    if not isinstance(listed, list):
        raise Invalid(
            _("give %(wanted)s, not %(value)s") % {"wanted": _("a list"), "value": shown(listed)},
            where=positions.where((edges,)),
        )
    drawing.edges = [_edge(one, positions, edges, place) for place, one in enumerate(listed)]
    for key in data.keys() - _HOW:
        report.ignore(_("“%(name)s” of the whole.") % {"name": key}, positions.lookup((key,))[0])
    return graph_of(drawing, report), report


def _vertex(given: Any, positions: Positions, *path: str | int) -> Vertex:
    said = _mapping(given, positions, *path)
    name = _id(said, "id" if "id" in said else "name", positions, path)
    label = next((said[key] for key in _LABELS if isinstance(said.get(key), str)), "")
    called = _OF_NETWORK if said.get("network") is True else _OF_NODE
    return Vertex(name, {key: value for key, value in said.items() if key not in called}, path, label)


def _edge(given: Any, positions: Positions, *path: str | int) -> Edge:
    said = _mapping(given, positions, *path)
    rest = {key: value for key, value in said.items() if key not in _OF_EDGE}
    return Edge(_id(said, "source", positions, path), _id(said, "target", positions, path), rest, path)


def _id(said: dict[str, Any], key: str, positions: Positions, path: tuple[str | int, ...]) -> str:
    """What networkx takes for an id: text, number, or a list of them."""
    id_ = said.get(key)
    if id_ is None or isinstance(id_, dict):
        raise Invalid(_('"%(name)s" is missing') % {"name": key}, where=positions.where(path))
    return str(id_)


def _mapping(given: Any, positions: Positions, *path: str | int) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    raise Invalid(
        _("give %(wanted)s, not %(value)s") % {"wanted": _("a mapping"), "value": shown(given)},
        where=positions.where(path),
    )


def _known(head: str) -> bool:
    return head.startswith("{") and '"nodes"' in head and bool(_EDGES.search(head))


FORMAT: Final = Format(NAME, "Node-link (JSON)", (".json",), _known, read, write)
