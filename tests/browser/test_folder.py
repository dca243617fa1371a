"""A folder's page with many machines: filters, views, columns, keys, the selection bar, verbs on many and their results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import WIDTHS, Api, live, look, never_reloaded, until

pytestmark = pytest.mark.browser
PLACE = "/folder-walk"
MOST_SHIFT = 0.1  # what "good" means in Core Web Vitals
SHIFTS = """
window.shift = 0
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value
}).observe({ type: "layout-shift", buffered: true })
"""


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """A class of 30 machines in three rooms; ten of them on a hypervisor that refuses."""
    api = Api(product)
    good, bad = api.hypervisor("folder-good"), api.hypervisor("folder-bad", failure_rate=1, failure_kind="fatal")
    seats = {f"vm-{seat}": {} for seat in range(10)}
    rooms = {f"room-{number}": {"descriptors": seats} for number in (1, 2)}
    rooms["room-3"] = {"common": {"hypervisor": bad}, "descriptors": seats}
    api.lay_out(PLACE, common={"hypervisor": good, "image": "debian-12"}, folders=rooms)
    for room in rooms:
        api.do("create", f"{PLACE}/{room}")
    api.person("folder-teacher", PLACE, role="manager", kind="manager")
    return api


def enter(visitors: Visitors, language: str, width: str) -> Page:
    """The teacher's page, which counts how much moves by itself."""
    page = visitors.enter("folder-teacher", language=language, width=WIDTHS[width])
    page.add_init_script(SHIFTS)
    return page


@pytest.mark.parametrize(("language", "width"), [("en", "phone"), ("es", "desk")])
def test_filters_as_one_types_are_kept_applied_and_deleted(
    visitors: Visitors, shots: Path, api: Api, language: str, width: str
) -> None:
    page = enter(visitors, language, width)
    page.goto(f"/tree{PLACE}")
    live(page)
    field = page.locator("#filters input[name=q]")
    field.click()
    page.keyboard.type("vm-7", delay=60)
    expect(page.locator(".results [data-item] a[href$=vm-7]")).to_have_count(3)
    expect(field).to_be_focused()
    expect(field).to_have_value("vm-7")
    assert "q=vm-7" in page.url
    page.click("#filters .dropdown:has(input[name=state]) > button")
    look(page, shots / f"folder-states-{language}-{width}.png")
    for state in ("created", "failed"):
        page.check(f"#filters input[name=state][value={state}]")
        page.wait_for_url(re.compile(f"state={state}"))
    expect(page.locator("[data-count-of=state]")).to_have_text("2")
    page.keyboard.press("Escape")
    page.fill(".keep-form input[name=name]", f"sevens {language}")
    page.press(".keep-form input[name=name]", "Enter")
    kept = page.locator(".kept-chip", has_text=f"sevens {language}")
    expect(kept).to_be_visible()
    page.click("[data-clear]")
    expect(field).to_have_value("")
    # Else the link leads to where we are, and makes no step to go back.
    page.wait_for_url(lambda url: "vm-7" not in url)
    kept.locator("a").click()
    expect(page.locator("#filters input[name=q]")).to_have_value("vm-7")
    look(page, shots / f"folder-kept-{language}-{width}.png")
    kept.locator("button").click()
    expect(kept).to_have_count(0)
    page.go_back()
    expect(page.locator("#filters")).to_be_visible()


@pytest.mark.parametrize(("language", "width"), [("es", "phone"), ("en", "desk")])
def test_views_folds_and_columns_are_remembered(
    visitors: Visitors, shots: Path, api: Api, language: str, width: str
) -> None:
    page = enter(visitors, language, width)
    for view in ("cards", "grid", "table"):
        page.goto(f"/tree{PLACE}?below=1")
        page.click(f".views [data-value={view}]")
        page.wait_for_url(f"**view={view}*")
        expect(page.locator(".results [data-node]:visible, .results [data-group]").first).to_be_visible()
        look(page, shots / f"folder-{view}-{language}-{width}.png")
    page.click("[data-fold-all]")
    expect(page.locator(".results tr[data-node]:visible")).to_have_count(0)
    page.locator(".group-head [data-fold]").first.click()
    expect(page.locator(".results tr[data-node]:visible")).to_have_count(10)
    page.click("[data-unfold-all]")
    expect(page.locator(".results tr[data-node]:visible")).to_have_count(30)
    if width == "desk":  # a phone has lines instead of columns
        columns_are_remembered(page)


