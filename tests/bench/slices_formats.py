"""Import of topologies of 1,000 nodes and 2,000 links.

Measured: from the text of a file to a checked graph with its report, through `slices.formats`.
Floor: the bare parser of the format on the same text. Of YAML it is PyYAML's safe loader on libyaml (the quickest there is,
and what makes our events, too), of JSON and GNS3 `json.loads`, of GraphML and node-link networkx. None of them checks
anything, and those of YAML and JSON make no graph.
The two alternate, nine times each; the median of their processor time counts, the wall's clock is in the JSON.
"""

from __future__ import annotations

import gc
import io
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import networkx as nx
import yaml

from slices.formats import FORMATS, read, write
from slices.graph import Graph
from slices.ipam import addressed
from slices.topology import generate
from tests.bench.figures import Figure, say

NODES, LINKS, ROUNDS, REACH = 1000, 2000, 9, 2.0


def _bare_yaml(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


#: Format → its bare parser.
FLOORS: dict[str, Callable[[str], Any]] = {
    "yaml": _bare_yaml,
    "containerlab": _bare_yaml,
    "netlab": _bare_yaml,
    "own": json.loads,
    "gns3": json.loads,
    "graphml": lambda text: nx.read_graphml(io.BytesIO(text.encode())),
    "nodelink": lambda text: nx.node_link_graph(json.loads(text), edges="edges"),
}


def run() -> list[Figure]:
    """A figure for each format."""
    graph = _graph()
    others = {"gns3": _gns3, "netlab": _netlab}
    return [_figure(name, others[name](graph) if name in others else write(graph, name)) for name in FLOORS]


def _graph() -> Graph:
    """A random topology as somebody would deploy it: with images, sizes and addresses."""
    graph = generate("random", {"size": NODES, "links": LINKS})
    nodes = tuple(replace(node, definition={"image": "debian-12", "flavor": "small"}) for node in graph.nodes)
    return addressed(replace(graph, name="random", nodes=nodes))


def _netlab(graph: Graph) -> str:
    """As people write it: short links, some of which say a cost."""
    nodes = "".join(f"  {node.name}: {{device: frr}}\n" for node in graph.nodes)
    brief = "- {}-{}\n- {}:\n  {}:\n  ospf.cost: 3\n"
    pairs = [link.nodes for link in graph.links]
    links = "".join(brief.format(*one, *other) for one, other in zip(pairs[::2], pairs[1::2], strict=True))
    return f"provider: clab\nmodule: [ospf]\nnodes:\n{nodes}links:\n{links}"


def _gns3(graph: Graph) -> str:
    """As GNS3 saves it: with all that it knows of consoles, pictures and labels."""
    label = {"rotation": 0, "style": "font-family: TypeWriter;font-size: 10.0;", "text": "", "x": 1, "y": -25}
    machine = {
        "adapters": 8,
        "hda_disk_image": "debian-12.qcow2",
        "ram": 512,
        "cpus": 1,
        "mac_address": "0c:00:00:00:00:00",
    }
    common = {
        "compute_id": "local",
        "console": 5000,
        "console_type": "telnet",
        "node_type": "qemu",
        "z": 1,
        "width": 65,
    }
    nodes = [
        {**common, "node_id": node.name, "name": node.name, "label": label | {"text": node.name}, "properties": machine}
        | {"symbol": ":/symbols/router.svg", "x": round(node.x or 0), "y": round(node.y or 0)}
        for node in graph.nodes
    ]
    links = [
        {"filters": {}, "link_id": link.name, "suspend": False}
        | {"nodes": [{"node_id": name, "adapter_number": 0, "port_number": 0, "label": label} for name in link.nodes]}
        for link in graph.links
    ]
    top = {"name": "random", "revision": 9, "type": "topology", "scene_height": 1000, "version": "2.2.47"}
    return json.dumps(top | {"topology": {"computes": [], "drawings": [], "nodes": nodes, "links": links}}, indent=4)


def _figure(name: str, text: str) -> Figure:
    measured, floors = [], []
    for _round in range(ROUNDS):
        measured.append(_clocked(lambda: read(text, name)))
        floors.append(_clocked(lambda: FLOORS[name](text)))
    (busy, wall), (floor, floor_wall) = (
        map(statistics.median, zip(*times, strict=True)) for times in (measured, floors)
    )
    say(
        f"{name} {busy * 1000:.0f} ms, floor {floor * 1000:.1f} ms; wall {wall * 1000:.0f} and {floor_wall * 1000:.1f} ms"
    )
    work = f"import {NODES:,} nodes, {LINKS:,} links: {FORMATS[name].title}"
    details = {"measured": measured, "floors": floors, "bytes": len(text)}
    return Figure(work, busy * 1000, "ms", f"≤ {REACH:g} ×", busy <= REACH * floor, floor * 1000, details)


def _clocked(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the processor and of the clock that `work` takes, which does not clean up after the work before."""
    gc.collect()
    begun, start = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - begun, time.perf_counter() - start
