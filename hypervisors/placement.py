"""Which flavor suits, and where machines go, with the reason for each: pure rules for zones, workers and hosts alike.

Nothing here asks anybody: what is on offer is given, and the same input has the same answer. Reasons are codes with
parameters; `hypervisors.phrases` puts them into words. Memory is MiB, disks are GiB.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from typing import Any, Final, Protocol

from hypervisors.drivers.cloud import Host, Zone
from olimpus.errors import Invalid
from olimpus.words import gettext as _

RESOURCES: Final = ("cpus", "memory_mib", "disk_gib")
#: What one of each costs, so that sizes can be compared: a CPU is worth 2 GiB of memory or 20 GiB of disk.
PRICES: Final = {"cpus": 1.0, "memory_mib": 1 / 2048, "disk_gib": 1 / 20}


class Sized(Protocol):
    """Anything with CPUs, memory and disk: a need, a flavor, free room."""

    @property
    def cpus(self) -> float: ...
    @property
    def memory_mib(self) -> float: ...
    @property
    def disk_gib(self) -> float: ...


class Named(Sized, Protocol):
    """A flavor, whoever has it."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class Size:
    """CPUs, memory and disk."""

    cpus: float = 0
    memory_mib: float = 0
    disk_gib: float = 0

    def less(self, other: Sized) -> Size:
        """What is left when `other` is taken out; never below nothing."""
        return Size(*(max(0, getattr(self, name) - getattr(other, name)) for name in RESOURCES))


