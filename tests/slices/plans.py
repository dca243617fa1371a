"""Graphs, sites and wishes for tests of plans, by hand and by hypothesis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from hypervisors.flavors import PREDEFINED
from hypervisors.placement import RESOURCES, Place, Room, Size, Strategy, fits
from slices.graph import End, Graph, Link, Node
from slices.plan import Plan, Running, Site, Wish


def link(name: str, *nodes: str, shared: bool = False, **options: Any) -> Link:
    """A link of these nodes."""
    return Link(name, tuple(End(node) for node in nodes), shared, options.pop("cidr", ""), options)


def place(name: str, cpus: float = 8, memory_mib: float = 16_384, disk_gib: float = 100, *, up: bool = True) -> Place:
    """A worker with so much left."""
    return Place(name, up, (Room(name, Size(cpus, memory_mib, disk_gib)),))


def workers(*places: Place, **more: Any) -> Site:
    """A cluster."""
    return Site("lx", "worker", places, **more)


def rows(plan: Plan) -> dict[str, Any]:
    """Node → its row."""
    return {row.node: row for row in plan.rows}


def codes(plan: Plan) -> set[tuple[str, str]]:
    """(node, code) of all refusals."""
    return {(refusal.node, refusal.reason.code) for refusal in plan.refusals}


def overfull(plan: Plan, sites: Iterable[Site], running: dict[str, Running]) -> list[str]:
    """Rooms that were promised more than they have."""
    grown: dict[tuple[str, str, str], list[float]] = {}
    for row in plan.rows:
        if row.place and row.change != "remove":
            had = running.get(row.node)
            stays = had is not None and (had.hypervisor, had.place) == (row.hypervisor, row.place)
            used = grown.setdefault((row.hypervisor, row.place, row.room), [0.0] * len(RESOURCES))
            for index, name in enumerate(RESOURCES):
                used[index] += max(0, getattr(row, name) - (getattr(had, name) if stays else 0))
    free = {
        (site.name, at.name, room.name): room.free for site in sites for at in site.places or () for room in at.rooms
    }
    return [key[1] for key, used in grown.items() if free.get(key) and not fits(Size(*used), free[key])]


# -- by hypothesis -----------------------------------------------------------------------------------------------------

PLACES = ("w1", "w2", "w3", "w4")


@st.composite
def graphs(draw: st.DrawFn, hypervisors: tuple[str, ...] = ("lx",), *, sound: bool = False) -> Graph:
    """A slice of up to a dozen nodes with any links, groups, pins and sizes; a sound one asks for nothing impossible."""
    names = [f"n{number}" for number in range(draw(st.integers(1, 12)))]
    nodes = tuple(_node(draw, name, hypervisors, sound) for name in names)
    pairs = draw(st.sets(st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda p: p[0] < p[1])))
    links = [link("-".join(pair), *pair) for pair in sorted(pairs)]
    links += [link("lan", *names, shared=True)] if draw(st.booleans()) else []
    return Graph("g", nodes=nodes, links=tuple(links))


def _node(draw: st.DrawFn, name: str, hypervisors: tuple[str, ...], sound: bool) -> Node:
    said = {
        "flavor": draw(st.sampled_from(["", "", "nano", "small", "medium", "small" if sound else "gold"])),
        "host": draw(st.sampled_from(["", "", "", "", "w1", "" if sound else "w9"])),
        "image": draw(st.sampled_from(["", "debian", "debian", "" if sound else "plan9"])),
        "hypervisor": draw(st.sampled_from(hypervisors)),
        "cpus": draw(st.sampled_from([0, 0, 3])),
    }
    definition = {key: value for key, value in said.items() if value}
    role, group = draw(st.sampled_from(["", "router"])), draw(st.sampled_from(["", "", "g"]))
    apart = draw(st.sampled_from(["", "", "a", "b"]))
    return Node(name, definition, role, group, apart, draw(st.booleans()))


@st.composite
def sites(draw: st.DrawFn, name: str = "lx", *, sound: bool = False) -> Site:
    """A cluster of up to four workers, some of them down, some of which say nothing of their room; a sound one has four
    that are up.
    """
    size = st.builds(Size, st.integers(0, 12), st.integers(0, 16_384), st.integers(0, 120))
    room = (
        st.builds(Size, st.integers(8, 40), st.just(65_536), st.just(400))
        if sound
        else st.one_of(size, size, st.none())
    )
    places = [
        Place(worker, sound or draw(st.integers(0, 5)) > 0, (Room(worker, draw(room)),))
        for worker in PLACES[: 4 if sound else draw(st.integers(1, 4))]
    ]
    if sound:
        return Site(name, "worker", places)
    quota = {"instances": draw(st.one_of(st.none(), st.integers(0, 12))), "ports": draw(st.integers(0, 40))}
    flavors = tuple(PREDEFINED.values())[draw(st.integers(0, 1)) :]
    return Site(name, "worker", places, flavors, {"debian"}, quota)


@st.composite
def wishes(draw: st.DrawFn, graph: Graph) -> Wish:
    """Any strategy, with or without optimisation; some of the nodes and others run already."""
    names = [node.name for node in graph.nodes]
    running = {
        name: Running("lx", draw(st.sampled_from([*PLACES, "w9"])), "small", 1, 1536, 10)
        for name in [*draw(st.sets(st.sampled_from(names))), *draw(st.sets(st.sampled_from(["old-1", "old-2"])))]
    }
    pins = draw(st.dictionaries(st.sampled_from(names), st.sampled_from([*PLACES, "w9"]), max_size=2))
    optimise = draw(st.booleans())
    return Wish(draw(st.sampled_from(Strategy)), optimise, pins=pins, running=running)
