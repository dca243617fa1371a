"""Plans by hand: sizes and why, places by strategy, changes of a running slice, several sites, and refusals in words."""

from __future__ import annotations

from dataclasses import astuple, replace

import networkx as nx
import pytest

from hypervisors.flavors import PREDEFINED, Flavor
from hypervisors.placement import Place, Reason, Room, Size, Strategy
from olimpus.errors import Invalid
from slices.graph import Graph, Link, Node
from slices.phrases import phrase
from slices.plan import Running, Site, Tunnel, Wish, plan
from slices.plan.importance import EXACT, critical
from tests.slices.plans import codes, link, place, rows, workers

RING = Graph(
    "ring",
    nodes=tuple(Node(f"r{number}") for number in range(4)),
    links=tuple(link(f"l{number}", f"r{number}", f"r{(number + 1) % 4}") for number in range(4)),
)


def drawn(graph: nx.Graph) -> Graph:
    nodes = tuple(Node(f"n{number}") for number in graph)
    return Graph("g", nodes=nodes, links=tuple(link(f"{a}-{b}", f"n{a}", f"n{b}") for a, b in graph.edges))


def running(at: Place, flavor: str = "small", *, chosen: bool = False) -> Running:
    sizes = astuple(PREDEFINED[flavor])[1:4]
    return Running("lx", at.name, flavor, *sizes, room=at.name, chosen=chosen)


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_a_node_that_says_nothing_is_small_and_a_critical_one_medium():
    graph = Graph(
        "g", nodes=(Node("a"), Node("b", critical=True), Node("c", {"flavor": "nano"}), Node("d", {"cpus": 3}))
    )
    told = rows(plan(graph, [workers(place("w1"))]))
    assert [(row.flavor, row.flavor_reason.code) for row in told.values()] == [
        ("small", "ordinary"),
        ("medium", "critical_marked"),
        ("nano", "flavor_said"),
        ("", "sizes_said"),
    ]
    assert (told["d"].cpus, told["d"].memory_mib, told["d"].disk_gib) == (3, 512, 1)


def test_what_the_slice_gives_its_machines_is_the_ordinary_size():
    nodes = (Node("a"), Node("b", critical=True))
    told = rows(plan(Graph("g", defaults={"flavor": "nano"}, nodes=nodes), [workers(place("w1"))]))
    assert [(row.flavor, row.flavor_reason.code) for row in told.values()] == [
        ("nano", "flavor_default"),
        ("medium", "critical_marked"),
    ]
    told = rows(plan(Graph("g", defaults={"flavor": "large"}, nodes=nodes), [workers(place("w1", 64))]))
    assert {row.flavor for row in told.values()} == {"large"}
    told = rows(plan(Graph("g", defaults={"cpus": 2}, nodes=nodes), [workers(place("w1"))]))
    assert {row.cpus for row in told.values()} == {2}


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        (nx.star_graph(6), {"n0": "critical_degree"}),
        (nx.barbell_graph(5, 1), {"n5": "critical_paths"}),
        (nx.cycle_graph(8), {}),
        (nx.path_graph(3), {}),
        (nx.complete_graph(5), {}),
        (nx.empty_graph(3), {}),
    ],
)
def test_who_stands_out_is_critical(graph, found):
    told = critical(drawn(graph), optimise=True)
    assert {name: reason.code for name, reason in told.items() if name in found or not found} == found
    assert critical(drawn(graph), optimise=False) == {}


def test_the_share_of_the_paths_is_told():
    reason = critical(drawn(nx.barbell_graph(5, 1)), optimise=True)["n5"]
    assert reason.params["percent"] == round(100 * 2 * 5 * 5 / (10 * 9))
    told = plan(drawn(nx.barbell_graph(5, 1)), [workers(place("w1", 64, 10**6, 10**4))], Wish(optimise=True))
    assert phrase(rows(told)["n5"].flavor_reason) == "“medium”, as it carries 56 % of all shortest paths."


