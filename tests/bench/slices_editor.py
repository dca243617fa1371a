"""The drawing of a slice with 500 machines in headless Chromium: frames in a second while one drags.

A machine, the whole view, and all machines at once are dragged by a mouse that never rests. Counted are the frames in which
the drawing was painted, over the time from the first to the last.
Floor: bare Cytoscape with the same graph and its own looks, in the same browser, nothing else on the page.
"""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings
from playwright.sync_api import Browser, Page, sync_playwright

from hypervisors import actions as hypervisors
from slices.topology import generate
from slices.treeform import tree_of
from tests.bench.browsing import ARGUMENTS, CHROMIUM
from tests.bench.figures import Figure, say
from tests.bench.servers import web
from tests.bench.world import folder, machines, session_of, superuser

ROWS, COLUMNS, LEAST = 20, 25, 30.0
#: Of bare Cytoscape's frames, when all machines are dragged at once: both paint each of them anew, frame by frame.
SHARE = 0.8
#: Moves of one drag, and the seconds after which a slow one is given up.
MOVES, LONGEST = 90, 10.0
#: Frames in which Cytoscape painted, and the time from the first to the last.
COUNT = """() => {
  window.frames_ = []
  window.drawing.on("render", () => window.frames_.push(performance.now()))
}"""
RATE = "() => 1000 * (window.frames_.length - 1) / (window.frames_.at(-1) - window.frames_[0])"
WHERE = """() => {
  const box = window.drawing.container().getBoundingClientRect(), at = window.drawing.nodes()[262].renderedPosition()
  return [box.left + at.x, box.top + at.y]
}"""
BESIDE = "() => window.drawing.nodes()[1].renderedPosition('x') - window.drawing.nodes()[0].renderedPosition('x')"
BARE = """<!doctype html><div id="c" style="position: absolute; inset: 0"></div><script type="module">
  import cytoscape from "/static/vendor/cytoscape-3.34.4/cytoscape.mjs"
  window.drawing = cytoscape({ container: document.getElementById("c"), elements: ELEMENTS, layout: { name: "preset" } })
</script>"""


def run() -> list[Figure]:
    """Three figures: one machine, the view, everything."""
    graph = generate("grid", {"rows": ROWS, "columns": COLUMNS})
    tree = tree_of(graph)
    hypervisors.create({"name": "mock", "driver": "mock"}, actor=(root := superuser()))
    here = folder("/drawing", {**tree.folder, "hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    machines(here, dict(tree.machines))
    session = session_of(root)
    with web() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        floor = measure(bare(browser, address, graph))
        found = measure(drawing(browser, address, here.pk, session))
        browser.close()
    say(f"frames in a second: {found}, bare Cytoscape {floor}")
    head = f"drawing of {ROWS * COLUMNS} machines"
    figures = [
        Figure(f"{head}: {what}", found[what], "frames/s", f"≥ {LEAST:g}", found[what] >= LEAST, floor[what])
        for what in ("one dragged", "view dragged")
    ]
    every = found["all dragged"]
    reach, ok = f"≥ {SHARE:g} × floor", every >= SHARE * floor["all dragged"]
    return [*figures, Figure(f"{head}: all dragged at once", every, "frames/s", reach, ok, floor["all dragged"])]


def drawing(browser: Browser, address: str, number: int, session: str) -> Page:
    """The page of the slice, when all is drawn."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": address}])
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{address}/slices/{number}/")
    page.wait_for_selector("html[data-slice=ready]")
    page.evaluate("() => { window.drawing = document.querySelector('[data-canvas]').drawing.cy }")
    return page


def bare(browser: Browser, address: str, graph: Any) -> Page:
    """A page with nothing but Cytoscape."""
    nodes = [{"data": {"id": node.name}, "position": {"x": node.x, "y": node.y}} for node in graph.nodes]
    edges = [{"data": {"source": link.nodes[0], "target": link.nodes[1]}} for link in graph.links]
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    body = BARE.replace("ELEMENTS", json.dumps(nodes + edges))
    page.route(f"{address}/bare", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(f"{address}/bare")
    page.wait_for_function("window.drawing && window.drawing.nodes().length")
    page.evaluate("() => { window.drawing.fit() }")
    return page


def measure(page: Page) -> dict[str, float]:
    """Frames in a second for each kind of dragging."""
    page.wait_for_timeout(1000)
    one = dragged(page, page.evaluate(WHERE))
    page.evaluate("() => { window.drawing.nodes().select() }")
    every = dragged(page, page.evaluate(WHERE))
    page.evaluate("() => { window.drawing.elements().unselect() }")
    page.evaluate("() => { window.drawing.fit(undefined, 48) }")
    x, y = page.evaluate(WHERE)
    beside = page.evaluate(BESIDE) / 2  # between four machines there is nothing but the view
    return {"one dragged": one, "all dragged": every, "view dragged": dragged(page, [x + beside, y + beside])}


def dragged(page: Page, at: list[float]) -> float:
    """Press here and move; the rate of frames."""
    page.mouse.move(*at)
    page.mouse.down()
    page.evaluate(COUNT)
    until = time.monotonic() + LONGEST
    for number in range(MOVES):
        page.mouse.move(at[0] + 3 * (number % 40), at[1] + 2 * (number % 30))
        if time.monotonic() > until:
            break
    rate = float(page.evaluate(RATE))
    page.evaluate("() => { window.drawing.off('render') }")
    page.mouse.up()
    page.wait_for_timeout(500)
    return rate
