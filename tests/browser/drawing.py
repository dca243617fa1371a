"""What people do with a slice's drawing."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT
from tests.browser.hands import live

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


def new_drawing(page: Page, name: str, folder: str) -> None:
    """A slice that begins with nothing, of the form that is open."""
    page.click("[data-begin=empty]")
    page.fill("[name=name]", name)
    page.fill("[name=to]", folder)


def open_drawing(page: Page, number: int) -> None:
    """Until everything is drawn and heard."""
    page.goto(f"/slices/{number}/")
    drawn(page)


def made(page: Page) -> None:
    """Make what the form of a new slice says."""
    page.click("button[type=submit]:has-text('Make it')")
    page.wait_for_url("**/slices/*/")
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until the drawing is there, and listens."""
    page.wait_for_selector("html[data-slice=ready]")
    live(page)


def draw_ring(page: Page, size: int) -> None:
    """From the palette of topologies."""
    page.click("[data-add=topology][data-kind=ring]")
    page.fill("[data-topology-dialog] [name=size]", str(size))
    page.keyboard.press("Enter")
    expect(page.locator("[data-topology-dialog]")).to_be_hidden()


def add_host(page: Page, name: str, beside: str) -> None:
    """Drag a host from the palette to the right of a node, and connect both. It gets this name by itself."""
    x, y = at(page, beside)
    carry(page, middle(page, "[data-add=node][data-role=host]"), (x + 220, y))
    connect(page, name, beside)


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


def deploy(page: Page, number: int, timeout: float = WAIT) -> None:
    """Deploy what is shown; all that is drawn turns green."""
    page.click("[data-do=deploy]")
    page.wait_for_function(RUNNING, arg=number, timeout=timeout)
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "running", timeout=timeout)


def reasons(page: Page) -> list[str]:
    """The plan's, a row each."""
    return page.locator("[data-pane=plan] td.reason").all_inner_texts()


def from_menu(page: Page, deed: str) -> None:
    """Something of the menu that asks first, and yes."""
    page.click(".slice-tools button[title='View and export']")
    page.click(f".slice-tools [data-do={deed}]")
    page.click("[data-ask-dialog] button[value=yes]")
