"""Recommendations and placements: what always holds, and the reasons of telling cases."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypervisors.drivers.cloud import Host, Zone
from hypervisors.flavors import PREDEFINED, Flavor
from hypervisors.placement import (
    RESOURCES,
    TOPOLOGIES,
    Node,
    Place,
    Room,
    Size,
    Strategy,
    cost,
    fits,
    links_of,
    place_of,
    place_of_host,
    recommend,
    suggest,
)
from olimpus.errors import Invalid

quick = settings(max_examples=150, deadline=None)
sizes = st.builds(Size, st.integers(0, 8), st.integers(0, 16_384), st.integers(0, 100))
flavors = st.lists(
    st.builds(Flavor, st.sampled_from("abcdefgh"), st.integers(1, 8), st.integers(1, 16_384), st.integers(0, 100)),
    max_size=8,
    unique_by=lambda flavor: flavor.name,
)
names = st.integers(1, 12).map(lambda n: [f"vm{i}" for i in range(n)])
frees = st.builds(Size, st.integers(0, 16), st.integers(0, 32_768), st.integers(0, 200))
strategies = st.sampled_from(Strategy)
rooms = st.one_of(st.none(), frees)


@st.composite
def places(draw, *, known: bool | None = None) -> list[Place]:
    room = {None: rooms, True: frees, False: st.none()}[known]
    return [
        Place(
            f"zone-{number}",
            draw(st.booleans()) or number == 1,
            tuple(Room(f"host-{number}-{i}", draw(room)) for i in range(draw(st.integers(1, 3)))),
        )
        for number in range(1, draw(st.integers(2, 5)))
    ]


@st.composite
def slices(draw) -> tuple[list[Node], list[tuple[str, str]]]:
    called = draw(names)
    pins = st.sampled_from(["", "", "", "", "zone-1", "zone-2", "zone-9"])
    nodes = [Node(name, draw(sizes), draw(pins)) for name in called]
    return nodes, links_of(draw(st.sampled_from(sorted(TOPOLOGIES))), called)


# -- flavors -----------------------------------------------------------------------------------------------------------


@quick
@given(sizes, flavors)
def test_the_best_flavor_fits_and_none_that_fits_is_cheaper(needs, known):
    told = recommend(needs, known)
    fitting = sorted(cost(flavor) for flavor in known if fits(needs, flavor))
    if fitting:
        assert fits(needs, told.best)
        assert cost(told.best) == fitting[0]
        assert (told.missing, told.nearest) == ((), None)
        assert (told.runner_up is None) == (len(fitting) == 1)
        if told.runner_up:
            assert fits(needs, told.runner_up)
            assert cost(told.runner_up) == fitting[1]
    else:
        assert (told.best, told.runner_up) == (None, None)


@quick
@given(sizes, flavors.filter(bool))
def test_what_is_missing_is_exactly_what_the_nearest_flavor_lacks(needs, known):
    told = recommend(needs, known)
    if told.best is None:
        lacking = {name for name in RESOURCES if getattr(needs, name) > getattr(told.nearest, name)}
        assert {short.resource for short in told.missing} == lacking != set()
        assert all(short.offered <= short.largest for short in told.missing)


@quick
@given(sizes, flavors, st.randoms())
def test_the_order_of_flavors_does_not_matter(needs, known, random):
    shuffled = random.sample(known, len(known))
    assert recommend(needs, known) == recommend(needs, shuffled)


@pytest.mark.parametrize(
    ("needs", "best", "code"),
    [
        (Size(2, 2048, 20), "medium", "cheapest"),
        (Size(1, 512, 1), "nano", "exact"),
        (Size(4, 6000, 40), "large", "only_flavor"),
        (Size(), "nano", "cheapest"),
    ],
)
def test_predefined_flavors_serve(needs, best, code):
    told = recommend(needs, PREDEFINED.values())
    assert (told.best.name, told.reason.code) == (best, code)


def test_none_fits():
    told = recommend(Size(16, 4096, 20), PREDEFINED.values())
    assert (told.reason.code, told.nearest.name) == ("none_fits", "large")
    (short,) = told.missing
    assert (short.resource, short.needed, short.offered, short.largest) == ("cpus", 16, 4, 4)
    assert recommend(Size(1), []).reason.code == "no_flavors"


# -- what always holds of places ---------------------------------------------------------------------------------------


@quick
@given(slices(), places(), strategies)
def test_nothing_is_overcommitted_and_everybody_is_answered(told, offered, strategy):
    nodes, links = told
    answer = suggest(nodes, links, offered, strategy=strategy)
    assert [placement.node for placement in answer] == [node.name for node in nodes]
    assert all(placement.reason.code for placement in answer)
    up = {place.name: {room.name: room.free for room in place.rooms} for place in offered if place.up}
    needs = {node.name: node.needs for node in nodes}
    used: dict[str, list[Size]] = {}
    for placement in answer:
        if placement.place is not None:
            assert placement.room in up[placement.place]
            used.setdefault(placement.room, []).append(needs[placement.node])
    for hosts in up.values():
        for room, free in hosts.items():
            total = Size(*(sum(getattr(size, name) for size in used.get(room, [])) for name in RESOURCES))
            assert free is None or fits(total, free)


@quick
@given(slices(), places(), strategies, st.randoms())
def test_the_same_question_has_the_same_answer(told, offered, strategy, random):
    nodes, links = told
    shuffled = random.sample(offered, len(offered))
    first = suggest(nodes, links, offered, strategy=strategy)
    assert first == suggest(nodes, links, shuffled, strategy=strategy)


@quick
@given(slices(), places(), strategies)
def test_a_pin_holds_or_the_node_goes_nowhere(told, offered, strategy):
    nodes, links = told
    pins = {node.name: node.pinned for node in nodes if node.pinned}
    for placement in suggest(nodes, links, offered, strategy=strategy):
        if pin := pins.get(placement.node):
            assert placement.place in (pin, None)
            assert placement.reason.code.startswith("pinned")
            assert (placement.place is None) == (placement.reason.code != "pinned")


@quick
@given(names, places(known=False))
def test_high_availability_is_even(called, offered):
    answer = suggest([Node(name) for name in called], [], offered, strategy=Strategy.SPREAD)
    counts = Counter({place.name: 0 for place in offered if place.up})
    counts.update(placement.place for placement in answer)
    assert max(counts.values()) - min(counts.values()) <= 1


@quick
@given(slices(), places(known=True))
def test_a_zone_with_more_has_it_because_the_others_are_full(told, offered):
    nodes, links = told
    answer = suggest(nodes, links, offered, strategy=Strategy.SPREAD)
    counts = Counter(placement.place for placement in answer)
    up = [place for place in offered if place.up]
    for placement in answer:
        if placement.reason.code == "spread":
            assert placement.reason.params["here"] == counts[placement.place]
        if placement.reason.code == "spread_room":
            assert set(placement.reason.params["full"]) <= {place.name for place in up} - {placement.place}
    if {placement.reason.code for placement in answer} == {"spread"}:
        tally = [counts[place.name] for place in up]
        assert max(tally) - min(tally) <= 1


@quick
@given(slices(), places())
def test_linked_nodes_stay_together_where_one_place_has_room_for_all(told, offered):
    nodes = [Node(node.name, node.needs) for node in told[0]]
    linked = links_of("linear", [node.name for node in nodes])
    answer = suggest(nodes, linked, offered)
    whole = Size(*(sum(getattr(node.needs, name) for node in nodes) for name in RESOURCES))
    if any(place.up and any(room.free is None or fits(whole, room.free) for room in place.rooms) for place in offered):
        assert len({placement.place for placement in answer}) == 1
        assert None not in {placement.place for placement in answer}
        if len(nodes) > 1:
            assert {placement.reason.code for placement in answer} == {"together"}


@quick
@given(names, places(known=True), sizes)
def test_a_node_goes_nowhere_only_when_no_host_has_room_left_for_it(called, offered, needs):
    answer = suggest([Node(name, needs) for name in called], [], offered, strategy=Strategy.SPREAD)
    if any(placement.place is None for placement in answer):
        placed = Counter(placement.room for placement in answer if placement.place)
        for place in filter(lambda place: place.up, offered):
            for room in place.rooms:
                one_more = Size(*(getattr(needs, name) * (placed[room.name] + 1) for name in RESOURCES))
                assert not fits(one_more, room.free)


# -- telling cases -----------------------------------------------------------------------------------------------------


def place(name: str, *free: Size | None, up: bool = True) -> Place:
    return Place(name, up, tuple(Room(f"{name}-{i}", size) for i, size in enumerate(free or (None,))))


def codes(answer) -> dict[str, tuple[str | None, str]]:
    return {placement.node: (placement.place, placement.reason.code) for placement in answer}


def test_six_nodes_over_three_zones():
    nodes = [Node(f"vm{i}") for i in range(6)]
    answer = suggest(nodes, [], [place("nova"), place("zone-1"), place("zone-2")], strategy=Strategy.SPREAD)
    assert Counter(placement.place for placement in answer) == {"nova": 2, "zone-1": 2, "zone-2": 2}
    assert answer[0].reason.params == {"place": "nova", "here": 2, "all": 6}


def test_a_full_zone_is_passed_over_and_named():
    small = Size(1, 512, 1)
    nodes = [Node(f"vm{i}", small) for i in range(3)]
    answer = suggest(nodes, [], [place("a", small), place("b", Size(8, 9999, 99))], strategy=Strategy.SPREAD)
    assert codes(answer)["vm2"] == ("b", "spread")
    answer = suggest([*nodes, Node("vm3", small)], [], [place("a", small), place("b", Size(9, 9999, 99))],
                     strategy=Strategy.SPREAD)  # fmt: skip
    assert answer[3].reason.code == "spread_room"
    assert answer[3].reason.params["full"] == ["a"]


def test_a_pinned_node_draws_its_neighbours():
    nodes = [Node("web", Size(1)), Node("db", Size(1), pinned="b")]
    answer = suggest(nodes, [("web", "db")], [place("a", Size(9)), place("b", Size(4))])
    assert codes(answer) == {"web": ("b", "together"), "db": ("b", "pinned")}
    assert answer[0].reason.params["neighbours"] == ["db"]


def test_a_group_that_fits_nowhere_is_split_and_says_so():
    nodes = [Node(f"vm{i}", Size(2)) for i in range(3)]
    links = links_of("linear", ["vm0", "vm1", "vm2"])
    answer = suggest(nodes, links, [place("a", Size(4)), place("b", Size(3))])
    assert codes(answer) == {"vm0": ("a", "together"), "vm1": ("a", "together"), "vm2": ("b", "apart")}


def test_pins_that_cannot_hold():
    nodes = [Node("x", pinned="down"), Node("y", pinned="lost"), Node("z", Size(9), pinned="full")]
    answer = suggest(nodes, [], [place("down", up=False), place("full", Size(1))])
    assert [p.reason.code for p in answer] == ["pinned_down", "pinned_unknown", "pinned_full"]


def test_no_room_says_what_is_needed_and_what_is_free():
    (answer,) = suggest([Node("x", Size(9, 1, 1))], [], [place("a", Size(2, 8, 8)), place("b", Size(4, 2, 2))])
    assert answer.reason.code == "no_room"
    assert (answer.reason.params["cpus"], answer.reason.params["free_cpus"]) == (9, 4)


@pytest.mark.parametrize(("offered", "code"), [([], "no_places"), ([place("a", up=False)], "none_up")])
def test_nowhere_to_go(offered, code):
    for strategy in Strategy:
        (answer,) = suggest([Node("x")], [], offered, strategy=strategy)
        assert (answer.place, answer.reason.code) == (None, code)


def test_alone_where_most_is_free():
    (answer,) = suggest([Node("x", Size(1))], [], [place("a", Size(2)), place("b", Size(4))])
    assert (answer.place, answer.reason.code) == ("b", "roomiest")
    (answer,) = suggest([Node("x", Size(1))], [], [place("b"), place("a")])
    assert (answer.place, answer.reason.code) == ("a", "fewest")
    (answer,) = suggest([Node("x", Size(3))], [], [place("a", Size(2)), place("b", Size(4))])
    assert (answer.place, answer.reason.code) == ("b", "only")


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(Invalid):
        suggest([Node("x"), Node("x")], [], [])
    with pytest.raises(Invalid) as caught:
        suggest([Node("x")], [("x", "y")], [])
    assert caught.value.where == "links"
    with pytest.raises(Invalid):
        links_of("pyramid", ["x"])


@pytest.mark.parametrize(
    ("topology", "links"),
    [
        ("linear", "ab bc cd"),
        ("ring", "ab bc cd da"),
        ("mesh", "ab ac ad bc bd cd"),
        ("tree", "ab ac bd"),
        ("star", "ab ac ad"),
        ("bus", "ab bc cd"),
        ("custom", ""),
    ],
)
def test_links_of_topologies(topology, links):
    assert links_of(topology, list("abcd")) == [tuple(pair) for pair in links.split()]
    assert links_of(topology, ["a"]) == []


def test_zones_of_a_cloud_are_places():
    room = {"cpus_total": 8, "cpus_used": 6, "memory_mib_total": 4096, "memory_mib_used": 9999}
    hosts = (Host("c1", "z", **room), Host("c2", "z", up=False), Host("c3", "z", enabled=False), Host("c4", "z"))
    told = place_of(Zone("z", hosts=hosts))
    assert [room.name for room in told.rooms] == ["c1", "c4"]
    assert (told.rooms[0].free.cpus, told.rooms[0].free.memory_mib, told.rooms[1].free) == (2, 0, None)
    assert not place_of(Zone("z", hosts=hosts[1:3])).up
    assert place_of(Zone("nova")) == Place("nova")


HOSTS = st.lists(
    st.builds(
        Host,
        st.sampled_from(["w1", "w2", "w3", "w4"]),
        st.just("z"),
        st.booleans(),
        st.booleans(),
        st.integers(0, 16),
        st.integers(0, 8),
        st.integers(0, 16_384),
        st.integers(0, 8192),
        st.integers(0, 160),
        st.integers(0, 80),
    ),
    max_size=4,
    unique_by=lambda host: host.name,
)


@quick
@given(st.lists(sizes, max_size=12), HOSTS, strategies)
def test_workers_are_never_overfilled_and_closed_ones_get_none(needs, hosts, strategy):
    nodes = [Node(f"n{number}", size) for number, size in enumerate(needs)]
    places = [place_of_host(host) for host in hosts]
    told = suggest(nodes, [], places, strategy=strategy)
    assert told == suggest(nodes, [], reversed(places), strategy=strategy)
    for host in hosts:
        here = [size for size, placement in zip(needs, told, strict=True) if placement.place == host.name]
        assert not here or (host.up and host.enabled)
        for name in RESOURCES:
            more = sum(getattr(size, name) for size in here)
            assert not more or getattr(host, f"{name}_used") + more <= getattr(host, f"{name}_total")
    codes = {placement.reason.code for placement in told if placement.place is None}
    assert codes <= ({"no_room"} if any(place.up for place in places) else {"none_up", "no_places"})


def test_what_is_packed_goes_where_least_is_left_and_enough():
    rest = {"memory_mib_total": 9, "disk_gib_total": 9}
    places = [
        place_of_host(Host(name, "z", cpus_total=total, **rest)) for name, total in (("a", 8), ("b", 4), ("c", 1))
    ]
    (told,) = suggest([Node("n", Size(2))], [], places, strategy=Strategy.PACK)
    assert (told.place, told.reason.code) == ("b", "packed")
    (told,) = suggest([Node("n", Size(2))], [], places)
    assert (told.place, told.reason.code) == ("a", "roomiest")


def test_many_are_packed_into_few_places():
    nodes = [Node(f"n{number}", Size(2)) for number in range(4)]
    told = suggest(nodes, [], [place("a", Size(2)), place("b", Size(9)), place("c", Size(3))], strategy=Strategy.PACK)
    assert {found.place for found in told} == {"b"}
    assert (told[0].reason.code, told[0].reason.params["here"]) == ("few", 4)


@quick
@given(slices(), places(), strategies, st.lists(st.sampled_from(["", "x", "y"]), min_size=12, max_size=12))
def test_no_two_of_a_group_share_a_place(told, offered, strategy, groups):
    nodes = [replace(node, apart=group) for node, group in zip(told[0], groups, strict=False)]
    answer = suggest(nodes, told[1], offered, strategy=strategy)
    taken = Counter(
        (found.place, node.apart) for found, node in zip(answer, nodes, strict=True) if found.place and node.apart
    )
    assert max(taken.values(), default=1) == 1


@pytest.mark.parametrize("strategy", Strategy)
def test_others_move_on_so_that_nobody_is_refused_in_vain(strategy):
    nodes = [Node("s1", Size(1)), Node("s2", Size(1)), Node("big", Size(3)), Node("mid", Size(2))]
    told = suggest(nodes, [("s1", "s2")], [place("a", Size(3)), place("b", Size(4))], strategy=strategy)
    assert all(found.place for found in told)
