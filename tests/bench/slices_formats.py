"""Import of topologies of 1,000 nodes and 2,000 links.

Measured: from the text of a file to a checked graph with its report, through `slices.formats`.
Floor: the bare parser of the format on the same text: ruamel.yaml's safe loader for YAML, `json.loads` for JSON, networkx for
GraphML and node-link. None of them checks anything, and those of YAML and JSON make no graph.
The two alternate, five times each; the best of each counts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import networkx as nx
from ruamel.yaml import YAML

from slices.formats import FORMATS, read, write
from slices.graph import Graph
from slices.ipam import addressed
from slices.topology import generate
from tests.bench.figures import Figure, say, timed

NODES, LINKS, ROUNDS, REACH = 1000, 2000, 5, 2.0

#: Format → its bare parser.
FLOORS: dict[str, Callable[[str], Any]] = {
    "yaml": lambda text: YAML(typ="safe", pure=True).load(text),
    "own": json.loads,
    "graphml": lambda text: nx.read_graphml(io.BytesIO(text.encode())),
    "nodelink": lambda text: nx.node_link_graph(json.loads(text), edges="edges"),
}


def run() -> list[Figure]:
    """A figure for each format."""
    graph = _graph()
    return [_figure(name, write(graph, name), floor) for name, floor in FLOORS.items()]


def _graph() -> Graph:
    """A random topology as somebody would deploy it: with images, sizes and addresses."""
    graph = generate("random", {"size": NODES, "links": LINKS})
    nodes = tuple(replace(node, definition={"image": "debian-12", "flavor": "small"}) for node in graph.nodes)
    return addressed(replace(graph, name="random", nodes=nodes))


def _figure(name: str, text: str, bare: Callable[[str], Any]) -> Figure:
    measured, floors = [], []
    for _round in range(ROUNDS):
        measured.append(timed(lambda: read(text, name)))
        floors.append(timed(lambda: bare(text)))
    best, floor = min(measured), min(floors)
    say(f"{name} {best * 1000:.0f} ms, floor {floor * 1000:.0f} ms")
    work = f"import {NODES:,} nodes, {LINKS:,} links: {FORMATS[name].title}"
    details = {"measured": measured, "floors": floors, "bytes": len(text)}
    return Figure(work, best, "s", f"≤ {REACH:g} ×", best <= REACH * floor, floor, details)