def test_a_role_counts_unless_most_have_it():
    def named(roles: str) -> Graph:
        return Graph("g", nodes=tuple(Node(f"n{number}", role=role) for number, role in enumerate(roles.split())))

    assert {reason.code for reason in critical(named("spine host host"), optimise=True).values()} == {"critical_role"}
    assert critical(named("router router host"), optimise=True) == {}


def test_a_large_slice_is_sampled_and_has_the_same_answer_each_time():
    graph = drawn(nx.barbell_graph(EXACT // 2, 3))
    told = critical(graph, optimise=True)
    assert told == critical(graph, optimise=True)
    middle = [f"n{EXACT // 2 + number}" for number in range(3)]
    assert {told[name].code for name in middle} == {"critical_paths"}
    assert all(40 <= told[name].params["percent"] <= 60 for name in middle)


def test_a_shared_network_is_one_neighbour():
    names = [f"n{number}" for number in range(6)]
    graph = Graph("g", nodes=tuple(map(Node, names)), links=(link("lan", *names, shared=True),))
    assert critical(graph, optimise=True) == {}


def test_a_flavor_that_is_not_there_is_replaced_or_refused():
    site = workers(place("w1", 64, 10**6, 10**4), flavors=(Flavor("m1", 2, 4096, 20), Flavor("t1", 1, 512, 1)))
    graph = Graph(
        "g",
        nodes=(Node("a"), Node("b", {"flavor": "m1"}), Node("c", {"flavor": "gold"}), Node("d", {"flavor": "large"})),
    )
    told = plan(graph, [site])
    assert [(row.flavor, row.place) for row in told.rows] == [("m1", "w1"), ("m1", "w1"), ("gold", ""), ("large", "")]
    assert phrase(rows(told)["a"].flavor_reason) == (
        "“m1”, as it says nothing of its size. There is no “small” in lx; “m1” is the smallest that is as large."
    )
    assert codes(told) == {("c", "flavor_unknown"), ("d", "flavor_too_large")}
    assert phrase(told.refusals[0].reason) == "There is no flavor “gold” in lx. There are: m1, t1."


# -- places ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "counts", "code"),
    [
        (Strategy.SPREAD, [1, 1, 1, 1], "spread"),
        (Strategy.PACK, [4], "few"),
        (Strategy.TOGETHER, [4], "together"),
    ],
)
def test_a_ring_of_four_by_each_strategy(strategy, counts, code):
    site = workers(*(place(f"w{number}") for number in range(4)))
    told = plan(RING, [site], Wish(strategy))
    assert [total.nodes for total in told.totals] == counts
    assert {row.reason.code for row in told.rows} == {code}
    assert (told.fits, len(told.digest)) == (True, 64)


def test_a_chain_is_cut_where_it_costs_least():
    graph = drawn(nx.path_graph(6))
    site = workers(*(place(f"w{number}", 3, 9999, 99) for number in range(2)))
    told = rows(plan(graph, [site], Wish(Strategy.TOGETHER)))
    assert len({told[f"n{number}"].place for number in range(3)}) == 1
    assert len({told[f"n{number}"].place for number in range(3, 6)}) == 1


def test_groups_are_drawn_together_and_held_apart():
    nodes = (Node("a", group="g"), Node("b"), Node("c", group="g"), Node("d", apart="x"), Node("e", apart="x"))
    told = rows(plan(Graph("g", nodes=nodes), [workers(place("w1"), place("w2", 4))], Wish(Strategy.TOGETHER)))
    assert told["a"].place == told["c"].place
    assert told["d"].place != told["e"].place
    assert told["d"].reason.code == "set_apart"


def test_more_of_a_group_than_places():
    graph = Graph("g", nodes=tuple(Node(name, apart="db") for name in "abc"))
    told = plan(graph, [workers(place("w1"), place("w2"))])
    assert codes(told) == {("c", "apart_taken")}
    assert phrase(told.refusals[0].reason) == "Wherever there is room (w1, w2), another one of “db” is: a, b."
    pinned = plan(replace(graph, nodes=graph.nodes[:2]), [workers(place("w1"))], Wish(pins={"a": "w1", "b": "w1"}))
    assert codes(pinned) == {("b", "pinned_apart")}


def test_pins_of_the_definition_and_by_hand():
    graph = Graph("g", nodes=(Node("a", {"host": "w2"}), Node("b", {"host": "w2"}), Node("c", {"host": "w7"})))
    told = plan(graph, [workers(place("w1"), place("w2"))], Wish(pins={"b": "w1"}))
    assert [row.place for row in told.rows] == ["w2", "w1", ""]
    assert codes(told) == {("c", "pinned_unknown")}
    zones = Site("os", "zone", [place("z1"), place("z2")])
    (row,) = plan(Graph("g", nodes=(Node("a", {"availability_zone": "z2", "host": "c9"}),)), [zones]).rows
    assert row.place == "z2"


@pytest.mark.parametrize("where", ["pins", "flavors"])
def test_nobody_can_be_pinned_who_is_not_there(where):
    with pytest.raises(Invalid) as caught:
        plan(RING, [workers(place("w1"))], Wish(**{where: {"r9": "w1"}}))
    assert caught.value.where == f"{where}.r9"


def test_a_plan_is_changed_by_hand_and_checked_again():
    site = workers(*(place(f"w{number}") for number in range(4)))
    shown = plan(RING, [site], Wish(basis="tree-1"))
    moved = plan(RING, [site], Wish(shown=shown, pins={"r0": "w3"}, flavors={"r1": "large"}, basis="tree-1"))
    before, after = rows(shown), rows(moved)
    assert (after["r0"].place, after["r0"].reason.code) == ("w3", "pinned")
    assert (after["r1"].flavor, after["r1"].flavor_reason.code, after["r1"].cpus) == ("large", "flavor_by_hand", 4)
    assert (after["r2"], after["r3"]) == (before["r2"], before["r3"])
    assert moved.digest != shown.digest
    assert plan(RING, [site], Wish(shown=shown, basis="tree-1")).digest == shown.digest
    assert plan(RING, [site], Wish(shown=shown, basis="tree-2")).digest != shown.digest
    full = workers(*(place(f"w{number}", 0) for number in range(4)))
    assert {code for _node, code in codes(plan(RING, [full], Wish(shown=shown)))} == {"pinned_full"}


def test_a_hypervisor_without_places_says_itself_where():
    told = plan(RING, [Site("esxi")])
    assert {(row.place, row.reason.code) for row in told.rows} == {("", "no_choice")}
    assert told.fits


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_all_that_does_not_fit_is_refused_at_once():
    nodes = (
        Node("a", {"image": "plan9"}),
        Node("b", {"flavor": "gold"}),
        Node("c", {"cpus": 99}),
        Node("d", {"hypervisor": "moon"}),
        Node("e", {"host": "w9", "image": "plan9"}),
    )
    site = workers(place("w1"), images={"plan8", "debian"}, quota={"instances": 2, "cores": 50, "ports": None})
    graph = Graph("g", nodes=nodes, links=(link("lan", *"abcde", shared=True),), defaults={"hypervisor": "lx"})
    told = plan(graph, [site, Site("os")])
    assert codes(told) == {
        ("d", "no_site"),
        ("b", "flavor_unknown"),
        ("c", "no_room"),
        ("e", "pinned_unknown"),
        ("a", "image_missing"),
        ("e", "image_missing"),
        ("", "quota"),
    }
    words = [phrase(refusal.reason) for refusal in told.refusals]
    assert "There is no image “plan9” in lx. There are: plan8." in words
    assert "The hypervisor “moon” cannot be used. There are: lx, os." in words
    assert "lx has a quota of 2 more machines; it takes 4." in words
    assert "lx has a quota of 50 more CPUs; it takes 101." in words


def test_quota_for_half_of_the_nodes():
    quota = {"instances": 2, "cores": 2, "ram": 3072, "networks": 2, "subnets": 9, "ports": 4}
    told = plan(RING, [workers(place("w1"), quota=quota)])
    lacks = {refusal.reason.params["resource"]: refusal.reason.params for refusal in told.refusals}
    assert {name: (said["needed"], said["left"]) for name, said in lacks.items()} == {
        "instances": (4, 2),
        "cores": (4, 2),
        "ram": (6144, 3072),
        "networks": (4, 2),
        "ports": (8, 4),
    }


@pytest.mark.parametrize("resource", ["instances", "cores", "ram", "networks", "subnets", "ports"])
def test_a_quota_that_is_just_enough_is_enough(resource):
    enough = {"instances": 4, "cores": 4, "ram": 6144, "networks": 4, "subnets": 4, "ports": 8}[resource]
    assert plan(RING, [workers(place("w1"), quota={resource: enough})]).fits
    told = plan(RING, [workers(place("w1"), quota={resource: enough - 1})])
    assert [refusal.reason.params["resource"] for refusal in told.refusals] == [resource]
    there = {node.name: running(place("w1")) for node in RING.nodes}
    networks = {link.name: link.cidr for link in RING.links}
    assert plan(RING, [workers(place("w1"), quota={resource: 0})], Wish(running=there, networks=networks)).fits


def test_networks_of_others_are_joined_and_not_made():
    graph = replace(RING, links=(link("net", "r0", "r1", shared=True, type="public"),))
    assert plan(graph, [workers(place("w1"), quota={"networks": 0})]).fits


def test_the_hypervisor_has_to_be_said_when_there_are_several():
    told = plan(Graph("g", nodes=(Node("a"),)), [Site("one"), Site("two")])
    assert (told.rows, codes(told)) == ((), {("a", "site_unsaid")})
    assert plan(Graph("g"), []).fits


# -- a slice that runs -------------------------------------------------------------------------------------------------


def test_a_running_slice_is_changed():
    w1, w2 = place("w1", 1, 2000, 99), place("w2", 4)
    graph = Graph(
        "g",
        nodes=(Node("same"), Node("grows", {"flavor": "medium"}), Node("new"), Node("edited")),
        links=(link("old", "same", "grows", cidr="10.0.0.0/24"), link("lan", "same", "new")),
    )
    there = {name: running(w1) for name in ("same", "grows", "gone", "edited")}
    nets = {"old": "10.0.0.0/29", "lost": "10.9.0.0/29"}
    told = plan(graph, [workers(w1, w2)], Wish(running=there, networks=nets, changed={"edited"}))
    assert {name: (row.change, row.place, row.reason.code) for name, row in rows(told).items()} == {
        "same": ("keep", "w1", "stays"),
        "grows": ("change", "w1", "stays"),
        "new": ("add", "w2", "spread"),
        "edited": ("change", "w1", "stays"),
        "gone": ("remove", "w1", "not_in_slice"),
    }
    assert {net.name: net.change for net in told.networks} == {"old": "change", "lan": "add", "lost": "remove"}
    assert told.fits


def test_a_running_machine_grows_only_when_somebody_says_so():
    leaves = [f"n{number}" for number in range(6)]
    nodes = (Node("hub"), Node("marked", critical=True), *map(Node, leaves))
    star = Graph(
        "g", defaults={"flavor": "small"}, nodes=nodes, links=tuple(link(name, "hub", name) for name in leaves)
    )
    site, w1 = workers(place("w1", 64, 99_999, 999)), place("w1")
    assert rows(plan(star, [site], Wish(optimise=True)))["hub"].flavor == "medium"
    there = {name: running(w1) for name in ("hub", "marked", *leaves)}
    told = rows(plan(star, [site], Wish(optimise=True, running=there)))
    assert (told["hub"].flavor, told["marked"].flavor) == ("small", "medium")


def test_a_running_machine_keeps_what_importance_gave_it_until_somebody_changes_it():
    pair, site, w1 = (Node("hub"), Node("a")), workers(place("w1", 64, 99_999, 999)), place("w1")
    large = running(w1, "medium", chosen=True)

    def hub(default: str, node: Node, there: Running) -> tuple[str, str, str]:
        graph = Graph("g", defaults={"flavor": default}, nodes=(node, pair[1]), links=(link("l", "hub", "a"),))
        row = rows(plan(graph, [site], Wish(optimise=True, running={"hub": there})))["hub"]
        return row.change, row.flavor, row.flavor_reason.code

    assert hub("small", pair[0], large) == ("keep", "medium", "flavor_larger")
    assert phrase(Reason("flavor_larger", {"flavor": "medium"})) == "It keeps “medium”, the larger one that it has."
    assert hub("small", pair[0], replace(large, marked=True)) == ("change", "small", "flavor_default")  # mark taken off
    assert hub("large", pair[0], large) == ("change", "large", "flavor_default")
    assert hub("small", Node("hub", {"flavor": "nano"}), large) == ("change", "nano", "flavor_said")
    assert hub("small", Node("hub", critical=True), running(w1, "large", chosen=True))[1:] == ("large", "flavor_larger")


def test_what_runs_counts_for_the_new():
    w1, w2, down = place("w1"), place("w2"), place("w3", up=False)
    nodes = (Node("a", apart="x"), Node("b", apart="x"), Node("c"), Node("d"))
    there = {"a": running(w1), "c": running(w1), "d": running(down)}
    told = rows(plan(Graph("g", nodes=nodes), [workers(w1, w2, down)], Wish(running=there)))
    assert (told["b"].place, told["d"].place, told["d"].change) == ("w2", "w3", "keep")


def test_a_machine_grows_only_where_it_is():
    tight, roomy = place("w1", 1, 99, 99), place("w2")
    graph = Graph("g", nodes=(Node("a", {"flavor": "large"}),))
    told = plan(graph, [workers(tight, roomy)], Wish(running={"a": running(tight)}))
    assert codes(told) == {("a", "grown_full")}
    assert phrase(told.refusals[0].reason) == (
        "It is in w1, where its host has no room for 3 CPUs, 4.5 GiB memory, 30 GiB disk more."
    )
    moved = plan(graph, [workers(tight, roomy)], Wish(running={"a": running(tight)}, pins={"a": "w2"}))
    assert [(row.change, row.place) for row in moved.rows] == [("change", "w2")]


def test_growth_needs_its_own_host_of_the_zone():
    zone = Place("z", True, (Room("c1", Size(0, 9999, 99)), Room("c2", Size(8, 9999, 99))))
    graph = Graph("g", nodes=(Node("a", {"flavor": "medium"}),))
    there = Running("os", "z", "small", 1, 1536, 10, room="c1")
    assert codes(plan(graph, [Site("os", "zone", [zone])], Wish(running={"a": there}))) == {("a", "grown_full")}
    assert plan(graph, [Site("os", "zone", [zone])], Wish(running={"a": replace(there, room="c2")})).fits


# -- several hypervisors -----------------------------------------------------------------------------------------------


def test_links_between_hypervisors_need_tunnels():
    nodes = (Node("a", {"hypervisor": "lx"}), Node("b", {"hypervisor": "lx"}), Node("c", {"hypervisor": "os"}))
    links: tuple[Link, ...] = (link("ab", "a", "b"), link("bc", "b", "c"), link("lan", *"abc", shared=True))
    told = plan(Graph("g", nodes=nodes, links=links), [workers(place("w1")), Site("os", "zone", [place("z1")])])
    assert [(row.hypervisor, row.place) for row in told.rows] == [("lx", "w1"), ("lx", "w1"), ("os", "z1")]
    assert told.tunnels == (Tunnel("bc", ("lx", "os")), Tunnel("lan", ("lx", "os")))
    assert [(total.hypervisor, total.place, total.nodes) for total in told.totals] == [("lx", "w1", 2), ("os", "z1", 1)]