def columns_are_remembered(page: Page) -> None:
    """The columns that are chosen in one folder are those of the next one."""
    for chosen in (True, False):
        page.goto(f"/tree{PLACE}?below=1&view=table")
        page.click(".columns-menu > button")
        box = page.locator("[data-column=hypervisor]")
        if box.is_checked() != chosen:
            with page.expect_response("**/-/preferences"):
                box.set_checked(chosen)
        page.goto(f"/tree{PLACE}/room-1?view=table")
        expect(page.locator(".results [data-node]")).to_have_count(10)
        expect(page.locator("td.cell-hypervisor").first).to_be_visible(visible=chosen)


def test_a_list_by_keyboard(visitors: Visitors, shots: Path, api: Api) -> None:
    page = enter(visitors, "es", "desk")
    page.goto(f"/tree{PLACE}/room-1?view=table")
    for key in ("j", "j", "x", "j", "j", "Shift+X"):
        page.keyboard.press(key)
    expect(page.locator("[data-selected]")).to_have_text("3")
    page.keyboard.press("?")
    expect(page.locator("dialog[open] dl").first).to_be_visible()
    look(page, shots / "keys-es-desk.png")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tree{PLACE}/room-1/vm-2")


def test_verbs_on_many_with_counts_progress_reasons_and_retry(visitors: Visitors, shots: Path, api: Api) -> None:
    page = enter(visitors, "en", "desk")
    page.goto(f"/tree{PLACE}?below=1&view=table")
    live(page)
    page.click("[data-unfold-all]")
    expect(page.locator(".results tr[data-node]:visible")).to_have_count(30)
    page.check("[data-select-all]")
    start = page.locator("#selection button[value=start]")
    expect(start).to_contain_text("20 of 30")
    look(page, shots / "selection-en-desk.png")
    start.click()
    expect(page.locator("dialog[open]")).to_contain_text("10")
    look(page, shots / "selection-question-en-desk.png")
    page.click("dialog .btn-primary")
    expect(page.locator("#operations-here .operation")).to_be_visible()
    expect(page.locator("[data-count=running] b")).to_have_text("20", timeout=30_000)
    assert never_reloaded(page)
    assert page.evaluate("window.shift") <= MOST_SHIFT


@pytest.mark.parametrize(("language", "width"), [("en", "phone"), ("es", "desk")])
def test_what_failed_is_told_by_reason_and_asked_again(
    visitors: Visitors, shots: Path, api: Api, language: str, width: str
) -> None:
    path = api.lay_out(
        f"{PLACE}/again-{language}", descriptors={f"vm-{seat}": {"hypervisor": "folder-bad"} for seat in range(3)}
    )
    page = enter(visitors, language, width)
    page.goto(f"/tree{path}")
    live(page)
    page.click(".page-actions .dropdown:first-child > button")
    page.click(".dropdown-menu.show [formaction$='/ask/create']")
    look(page, shots / f"many-question-{language}-{width}.png")
    page.click("dialog .btn-primary")
    again = page.locator("#operations-here .reasons .again button")
    expect(again).to_be_visible(timeout=30_000)
    look(page, shots / f"many-failed-{language}-{width}.png")
    again.click()
    until(lambda: {one["state"] for one in below(api, path)} == {"provisioned"})
    api.hypervisor("folder-bad", failure_rate=0)
    api.do("create", path)
    api.hypervisor("folder-bad", failure_rate=1, failure_kind="fatal")
    page.goto(f"/tree{path}")
    expect(page.locator("[data-count=created] b")).to_have_text("3")


def below(api: Api, path: str) -> list[dict[str, str]]:
    """The machines of a folder."""
    found: list[dict[str, str]] = api.ask("GET", "nodes/brief", params={"path": path, "depth": 1})["results"]
    return [one for one in found if one.get("state")]


def test_all_that_match_across_pages(visitors: Visitors, shots: Path, farm: str) -> None:
    page = visitors.enter("manager", language="es", width=1440)
    page.add_init_script(SHIFTS)
    page.goto(f"/tree{farm}/flat?view=table")
    live(page)
    page.check("[data-select-all]")
    matching = page.locator("[data-select-matching]")
    expect(matching).to_be_visible()
    matching.click()
    expect(page.locator("[data-selected]")).to_have_text(re.compile(r"9\D?640"))
    page.locator("#selection button[value=create]").click()
    expect(page.locator("dialog[open] .ask-names")).to_be_visible()
    look(page, shots / "thousands-question-es-desk.png")
    page.keyboard.press("Escape")
    page.fill("#filters input[name=q]", "vm-0000")
    expect(page.locator(".results tr[data-node]")).to_have_count(10)
    assert page.evaluate("window.shift") <= MOST_SHIFT
