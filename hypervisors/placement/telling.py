"""Why each node is where it is, or nowhere: told when all are placed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import isfinite
from typing import Any, Final

from hypervisors.placement.board import NOWHERE, Board
from hypervisors.placement.places import Placement, Strategy
from hypervisors.placement.sizes import RESOURCES, Reason, Size, asked

#: Reasons that were known before all were placed.
Notes = dict[int, Reason]
#: So many neighbours are named at most.
NAMED: Final = 6


def why_alone(board: Board, node: int) -> Reason:
    """Of one that hangs on nothing and has just been put where most is free."""
    place = board.where[node]
    if not any(board.has_room(node, other) for other in board.up if other != place):
        return Reason("only", {"place": board.places[place].name})
    return Reason("roomiest" if any(board.known[place]) else "fewest", {"place": board.places[place].name})


def told(board: Board, strategy: Strategy, notes: Notes) -> tuple[Placement, ...]:
    """A placement for each node, in their order."""
    teller = _Teller(board, strategy)
    placements = []
    for number, (node, place, room) in enumerate(zip(board.nodes, board.where, board.room, strict=True)):
        if place == NOWHERE:
            placements.append(Placement(node.name, None, notes.get(number) or teller.refusal(number)))
            continue
        at = board.places[place]
        note = notes.get(number)
        reason = note if note and note.params["place"] == at.name else teller.reason(number, place)
        placements.append(Placement(node.name, at.name, reason, at.rooms[room].name if room != NOWHERE else ""))
    return tuple(placements)


class _Teller:
    """Reasons of those that were placed by a strategy."""

    def __init__(self, board: Board, strategy: Strategy):
        self._board = board
        self._total = sum(board.counts)
        self._shares: dict[Any, Reason] = {}
        self._refusals: dict[Any, Reason] = {}
        self._tell = {Strategy.SPREAD: self._spread, Strategy.PACK: self._packed, Strategy.TOGETHER: self._beside}[
            strategy
        ]

    def reason(self, node: int, place: int) -> Reason:
        if group := self._board.nodes[node].apart:
            return Reason("set_apart", {"place": self._board.places[place].name, "group": group})
        return self._tell(node, place)

    def refusal(self, node: int) -> Reason:
        """Of one that goes nowhere; the same for all that are alike."""
        key = self._board.nodes[node].apart, self._board.needs[node]
        if key not in self._refusals:
            self._refusals[key] = _no_room(self._board, node)
        return self._refusals[key]

    def _spread(self, node: int, place: int) -> Reason:
        if len(self._board.up) == 1:
            return Reason("only", {"place": self._board.places[place].name})
        key = place, self._board.needs[node]
        if key not in self._shares:
            counts = self._board.counts
            full = [other for other in self._board.up if counts[other] < counts[place] - 1]
            names = [self._board.places[other].name for other in full if not self._board.has_room(node, other)]
            self._shares[key] = self._share("spread_room" if names else "spread", place, names)
        return self._shares[key]

    def _packed(self, node: int, place: int) -> Reason:
        if self._total > 1:
            if place not in self._shares:
                self._shares[place] = self._share("few", place, [])
            return self._shares[place]
        alone = why_alone(self._board, node)
        return alone if alone.code == "only" else Reason("packed", alone.params)

    def _share(self, code: str, place: int, full: Sequence[str]) -> Reason:
        told = {"place": self._board.places[place].name, "here": self._board.counts[place], "all": self._total}
        return Reason(code, told | ({"full": list(full)} if full else {}))

    def _beside(self, node: int, place: int) -> Reason:
        name = self._board.places[place].name
        here = list(islice(self._neighbours(node, place), NAMED))
        if here:
            return Reason("together", {"place": name, "neighbours": here})
        elsewhere = list(islice(self._neighbours(node, None), NAMED))
        if not elsewhere:
            return Reason("room", {"place": name})
        return Reason("apart", {"place": name, "neighbours": elsewhere})

    def _neighbours(self, node: int, place: int | None) -> Iterator[str]:
        """Names of those that it hangs on and that are there (None: anywhere), each once."""
        board, seen = self._board, {node}
        for net in board.nets_of[node]:
            if place is not None and board.here[net].get(place, 0) < 2:
                continue
            for other in board.nets[net]:
                if other not in seen and board.where[other] != NOWHERE and place in (None, board.where[other]):
                    seen.add(other)
                    yield board.nodes[other].name


# -- who goes nowhere --------------------------------------------------------------------------------------------------


def _no_room(board: Board, node: int) -> Reason:
    if not board.places:
        return Reason("no_places")
    if not board.up:
        return Reason("none_up", {"places": [place.name for place in board.places]})
    if any(board.room_for(node, place) != NOWHERE for place in board.up):
        return _taken(board, node)
    free = [Size(*room) for place in board.up for room in board.free[place]]
    largest = {f"free_{name}": max(getattr(size, name) for size in free) for name in RESOURCES}
    told = {name: value if isfinite(value) else None for name, value in largest.items()}
    return Reason("no_room", asked(board.nodes[node].needs) | told)


def _taken(board: Board, node: int) -> Reason:
    """Where there is room, another one of its group is."""
    group = board.nodes[node].apart
    where = [place for place in board.up if board.room_for(node, place) != NOWHERE]
    others = zip(board.nodes, board.where, strict=True)
    names = [other.name for other, place in others if other.apart == group and place in where][:NAMED]
    return Reason("apart_taken", {"group": group, "neighbours": names, "places": [board.places[p].name for p in where]})
