"""The best placement there is, found by trying: what heuristics are measured against on small slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from hypervisors.placement import RESOURCES, Node, Place, Strategy

Where = Mapping[str, str]


def cost(strategy: Strategy, where: Where, links: Iterable[Sequence[str]], places: Sequence[Place]) -> int:
    """Links that lead from place to place; by how many nodes places differ; how many places are in use."""
    if strategy is Strategy.TOGETHER:
        return sum(len({where[name] for name in link if name in where}) > 1 for link in links)
    counts = [sum(at == place.name for at in where.values()) for place in places]
    return max(counts) - min(counts) if strategy is Strategy.SPREAD else sum(map(bool, counts))


def least(strategy: Strategy, nodes: Sequence[Node], links: Sequence[Sequence[str]], places: Sequence[Place]) -> float:
    """The cost of the best placement in which every node has a place; infinite when there is none.

    Every place has one room, of which everything is known.
    """
    best = inf
    free = {place.name: [getattr(place.rooms[0].free, name) for name in RESOURCES] for place in places}
    ordered = sorted(nodes, key=lambda node: -node.needs.memory_mib)

    def deeper(depth: int, where: dict[str, str]) -> None:
        nonlocal best
        if _bound(strategy, where, links, places, len(nodes)) >= best:
            return
        if depth == len(ordered):
            best = cost(strategy, where, links, places)
            return
        node = ordered[depth]
        for place in _homes(node, where, free, ordered):
            needs = [getattr(node.needs, name) for name in RESOURCES]
            free[place] = [left - need for left, need in zip(free[place], needs, strict=True)]
            deeper(depth + 1, where | {node.name: place})
            free[place] = [left + need for left, need in zip(free[place], needs, strict=True)]

    deeper(0, {})
    return best


def _bound(
    strategy: Strategy, where: Where, links: Iterable[Sequence[str]], places: Sequence[Place], number: int
) -> float:
    """No placement that goes on from here costs less."""
    if strategy is not Strategy.SPREAD:
        return cost(strategy, where, links, places)
    most = max(sum(at == place.name for at in where.values()) for place in places)
    return max(most - number // len(places), number % len(places) > 0)


def _homes(node: Node, where: Where, free: Mapping[str, Sequence[float]], nodes: Sequence[Node]) -> Iterator[str]:
    taken = {where[other.name] for other in nodes if node.apart and other.apart == node.apart and other.name in where}
    for place, left in free.items():
        enough = all(getattr(node.needs, name) <= left[number] for number, name in enumerate(RESOURCES))
        if enough and place not in taken and node.pinned in ("", place):
            yield place
