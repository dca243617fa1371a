"""Which nodes are critical, and why: marked so, by their role, by their neighbours, by the paths that they carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from statistics import fmean, pstdev
from typing import Any, Final

import networkx as nx

from hypervisors.placement import Reason
from slices import joins
from slices.graph import Graph

#: Roles that carry the traffic of others.
CARRIERS: Final = frozenset({"router", "gateway", "firewall", "core", "spine", "hub", "switch", "bridge", "controller"})
#: Up to so many nodes all shortest paths are counted; of more, those from a sample of so many.
EXACT: Final = 300
SAMPLE: Final = 48
SEED: Final = 6
#: A hub has so many neighbours at least, and a carrier this share of all shortest paths.
FEWEST_NEIGHBOURS: Final = 3
LEAST_SHARE: Final = 0.1
#: What stands out is above the mean by so many standard deviations, and by half of it.
DEVIATIONS: Final = 1.5
FACTOR: Final = 1.5


def critical(graph: Graph, *, optimise: bool) -> dict[str, Reason]:
    """Node → why it is critical. Those that are marked are; by anything else only to `optimise`. The same each time."""
    found = {node.name: Reason("critical_marked") for node in graph.nodes if node.critical}
    if not optimise:
        return found
    graph = joins.apart(graph)  # what joins parts of a network makes nobody more important
    drawn = graph.neighbours()
    paths = dict(_by_paths(graph, drawn))
    return paths | dict(_by_degree(graph, drawn)) | dict(_by_role(graph)) | found


def _by_role(graph: Graph) -> Iterator[tuple[str, Reason]]:
    """A role that most nodes have tells nothing."""
    carriers = [node for node in graph.nodes if node.role.lower() in CARRIERS]
    if 2 * len(carriers) <= len(graph.nodes):
        for node in carriers:
            yield node.name, Reason("critical_role", {"role": node.role})


def _by_degree(graph: Graph, drawn: nx.Graph) -> Iterator[tuple[str, Reason]]:
    """Links count as neighbours: a shared network is one, however many are in it."""
    degrees = {node.name: drawn.degree(node.name) for node in graph.nodes}
    mean = fmean(degrees.values()) if degrees else 0
    for name in _outstanding(degrees, FEWEST_NEIGHBOURS):
        yield name, Reason("critical_degree", {"degree": degrees[name], "mean": round(mean, 1)})


def _by_paths(graph: Graph, drawn: nx.Graph) -> Iterator[tuple[str, Reason]]:
    shares = _shares(drawn, [node.name for node in graph.nodes])
    for name in _outstanding(shares, LEAST_SHARE):
        yield name, Reason("critical_paths", {"percent": round(100 * shares[name])})


def _shares(drawn: nx.Graph, names: list[str]) -> dict[str, float]:
    """Name → which share of the shortest paths between two others leads through it."""
    if len(names) <= 2:
        return {}
    sources = names if len(names) <= EXACT else Random(SEED).sample(names, SAMPLE)
    carried: Mapping[Any, float] = nx.betweenness_centrality_subset(drawn, sources, names)
    chosen = frozenset(sources)
    # networkx counts each pair from both ends and halves it
    return {name: 2 * carried[name] / ((len(sources) - (name in chosen)) * (len(names) - 2)) for name in names}


def _outstanding(values: Mapping[str, float], least: float) -> list[str]:
    if not values:
        return []
    mean = fmean(values.values())
    bound = max(least, FACTOR * mean, mean + DEVIATIONS * pstdev(values.values(), mean))
    return [name for name, value in values.items() if value >= bound]
