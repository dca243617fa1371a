"""Where machines go: quickly a place for each, then better ones, then why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from hypervisors.placement import building, searching
from hypervisors.placement.board import NOWHERE, Board, State
from hypervisors.placement.places import Node, Place, Placement, Strategy
from hypervisors.placement.sizes import RESOURCES, Reason, asked
from hypervisors.placement.telling import Notes, told
from olimpus.errors import Invalid
from olimpus.words import gettext as _

#: One place more in so many is as good as the fewest.
ENOUGH: Final = 20
#: Of so few nodes ways to place them are tried one after another, and so many of them.
FEW: Final = 64
TRIES: Final = 8_000


def suggest(
    nodes: Sequence[Node],
    links: Iterable[Sequence[str]],
    places: Iterable[Place],
    *,
    strategy: Strategy = Strategy.TOGETHER,
) -> tuple[Placement, ...]:
    """A place for each node, in their order. `Invalid`: a name twice, or a link to a node that is not there.

    A link names two nodes, or all of a shared network. Nodes that are there already stay, pinned ones go where they are
    wanted or nowhere, no two of one `apart` get the same place. The others go by the strategy: spread evenly over what is
    up and has room; packed into as few places as possible; or kept beside those that they are linked to, where those that
    hang on nothing go where most is free. No room is given twice.
    """
    nets = _nets(nodes, links)
    known = sorted(_all_places(nodes, places), key=lambda place: place.name)
    board = Board(nodes, nets, known, even=strategy == Strategy.SPREAD)
    notes: Notes = {}
    _pin(board, notes)
    free = [number for number, node in enumerate(nodes) if not node.pinned]
    if board.up:
        PLACERS[strategy](board, free, notes)
    return told(board, strategy, notes)


def _nets(nodes: Sequence[Node], links: Iterable[Sequence[str]]) -> list[list[int]]:
    """The nets as numbers of nodes; a link that is there twice counts once."""
    numbers = {node.name: number for number, node in enumerate(nodes)}
    if len(numbers) < len(nodes):
        twice = next(name for name, count in Counter(node.name for node in nodes).items() if count > 1)
        raise Invalid(_("Two nodes are called “%s”.") % twice, where="nodes")
    nets: dict[tuple[int, ...], list[int]] = {}
    for link in links:
        try:
            members = [numbers[name] for name in link]
        except KeyError as error:
            raise Invalid(_("There is no node “%s”.") % error.args[0], where="links") from None
        key = tuple(sorted(set(members)))
        if len(key) > 1 and key not in nets:
            nets[key] = list(key)
    return list(nets.values())


def _all_places(nodes: Sequence[Node], places: Iterable[Place]) -> list[Place]:
    """What is on offer, and where some are already though nobody offers it any more."""
    known = {place.name: place for place in places}
    for node in nodes:
        if node.there and node.pinned not in known:
            known[node.pinned] = Place(node.pinned, up=False, rooms=())
    return list(known.values())


# -- those that have no choice -----------------------------------------------------------------------------------------


def _pin(board: Board, notes: Notes) -> None:
    """First those that are there, as they hold their places; then those that somebody wants somewhere."""
    numbers = {place.name: number for number, place in enumerate(board.places)}
    pinned = [number for number, node in enumerate(board.nodes) if node.pinned]
    for node in sorted(pinned, key=lambda node: not board.nodes[node].there):
        place = numbers.get(board.nodes[node].pinned)
        if board.nodes[node].there:
            assert place is not None, "all places are known"  # noqa: S101 - `_all_places`
            notes[node] = _stay(board, node, place)
        else:
            notes[node] = _want(board, node, place)


def _stay(board: Board, node: int, place: int) -> Reason:
    """It stays, and grows by what it needs if there is room; a place that is down says nothing against one as it is."""
    where = {"place": board.places[place].name}
    grows = any(board.needs[node])
    room = board.room_for(node, place)
    if grows and (place not in board.up or room == NOWHERE):
        return Reason("grown_full", where | asked(board.nodes[node].needs))
    board.put_in(node, place, room)
    return Reason("stays", where)


def _want(board: Board, node: int, place: int | None) -> Reason:
    wish = board.nodes[node]
    where = {"place": wish.pinned}
    if place is None:
        return Reason("pinned_unknown", where | {"places": sorted(place.name for place in board.places)})
    if place not in board.up:
        return Reason("pinned_down", where)
    if board.held(node, place):
        others = [
            other.name
            for other, at in zip(board.nodes, board.where, strict=True)
            if at == place and other.apart == wish.apart
        ]
        return Reason("pinned_apart", where | {"group": wish.apart, "neighbours": others})
    if not board.put(node, place):
        return Reason("pinned_full", where | asked(wish.needs))
    return Reason("pinned", where)


# -- those that have one -----------------------------------------------------------------------------------------------


def _spread(board: Board, free: Sequence[int], _notes: Notes) -> None:
    _find_room(board, building.spread(board, free), free)
    goal, placed = searching.Uneven(board), _placed(board, free)
    if goal.worth()[0] > 1:
        searching.climb(board, goal, placed)
        searching.improve(board, goal, placed, least=1)
    if goal.worth()[0] > 1:
        _even_out(board, goal, placed)


def _even_out(board: Board, goal: searching.Goal, placed: Sequence[int]) -> None:
    """The last resort: no place shall have more than its share."""
    kept, worth = board.state(), goal.worth()
    for node in placed:
        board.take(node)
    if not _exhaust(board, placed, -(-len(board.nodes) // len(board.up))) or goal.worth() >= worth:
        board.restore(kept)


def _pack(board: Board, free: Sequence[int], _notes: Notes) -> None:
    least = _fewest(board, free)
    least += least // ENOUGH
    _find_room(board, _fill(board, free, least), free)
    goal, placed = searching.InUse(board), _placed(board, free)
    if goal.worth()[0] > least:
        searching.climb(board, goal, placed)
        searching.improve(board, goal, placed, least)
    building.tighten(board, placed)


def _gather(board: Board, free: Sequence[int], notes: Notes) -> None:
    left = building.gather(board, [node for node in free if board.nets_of[node]])
    left += building.roomiest(board, [node for node in free if not board.nets_of[node]], notes)
    _find_room(board, left, free)
    goal, placed = searching.Cut(board), _placed(board, free)
    if goal.worth()[0] > 0:
        searching.climb(board, goal, placed)
        searching.improve(board, goal, placed, least=0)


PLACERS: Final[dict[Strategy, Callable[[Board, Sequence[int], Notes], None]]] = {
    Strategy.SPREAD: _spread,
    Strategy.PACK: _pack,
    Strategy.TOGETHER: _gather,
}


def _placed(board: Board, nodes: Iterable[int]) -> list[int]:
    return [node for node in nodes if board.where[node] != NOWHERE]


def _find_room(board: Board, left: Sequence[int], free: Sequence[int]) -> None:
    """Nobody is refused before others have moved on for them, and before all have been packed as well as can be."""
    left = searching.squeeze(board, left, free)
    if not left:
        return
    kept = board.state()
    for node in _placed(board, free):
        board.take(node)
    if _exhaust(board, free, len(board.nodes)):
        return
    if len(searching.squeeze(board, _fill(board, free, 0), free)) >= len(left):
        board.restore(kept)


def _exhaust(board: Board, free: Sequence[int], most: int) -> bool:
    return len(free) <= FEW and building.exhaust(board, building.largest_first(board, free), most, iter(range(TRIES)))


def _fill(board: Board, free: Sequence[int], least: int) -> list[int]:
    """The best of some ways to fill place after place: all have one, then in few places. Who has none is returned."""
    kept: tuple[tuple[int, int], State, list[int]] | None = None
    empty = board.state()
    for way in building.ways(board, free):
        board.restore(empty)
        left = way()
        worth = (len(left), sum(map(bool, board.counts)))
        if kept is None or worth < kept[0]:
            kept = worth, board.state(), left
        if worth <= (0, least):
            break
    assert kept is not None, "there is more than one way"  # noqa: S101
    board.restore(kept[1])
    return kept[2]


def _fewest(board: Board, free: Sequence[int]) -> int:
    """No fewer places can be in use: those that are, and as many as it takes by any one resource."""
    used = [place for place in range(len(board.places)) if board.counts[place]]
    empty = [place for place in board.up if not board.counts[place]]
    return len(used) + max(_places_for(board, free, used, empty, resource) for resource in range(len(RESOURCES)))


def _places_for(board: Board, free: Sequence[int], used: Sequence[int], empty: Sequence[int], resource: int) -> int:
    rest = sum(board.needs[node][resource] for node in free)
    rest -= sum(room[resource] for place in used for room in board.free[place])
    number = 0
    for room in sorted((sum(room[resource] for room in board.free[place]) for place in empty), reverse=True):
        if rest <= 0:
            break
        rest -= room
        number += 1
    return number
