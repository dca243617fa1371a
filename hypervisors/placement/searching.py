"""Better places than the first ones found: moves and exchanges, bounded, and the same each time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Protocol

from hypervisors.placement.board import NOWHERE, Board

#: So many moves and exchanges are looked at.
BUDGET: Final = 24_000
#: A search that looks at all of them each time is for slices in which a round has at most this many.
ROUND: Final = 2_000
#: Nobody who moved moves again for so many rounds.
REST: Final = 2
#: How often all nodes are asked whether they have more neighbours elsewhere.
PASSES: Final = 2


class Goal(Protocol):
    """What a strategy makes small. `worth` compares whole states, `moved` and `swapped` tell what a step changes.

    `targets` are the places where a node is better off, the best first; `alike`: exchanging two nodes of one size can help.
    """

    alike: bool

    def worth(self) -> tuple[float, ...]: ...
    def targets(self, node: int) -> Iterable[int]: ...
    def moved(self, node: int, place: int) -> float: ...
    def swapped(self, first: int, second: int) -> float: ...


class Cut:
    """In how many more places than one the nets are: for links of two, how many lead from place to place."""

    alike = True

    def __init__(self, board: Board):
        self.board = board

    def worth(self) -> tuple[float, ...]:
        return (sum(len(here) - 1 for here in self.board.here if here),)

    def targets(self, node: int) -> Iterable[int]:
        here, mine = self.board.here, self.board.where[node]
        reached: dict[int, int] = {}
        others = 0
        for net in self.board.nets_of[node]:
            others += here[net][mine] > 1
            for place in here[net]:
                reached[place] = reached.get(place, 0) + 1
        better = [place for place, number in reached.items() if number > others and place != mine]
        return sorted(better, key=lambda place: (-reached[place], place))

    def moved(self, node: int, place: int) -> float:
        here, before = self.board.here, self.board.where[node]
        nets = self.board.nets_of[node]
        return sum((place not in here[net]) - (here[net][before] == 1) for net in nets)

    def swapped(self, first: int, second: int) -> float:
        """Nets that both are in stay as they are."""
        here, one, two = self.board.here, self.board.where[first], self.board.where[second]
        mine, others = self.board.nets_of[first], self.board.nets_of[second]
        change = sum((two not in here[net]) - (here[net][one] == 1) for net in mine if net not in others)
        return change + sum((one not in here[net]) - (here[net][two] == 1) for net in others if net not in mine)


class Uneven:
    """By how many nodes the places differ."""

    alike = False

    def __init__(self, board: Board):
        self.board = board

    def worth(self) -> tuple[float, ...]:
        counts = [self.board.counts[place] for place in self.board.up]
        return (max(counts) - min(counts), sum(count * count for count in counts))

    def targets(self, node: int) -> Iterable[int]:
        counts = self.board.counts
        fewer = [place for place in self.board.up if counts[place] < counts[self.board.where[node]] - 1]
        return sorted(fewer, key=lambda place: counts[place])

    def moved(self, node: int, place: int) -> float:
        return 2 * (self.board.counts[place] - self.board.counts[self.board.where[node]] + 1)

    def swapped(self, first: int, second: int) -> float:
        return 0


class InUse:
    """How many places are in use; on the way there, full ones and empty ones are better than half full ones."""

    alike = False

    def __init__(self, board: Board):
        self.board = board

    def worth(self) -> tuple[float, ...]:
        used = [place for place in self.board.up if self.board.counts[place]]
        return (len(used), -sum(self.board.loads[place] ** 2 for place in used))

    def targets(self, node: int) -> Iterable[int]:
        loads, mine = self.board.loads, self.board.where[node]
        less = loads[mine] - self.board.weights[node]
        fuller = [place for place in self.board.up if loads[place] > less and place != mine]
        return sorted(fuller, key=lambda place: -loads[place])

    def moved(self, node: int, place: int) -> float:
        return self._grown(self.board.where[node], place, self.board.weights[node])

    def swapped(self, first: int, second: int) -> float:
        weights, where = self.board.weights, self.board.where
        return self._grown(where[first], where[second], weights[first] - weights[second])

    def _grown(self, place: int, other: int, weight: float) -> float:
        loads = self.board.loads
        return 2 * weight * (loads[place] - loads[other] - weight)


# -- what fits nowhere -------------------------------------------------------------------------------------------------


def squeeze(board: Board, left: Sequence[int], movable: Collection[int]) -> list[int]:
    """Somebody else makes room for those that found none, by going elsewhere; returns those that find none yet."""
    tries = iter(range(4 * BUDGET // max(4, len(board.up))))
    return [node for node in left if not _squeezed(board, node, movable, tries)]


def _squeezed(board: Board, node: int, movable: Collection[int], tries: Iterator[int]) -> bool:
    if any(board.put(node, place) for place in board.up):
        return True
    for other in movable:
        if board.where[other] == NOWHERE or board.alike(node, other):
            continue
        if next(tries, None) is None:
            return False
        if _gives_way(board, other, node):
            return True
    return False


def _gives_way(board: Board, other: int, node: int) -> bool:
    """The one goes elsewhere and the other takes its place; False, and nothing happened, when that cannot be."""
    room = board.room[other]
    place = board.take(other)
    if board.put(node, place):
        if any(board.put(other, elsewhere) for elsewhere in board.up if elsewhere != place):
            return True
        board.take(node)
    board.put_in(other, place, room)
    return False


# -- any slice: one node after another ---------------------------------------------------------------------------------


def climb(board: Board, goal: Goal, movable: Sequence[int]) -> None:
    """Each goes where it is better off, as long as that makes any better off."""
    for _pass in range(PASSES):
        if not sum(_climbed(board, goal, node) for node in movable):
            return


def _climbed(board: Board, goal: Goal, node: int) -> bool:
    for place in goal.targets(node):
        if board.has_room(node, place):
            board.take(node)
            board.put(node, place)
            return True
    return False


# -- small slices: everything is tried ---------------------------------------------------------------------------------


def improve(board: Board, goal: Goal, movable: Sequence[int], least: float) -> None:
    """The best state that is found from here; `least` is what no state can be better than.

    Each round takes the best step there is, be it for the worse, except with nodes that have just moved.
    """
    steps = len(movable) * len(board.up) + len(movable) ** 2 // 2
    if not movable or steps > ROUND:
        return
    best, kept = goal.worth(), board.state()
    resting = dict.fromkeys(movable, 0)
    for number in range(1, BUDGET // steps + 1):
        if best[0] <= least:
            break
        _step(board, goal, [node for node in movable if resting[node] < number], resting)
        for node, until in resting.items():
            if until == NOWHERE:
                resting[node] = number + REST
        if goal.worth() < best:
            best, kept = goal.worth(), board.state()
    board.restore(kept)


def _step(board: Board, goal: Goal, nodes: Sequence[int], resting: dict[int, int]) -> None:
    """Take the best step that there is room for; who moved is marked."""
    for _change, node, other, place in sorted(_steps(board, goal, nodes)):
        if other == NOWHERE:
            if not board.has_room(node, place):
                continue
            board.take(node)
            board.put(node, place)
            resting[node] = NOWHERE
            return
        if board.swap(node, other):
            resting[node] = resting[other] = NOWHERE
            return


def _steps(board: Board, goal: Goal, nodes: Sequence[int]) -> Iterator[tuple[float, int, int, int]]:
    where = board.where
    for index, node in enumerate(nodes):
        for place in board.up:
            if place != where[node]:
                yield goal.moved(node, place), node, NOWHERE, place
        for other in nodes[index + 1 :]:
            if where[other] != where[node] and (goal.alike or not board.alike(node, other)):
                yield goal.swapped(node, other), node, other, NOWHERE
