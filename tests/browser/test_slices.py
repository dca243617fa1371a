"""Slices: drawn from the palette, planned, deployed, changed, torn down; by two people at once; on every screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import Api, live, look, meant, never_reloaded

pytestmark = pytest.mark.browser
PLACE = "/slices-walk"
#: What is drawn: name → [x, y, state], in the window's pixels.
DRAWN = """() => {
  const { cy, container } = document.querySelector("[data-canvas]").drawing, box = container.getBoundingClientRect()
  return Object.fromEntries(cy.nodes().map(node => [node.data("label"),
    [box.left + node.renderedPosition("x"), box.top + node.renderedPosition("y"), node.data("state") ?? ""]]))
}"""
WIRES = """() => document.querySelector("[data-canvas]").drawing.cy.edges()
  .map(edge => [edge.source().data("label"), edge.target().data("label")].sort().join(" ")).sort()"""
RUNNING = """number => {
  const nodes = document.querySelector("[data-canvas]").drawing.cy.nodes()
  return nodes.length === number && nodes.every(node => node.data("state") === "running")
}"""


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


def slice_of(api: Api, name: str, kind: str = "ring", size: int = 4) -> int:
    """A slice that is there already; its id."""
    body = {"name": name, "folder": PLACE, "topology": {"kind": kind, "size": size}}
    return int(api.ask("POST", "slices", json=body)["slice"]["id"])


def open_drawing(page: Page, number: int) -> None:
    """Until everything is drawn and heard."""
    page.goto(f"/slices/{number}/")
    page.wait_for_selector("html[data-slice=ready]")
    live(page)


def carry(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag with the mouse."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def middle(page: Page, selector: str) -> tuple[float, float]:
    """Of an element, in the window."""
    box = page.locator(selector).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def at(page: Page, name: str) -> tuple[float, float]:
    """Where a node is drawn."""
    x, y, _state = page.evaluate(DRAWN)[name]
    return x, y


def connect(page: Page, one: str, other: str) -> None:
    """Pull a line from the handle beside one node to another."""
    page.mouse.move(*at(page, one))
    expect(page.locator("[data-handle]")).to_be_visible()
    carry(page, middle(page, "[data-handle]"), at(page, other))


def plan(page: Page) -> None:
    """Ask for the plan, and read it."""
    page.click(".slice-tools [data-do=plan]")
    expect(page.locator("[data-pane=plan] tbody tr").first).to_be_visible()


def deploy(page: Page, number: int) -> None:
    """Deploy what is shown; all that is drawn turns green."""
    page.click("[data-do=deploy]")
    page.wait_for_function(RUNNING, arg=number)
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "running")


def from_menu(page: Page, deed: str) -> None:
    """Something of the menu that asks first, and yes."""
    page.click(".slice-tools button[title='View and export']")
    page.click(f".slice-tools [data-do={deed}]")
    page.click("[data-ask-dialog] button[value=yes]")


def test_a_ring_from_the_first_machine_to_the_last(visitors: Visitors, api: Api, shots: Path) -> None:
    page = visitors.enter("irene")
    page.goto("/slices/new/")
    page.click("[data-begin=empty]")
    page.fill("[name=name]", "ring")
    page.fill("[name=to]", PLACE)
    look(page, shots / "slice-new-1440.png")
    page.click("button[type=submit]:has-text('Make it')")
    page.wait_for_url("**/slices/*/")
    page.wait_for_selector("html[data-slice=ready]")
    live(page)

    page.click("[data-add=topology][data-kind=ring]")
    page.fill("[data-topology-dialog] [name=size]", "4")
    page.keyboard.press("Enter")
    expect(page.locator("[data-topology-dialog]")).to_be_hidden()
    assert page.evaluate(WIRES) == ["r1 r2", "r1 r4", "r2 r3", "r3 r4"]
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    plan(page)
    expect(page.locator("[data-pane=plan] tbody tr")).to_have_count(4)
    for reason in page.locator("[data-pane=plan] td.reason").all_inner_texts():
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

    x, y = at(page, "r1")
    carry(page, middle(page, "[data-add=node][data-role=host]"), (x + 220, y))
    connect(page, "h1", "r1")
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
    open_drawing(jorge, number)
    for page, name in ((irene, "first"), (jorge, "second")):
        page.click("[data-found] button:has-text('r1')")
        page.fill("form[data-for=node] [name=name]", name)
        page.keyboard.press("Tab")
        if page is irene:
            expect(page.locator("[data-saved]")).to_have_text("Saved")
    told = jorge.locator("[data-notices] .notice")
    expect(told).to_contain_text("irene")
    meant(visitors, status=409)
    look(jorge, shots / "slice-conflict-1440.png")
    told.get_by_role("button", name="Keep mine as a copy").click()
    jorge.wait_for_url(lambda url: not url.endswith(f"/{number}/"))
    jorge.wait_for_selector("html[data-slice=ready]")
    assert "second" in jorge.evaluate(DRAWN)
    draft = api.ask("GET", f"slices/{number}")["draft"]
    assert draft["by"] == "irene"
    assert draft["document"]["nodes"][0]["name"] == "first"


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


def test_a_template_is_offered_and_begun_with(visitors: Visitors, api: Api) -> None:
    number = slice_of(api, "pattern", kind="star", size=5)
    page = visitors.enter("irene")
    open_drawing(page, number)
    page.click(".slice-tools button[title='View and export']")
    page.click("[data-do=template]")
    expect(page.locator("[data-saved]")).to_contain_text("template")
    page.goto(f"/slices/new/?folder={PLACE}")
    page.click(f"[data-begin=template][data-id='{number}']")
    expect(page.locator("[data-counts]")).to_contain_text("Machines: 5")
    page.fill("[name=name]", "begun")
    page.click("button[type=submit]:has-text('Make it')")
    page.wait_for_url(lambda url: url.rstrip("/").rpartition("/")[2].isdigit())
    page.wait_for_selector("html[data-slice=ready]")
    assert len(page.evaluate(DRAWN)) == 5


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
