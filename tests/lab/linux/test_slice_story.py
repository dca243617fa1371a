"""A slice on the lab, drawn in a browser: planned, deployed, its neighbours pinged, changed, torn down; and a copy of it.

Real processes, real machines on the workers, headless Chromium; what has really happened is asked of the workers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import drawing
from tests.browser.hands import meant, until
from tests.lab.linux.cluster import Cluster
from tests.lab.linux.rack import BOOT, Rack, racked, says, sign_in, small

PLACE = "/slices"
#: Milliseconds until all nodes are green.
GREEN = BOOT * 1000


@pytest.fixture(scope="module")
def rack(cluster: Cluster, image: str, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    with racked(cluster, chromium, tmp_path_factory.mktemp("home"), PLACE) as found:
        found.api.lay_out(PLACE, common=small(image))
        yield found


@pytest.fixture(scope="module")
def page(rack: Rack) -> Page:
    """The editor."""
    return rack.visitors.enter("admin")


def test_a_ring_is_drawn_planned_and_turns_green(rack: Rack, page: Page) -> None:
    page.goto("/slices/new/")
    drawing.new_drawing(page, "ring", PLACE)
    drawing.made(page)
    drawing.draw_ring(page, 4)
    drawing.plan(page)
    workers = rack.cluster.workers
    for row in page.locator("[data-pane=plan] tbody tr").all():
        assert row.locator("input").get_attribute("placeholder") in workers
    assert [len(reason) > 10 for reason in drawing.reasons(page)] == [True] * 4
    drawing.deploy(page, 4, GREEN)
    for name in ("r1", "r2", "r3", "r4"):
        assert rack.virsh(f"ring/{name}", "domstate", rack.domain(f"ring/{name}")) == "running"


def test_a_copy_has_networks_of_its_own(rack: Rack) -> None:
    """The copy's first machine alone, at the original's addresses: nobody else's answers."""
    copied = rack.api.ask(
        "POST", f"nodes/{rack.machine('ring')['id']}/copy", json={"parent_path": PLACE, "name": "again"}
    )
    rack.api.ask("POST", f"slices/{copied['id']}/resume", json={"nodes": ["r1"]})
    until(lambda: rack.machine("again/r1")["state"] == "running")
    assert given(rack, "again", "r1") == given(rack, "ring", "r1")
    assert tags(rack, "again/r1").isdisjoint(tags(rack, "ring/r1"))


def test_the_neighbour_is_reached_from_the_drawing(rack: Rack, page: Page) -> None:
    with page.context.expect_page() as opened:
        page.mouse.dblclick(*drawing.at(page, "r1"))
    console = opened.value
    console.locator(".glass-tabs a[href*=serial]").click()
    console.wait_for_url("**kind=serial")
    sign_in(console)
    for ip in given(rack, "ring", "r1").values():
        console.keyboard.type(f"until ip addr | grep {ip}/29; do sleep 1; done\n")
        says(console, f"inet {ip}/29")
    neighbour = given(rack, "ring", "r2")["r1"]
    console.keyboard.type(f"until ping -c 1 -W 2 {neighbour} >/dev/null; do :; done; echo neighbour=$?\n")
    says(console, "neighbour=0")
    console.close()


def test_nobody_answers_in_the_copy(rack: Rack) -> None:
    page = rack.visitors.enter("admin")
    page.goto(f"/-/nodes/{rack.machine('again/r1')['id']}/console?kind=serial")
    sign_in(page)
    own, other = given(rack, "again", "r1")["r2"], given(rack, "ring", "r2")["r1"]
    page.keyboard.type(f"until ip addr | grep {own}/29; do sleep 1; done; ping -c 3 -W 1 {other}; echo lost=$?\n")
    says(page, "lost=1")
    page.close()


def test_a_node_is_added_and_all_of_it_torn_down(rack: Rack, page: Page) -> None:
    drawing.add_host(page, "h1", "r1")
    drawing.plan(page)
    expect(page.locator("[data-pane=plan] tbody .change-add")).to_have_count(1)
    expect(page.locator("[data-pane=plan] tbody .change-keep")).to_have_count(3)
    drawing.deploy(page, 5, GREEN)
    assert len(given(rack, "ring", "r1")) == 3
    drawing.from_menu(page, "teardown")
    page.wait_for_url("**/slices/", timeout=GREEN)
    meant(rack.visitors, status=404)  # what was watched is gone
    assert rack.visitors.complaints == []
    copied = rack.machine("again")["id"]
    rack.api.ask("DELETE", f"slices/{copied}")
    until(lambda: rack.api.client.get(f"slices/{copied}").status_code == 404)
    assert rack.cluster.leftovers() == []


def given(rack: Rack, slice_: str, node: str) -> dict[str, str]:
    """Neighbour → address of the node on the link to it, as the slice gave it."""
    document = rack.api.ask("GET", f"slices/{rack.machine(slice_)['id']}")["document"]
    links = [{end["node"]: end["ip"] for end in link["ends"]} for link in document["links"]]
    return {other: ends[node] for ends in links if node in ends for other in ends if other != node}


def tags(rack: Rack, name: str) -> set[str]:
    """Of the networks that a machine's cards are really in."""
    return set(re.findall(r"<tag id='(\d+)'", rack.virsh(name, "dumpxml", rack.domain(name))))
