"""Five pages of an installation with 20,000 machines in headless Chromium, as Lighthouse would look at them.

Measured with an empty cache on loopback: the largest contentful paint (milliseconds from the start of the navigation,
median), the worst layout shift of any load, with a second of live feed after it, and the bytes of all scripts as they are
sent (compressed).
Floor: the same page and files answered by the browser's own replay of a recording (HAR), so without server and database.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from descriptors.models import Descriptor, Node
from hypervisors import actions as hypervisors
from tests.bench.figures import Figure, say
from tests.bench.servers import web
from tests.bench.world import folder, machines, session_of, superuser

MACHINES, LOADS = 20_000, 7
MOST_MS, MOST_SHIFT, MOST_SCRIPT_KB = 1000.0, 0.05, 150.0
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
PAGES = {
    "folder": "/tree/farm",
    "folder, everything below": "/tree/?below=1",
    "machine": "/tree/farm/vm-00042",
    "console": "/admin/",
    "console's tree": "/admin/descriptors/node/tree/",
}
OBSERVE = """
window.seen = { paint: 0, shift: 0 }
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.seen.paint = entry.startTime })
  .observe({ type: "largest-contentful-paint", buffered: true })
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.seen.shift += entry.value
}).observe({ type: "layout-shift", buffered: true })
"""
SCRIPTS = """() => performance.getEntriesByType("resource").filter(({ name }) => name.split("?")[0].endsWith(".js"))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""


@dataclass(frozen=True)
class Load:
    """One load of one page."""

    paint: float
    shift: float
    script_kb: float


def run() -> list[Figure]:
    """Three figures for each page."""
    session = build()
    figures = []
    with web() as address, sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, page in PAGES.items():
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": address}
            figures += measure(browser, name, address + page, cookie, Path(folder) / "page.har")
        browser.close()
    return figures


def build() -> str:
    """20,000 machines that run; the key of the superuser's session."""
    root = superuser()
    mock = hypervisors.create({"name": "mock", "driver": "mock"}, actor=root)
    farm = folder("/farm", {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    machines(farm, {f"vm-{number:05}": {} for number in range(MACHINES)})
    Descriptor.objects.update(state="running", hypervisor=mock, vm_ref="mock-1", applied={})
    assert Node.objects.count() == MACHINES + 2
    return session_of(root)


def measure(browser: Browser, name: str, url: str, cookie: Any, har: Path) -> list[Figure]:
    """Load from the server, then from a recording."""
    load(browser, url, cookie)  # the server's own caches are warm
    loads = [load(browser, url, cookie) for _ in range(LOADS)]
    load(browser, url, cookie, record_har_path=har)
    floor = statistics.median(load(browser, url, cookie, replay=har).paint for _ in range(LOADS))
    paint, shift = statistics.median(one.paint for one in loads), max(one.shift for one in loads)
    kb = loads[0].script_kb
    say(f"{name}: paint {paint:.0f} ms (recording {floor:.0f} ms), shift {shift:.3f}, scripts {kb:.0f} kB")
    head = f"{name}, {MACHINES:,} machines"
    return [
        Figure(f"{head}: largest paint", paint, "ms", f"< {MOST_MS:g} ms", paint < MOST_MS, floor),
        Figure(f"{head}: layout shift", shift, "", f"≤ {MOST_SHIFT:g}", shift <= MOST_SHIFT),
        Figure(f"{head}: scripts", kb, "kB", f"< {MOST_SCRIPT_KB:g} kB", kb < MOST_SCRIPT_KB),
    ]


def load(browser: Browser, url: str, cookie: Any, *, replay: Path | None = None, **options: Any) -> Load:
    """Open the page with an empty cache and look at it for a second."""
    context: BrowserContext = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    context.add_cookies([cookie])
    context.add_init_script(OBSERVE)
    if replay:
        context.route_from_har(replay, not_found="abort")
    page = context.new_page()
    answer = page.goto(url, wait_until="load")
    assert answer is not None, url
    assert answer.ok, f"{url}: {answer.status}"
    page.wait_for_timeout(1000)
    seen, bytes_of_scripts = page.evaluate("window.seen"), page.evaluate(SCRIPTS)
    context.close()
    return Load(seen["paint"], seen["shift"], bytes_of_scripts / 1000)
