"""Where a slice lands: hypervisor, place and flavor of each node, what becomes of it, and why; or all that does not fit.

Pure: what the hypervisors offer is given, and the same question has the same answer. Memory is MiB, disks are GiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hypervisors.placement import Placement, Reason, Size, asked
from slices.graph import Graph, Node
from slices.plan import checks, joining
from slices.plan.placing import here, place_all
from slices.plan.shape import (
    ADD,
    ANEW,
    CHANGE,
    KEEP,
    PINS,
    REMOVE,
    Net,
    Plan,
    Refusal,
    Row,
    Running,
    Site,
    Total,
    Tunnel,
    Wish,
)
from slices.plan.sizing import Sized, size_all

__all__ = ["PINS", "Net", "Plan", "Refusal", "Row", "Running", "Site", "Total", "Tunnel", "Wish", "plan"]


def plan(graph: Graph, sites: Iterable[Site], wish: Wish | None = None) -> Plan:
    """The plan of a checked graph, on what these hypervisors offer.

    Nodes go to the hypervisor that they name; gateways among them (`slices.joins`) lead links from one to another.
    Machines that run stay where they are unless they are pinned elsewhere; what they lose is not counted as free before it
    is. Never promises more than there is; all that does not fit is refused at once.
    Invalid when something is set by hand for a node that there is not.
    """
    wish, known = wish or Wish(), {site.name: site for site in sites}
    checks.strangers(graph, wish)
    named = {node.name: checks.site_of(node, graph, known) for node in graph.nodes}
    at = {node: site for node, (_name, site) in named.items() if site}
    sizes = size_all(graph, at, wish)
    placements = _placements(graph, at, sizes, wish)
    rows = [*(_row(node, at, sizes, placements, wish) for node in graph.nodes if node.name in at), *_gone(graph, wish)]
    networks, tunnels = tuple(_networks(graph, wish)), tuple(joining.tunnels(graph, at))
    refusals = [
        *checks.unknown_sites(named, known),
        *_unplaced(graph, at, sizes, placements),
        *checks.missing_images(graph, at),
        *checks.lacking_quota(graph, at, sizes, wish),
        *joining.refusals(graph, at, tunnels),
    ]
    told = tuple(joining.explained(rows, tunnels))
    return Plan(told, tuple(refusals), networks, _totals(rows), tunnels, wish.basis)


def _placements(graph: Graph, at: Mapping[str, Site], sizes: Mapping[str, Sized], wish: Wish) -> dict[str, Placement]:
    nodes: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.name in at:
            nodes.setdefault(at[node.name].name, []).append(node)
    found: dict[str, Placement] = {}
    for members in nodes.values():
        found |= place_all(graph, members, at[members[0].name], sizes, wish)
    return found


# -- rows --------------------------------------------------------------------------------------------------------------


def _row(
    node: Node, at: Mapping[str, Site], sizes: Mapping[str, Sized], placements: Mapping[str, Placement], wish: Wish
) -> Row:
    site, sized, found = at[node.name], sizes[node.name], placements.get(node.name)
    size, change = sized.size or Size(), _change(node, site, sized, found, wish)
    place, room, reason = (found.place or "", found.room, found.reason) if found else ("", "", sized.reason)
    measures = size.cpus, size.memory_mib, size.disk_gib
    note = wish.anew.get(node.name)
    return Row(node.name, change, site.name, place, room, sized.flavor, *measures, reason, sized.reason, note)


def _change(node: Node, site: Site, sized: Sized, found: Placement | None, wish: Wish) -> str:
    if node.name not in wish.running:
        return ADD
    if node.name in wish.anew:
        return ANEW
    running = here(node.name, site, wish)
    if running is None or found is None or node.name in wish.changed:
        return CHANGE
    same = asked(running) == asked(sized.size or Size())
    return KEEP if same and found.place == running.place else CHANGE


def _gone(graph: Graph, wish: Wish) -> Iterator[Row]:
    """Machines of nodes that the slice has no longer."""
    names = {node.name for node in graph.nodes}
    reason = Reason("not_in_slice")
    for name, it in sorted(wish.running.items()):
        if name not in names:
            sizes = it.cpus, it.memory_mib, it.disk_gib
            yield Row(name, REMOVE, it.hypervisor, it.place, it.room, it.flavor, *sizes, reason, reason)


def _unplaced(
    graph: Graph, at: Mapping[str, Site], sizes: Mapping[str, Sized], placements: Mapping[str, Placement]
) -> Iterator[Refusal]:
    """Nodes without a size, and those without a place."""
    for node in graph.nodes:
        if node.name not in at:
            continue
        found = placements.get(node.name)
        if found is None:
            yield Refusal(node.name, at[node.name].name, sizes[node.name].reason)
        elif found.place is None:
            yield Refusal(node.name, at[node.name].name, found.reason)


# -- beside the rows ---------------------------------------------------------------------------------------------------


def _totals(rows: Iterable[Row]) -> tuple[Total, ...]:
    sums: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.place and row.change != REMOVE:
            total = sums.setdefault((row.hypervisor, row.place), [0, 0, 0, 0])
            for index, more in enumerate((1, row.cpus, row.memory_mib, row.disk_gib)):
                total[index] += more
    return tuple(Total(*key, int(total[0]), *total[1:]) for key, total in sorted(sums.items()))


def _networks(graph: Graph, wish: Wish) -> Iterator[Net]:
    for link in graph.links:
        change = ADD if link.name not in wish.networks else KEEP if wish.networks[link.name] == link.cidr else CHANGE
        yield Net(link.name, change, link.cidr)
    names = {link.name for link in graph.links}
    for name, cidr in sorted(wish.networks.items()):
        if name not in names:
            yield Net(name, REMOVE, cidr)
