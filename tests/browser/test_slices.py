"""Slices: drawn from the palette, planned, deployed, changed, torn down; by two people at once; on every screen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.drawing import (
    DRAWN,
    RUNNING,
    WIRES,
    add_host,
    at,
    deploy,
    draw_ring,
    from_menu,
    made,
    new_drawing,
    open_drawing,
    plan,
    reasons,
)
from tests.browser.hands import Api, look, meant, never_reloaded

pytestmark = pytest.mark.browser
PLACE = "/slices-walk"
CLAB = """name: lab
topology:
  nodes:
    a: {kind: linux, image: frrouting/frr:9}
    b: {kind: linux, image: frrouting/frr:9}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
"""


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """A place for slices, managed by two teachers, and a pupil who looks."""
    api = Api(product)
    mock = api.hypervisor("slices-mock", latency=0.2)
    api.lay_out(PLACE, common={"hypervisor": mock, "image": "debian-12", "flavor": "nano"})
    for name in ("irene", "jorge"):
        api.person(name, PLACE, role="manager", kind="manager")
    api.person("pia", PLACE)
    return api


def slice_of(api: Api, name: str, kind: str = "ring", size: int = 4, **more: Any) -> int:
    """A slice that is there already; its id."""
    body = {"name": name, "folder": PLACE, "topology": {"kind": kind, "size": size}, **more}
    return int(api.ask("POST", "slices", json=body)["slice"]["id"])


def test_a_ring_from_the_first_machine_to_the_last(visitors: Visitors, api: Api, shots: Path) -> None:
    page = visitors.enter("irene")
    page.goto("/slices/new/")
    new_drawing(page, "ring", PLACE)
    look(page, shots / "slice-new-1440.png")
    made(page)

    draw_ring(page, 4)
    assert page.evaluate(WIRES) == ["r1 r2", "r1 r4", "r2 r3", "r3 r4"]
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    plan(page)
    expect(page.locator("[data-pane=plan] tbody tr")).to_have_count(4)
    for reason in reasons(page):
        assert len(reason) > 10, reason
    look(page, shots / "slice-plan-1440.png")
    deploy(page, 4)

    page.click("[data-found] button:has-text('r2')")
    panel = page.locator("form[data-for=node]")
    expect(panel.locator(".state-running")).to_be_visible()
    panel.locator("[data-computed-of] summary").click()
    expect(panel.locator(".slice-computed")).to_contain_text(PLACE)
    look(page, shots / "slice-running-1440.png")
    with page.context.expect_page() as opened:
        page.mouse.dblclick(*at(page, "r2"))
    expect(opened.value.locator(".glass-bar h1")).to_have_text("r2")
    opened.value.close()

    add_host(page, "h1", "r1")
    assert "h1 r1" in page.evaluate(WIRES)
    plan(page)
    expect(page.locator("[data-pane=plan] tbody .change-add")).to_have_count(1)
    deploy(page, 5)

    from_menu(page, "undo")
    page.wait_for_function(RUNNING, arg=4)
    assert "h1" not in page.evaluate(DRAWN)
    assert never_reloaded(page)
    from_menu(page, "teardown")
    page.wait_for_url("**/slices/")
    expect(page.locator("#content")).not_to_contain_text(f"{PLACE}/ring")
    meant(visitors, status=404)  # what was watched is gone


def test_gateways_between_hypervisors(visitors: Visitors, api: Api, shots: Path) -> None:
    """The plan has rows that the drawing has no nodes for; once deployed, they are drawn with the link that they join."""
    far = api.hypervisor("slices-far", latency=0.1)
    nodes = [{"name": "a", "x": 100, "y": 100}, {"name": "b", "hypervisor": far, "x": 500, "y": 100}]
    body = {"name": "hybrid", "folder": PLACE, "nodes": nodes, "links": [["a", "b"]]}
    page = visitors.enter("irene")
    open_drawing(page, int(api.ask("POST", "slices", json=body)["slice"]["id"]))
    assert page.evaluate(WIRES) == ["a b"]
    plan(page)
    expect(page.locator("[data-pane=plan] tbody tr")).to_have_count(4)
    assert "It joins a-b with slices-mock." in " ".join(reasons(page))
    page.click("[data-do=deploy]")
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "running")
    joined = [name for name in page.evaluate(DRAWN) if name.startswith("a-b")]
    gateways = ["gw-slices-far", "gw-slices-mock"]
    assert {" ".join(sorted([*joined, name])) for name in ("a", "b", *gateways)} <= set(page.evaluate(WIRES))
    look(page, shots / "slice-hybrid-1440.png")

    page.click(f"[data-found] button:has-text('{gateways[0]}')")
    page.locator("[data-canvas]").focus()
    page.keyboard.press("Delete")
    assert "a" in page.evaluate(DRAWN)
    assert gateways[0] not in page.evaluate(DRAWN)
    assert any(name.startswith("a-b") for name in page.evaluate(DRAWN))
    plan(page)
    expect(page.locator("[data-pane=plan] tbody tr")).to_have_count(4)


def test_opening_saves_nothing(visitors: Visitors, api: Api) -> None:
    """Nodes that nobody has placed are laid out; where they lie is saved with what is drawn then."""
    nodes = [{"name": "core", "role": "router"}, *({"name": f"h{number}"} for number in range(4))]
    links = [["core", node["name"]] for node in nodes[1:]]
    body = {"name": "unplaced", "folder": PLACE, "nodes": nodes, "links": links}
    number = int(api.ask("POST", "slices", json=body)["slice"]["id"])
    page = visitors.enter("irene")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    open_drawing(page, number)
    assert len({(round(x), round(y)) for x, y, _state in page.evaluate(DRAWN).values()}) == 5
    assert page.locator("[data-do=undo-edit]").is_disabled()
    page.wait_for_timeout(1500)  # longer than an edit waits to be saved
    assert "PATCH" not in asked
    assert api.ask("GET", f"slices/{number}")["draft"] is None

    before = {name: (x, y) for name, (x, y, _state) in page.evaluate(DRAWN).items()}
    page.click("[data-found] button:has(b:text-is('core'))")
    use = page.locator("form[data-for=node] h2 use")
    expect(use).to_have_attribute("href", re.compile("#router$"))
    page.fill("form[data-for=node] [name=role]", "database")
    page.keyboard.press("Tab")
    expect(use).to_have_attribute("href", re.compile("#database$"))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    saved = api.ask("GET", f"slices/{number}")["draft"]["document"]["nodes"]
    assert all("x" in node and "y" in node for node in saved)
    plan(page)
    page.click("[data-do=deploy]")
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "running")
    assert {name: (round(x), round(y)) for name, (x, y, _state) in page.evaluate(DRAWN).items()} == {
        name: (round(x), round(y)) for name, (x, y) in before.items()
    }


def test_what_is_wrong_is_told_where_it_is(visitors: Visitors, api: Api) -> None:
    page = visitors.enter("irene", language="es")
    open_drawing(page, slice_of(api, "faulty"))
    page.click("[data-found] button:has-text('r1')")
    page.locator("form[data-for=node] [data-more-of=size] summary").click()
    page.fill("form[data-for=node] [name='d.memory_mib']", "1")
    page.keyboard.press("Tab")
    page.click(".slice-tools [data-do=plan]")
    fault = page.locator("[data-fault-list] button")
    expect(fault).to_have_count(1)
    page.keyboard.press("Escape")
    fault.click()
    expect(page.locator("form[data-for=node] .is-invalid")).to_have_attribute("name", "d.memory_mib")
    page.keyboard.press("Control+z")


def test_two_people_draw_at_once(visitors: Visitors, api: Api, shots: Path) -> None:
    number = slice_of(api, "shared")
    irene, jorge = visitors.enter("irene"), visitors.enter("jorge")
    open_drawing(irene, number)
    expect(irene.locator("[data-together]")).to_be_empty()
    open_drawing(jorge, number)
    expect(jorge.locator("[data-together]")).to_have_text("irene is editing this slice too.")
    expect(irene.locator("[data-together]")).to_have_text("jorge is editing this slice too.")

    called(irene, "r1", "first")
    told = jorge.locator("[data-notices] .notice")
    expect(told).to_contain_text("irene")
    look(jorge, shots / "slice-theirs-1440.png")
    told.get_by_role("button", name="Show theirs").click()
    expect(jorge.locator("[data-found]")).to_contain_text("first")
    expect(told).to_have_count(0)

    called(irene, "first", "again")
    expect(told).to_contain_text("irene")
    called(jorge, "r2", "mine")  # over what irene has saved: nothing is sent
    expect(told).to_contain_text("Nothing of yours was written")
    look(jorge, shots / "slice-conflict-1440.png")
    told.get_by_role("button", name="Show theirs").click()
    told.get_by_role("button", name="Keep mine as a copy").click()
    jorge.wait_for_url(lambda url: not url.endswith(f"/{number}/"))
    jorge.wait_for_selector("html[data-slice=ready]")
    assert {"first", "mine"} <= set(jorge.evaluate(DRAWN))
    expect(irene.locator("[data-together]")).to_be_empty()
    draft = api.ask("GET", f"slices/{number}")["draft"]
    assert draft["by"] == "irene"
    assert [node["name"] for node in draft["document"]["nodes"]] == ["again", "r2", "r3", "r4"]


def test_one_person_draws_in_two_windows(visitors: Visitors, api: Api, shots: Path) -> None:
    number = slice_of(api, "twice")
    one = visitors.enter("irene")
    open_drawing(one, number)
    other = one.context.new_page()
    open_drawing(other, number)
    for page in (one, other):
        expect(page.locator("[data-together]")).to_have_text("You have it open in another window too.")
    called(one, "r1", "first")
    told = other.locator("[data-notices] .notice")
    expect(told).to_contain_text("You saved this slice in another window")
    expect(told).not_to_contain_text("irene")
    look(other, shots / "slice-own-window-1440.png")
    called(other, "r2", "mine")  # nothing is sent
    expect(told).to_contain_text("was not written over it")
    told.get_by_role("button", name="Show what I saved there").click()
    expect(other.locator("[data-found]")).to_contain_text("first")
    expect(one.locator("[data-notices] .notice")).to_have_count(0)


def called(page: Page, name: str, other: str) -> None:
    """Give a machine another name, by its field."""
    page.click(f"[data-found] button:has(b:text-is('{name}'))")
    page.fill("form[data-for=node] [name=name]", other)
    page.keyboard.press("Tab")
    page.locator("[data-canvas]").focus()
    page.keyboard.press("Escape")


def test_the_keyboard_draws(visitors: Visitors, api: Api) -> None:
    page = visitors.enter("irene")
    open_drawing(page, slice_of(api, "keys"))
    page.locator("[data-canvas]").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    page.keyboard.press("Control+v")
    assert len(page.evaluate(DRAWN)) == 8
    page.keyboard.press("Control+g")
    assert len(page.evaluate(DRAWN)) == 9  # the group has a frame of its own
    page.keyboard.press("Delete")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert sorted(page.evaluate(DRAWN)) == ["r1", "r2", "r3", "r4"]
    page.keyboard.press("Control+f")
    page.keyboard.type("r3")
    page.keyboard.press("Enter")
    expect(page.locator("form[data-for=node] [data-slot=title]")).to_have_text("r3")
    page.locator("[data-add=topology][data-kind=star]").press("Enter")
    page.fill("[data-topology-dialog] [name=size]", "3")
    page.get_by_label("Joined at r3").press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("[data-topology-dialog]")).to_be_hidden()
    assert page.evaluate(WIRES) == ["h1 r3", "h2 r3", "r1 r2", "r1 r4", "r2 r3", "r3 r4"]


def test_a_template_is_offered_and_begun_with(visitors: Visitors, api: Api, shots: Path) -> None:
    size = {"type": "integer", "title": "Machines", "description": "With the hub.", "default": 5, "minimum": 3}
    asks = {"size": size, "cpus": {"type": "integer", "default": 1}, "image": {"type": "image", "default": "debian-12"}}
    number = slice_of(api, "pattern", kind="star", size=5, parameters=asks)
    page = visitors.enter("irene")
    open_drawing(page, number)
    page.click(".slice-tools button[title='View and export']")
    page.click("[data-do=template]")
    expect(page.locator("[data-saved]")).to_contain_text("template")
    page.goto(f"/slices/new/?folder={PLACE}")
    page.click(f"[data-begin=template][data-id='{number}']")
    expect(page.locator("[data-counts]")).to_contain_text("Machines: 5")
    expect(page.locator("[data-begin=template]")).to_contain_text("Machines: 5")
    page.evaluate("document.querySelector('[data-new-slice]').noValidate = true")  # the server says it, too
    page.get_by_label("Machines").fill("2")
    expect(page.locator(".form-label:has([data-parameter=size]) .field-error")).to_contain_text("3")
    look(page, shots / "slice-template-1440.png")
    meant(visitors, status=400)
    page.get_by_label("Machines").fill("7")
    page.get_by_label("cpus").fill("2")
    expect(page.locator("[data-counts]")).to_contain_text("Machines: 7")
    page.fill("[name=name]", "begun")
    page.click("button[type=submit]:has-text('Make it')")
    page.wait_for_url(lambda url: url.rstrip("/").rpartition("/")[2].isdigit())
    page.wait_for_selector("html[data-slice=ready]")
    assert len(page.evaluate(DRAWN)) == 7
    begun = api.ask("GET", f"slices/{page.url.rstrip('/').rpartition('/')[2]}")["document"]["defaults"]
    assert (begun["cpus"], begun["image"]) == (2, "debian-12")


def test_a_file_comes_in_and_goes_out(visitors: Visitors, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "lab.clab.yml"
    file.write_text(CLAB)
    page = visitors.enter("admin")
    page.goto(f"/slices/new/?folder={PLACE}")
    page.select_option("[name=hypervisor]", "slices-mock")
    page.click("[data-begin=file]")
    page.set_input_files("[name=file]", file)
    expect(page.locator("[data-counts]")).to_contain_text("Machines: 2")
    page.click("button[type=submit]:has-text('Make it')")
    page.wait_for_url(lambda url: url.rstrip("/").rpartition("/")[2].isdigit())
    page.wait_for_selector("html[data-slice=ready]")
    assert page.evaluate(WIRES) == ["a b"]
    page.click(".slice-tools button[title='View and export']")
    with page.expect_download() as download:
        page.click("[data-do=export][data-with=graphml]")
    assert "graphml" in download.value.path().read_text()


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (820, "dark")])
def test_on_a_small_screen_by_who_may_only_look(
    visitors: Visitors, api: Api, shots: Path, width: int, theme: str
) -> None:
    number = slice_of(api, f"small-{width}", kind="star", size=6)
    page = visitors.enter("pia", language="es", width=width, theme=theme)
    page.goto("/slices/")
    expect(page.locator(f".slice-gallery a[href='/slices/{number}/'] svg").first).to_be_visible()
    look(page, shots / f"slices-{width}.png")
    open_drawing(page, number)
    expect(page.locator("[data-do=remove]")).to_be_hidden()
    page.mouse.click(*at(page, "h1" if "h1" in page.evaluate(DRAWN) else "r1"))
    expect(page.locator("form[data-for=node]")).to_be_visible()
    expect(page.locator("form[data-for=node] [name=name]")).to_be_disabled()
    look(page, shots / f"slice-read-{width}.png")


def test_a_plan_is_read_on_a_phone(visitors: Visitors, api: Api, shots: Path) -> None:
    """Each reason stands below its row, within the width of the screen; a bus is no machine in its picture."""
    number = slice_of(api, "pocket", kind="bus", size=3)
    page = visitors.enter("irene", width=390)
    page.goto("/slices/")
    picture = page.locator(f".slice-gallery a[href='/slices/{number}/'] svg").first
    expect(picture.locator("circle")).to_have_count(3)
    expect(picture.locator("rect")).to_have_count(1)
    look(page, shots / "slices-bus-390.png")
    open_drawing(page, number)
    plan(page)
    for reason in page.locator("[data-pane=plan] td.reason").all():
        box, row = reason.bounding_box(), reason.locator("xpath=..").bounding_box()
        assert box
        assert row
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] / 2 > row["y"] + row["height"] / 2
    look(page, shots / "slice-plan-390.png")
