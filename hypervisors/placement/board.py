"""The places while they fill up: nodes, nets and places are numbers here, so that a thousand nodes take no time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf
from typing import Final

from hypervisors.placement.places import Node, Place, Room
from hypervisors.placement.sizes import PRICES, Size, cost

NOWHERE: Final = -1
PRICE: Final = tuple(PRICES.values())
#: CPUs, memory and disk of a node.
Needs = tuple[float, float, float]
#: What counts as left where nobody counts it.
PLENTY: Final = 1e9
#: Where each node is and in which of the rooms there.
State = tuple[list[int], list[int]]


class Board:
    """Who is where, and what is left.

    A net joins nodes that hang together: the two of a link, all of a shared network. `even`: inside a place the nodes are
    spread over its hosts, too, else hosts are filled up.
    """

    def __init__(self, nodes: Sequence[Node], nets: Sequence[Sequence[int]], places: Sequence[Place], *, even: bool):
        self.nodes, self.nets, self.places, self.even = nodes, nets, places, even
        self.up = [number for number, place in enumerate(places) if place.up and place.rooms]
        self.needs = [(node.needs.cpus, node.needs.memory_mib, node.needs.disk_gib) for node in nodes]
        prices = {needs: cost(Size(*needs)) for needs in set(self.needs)}
        self.weights = [prices[needs] for needs in self.needs]
        self.free = [[_free(room) for room in place.rooms] for place in places]
        self.known = [[room.free is not None for room in place.rooms] for place in places]
        self.where = [NOWHERE] * len(nodes)
        self.room = [NOWHERE] * len(nodes)
        self.counts = [0] * len(places)
        self.loads = [0.0] * len(places)
        self.inside = [[0] * len(place.rooms) for place in places]
        #: Net → place → how many of its nodes are there.
        self.here: list[dict[int, int]] = [{} for _ in nets]
        self.nets_of: list[list[int]] = [[] for _ in nodes]
        for net, members in enumerate(nets):
            for node in members:
                self.nets_of[node].append(net)
        self._groups = [node.apart for node in nodes]
        self._held: set[tuple[str, int]] = set()

    # -- asking -------------------------------------------------------------------------------------------------------

    def held(self, node: int, place: int) -> bool:
        """Whether another one of its `apart` is there."""
        return bool(self._groups[node]) and (self._groups[node], place) in self._held

    def has_room(self, node: int, place: int) -> bool:
        """Whether it may go there now."""
        return not self.held(node, place) and self.room_for(node, place) != NOWHERE

    def alike(self, first: int, second: int) -> bool:
        """Whether one fits exactly where the other does."""
        return self.needs[first] == self.needs[second] and self._groups[first] == self._groups[second]

    def room_for(self, node: int, place: int) -> int:
        """The host to use: the emptiest of ours to be even, else the one that is filled up best. Groups do not count."""
        cpus, memory, disk = self.needs[node]
        rooms = self.free[place]
        if len(rooms) == 1:
            room = rooms[0]
            return 0 if cpus <= room[0] and memory <= room[1] and disk <= room[2] else NOWHERE
        able = [
            number for number, room in enumerate(rooms) if cpus <= room[0] and memory <= room[1] and disk <= room[2]
        ]
        if wanted := self.nodes[node].room:
            able = [number for number in able if self.places[place].rooms[number].name == wanted]
        names, inside = self.places[place].rooms, self.inside[place]
        if self.even:
            return min(able, key=lambda n: (inside[n], -_value(rooms[n]), names[n].name), default=NOWHERE)
        return min(able, key=lambda n: (_value(rooms[n]), names[n].name), default=NOWHERE)

    def value(self, place: int) -> float:
        """What is known to be free at a place as one number."""
        return sum(_value(room) for room, known in zip(self.free[place], self.known[place], strict=True) if known)

    def left(self, place: int) -> list[float]:
        """What is free at a place of each resource."""
        return [min(PLENTY, sum(resource)) for resource in zip(*self.free[place], strict=True)]

    def roominess(self, place: int) -> tuple[bool, float, int, int]:
        """Sorts the roomiest place first: by what is known to be free, then by fewer nodes of ours, then by name."""
        return (not any(self.known[place]), -self.value(place), self.counts[place], place)

    def beside(self, nodes: Iterable[int]) -> Counter[int]:
        """Place → how many nets of these nodes reach it already."""
        return Counter(place for node in nodes for net in self.nets_of[node] for place in self.here[net])

    # -- changing -----------------------------------------------------------------------------------------------------

    def put(self, node: int, place: int) -> bool:
        """Take the room there; False, and nothing happened, when there is none."""
        if self.held(node, place):
            return False
        room = self.room_for(node, place)
        if room == NOWHERE:
            return False
        self.put_in(node, place, room)
        return True

    def put_in(self, node: int, place: int, room: int) -> None:
        """It is there, in this of its rooms (NOWHERE: nobody knows which), whatever is free."""
        if room != NOWHERE:
            free, (cpus, memory, disk) = self.free[place][room], self.needs[node]
            free[0] -= cpus
            free[1] -= memory
            free[2] -= disk
            self.inside[place][room] += 1
        self.where[node], self.room[node] = place, room
        self.counts[place] += 1
        self.loads[place] += self.weights[node]
        if self._groups[node]:
            self._held.add((self._groups[node], place))
        for net in self.nets_of[node]:
            here = self.here[net]
            here[place] = here.get(place, 0) + 1

    def take(self, node: int) -> int:
        """It leaves its place, which is returned."""
        place, room = self.where[node], self.room[node]
        if room != NOWHERE:
            free, (cpus, memory, disk) = self.free[place][room], self.needs[node]
            free[0] += cpus
            free[1] += memory
            free[2] += disk
            self.inside[place][room] -= 1
        self.where[node] = self.room[node] = NOWHERE
        self.counts[place] -= 1
        self.loads[place] -= self.weights[node]
        self._held.discard((self._groups[node], place))
        for net in self.nets_of[node]:
            here = self.here[net]
            here[place] -= 1
            if not here[place]:
                del here[place]
        return place

    def swap(self, first: int, second: int) -> bool:
        """Each goes where the other is; False, and nothing happened, when one of them does not fit."""
        here, there = self.where[first], self.where[second]
        rooms = self.room[first], self.room[second]
        self.take(first)
        self.take(second)
        if self.put(first, there):
            if self.put(second, here):
                return True
            self.take(first)
        self.put_in(first, here, rooms[0])
        self.put_in(second, there, rooms[1])
        return False

    def state(self) -> State:
        """Where all are, to come back to."""
        return self.where[:], self.room[:]

    def restore(self, state: State) -> None:
        """All are again where they were."""
        changed = [
            node for node, at in enumerate(zip(*state, strict=True)) if at != (self.where[node], self.room[node])
        ]
        for node in changed:
            if self.where[node] != NOWHERE:
                self.take(node)
        for node in changed:
            if state[0][node] != NOWHERE:
                self.put_in(node, state[0][node], state[1][node])


def _free(room: Room) -> list[float]:
    free = room.free
    return [inf, inf, inf] if free is None else [free.cpus, free.memory_mib, free.disk_gib]


def _value(free: Sequence[float]) -> float:
    return free[0] * PRICE[0] + free[1] * PRICE[1] + free[2] * PRICE[2]
