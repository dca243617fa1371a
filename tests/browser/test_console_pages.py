"""A machine's console in the browser, on the mock: typing and reading, watching, losing the right, a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import WIDTHS, Api, look, meant

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
    console(page, api, "web", "?kind=serial")
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


def test_who_watches_sees_what_is_typed_and_cannot_type(visitors: Visitors, shots: Path, api: Api) -> None:
    typist, watcher = visitors.enter("typist"), visitors.enter("watchful")
    console(typist, api, "web", "?kind=serial")
    console(watcher, api, "web", "?kind=serial&mode=watch")
    expect(watcher.locator(".glass-badge")).to_be_visible()
    expect(watcher.locator("[data-others]")).to_contain_text("typist")
    expect(watcher.locator("[data-do=paste]")).to_have_count(0)
    watcher.keyboard.type("echo intruder\n")
    watcher.keyboard.press("Enter")
    typist.keyboard.type("echo owner\n")
    shows(watcher, "owner")
    expect(typist.locator("[data-others]")).to_contain_text("watchful")
    expect(typist.locator(".xterm-rows")).not_to_contain_text("intruder")
    look(watcher, shots / "console-watch-only.png")


def test_a_right_that_is_taken_back_closes_it_with_words(visitors: Visitors, shots: Path, api: Api) -> None:
    page = visitors.enter("typist", language="es", width=390)
    console(page, api, "exam", "?kind=serial")
    local = f"nodes/{api.node(f'{PLACE}/exam')['id']}/definition"
    api.ask("PATCH", local, json={"rights": {"user": {"console": False}}})
    expect(page.locator("[data-message]")).to_have_text("Ya no puedes usar esta consola.")
    look(page, shots / "console-closed-es-phone.png")
    with page.expect_response("**/console/ticket"):
        page.locator("[data-word] [data-do=again]").click()
    expect(page.locator("[data-message]")).to_have_text("No puedes mirar su consola.")
    meant(visitors, status=403)


def test_power_that_goes_is_told_and_the_console_comes_back(visitors: Visitors, shots: Path, api: Api) -> None:
    page = visitors.enter("typist")
    console(page, api, "off", "?kind=serial")
    api.do("force_off", f"{PLACE}/off")
    expect(page.locator("[data-message]")).to_have_text("The machine was switched off.")
    look(page, shots / "console-off.png")
    api.do("start", f"{PLACE}/off")
    page.locator("[data-word] [data-do=again]").click()
    expect(page.locator("body[data-state=open]")).to_be_visible()


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_a_screen_shows_pixels_and_takes_keys(visitors: Visitors, shots: Path, api: Api, width: str) -> None:
    page = visitors.enter("typist", width=WIDTHS[width])
    page.goto(f"/-/nodes/{api.node(f'{PLACE}/web')['id']}/console?kind=vnc")
    expect(page.locator("body[data-state=open]")).to_be_visible()
    canvas = page.locator(".glass-pane canvas")
    expect(canvas).to_have_attribute("width", "480")
    before = ink(page)
    page.keyboard.type("help\n")
    page.wait_for_function("before => window.glassInk() > before + 500", arg=before)
    look(page, shots / f"console-screen-{width}.png")
    page.click("[data-do=ctrl-alt-del]")
    page.click("[data-do=scale]")
    look(page, shots / f"console-screen-unscaled-{width}.png")


def ink(page: Page) -> int:
    """How many dots of the screen are lit."""
    page.evaluate("""() => { window.glassInk = () => {
        const canvas = document.querySelector(".glass-pane canvas")
        const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        let lit = 0
        for (let place = 0; place < dots.length; place += 4) lit += dots[place] > 128
        return lit
    } }""")
    page.wait_for_function("() => window.glassInk() > 100")
    return int(page.evaluate("() => window.glassInk()"))


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_the_console_is_one_click_away_while_it_is_on(visitors: Visitors, shots: Path, api: Api, width: str) -> None:
    page = visitors.enter("typist", width=WIDTHS[width])
    for name, address in (("home", "/"), ("folder", f"/tree{PLACE}"), ("machine", f"/tree{PLACE}/web")):
        page.goto(address)
        expect(page.locator(".console-open:visible").first).to_be_visible()
        look(page, shots / f"console-ways-{name}-{width}.png")
    expect(page.locator(".machine-state .picture:not(.no-picture) img")).to_be_visible()
    page.locator(".console-open:visible").first.click()
    expect(page.locator("body[data-state=open]")).to_be_visible()
