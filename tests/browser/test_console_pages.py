"""A machine's console in the browser, on the mock: typing and reading, watching, losing the right, a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import WIDTHS, Api, look

pytestmark = pytest.mark.browser
PLACE = "/console-walk"


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """Machines that run, a pupil who uses them, a teacher who manages them."""
    api = Api(product)
    common = {"hypervisor": api.hypervisor("consoles"), "image": "debian-12", "cpus": 1}
    machines = {name: {} for name in ("web", "exam", "off")}
    api.lay_out(PLACE, common=common, descriptors=machines)
    api.person("typist", PLACE)
    api.person("watchful", PLACE, role="manager", kind="manager")
    for name in machines:
        api.do("create", f"{PLACE}/{name}")
        api.do("start", f"{PLACE}/{name}")
    return api


def console(page: Page, api: Api, name: str, query: str = "") -> None:
    """Open a machine's console and wait until it shows something."""
    page.goto(f"/-/nodes/{api.node(f'{PLACE}/{name}')['id']}/console{query}")
    expect(page.locator("body[data-state=open]")).to_be_visible()
    shows(page, "root@")


def shows(page: Page, text: str) -> None:
    expect(page.locator(".xterm-rows")).to_contain_text(text)


@pytest.mark.parametrize(("language", "width"), [("en", "desk"), ("es", "phone")])
def test_a_command_is_typed_and_answered(visitors: Visitors, shots: Path, api: Api, language: str, width: str) -> None:
    page = visitors.enter("typist", language=language, width=WIDTHS[width])
    console(page, api, "web")
    page.keyboard.type("echo @#|€ñ\n")
    shows(page, "@#|€ñ")
    page.keyboard.type("hostname\n")
    shows(page, "web")
    look(page, shots / f"console-text-{language}-{width}.png")
    page.click("[data-do=paste]")
    page.fill("[data-paste-text]", "echo pasted\necho twice\n")
    look(page, shots / f"console-paste-{language}-{width}.png")
    page.click("[data-paste] button[value=type]")
    shows(page, "twice")
    if width == "phone":
        page.click("[data-do=keyboard]")
        page.click("[data-key=Control]")
        page.keyboard.type("c")
        shows(page, "^C")
        look(page, shots / f"console-keys-{language}-{width}.png")