@dataclass(frozen=True)
class Reason:
    """Why: a stable code, and what its sentence tells."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


def found(place: str) -> Reason:
    """Of what nobody placed: it was there."""
    return Reason("found", {"place": place})


def cost(size: Sized) -> float:
    """One number for a size; what has more of anything costs more."""
    return sum(getattr(size, name) * price for name, price in PRICES.items())


def fits(needs: Sized, room: Sized) -> bool:
    """Whether there is enough of everything."""
    return all(getattr(needs, name) <= getattr(room, name) for name in RESOURCES)


# -- flavors -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shortage:
    """One resource that is missing: what is needed, what the nearest flavor has, the most that any has."""

    resource: str
    needed: float
    offered: float
    largest: float


@dataclass(frozen=True)
class Recommendation:
    """`best` is the cheapest flavor that fits, or None: then `nearest` lacks the least, and `missing` says what."""

    best: Named | None
    reason: Reason
    runner_up: Named | None = None
    runner_up_reason: Reason | None = None
    nearest: Named | None = None
    missing: tuple[Shortage, ...] = ()


def recommend(needs: Sized, flavors: Iterable[Named]) -> Recommendation:
    """The cheapest flavor with enough of everything, the next one, and why. Ties go by name."""
    known = sorted(flavors, key=lambda flavor: (cost(flavor), flavor.name))
    fitting = [flavor for flavor in known if fits(needs, flavor)]
    if not fitting:
        return _none_fits(needs, known)
    best, second = fitting[0], fitting[1] if len(fitting) > 1 else None
    reason = Reason(_why(needs, best, fitting), _spare(needs, best) | {"flavor": best.name, "fitting": len(fitting)})
    return Recommendation(best, reason, second, _next(best, second) if second else None)


def _why(needs: Sized, best: Named, fitting: Collection[Named]) -> str:
    if all(getattr(needs, name) == getattr(best, name) for name in RESOURCES):
        return "exact"
    return "cheapest" if len(fitting) > 1 else "only_flavor"


def _spare(needs: Sized, flavor: Named) -> dict[str, float]:
    return {f"spare_{name}": getattr(flavor, name) - getattr(needs, name) for name in RESOURCES}


def _next(best: Named, second: Named) -> Reason:
    more = round(100 * (cost(second) - cost(best)) / cost(best)) if cost(best) else 0
    return Reason("runner_up", {"flavor": second.name, "percent": more})


def _none_fits(needs: Sized, known: Sequence[Named]) -> Recommendation:
    if not known:
        return Recommendation(None, Reason("no_flavors"))
    nearest = min(known, key=lambda flavor: _lack(needs, flavor))
    missing = tuple(
        Shortage(name, getattr(needs, name), getattr(nearest, name), max(getattr(flavor, name) for flavor in known))
        for name in RESOURCES
        if getattr(needs, name) > getattr(nearest, name)
    )
    return Recommendation(None, Reason("none_fits", {"nearest": nearest.name}), nearest=nearest, missing=missing)


def _lack(needs: Sized, flavor: Sized) -> float:
    """How much is missing, each resource as a share of what is needed."""
    lacks = ((getattr(needs, name), getattr(flavor, name)) for name in RESOURCES)
    return sum((need - has) / need for need, has in lacks if need > has)


# -- places ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """One host: a machine is on one as a whole. `free` None: nobody knows, and it counts as enough."""

    name: str
    free: Size | None = None


@dataclass(frozen=True)
class Place:
    """Where machines may go: a zone with its hosts, or a worker that is its own and only host."""

    name: str
    up: bool = True
    rooms: tuple[Room, ...] = (Room(""),)


@dataclass(frozen=True)
class Node:
    """A machine to be placed; `pinned` names the place where somebody wants it."""

    name: str
    needs: Sized = field(default_factory=Size)
    pinned: str = ""


@dataclass(frozen=True)
class Placement:
    """Where a node goes, on which host it was reckoned to be, and why; `place` is None when it goes nowhere."""

    node: str
    place: str | None
    reason: Reason
    room: str = ""


def place_of(zone: Zone) -> Place:
    """A zone of a cloud as a place. Hosts that are down or disabled have no room; one without hosts keeps them secret."""
    if not zone.hosts:
        return Place(zone.name, zone.available)
    usable = [host for host in zone.hosts if host.up and host.enabled]
    return Place(zone.name, zone.available and bool(usable), tuple(Room(host.name, free_of(host)) for host in usable))


def place_of_host(host: Host) -> Place:
    """A worker as a place of its own; one that is down or in maintenance takes nothing new."""
    return Place(host.name, host.up and host.enabled, (Room(host.name, free_of(host)),))


def free_of(host: Host) -> Size | None:
    """What is left on a host; of a resource that it does not count there is plenty, None when it counts nothing."""
    totals = {name: getattr(host, f"{name}_total") for name in RESOURCES}
    if all(total is None for total in totals.values()):
        return None
    left = {name: inf if total is None else total for name, total in totals.items()}
    return Size(*(max(0, left[name] - getattr(host, f"{name}_used")) for name in RESOURCES))


def links_of(topology: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """The links that a topology of this name has between these nodes; `Invalid` when there is no such topology."""
    if topology not in TOPOLOGIES:
        known = ", ".join(TOPOLOGIES)
        raise Invalid(_("There is no such topology."), where="topology", hint=_("One of: %s.") % known)
    return [(names[first], names[second]) for first, second in TOPOLOGIES[topology](len(names))]


Pairs = Iterable[tuple[int, int]]
TOPOLOGIES: Final[dict[str, Callable[[int], Pairs]]] = {
    "linear": lambda n: ((i, i + 1) for i in range(n - 1)),
    "ring": lambda n: ((i, (i + 1) % n) for i in range(n if n > 2 else n - 1)),
    "mesh": lambda n: ((i, j) for i in range(n) for j in range(i + 1, n)),
    "tree": lambda n: (((i - 1) // 2, i) for i in range(1, n)),
    "star": lambda n: ((0, i) for i in range(1, n)),
    "bus": lambda n: ((i, i + 1) for i in range(n - 1)),
    "custom": lambda n: (),
}


#: Name of a node → the names of its neighbours, in the order of the links.
Graph = dict[str, dict[str, None]]


# -- where machines go -------------------------------------------------------------------------------------------------


def suggest(
    nodes: Sequence[Node],
    links: Iterable[tuple[str, str]],
    places: Iterable[Place],
    *,
    high_availability: bool = False,
    pack: bool = False,
) -> tuple[Placement, ...]:
    """A place for each node, in their order. `Invalid`: a name twice, or a link to a node that is not there.

    Pinned nodes go where they are wanted or nowhere. The others are spread evenly over what is up and has room, or,
    without `high_availability`, kept beside those that they are linked to. Those that hang on nothing go where most is
    free, or, to `pack`, where least is and still enough. No room is given twice.
    """
    graph = _graph(nodes, links)
    board = _Board(sorted(places, key=lambda place: place.name), apart=high_availability, pack=pack)
    for node in nodes:
        if node.pinned:
            _pin(node, board)
    free = [node for node in nodes if not node.pinned]
    if high_availability:
        _spread(free, board)
    else:
        _gather(nodes, graph, board)
    return tuple(_told(node, graph, board) for node in nodes)


def _graph(nodes: Sequence[Node], links: Iterable[tuple[str, str]]) -> Graph:
    graph: Graph = {node.name: {} for node in nodes}
    if len(graph) < len(nodes):
        twice = next(name for name, count in Counter(node.name for node in nodes).items() if count > 1)
        raise Invalid(_("Two nodes are called “%s”.") % twice, where="nodes")
    for first, second in links:
        for name in (first, second):
            if name not in graph:
                raise Invalid(_("There is no node “%s”.") % name, where="links")
        if first != second:
            graph[first][second] = graph[second][first] = None
    return graph


class _Board:
    """The places while they fill up."""

    def __init__(self, places: Sequence[Place], *, apart: bool, pack: bool):
        self.places = {place.name: place for place in places}
        self.up = [place.name for place in places if place.up and place.rooms]
        self.apart, self.pack = apart, pack
        self.rooms = {name: list(self.places[name].rooms) for name in self.up}
        self.counts: Counter[str] = Counter()
        self.inside: Counter[tuple[str, int]] = Counter()
        self.where: dict[str, tuple[str, str]] = {}
        self.refused: dict[str, Reason] = {}
        self.notes: dict[str, Reason] = {}

    def fitting(self, needs: Sized) -> list[str]:
        """Places that have room now, in the order of their names."""
        return [name for name in self.up if self._index(name, needs, self.rooms[name]) is not None]

    def fits_all(self, place: str, nodes: Iterable[Node]) -> bool:
        """Whether all of them go there together, in this order."""
        rooms = list(self.rooms[place])
        for node in nodes:
            index = self._index(place, node.needs, rooms)
            if index is None:
                return False
            rooms[index] = _filled(rooms[index], node.needs)
        return True

    def put(self, node: Node, place: str) -> None:
        """Take the room; the place must be a fitting one."""
        rooms = self.rooms[place]
        index = self._index(place, node.needs, rooms)
        assert index is not None, "asked before"  # noqa: S101 - callers chose among `fitting`
        rooms[index] = _filled(rooms[index], node.needs)
        self.counts[place] += 1
        self.inside[place, index] += 1
        self.where[node.name] = (place, rooms[index].name)

    def room_left(self, place: str) -> tuple[bool, float, int, str]:
        """Sorts the roomiest place first: by what is known to be free, then by fewer nodes of ours, then by name.

        To pack, the one with the least room and the most nodes.
        """
        free, sign = self.free(place), 1 if self.pack else -1
        return (free is None, sign * (free or 0), -sign * self.counts[place], place)

    def free(self, place: str) -> float | None:
        """What is free at a place as one number; None when nobody knows."""
        known = [cost(room.free) for room in self.rooms[place] if room.free is not None]
        return sum(known) if known else None

    def _index(self, place: str, needs: Sized, rooms: Sequence[Room]) -> int | None:
        """The host to use: the emptiest of ours when nodes stand apart, else the one that is filled up best."""
        able = [index for index, room in enumerate(rooms) if room.free is None or fits(needs, room.free)]
        if not able:
            return None
        if self.apart:
            return min(able, key=lambda index: (self.inside[place, index], -_value(rooms[index]), rooms[index].name))
        return min(able, key=lambda index: (_value(rooms[index]), rooms[index].name))


def _value(room: Room) -> float:
    return cost(room.free) if room.free is not None else inf


def _filled(room: Room, needs: Sized) -> Room:
    return room if room.free is None else replace(room, free=room.free.less(needs))


def _pin(node: Node, board: _Board) -> None:
    told = {"place": node.pinned}
    if node.pinned not in board.places:
        board.refused[node.name] = Reason("pinned_unknown", told | {"places": sorted(board.places)})
    elif node.pinned not in board.up:
        board.refused[node.name] = Reason("pinned_down", told)
    elif node.pinned not in board.fitting(node.needs):
        board.refused[node.name] = Reason("pinned_full", told | _sizes(node.needs))
    else:
        board.put(node, node.pinned)
        board.notes[node.name] = Reason("pinned", told)


def _spread(nodes: Sequence[Node], board: _Board) -> None:
    """Each where the fewest are; the largest first, as they find room least easily."""
    for node in sorted(nodes, key=lambda node: -cost(node.needs)):
        able = board.fitting(node.needs)
        if not able:
            board.refused[node.name] = _no_room(node, board)
            continue
        chosen = min(able, key=lambda place: (board.counts[place], board.room_left(place)))
        full = [place for place in board.up if board.counts[place] < board.counts[chosen] and place not in able]
        board.put(node, chosen)
        if full:
            board.notes[node.name] = Reason("spread_room", {"place": chosen, "full": full})
        elif len(board.up) > 1:
            board.notes[node.name] = Reason("spread", {"place": chosen})
        else:
            board.notes[node.name] = Reason("only", {"place": chosen})


def _gather(nodes: Sequence[Node], graph: Graph, board: _Board) -> None:
    """Nodes that hang together go to one place where there is one for all, the largest groups first."""
    groups = [[node for node in group if not node.pinned] for group in _groups(nodes, graph)]
    for group in sorted(filter(None, groups), key=lambda group: -sum(cost(node.needs) for node in group)):
        ordered = sorted(group, key=lambda node: -cost(node.needs))
        homes = [place for place in board.up if board.fits_all(place, ordered)]
        if not homes:
            for node in group:
                _settle(node, graph, board)
            continue
        names = [node.name for node in group]
        home = min(homes, key=lambda place: (-_beside(names, place, graph, board), board.room_left(place)))
        if len(group) == 1:
            board.notes[names[0]] = _alone(home, board.fitting(group[0].needs), board)
        for node in ordered:
            board.put(node, home)


def _settle(node: Node, graph: Graph, board: _Board) -> None:
    """One of a group that is too large for any place: beside most of its neighbours, else where most is free."""
    able = board.fitting(node.needs)
    if not able:
        board.refused[node.name] = _no_room(node, board)
        return
    board.put(node, min(able, key=lambda place: (-_beside([node.name], place, graph, board), board.room_left(place))))


def _beside(names: Iterable[str], place: str, graph: Graph, board: _Board) -> int:
    """How many links lead from these nodes to nodes that are there already."""
    return sum(board.where.get(other, ("",))[0] == place for name in names for other in graph[name])


def _groups(nodes: Sequence[Node], graph: Graph) -> list[list[Node]]:
    """Nodes that hang together, each group in the order in which one walks through it from its first node."""
    known = {node.name: node for node in nodes}
    seen: set[str] = set()
    groups = []
    for start in known:
        if start in seen:
            continue
        seen.add(start)
        group, waiting = [], deque([start])
        while waiting:
            name = waiting.popleft()
            group.append(known[name])
            fresh = [other for other in graph[name] if other not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
        groups.append(group)
    return groups


# -- why ---------------------------------------------------------------------------------------------------------------


def _alone(place: str, able: Sequence[str], board: _Board) -> Reason:
    if len(able) == 1:
        return Reason("only", {"place": place})
    if board.pack:
        return Reason("packed", {"place": place})
    return Reason("fewest" if board.free(place) is None else "roomiest", {"place": place})


def _told(node: Node, graph: Graph, board: _Board) -> Placement:
    """The placement with its reason, now that all are placed."""
    if node.name in board.refused:
        return Placement(node.name, None, board.refused[node.name])
    place, room = board.where[node.name]
    reason = board.notes.get(node.name)
    if reason is not None and reason.code.startswith("spread"):
        told = {"here": board.counts[place], "all": sum(board.counts.values())}
        return Placement(node.name, place, Reason(reason.code, {**reason.params, **told}), room)
    if reason is None or (reason.code != "pinned" and not board.apart):
        reason = _neighbourly(node, place, graph, board) or reason
    return Placement(node.name, place, reason or Reason("roomiest", {"place": place}), room)


def _neighbourly(node: Node, place: str, graph: Graph, board: _Board) -> Reason | None:
    placed = [other for other in graph[node.name] if other in board.where]
    here = [other for other in placed if board.where[other][0] == place]
    if here:
        return Reason("together", {"place": place, "neighbours": here})
    return Reason("apart", {"place": place, "neighbours": placed}) if placed else None


def _no_room(node: Node, board: _Board) -> Reason:
    if not board.places:
        return Reason("no_places")
    if not board.up:
        return Reason("none_up", {"places": sorted(board.places)})
    free = [room.free for rooms in board.rooms.values() for room in rooms if room.free is not None]
    largest = {f"free_{name}": max(getattr(size, name) for size in free) for name in RESOURCES}
    told = {name: value if isfinite(value) else None for name, value in largest.items()}
    return Reason("no_room", _sizes(node.needs) | told)


def _sizes(size: Sized) -> dict[str, float]:
    return {name: getattr(size, name) for name in RESOURCES}
