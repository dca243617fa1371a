"""Places beside the best there are, on slices so small that all can be tried."""

from __future__ import annotations

from math import inf
from random import Random

import networkx as nx
import pytest

from hypervisors.placement import RESOURCES, Node, Place, Room, Size, Strategy, suggest
from tests.slices import exact

SIZES = (Size(1, 1536, 10), Size(2, 2560, 20), Size(1, 512, 1), Size(4, 6144, 40))
#: What is over beside what all nodes need together.
SPARE = (1.05, 1.2, 1.5, 2, 3)


def instance(seed: int) -> tuple[list[Node], list[tuple[str, str]], list[Place]]:
    """Five to nine nodes and their links, two to four places that have hardly enough or plenty."""
    random = Random(seed)  # noqa: S311 - no secret
    number, shares = random.randint(5, 9), [random.uniform(0.5, 1.5) for _place in range(random.randint(2, 4))]
    nodes = [Node(f"n{index}", random.choice(SIZES), apart=random.choice(["", "", "", "x"])) for index in range(number)]
    drawn = random.choice(
        [nx.cycle_graph(number), nx.complete_graph(number), nx.star_graph(number - 1), nx.path_graph(number)]
        + [nx.gnm_random_graph(number, 2 * number, seed=seed)] * 4
    )
    spare = random.choice(SPARE) / sum(shares)
    places = []
    for index, share in enumerate(shares):
        free = (int(spare * share * sum(getattr(node.needs, name) for node in nodes)) + 1 for name in RESOURCES)
        places.append(Place(f"w{index}", rooms=(Room(f"w{index}", Size(*free)),)))
    return nodes, [(f"n{first}", f"n{second}") for first, second in drawn.edges], places


def compare(strategy: Strategy, seeds: range) -> tuple[int, int, int]:
    """(what the places of all these cost, what the best cost, how many were refused for which there are places)."""
    told = best = refused = 0
    for seed in seeds:
        nodes, links, places = instance(seed)
        least = exact.least(strategy, nodes, links, places)
        where = {found.node: found.place for found in suggest(nodes, links, places, strategy=strategy) if found.place}
        if len(where) < len(nodes):
            refused += least < inf
            continue
        assert least <= exact.cost(strategy, where, links, places)
        told, best = told + exact.cost(strategy, where, links, places), best + int(least)
    return told, best, refused


@pytest.mark.parametrize("strategy", Strategy)
def test_places_are_nearly_the_best(strategy):
    told, best, refused = compare(strategy, range(40))
    assert told <= 1.05 * best
    assert refused == 0
