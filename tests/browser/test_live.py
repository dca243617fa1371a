"""While 360 machines are created and start, what is open stays live and ends up true, without a reload and without a jump.

Open at the same time: the console's first page, the folder with 20,000 machines, a machine's page, and `olimpus watch`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, ROOT, Product, Visitors

pytestmark = pytest.mark.browser
MACHINES, PATIENCE = 360, 120.0
MOST_SHIFT = 0.1  # what "good" means in Core Web Vitals
SHIFTS = """
window.shift = 0
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value
}).observe({ type: "layout-shift", buffered: true })
"""
OLIMPUS = Path(sys.executable).with_name("olimpus")


@pytest.fixture
def api(product: Product) -> Iterator[httpx.Client]:
    """The API, as the manager."""
    with httpx.Client(base_url=f"{product.address}/api/", auth=("manager", PASSWORD), timeout=60) as client:
        yield client


@pytest.fixture
def watch(product: Product, farm: str, tmp_path: Path, api: httpx.Client) -> Iterator[Path]:
    """What `olimpus watch` writes about the class, as a file that grows."""
    token = api.post("auth/tokens", json={"name": "watch"}).json()["token"]
    own = {"OLIMPUS_SERVER": product.address, "OLIMPUS_TOKEN": token, "HOME": str(tmp_path)}
    told, noted = tmp_path / "watch.jsonl", tmp_path / "watch.err"
    with told.open("wb") as out, noted.open("wb") as err:
        command = [OLIMPUS, "watch", f"{farm}/class", "-o", "json"]
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT, env={**os.environ, **own})
        try:
            until(lambda: b"360" in noted.read_bytes())
            yield told
        finally:
            process.terminate()
            process.wait(10)


def until(true: Callable[[], bool]) -> None:
    """Wait for something that will be so."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def opened(visitors: Visitors, who: str, address: str) -> Page:
    """A page that listens; a reload would lose its mark."""
    page = visitors.enter(who)
    page.add_init_script(SHIFTS)
    page.goto(address)
    page.wait_for_selector("html[data-feed=live]")
    page.evaluate("window.neverReloaded = true")
    return page


def do(api: httpx.Client, verb: str, path: str) -> None:
    """The verb on everything below, to its end."""
    node = api.get("nodes/by-path", params={"path": path}).json()["id"]
    operation = api.post(f"nodes/{node}/do/{verb}").json()["id"]
    until(lambda: api.get(f"operations/{operation}").json()["status"] not in ("queued", "running"))
    ended = api.get(f"operations/{operation}").json()
    assert (ended["status"], ended["counts"]["succeeded"]) == ("succeeded", MACHINES), ended


def all_running(product: Product) -> int:
    """How many machines run now in the whole tree, of other tests too."""
    with httpx.Client(base_url=f"{product.address}/api/", auth=("admin", PASSWORD), timeout=60) as admin:
        found = admin.get("nodes/brief", params={"path": "/", "state": "running", "page_size": 1}).json()
    return int(found["count"])


def states_told(told: Path) -> dict[int, str]:
    """The last state that `watch` told of each machine."""
    events = [json.loads(line) for line in told.read_text().splitlines()]
    return {event["node"]: event["state"] for event in events if event["state"]}


def test_all_that_is_open_stays_true_while_360_machines_start(
    visitors: Visitors, product: Product, api: httpx.Client, watch: Path, farm: str, shots: Path
) -> None:
    console = opened(visitors, "admin", "/admin/")
    folder = opened(visitors, "manager", f"/tree{farm}")
    machine = opened(visitors, "manager", f"/tree{farm}/class/vm-359")
    do(api, "create", f"{farm}/class")
    expect(machine.locator(".machine-state[data-state=created]")).to_be_visible()
    do(api, "start", f"{farm}/class")

    expect(machine.locator(".machine-state[data-state=running]:not([data-busy])")).to_be_visible()
    expect(folder.locator("[data-count=running] b")).to_have_text(str(MACHINES))
    expect(folder.locator("[data-count=starting] b")).to_have_text("0")
    running = console.locator("#states .chip", has=console.locator(".state-running")).locator("b")
    until(lambda: running.inner_text() == str(all_running(product)))
    expect(console.locator("[data-part=going-on]")).to_contain_text("Nobody has asked", timeout=30_000)
    class_ids = {
        row["id"] for row in api.get("nodes/brief", params={"path": f"{farm}/class", "depth": 1}).json()["results"]
    }
    until(lambda: states_told(watch) == dict.fromkeys(class_ids, "running"))
    for name, page in (("console", console), ("folder", folder), ("machine", machine)):
        page.screenshot(path=shots / f"live-{name}.png")
        assert page.evaluate("window.neverReloaded") is True, name
        assert page.evaluate("window.shift") <= MOST_SHIFT, name
