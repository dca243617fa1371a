"""The console's tree as people use it: with keys, by dragging, from its menu; live, in thousands, on a phone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessible import violations
from tests.browser.conftest import Product, Visitors
from tests.browser.ground import ground, states
from tests.browser.hands import Api, look, meant

pytestmark = pytest.mark.browser
TREE = "/admin/descriptors/node/tree/"
QUICK = 10.0  # seconds until a level of thousands is there, on two cores that do much else meanwhile


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """The API as the admin."""
    return Api(product)


def line(page: Page, path: str) -> Locator:
    """A line of the tree."""
    return page.locator(f'li[data-path="{path}"] > .branch-line')


def item(page: Page, path: str) -> Locator:
    """Its item, which has the focus and the folds."""
    return page.locator(f'li[data-path="{path}"]')


def open_tree(page: Page, *folders: str) -> None:
    """The tree, unfolded down to some folders."""
    page.goto(TREE)
    page.wait_for_selector("html[data-tree=ready]")
    page.wait_for_selector("html[data-feed=live]")
    for folder in folders:
        if item(page, folder).get_attribute("aria-expanded") == "false":
            line(page, folder).locator("[data-fold]").click()
        expect(item(page, folder)).to_have_attribute("aria-expanded", "true")


def yard(api: Api, name: str, machines: int = 3) -> str:
    """`/courses/<name>` with two folders: `from`, with some machines, and `to`, where the size is another."""
    inside = {f"vm-{number}": {} for number in range(machines)}
    folders = {"from": {"descriptors": inside}, "to": {"common": {"flavor": "small"}}}
    return ground(api, f"{name}", folders=folders)


@pytest.mark.parametrize(
    ("who", "language", "width"), [("manager", "en", 1440), ("admin", "es", 390), ("admin", "es", 1440)]
)
def test_the_tree_by_keys(visitors: Visitors, api: Api, shots: Path, who: str, language: str, width: int) -> None:
    here = yard(api, f"keys-{language}-{width}")
    page = visitors.enter(who, language=language, width=width)
    open_tree(page)
    look(page, shots / f"tree-{language}-{width}.png")
    page.locator("[data-tree] [tabindex='0']").focus()
    page.keyboard.press("Home")
    top = page.evaluate("document.activeElement.dataset.path")
    page.keyboard.press("ArrowRight")  # unfolds, or goes inside when it is unfolded
    if top == "/":
        item(page, "/courses").focus()
        page.keyboard.press("ArrowRight")
    expect(item(page, here)).to_be_attached()
    page.keyboard.type(f"keys-{language}-{width}")
    expect(item(page, here)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(item(page, f"{here}/from")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("*")
    expect(item(page, f"{here}/from")).to_have_attribute("aria-expanded", "true")
    expect(item(page, f"{here}/from/vm-2")).to_be_visible()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("#tree-selection b")).to_contain_text("2")
    page.keyboard.press("Control+a")
    expect(page.locator("#tree-selection b")).to_contain_text("3")
    expect(page.locator(f'li[data-path^="{here}/from/"][aria-selected=true]')).to_have_count(3)
    look(page, shots / f"tree-chosen-{language}-{width}.png")
    page.keyboard.press("Escape")
    expect(page.locator("#tree-selection")).to_be_hidden()

    page.keyboard.press("Enter")
    expect(page.locator("[data-tree-shown] h2").first).to_be_focused()
    expect(page.locator("[data-tree-shown] .panel-path")).to_contain_text(f"{here}/from/vm-")
    expect(page.locator("[data-tree-details] .details, [data-tree-details] .definition-table").first).to_be_visible()
    look(page, shots / f"tree-panel-{language}-{width}.png")
    if width < 600:
        page.keyboard.press("Escape")
        expect(page.locator("[data-tree-shown]")).to_be_hidden()
    item(page, f"{here}/from").focus()
    page.keyboard.press("ArrowLeft")
    expect(item(page, f"{here}/from/vm-0")).to_be_hidden()

    page.keyboard.press("Shift+F10")
    menu = page.locator(".branch-menu")
    expect(menu.locator("[role=menuitem]").first).to_be_focused()
    page.keyboard.press("End")
    expect(menu.locator("[role=menuitem]").last).to_be_focused()
    look(page, shots / f"tree-menu-{language}-{width}.png")
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(item(page, f"{here}/from")).to_be_focused()
    page.reload()
    page.wait_for_selector("html[data-tree=ready]")
    expect(item(page, f"{here}/from")).to_be_visible()  # folds are kept


@pytest.mark.parametrize("language", ["en", "es"])
def test_dragging_a_folder_says_first_what_changes(visitors: Visitors, api: Api, shots: Path, language: str) -> None:
    here = yard(api, f"drag-{language}")
    page = visitors.enter("manager", language=language)
    open_tree(page, "/courses", here)
    start, end = line(page, f"{here}/from").bounding_box(), line(page, f"{here}/to").bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + 90, start["y"] + 12)
    page.mouse.down()
    page.mouse.move(end["x"] + 60, end["y"] + 6, steps=4)
    page.mouse.move(end["x"] + 95, end["y"] + 14, steps=4)
    expect(page.locator(".drag-tip")).to_contain_text("to")
    page.mouse.up()
    dialog = page.locator("#dialog")
    expect(dialog.locator("[data-plan-region] .plan-paths")).to_contain_text(f"{here}/to/from")
    expect(dialog.locator("[data-plan-region] .plan-rows").first).to_contain_text("flavor")
    assert not violations(page)
    page.screenshot(path=shots / f"tree-drag-{language}.png")
    page.keyboard.press("Escape")
    expect(item(page, f"{here}/from")).to_be_visible()  # nothing was moved
    line(page, f"{here}/from").drag_to(line(page, f"{here}/to"))
    dialog.locator("[data-go]").click()
    expect(item(page, f"{here}/to/from")).to_be_visible()
    expect(item(page, f"{here}/from")).to_have_count(0)
    assert set(states(api, here)) == {f"{here}/to/from/vm-{number}" for number in range(3)}


@pytest.mark.parametrize(("who", "language", "width"), [("admin", "en", 390), ("manager", "es", 1440)])
def test_cut_paste_rename_new_and_delete(
    visitors: Visitors, api: Api, shots: Path, who: str, language: str, width: int
) -> None:
    here = yard(api, f"shape-{language}-{width}")
    page = visitors.enter(who, language=language, width=width)
    open_tree(page, *(["/"] if who == "admin" else []), "/courses", here, f"{here}/from")
    dialog = page.locator("#dialog")
    item(page, f"{here}/from/vm-0").focus()
    page.keyboard.press("Control+x")
    expect(page.locator("[data-tree-told]")).to_contain_text("1")
    item(page, f"{here}/to").focus()
    page.keyboard.press("Control+v")
    expect(dialog.locator("[data-plan-region] .plan-paths")).to_contain_text(f"{here}/to/vm-0")
    dialog.locator("#place-to").fill(f"{here}/nowhere")
    expect(dialog.locator("[data-plan-region] [role=alert]")).to_be_visible()
    expect(dialog.locator("[data-go]")).to_be_disabled()
    look(page, shots / f"tree-paste-{language}-{width}.png")
    dialog.locator("#place-to").fill(f"{here}/to")
    dialog.locator("[data-go]:enabled").click()
    expect(item(page, f"{here}/to/vm-0")).to_be_focused()

    page.keyboard.press("F2")
    expect(dialog.locator("#name-given")).to_be_focused()
    look(page, shots / f"tree-rename-{language}-{width}.png")
    dialog.locator("#name-given").fill("no/name")
    page.keyboard.press("Enter")
    expect(dialog.locator("[data-slot=error]")).to_be_visible()
    meant(visitors, status=400)
    dialog.locator("#name-given").fill("gate")
    page.keyboard.press("Enter")
    expect(item(page, f"{here}/to/gate")).to_be_focused()  # the dialog has closed, too

    item(page, f"{here}/to").focus()
    page.keyboard.press("Shift+F10")
    page.click(".branch-menu a[href$='/folder/']")
    dialog.locator("#name-given").fill("later")
    page.keyboard.press("Enter")
    expect(item(page, f"{here}/to/later")).to_be_focused()
    api.lay_out(f"{here}/to/by-another")
    expect(item(page, f"{here}/to/by-another")).to_be_visible()
    expect(item(page, f"{here}/to/later")).to_be_focused()  # what others do takes nobody's place away

    item(page, f"{here}/to/gate").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    page.keyboard.press("Delete")
    expect(dialog.locator(".ask-names")).to_contain_text(f"{here}/to/gate")
    look(page, shots / f"tree-delete-{language}-{width}.png")
    dialog.locator("#ask-number").fill("1")
    page.keyboard.press("Enter")
    expect(item(page, f"{here}/to/gate")).to_have_count(0)
    assert set(states(api, here)) == {f"{here}/from/vm-1", f"{here}/from/vm-2"}


def test_a_verb_on_many_and_what_another_does_is_seen(visitors: Visitors, api: Api, shots: Path) -> None:
    here = yard(api, "verbs", machines=6)
    teacher, operator = visitors.enter("manager", language="es"), visitors.enter("admin", width=390)
    open_tree(teacher, "/courses", here, f"{here}/from")
    open_tree(operator, "/", "/courses", here, f"{here}/from")
    for page in (teacher, operator):
        page.evaluate("window.neverReloaded = true")
    line(teacher, f"{here}/from/vm-0").click()
    line(teacher, f"{here}/from/vm-4").click(modifiers=["Shift"])
    line(teacher, f"{here}/from/vm-2").click(modifiers=["Control"])
    bar = teacher.locator("#tree-selection")
    expect(bar.locator("b").first).to_contain_text("4")
    bar.locator("button[formaction*='/create']").click()
    expect(teacher.locator("#operations-here .operation")).to_be_visible()
    teacher.screenshot(path=shots / "tree-verb.png")
    for page in (teacher, operator):
        expect(page.locator(f'li[data-path^="{here}/from/"] > .branch-line[data-state=created]')).to_have_count(4)
    for number, state in enumerate(["created", "created", "provisioned", "created", "created", "provisioned"]):
        expect(line(operator, f"{here}/from/vm-{number}").locator(".state")).to_have_attribute("data-state", state)
    operator.locator(f'li[data-path="{here}/from/vm-3"] [data-pick]').click()
    operator.locator(f'li[data-path="{here}/from/vm-4"] [data-pick]').click()
    expect(operator.locator("#tree-selection")).to_be_visible()
    assert not violations(operator)
    operator.locator("#tree-selection button[formaction*='/start']").click()
    expect(line(teacher, f"{here}/from/vm-4").locator(".state-running")).to_be_visible()
    expect(line(teacher, f"{here}/from/vm-3").locator(".state-running")).to_be_visible()
    expect(line(teacher, f"{here}/from").locator("[data-badges] .state-running")).to_contain_text("2")
    api.lay_out(f"{here}/born-later")
    expect(item(teacher, f"{here}/born-later")).to_be_visible()
    assert not violations(teacher)
    assert teacher.evaluate("window.neverReloaded") is operator.evaluate("window.neverReloaded") is True


def test_twenty_thousand_stay_quick(visitors: Visitors, farm: str, shots: Path) -> None:
    page = visitors.enter("manager", language="es")
    open_tree(page, farm)
    began = time.monotonic()
    line(page, f"{farm}/flat").locator("[data-fold]").click()
    rows = page.locator(f'li[data-path^="{farm}/flat/"]')
    expect(rows).to_have_count(200)
    page.locator("[data-more] button").first.click()
    expect(rows).to_have_count(400)
    assert time.monotonic() - began < QUICK
    page.fill("[data-tree-filter] input", "vm-09639")
    expect(line(page, f"{farm}/flat/vm-09639")).to_be_visible()
    expect(page.locator("[data-tree-told]")).to_contain_text("1")
    assert not violations(page)
    page.screenshot(path=shots / "tree-filter.png")
    page.keyboard.press("ArrowDown")
    expect(item(page, farm)).to_be_focused()
    page.fill("[data-tree-filter] input", "no such machine")
    expect(rows).to_have_count(0)
    page.fill("[data-tree-filter] input", "")
    expect(rows).to_have_count(400)  # as it was
    line(page, f"{farm}/flat").click()
    expect(page.locator("[data-tree-shown] h2")).to_contain_text("flat")
    expect(page.locator("[data-tree-shown] .chips")).to_be_visible()
