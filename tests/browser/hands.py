"""What people do with a page, and what the tests arrange behind the scenes through the API."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser.accessible import violations
from tests.browser.conftest import PASSWORD, WAIT, Product, Visitors

WIDTHS = {"phone": 390, "desk": 1440}
OPEN = ("queued", "running")
PATIENCE = 60.0  # seconds
#: How the name of a picture ends: in which language, at which width.
VARIANT = re.compile(r"(-(en|es|phone|desk|\d+))+$")
_seen: set[str] = set()
expect.set_options(timeout=WAIT)  # as patient as everything else: the machine may be busy


class Api:
    """The API as the admin (or somebody else): arranges the places that a test walks through."""

    def __init__(self, product: Product, who: str = "admin"):
        self.client = httpx.Client(base_url=f"{product.address}/api/", auth=(who, PASSWORD), timeout=60)

    def ask(self, method: str, address: str, **more: Any) -> Any:
        """The answer, which must be good."""
        answer = self.client.request(method, address, **more)
        assert answer.is_success, f"{method} {address}: {answer.text}"
        return answer.json() if answer.content else None

    def node(self, path: str) -> dict[str, Any]:
        """A node by its path."""
        found: dict[str, Any] = self.ask("GET", "nodes/by-path", params={"path": path})
        return found

    def lay_out(self, path: str, **document: Any) -> str:
        """Apply a document; returns the path."""
        self.ask("POST", "apply", json={"path": path, **document})
        return path

    def person(self, name: str, path: str = "", role: str = "user", kind: str = "simple") -> str:
        """An account with the suite's password and, on a folder, a role; returns its name."""
        self.ask("POST", "users", json={"username": name, "password": PASSWORD, "kind": kind})
        if path:
            self.ask("POST", f"nodes/{self.node(path)['id']}/grants", json={"role": role, "user": name})
        return name

    def take_access(self, path: str) -> None:
        """Nobody has a role on the folder any more."""
        node = self.node(path)["id"]
        for grant in self.ask("GET", f"nodes/{node}/grants"):
            if not grant["inherited"]:
                self.ask("DELETE", f"nodes/{node}/grants/{grant['id']}")

    def do(self, verb: str, path: str, /, **arguments: Any) -> dict[str, Any]:
        """A verb to its end; returns the operation."""
        operation = self.ask("POST", f"nodes/{self.node(path)['id']}/do/{verb}", json=arguments)["id"]

        def told() -> dict[str, Any]:
            found: dict[str, Any] = self.ask("GET", f"operations/{operation}")
            return found

        until(lambda: told()["status"] not in OPEN)
        return told()

    def hypervisor(self, name: str, **settings: Any) -> str:
        """A mock hypervisor with these settings, new or changed; returns its name."""
        found = self.ask("GET", "hypervisors", params={"page_size": 200})["results"]
        known = {one["name"]: one["id"] for one in found}
        fields = {"settings": {"latency": 0.1, **settings}, "reconcile_interval": 5}
        if name in known:
            self.ask("PATCH", f"hypervisors/{known[name]}", json=fields)
        else:
            self.ask("POST", "hypervisors", json={"name": name, "driver": "mock", **fields})
        return name


def until(true: Callable[[], bool]) -> None:
    """Wait for something that will be so."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def live(page: Page) -> None:
    """Wait until the page listens, and mark it: a reload would lose the mark."""
    page.wait_for_selector("html[data-feed=live]")
    page.evaluate("window.neverReloaded = true")


def never_reloaded(page: Page) -> bool:
    """Whether it is still the page that `live` marked."""
    return bool(page.evaluate("window.neverReloaded === true"))


def state_is(page: Page, state: str) -> None:
    """Wait until the machine's page shows a state and nothing goes on."""
    page.wait_for_selector(f".machine-state[data-state={state}]:not([data-busy])", timeout=WAIT)
    expect(page.locator(f".machine-state .state-{state}")).to_be_visible()


def bring_to(page: Page, verb: str, state: str) -> None:
    """Press the verb where it is in reach (the thumb's bar on a phone) and see the state arrive."""
    page.locator(f"[data-verb={verb}]:not([aria-disabled]):visible").first.click()
    state_is(page, state)


def look(page: Page, picture: Path) -> None:
    """Keep a picture of what is seen now; nothing of it may be inaccessible or wider than the screen.

    What was seen before in another language or width has the same markup: then only what the width changes is examined.
    """
    page.screenshot(path=picture)
    viewport = page.viewport_size
    assert viewport
    state = VARIANT.sub("", picture.stem)
    known = state in _seen
    _seen.add(state)
    wide = page.evaluate("document.documentElement.scrollWidth")
    faults = violations(page, markup=not known) + ([f"{wide} px wide"] if wide > viewport["width"] else [])
    assert not faults, f"{picture.stem} {page.url}\n" + "\n".join(faults)


def meant(visitors: Visitors, *, status: int) -> None:
    """The browser complained of an answer that the test provoked on purpose: it is no fault."""
    told = f"the server responded with a status of {status}"
    assert any(told in text for text in visitors.complaints), visitors.complaints
    visitors.complaints[:] = [text for text in visitors.complaints if told not in text]


def write(page: Page, text: str) -> None:
    """Replace what is in the page's editor."""
    editor = page.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
