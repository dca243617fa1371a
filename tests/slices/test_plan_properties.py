"""What holds of every plan: nothing is promised twice, nobody is forgotten, and it can be written down and read."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hypervisors.placement import Strategy
from slices.phrases import phrase
from slices.plan import Plan, Running, Wish, plan
from tests.slices.plans import codes, graphs, overfull, rows, sites, wishes

quick = settings(max_examples=60, deadline=None)


@st.composite
def questions(draw):
    graph = draw(graphs(("lx", "lx", "cloud", "lost")))
    return graph, [draw(sites()), draw(sites("cloud"))], draw(wishes(graph))


@quick
@given(questions())
def test_no_room_is_promised_twice_and_every_node_is_answered(question):
    graph, offered, wish = question
    told = plan(graph, offered, wish)
    assert not overfull(told, offered, wish.running)
    up = {(site.name, place.name) for site in offered for place in site.places if place.up}
    known = rows(told)
    refused = {refusal.node for refusal in told.refusals}
    for node in graph.nodes:
        assert node.name in refused or known[node.name].place, node.name
        if node.name in known and known[node.name].change == "add" and known[node.name].place:
            assert (known[node.name].hypervisor, known[node.name].place) in up
    assert {row.node for row in told.rows if row.change == "remove"} == wish.running.keys() - {
        n.name for n in graph.nodes
    }
    assert told.fits == (not told.refusals)


@quick
@given(questions())
def test_all_that_is_wrong_is_said_at_once(question):
    graph, offered, wish = question
    told = plan(graph, offered, wish)
    for node in graph.nodes:
        found = {code for name, code in codes(told) if name == node.name}
        at = node.definition["hypervisor"]
        assert ("no_site" in found) == (at == "lost")
        if at != "lost":
            assert ("image_missing" in found) == (node.definition.get("image") == "plan9")
            assert ("flavor_unknown" in found) == (node.definition.get("flavor") == "gold")
    for refusal in told.refusals:
        if refusal.reason.code == "quota":
            assert refusal.reason.params["needed"] > refusal.reason.params["left"] >= 0


@quick
@given(questions())
def test_pins_are_kept_and_groups_stand_apart(question):
    graph, offered, wish = question
    found = rows(plan(graph, offered, wish))
    places: dict[tuple[str, str, str], list[str]] = {}
    for node in graph.nodes:
        row = found.get(node.name)
        if row is None or not row.place:
            continue
        pin = wish.pins.get(node.name) or node.definition.get("host")
        assert row.place == pin or not pin
        running = wish.running.get(node.name)
        if running and running.hypervisor == row.hypervisor and not pin:
            assert row.place == running.place
        if node.apart and not (running and running.place == row.place):
            places.setdefault((row.hypervisor, row.place, node.apart), []).append(node.name)
    assert all(len(names) == 1 for names in places.values())


@quick
@given(questions(), st.randoms())
def test_the_same_question_has_the_same_plan(question, random):
    graph, offered, wish = question
    told = plan(graph, offered, wish)
    shuffled = [replace(site, places=random.sample(list(site.places), len(site.places))) for site in offered]
    again = plan(graph, random.sample(shuffled, len(shuffled)), wish)
    assert (again.rows, again.digest) == (told.rows, told.digest)


@quick
@given(questions())
def test_a_plan_is_written_down_and_read(question):
    told = plan(*question)
    said = json.loads(json.dumps(told.to_json()))
    read = Plan.from_json(said)
    assert read == told
    assert (read.digest, said["digest"], said["fits"]) == (told.digest, told.digest, told.fits)


@quick
@given(questions())
def test_every_reason_has_words(question):
    told = plan(*question)
    reasons = [row.reason for row in told.rows] + [row.flavor_reason for row in told.rows]
    for reason in [*reasons, *(refusal.reason for refusal in told.refusals)]:
        assert phrase(reason).endswith(".")
        assert "%(" not in phrase(reason)


@quick
@given(graphs(sound=True), sites(sound=True), st.sampled_from(Strategy))
def test_what_was_shown_is_planned_again_the_same(graph, site, strategy):
    shown = plan(graph, [site], Wish(strategy))
    again = plan(graph, [site], Wish(Strategy.PACK, shown=shown))
    placed = {row.node: row for row in shown.rows if row.place}
    assert {name: row for name, row in rows(again).items() if name in placed} == placed
    if shown.fits:
        assert again.digest == shown.digest


@quick
@given(graphs(sound=True), sites(sound=True))
def test_what_was_deployed_is_kept(graph, site):
    shown = plan(graph, [site], Wish())
    assume(shown.fits)
    running = {
        row.node: Running("lx", row.place, row.flavor, row.cpus, row.memory_mib, row.disk_gib, row.room)
        for row in shown.rows
    }
    later = plan(graph, [site], Wish(Strategy.PACK, running=running))
    assert {row.change for row in later.rows} == {"keep"}
    assert later.fits
