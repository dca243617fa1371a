"""A first place for every node, quickly. Each of these returns the nodes that found none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import heapify, heappop, heappush, heapreplace
from math import hypot
from typing import Final

from hypervisors.placement.board import NOWHERE, Board, Needs
from hypervisors.placement.sizes import RESOURCES
from hypervisors.placement.telling import Notes, why_alone

#: Of more sizes than this it would take long to find the one that matches best.
SIZES: Final = 64


def largest_first(board: Board, nodes: Iterable[int]) -> list[int]:
    """Those of groups before the others, as they find a place least easily; the largest of each first."""
    return sorted(nodes, key=lambda node: (not board.nodes[node].apart, -board.weights[node]))


# -- spread ------------------------------------------------------------------------------------------------------------


def spread(board: Board, nodes: Iterable[int]) -> list[int]:
    """Each where the fewest are and, among those, most is free."""
    left, line = [], [(board.counts[place], *board.roominess(place)) for place in board.up]
    heapify(line)
    for node in largest_first(board, nodes):
        passed = []
        while line and not board.put(node, line[0][-1]):
            passed.append(heappop(line))
        if line:
            place = line[0][-1]
            heapreplace(line, (board.counts[place], *board.roominess(place)))
        else:
            left.append(node)
        for entry in passed:
            heappush(line, entry)
    return left


# -- one way after another ---------------------------------------------------------------------------------------------


def exhaust(board: Board, nodes: Sequence[int], most: int, tries: Iterator[int]) -> bool:
    """All of them, no place with more than `most`, by trying one way after another.

    False, and nothing happened, when there is none or no try is left.
    """
    if not nodes:
        return True
    for place in sorted(board.up, key=lambda place: board.counts[place]):
        if board.counts[place] >= most or next(tries, None) is None:
            return False
        if board.put(nodes[0], place):
            if exhaust(board, nodes[1:], most, tries):
                return True
            board.take(nodes[0])
    return False


# -- pack --------------------------------------------------------------------------------------------------------------


def fill(board: Board, nodes: Iterable[int], order: Sequence[int]) -> list[int]:
    """Each in the first place of this order that has room. Where one had none, none of its size has."""
    left, firsts = [], dict.fromkeys(board.needs, 0)
    for node in nodes:
        first = firsts[board.needs[node]]
        for index in range(first, len(order)):
            if board.put(node, order[index]):
                break
            if index == first and not board.held(node, order[index]):
                first += 1
        else:
            left.append(node)
        firsts[board.needs[node]] = first
    return left


def match(board: Board, nodes: Iterable[int], order: Sequence[int]) -> list[int]:
    """Place after place gets, as long as something fits, what asks for its resources most nearly as they are left."""
    waiting: dict[Needs, list[int]] = {}
    for node in reversed(largest_first(board, nodes)):
        waiting.setdefault(board.needs[node], []).append(node)
    whole = [sum(left) or 1 for left in zip(*map(board.left, order), strict=True)]
    shapes = {size: _shape(size, whole) for size in waiting}
    for place in order:
        sizes = list(waiting)
        while sizes:
            cpus, memory, disk = _shape(board.left(place), whole)
            best = max(sizes, key=lambda s: shapes[s][0] * cpus + shapes[s][1] * memory + shapes[s][2] * disk)
            if not _put_one(board, waiting[best], place):
                sizes.remove(best)
            elif not waiting[best]:
                sizes.remove(best)
                del waiting[best]
    return [node for nodes in waiting.values() for node in nodes]


def _shape(size: Sequence[float], whole: Sequence[float]) -> tuple[float, float, float]:
    """How the shares of the resources relate to each other, whatever the size."""
    cpus, memory, disk = (amount / all_told for amount, all_told in zip(size, whole, strict=True))
    length = hypot(cpus, memory, disk) or 1
    return cpus / length, memory / length, disk / length


def _put_one(board: Board, nodes: list[int], place: int) -> bool:
    """One of these, all of one size, goes there and leaves the list, from its end; False when none can."""
    if board.room_for(nodes[-1], place) == NOWHERE:
        return False
    index = next((index for index in reversed(range(len(nodes))) if board.put(nodes[index], place)), None)
    if index is not None:
        del nodes[index]
    return index is not None


def emptiest_first(board: Board) -> list[int]:
    """Places for `fill`: those that are in use already, then the roomiest."""
    return sorted(board.up, key=lambda place: (not board.counts[place], *board.roominess(place)))


def ways(board: Board, nodes: Sequence[int]) -> Iterator[Callable[[], list[int]]]:
    """Ways to fill place after place, the quickest first: the largest nodes first, those of groups first, what matches
    best, and the largest by each resource.
    """
    order, ordered = emptiest_first(board), largest_first(board, nodes)
    yield lambda: fill(board, ordered, order)
    yield lambda: fill(board, sorted(nodes, key=lambda node: not board.nodes[node].apart), order)
    if len(set(board.needs)) <= SIZES:
        yield lambda: match(board, nodes, order)
    for number in range(len(RESOURCES)):
        largest = sorted(ordered, key=lambda node: (not board.nodes[node].apart, -board.needs[node][number]))
        yield partial(fill, board, largest, order)


def tighten(board: Board, movable: Iterable[int]) -> None:
    """A place that only our nodes use is left for an empty one with less room that takes them all."""
    homes: dict[int, list[int]] = {}
    for node in movable:
        if board.where[node] != NOWHERE:
            homes.setdefault(board.where[node], []).append(node)
    for place, nodes in homes.items():
        if len(nodes) == board.counts[place]:
            _move_all(board, largest_first(board, nodes), place)


def _move_all(board: Board, nodes: Sequence[int], place: int) -> None:
    before = [(node, board.room[node]) for node in nodes]
    for node in nodes:
        board.take(node)
    smaller = [other for other in board.up if not board.counts[other] and any(board.known[other])]
    mine = board.roominess(place)[:2]
    for other in sorted(smaller, key=lambda other: (board.value(other), other)):
        if board.roominess(other)[:2] <= mine:
            break
        if put_all(board, nodes, other):
            return
    for node, room in before:
        board.put_in(node, place, room)


def put_all(board: Board, nodes: Sequence[int], place: int) -> bool:
    """All of them there in this order, or none."""
    for number, node in enumerate(nodes):
        if not board.put(node, place):
            for other in nodes[:number]:
                board.take(other)
            return False
    return True


# -- together ----------------------------------------------------------------------------------------------------------


def gather(board: Board, nodes: Iterable[int]) -> list[int]:
    """What hangs together goes to one place where there is one for all, the largest first; else place after place is
    filled with nodes that hang together.
    """
    left = []
    for group in sorted(_groups(board, set(nodes)), key=lambda group: -sum(board.weights[node] for node in group)):
        ordered = largest_first(board, group)
        if not _settle(board, ordered):
            left += _grow(board, group)
    return left


def _groups(board: Board, free: set[int]) -> list[list[int]]:
    """Free nodes that hang together, each group in the order in which one walks through it from its first node."""
    seen: set[int] = set()
    groups = []
    for start in range(len(board.nodes)):
        if start not in seen:
            walked = _walk(board, start, seen)
            groups.append([node for node in walked if node in free])
    return [group for group in groups if group]


def _walk(board: Board, start: int, seen: set[int]) -> list[int]:
    walked, nets = [start], set()
    seen.add(start)
    for node in walked:  # grows while we walk
        for net in board.nets_of[node]:
            if net not in nets:
                nets.add(net)
                fresh = [other for other in board.nets[net] if other not in seen]
                seen.update(fresh)
                walked += fresh
    return walked


def _settle(board: Board, nodes: Sequence[int]) -> bool:
    """All in one place: the one that holds most of what they hang on, else the roomiest."""
    cpus, memory, disk = (sum(sizes) for sizes in zip(*(board.needs[node] for node in nodes), strict=True))
    homes = [
        place
        for place in board.up
        if cpus <= sum(room[0] for room in board.free[place])
        and memory <= sum(room[1] for room in board.free[place])
        and disk <= sum(room[2] for room in board.free[place])
    ]
    beside = board.beside(nodes)
    homes.sort(key=lambda place: (-beside[place], board.roominess(place)))
    return any(put_all(board, nodes, place) for place in homes)


def roomiest(board: Board, nodes: Iterable[int], notes: Notes) -> list[int]:
    """Each of those that hang on nothing where most is free; with the reason."""
    left, line = [], [board.roominess(place) for place in board.up]
    heapify(line)
    for node in largest_first(board, nodes):
        passed = []
        while line and not board.put(node, line[0][-1]):
            passed.append(heappop(line))
        if line:
            place = line[0][-1]
            if not board.nodes[node].apart:
                notes[node] = why_alone(board, node)
            heapreplace(line, board.roominess(place))
        else:
            left.append(node)
        for entry in passed:
            heappush(line, entry)
    return left


def _grow(board: Board, nodes: Sequence[int]) -> list[int]:
    """Place after place gets nodes that hang together until it is full, first those where neighbours are."""
    rest, beside = dict.fromkeys(nodes), board.beside(nodes)
    for place in sorted(board.up, key=lambda place: (-beside[place], board.roominess(place))):
        if not rest:
            break
        _fill_up(board, place, rest)
    return list(rest)


def _fill_up(board: Board, place: int, rest: dict[int, None]) -> None:
    """Nodes of `rest` go to the place, always the one with the most links into it and the fewest out of it."""
    inside: dict[int, int] = dict.fromkeys(rest, 0)
    line: list[tuple[int, int, int]] = []
    for net, here in enumerate(board.here):
        if place in here:
            _reach(board, board.nets[net], inside, line)
    sizes = {board.needs[node] for node in rest}
    for seed in list(rest):
        heappush(line, (-inside.get(seed, 0), 0, seed))
        while line and sizes:
            linked, _outside, node = heappop(line)
            if inside.get(node) != -linked or board.needs[node] not in sizes:
                continue  # taken, stands further ahead by now, or finds no room
            if not board.put(node, place):
                if not board.held(node, place):
                    sizes.discard(board.needs[node])
                continue
            del rest[node], inside[node]
            for net in board.nets_of[node]:
                if board.here[net][place] == 1:
                    _reach(board, board.nets[net], inside, line)
        if not sizes:
            break


def _reach(board: Board, nodes: Iterable[int], inside: dict[int, int], line: list[tuple[int, int, int]]) -> None:
    """A net has come into the place: those of its nodes that wait stand further ahead."""
    for node in nodes:
        if node in inside:
            inside[node] += 1
            heappush(line, (-inside[node], len(board.nets_of[node]) - inside[node], node))
