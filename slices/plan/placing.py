"""Where the nodes of one site go: what is there stays, pins are kept, the rest goes by the strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hypervisors.placement import Node as Wanted
from hypervisors.placement import Placement, Reason, Size, Strategy, suggest
from slices.graph import Graph, Node
from slices.plan.shape import PINS, Running, Site, Wish
from slices.plan.sizing import Sized


def place_all(
    graph: Graph, nodes: Sequence[Node], site: Site, sizes: Mapping[str, Sized], wish: Wish
) -> dict[str, Placement]:
    """Node → where it goes on this site, for those whose size is known."""
    shown = _shown(site, wish)
    wanted = [_wanted(node, site, size, wish, shown) for node in nodes if (size := sizes[node.name].size)]
    if site.places is None:
        return {node.name: Placement(node.name, "", Reason("no_choice", {"place": site.name})) for node in wanted}
    names = {node.name for node in wanted}
    links = _links(graph, names) if wish.strategy == Strategy.TOGETHER else ()
    placements = suggest(wanted, links, site.places, strategy=wish.strategy)
    return {found.node: _as_shown(found, shown, site, wish) for found in placements}


def pin_of(node: Node, site: Site, wish: Wish) -> str:
    """Where somebody wants it: by hand, else by its definition."""
    return wish.pins.get(node.name) or str(node.definition.get(PINS.get(site.kind, "")) or "")


def here(name: str, site: Site, wish: Wish) -> Running | None:
    """The machine of this node, if it is on this site."""
    running = wish.running.get(name)
    return running if running and running.hypervisor == site.name else None


def growth(size: Size, running: Running) -> Size:
    """What it needs beyond what it has."""
    return size.less(running)


def _wanted(node: Node, site: Site, size: Size, wish: Wish, shown: Mapping[str, Placement]) -> Wanted:
    pin, running = pin_of(node, site, wish), here(node.name, site, wish)
    if running and pin in ("", running.place):
        return Wanted(node.name, growth(size, running), running.place, node.apart, there=True, room=running.room)
    if not pin and node.name in shown:
        pin = shown[node.name].place or ""
    return Wanted(node.name, size, pin, node.apart)


def _shown(site: Site, wish: Wish) -> dict[str, Placement]:
    """What the plan that was shown says of this site."""
    rows = wish.shown.rows if wish.shown else ()
    return {row.node: Placement(row.node, row.place, row.reason) for row in rows if row.hypervisor == site.name}


def _as_shown(found: Placement, shown: Mapping[str, Placement], site: Site, wish: Wish) -> Placement:
    """With the reason that was shown, when it is where it was shown to go and nobody has pinned it there since."""
    before = shown.get(found.node)
    if before and found.reason.code == "pinned" and found.node not in wish.pins:
        return Placement(found.node, found.place, before.reason, found.room)
    return found


def _links(graph: Graph, names: set[str]) -> Iterator[tuple[str, ...]]:
    """Who hangs together: by a link or network, and by a group."""
    whole = len(names) == len(graph.nodes)
    for link in graph.links:
        yield link.nodes if whole else tuple(name for name in link.nodes if name in names)
    groups: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.group and node.name in names:
            groups.setdefault(node.group, []).append(node.name)
    yield from map(tuple, groups.values())
