"""Where the nodes of a drawing stand, in pixels: a place for each, neighbours about `STEP` apart."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, TypeVar

import networkx as nx

STEP: Final = 110.0
#: Between two layers of a drawing: their labels need more room than those of neighbours.
LAYER: Final = 150.0
_GOLDEN: Final = math.pi * (3 - math.sqrt(5))

Vertex = TypeVar("Vertex", bound=Hashable)
Places = dict[Vertex, tuple[float, float]]


def row(vertices: Iterable[Vertex], y: float = 0, x: float = 0) -> Places[Vertex]:
    """One beside the other, from left to right."""
    return {vertex: (x + number * STEP, y) for number, vertex in enumerate(vertices)}


def centred(vertices: Sequence[Vertex], y: float, width: float) -> Places[Vertex]:
    """In even distances over a width."""
    share = width / max(len(vertices), 1)
    return {vertex: (round((number + 0.5) * share, 1), y) for number, vertex in enumerate(vertices)}


def circle(vertices: Sequence[Vertex]) -> Places[Vertex]:
    """Around (0, 0), the first on top, clockwise."""
    radius = max(STEP, len(vertices) * STEP / math.tau)
    return {vertex: _polar(radius, math.tau * number / len(vertices)) for number, vertex in enumerate(vertices)}


def sunflower(graph: nx.Graph[Vertex]) -> Places[Vertex]:
    """Any graph: who has most neighbours in the middle, around it who is near, each with the same room."""
    middle = max(graph, key=lambda vertex: (graph.degree(vertex), str(vertex)))
    order = [middle, *(vertex for _from, vertex in nx.bfs_edges(graph, middle))]
    order = list(dict.fromkeys([*order, *graph]))  # who hangs together with nobody near comes last
    return {vertex: _polar(0.75 * STEP * math.sqrt(number), _GOLDEN * number) for number, vertex in enumerate(order)}


def tree(graph: nx.Graph[Vertex], root: Vertex) -> Places[Vertex]:
    """The root on top; leaves in a row of their own steps, whoever is above in the middle of those below."""
    below: dict[Vertex, list[Vertex]] = dict(nx.bfs_successors(graph, root))
    depth = nx.single_source_shortest_path_length(graph, root)
    places: Places[Vertex] = {}
    leaves = 0
    for vertex in nx.dfs_postorder_nodes(graph, root):
        under = [places[child][0] for child in below.get(vertex, [])]
        x = sum(under) / len(under) if under else leaves * STEP
        leaves += not under
        places[vertex] = (round(x, 1), depth[vertex] * LAYER)
    return places


def _polar(radius: float, angle: float) -> tuple[float, float]:
    return round(radius * math.sin(angle), 1) + 0.0, round(-radius * math.cos(angle), 1) + 0.0  # no -0.0
