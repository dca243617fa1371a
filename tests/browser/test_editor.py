"""The editor of definitions: names offered, faults at their lines, result and plan while one types, two people at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessible import violations
from tests.browser.conftest import PASSWORD, WAIT, Product, Visitors
from tests.browser.ground import ground, number, written
from tests.browser.hands import Api, look, meant

pytestmark = pytest.mark.browser
DOOR = {"portal": "/-/nodes/{}/edit", "console": "/admin/descriptors/node/{}/definition/"}


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """The API as the admin."""
    return Api(product)


def desk(api: Api, name: str) -> tuple[str, int]:
    """A folder with two machines, one of them created: its path and its id."""
    path = ground(api, f"{name}", folders={"lab": {"descriptors": {"web": {"memory_mib": 512}, "db": {}}}})
    return path, number(api, f"{path}/lab")


def open_editor(page: Page, door: str, node: int) -> None:
    """The editor, ready to be written in."""
    page.goto(DOOR[door].format(node))
    expect(page.locator(".editing .cm-content")).to_be_visible()


def write(page: Page, text: str) -> None:
    """Replace everything in the editor, by keys."""
    page.locator(".editing .cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


@pytest.mark.parametrize(
    ("who", "door", "language", "width"),
    [("manager", "portal", "en", 1440), ("admin", "console", "es", 390), ("manager", "console", "es", 1440)],
)
def test_writing_a_definition(
    visitors: Visitors, api: Api, shots: Path, who: str, door: str, language: str, width: int
) -> None:
    path, node = desk(api, f"editor-{language}-{width}")
    page = visitors.enter(who, language=language, width=width)
    shot = f"{door}-{language}-{width}.png"
    if door == "portal":
        page.goto(f"/tree{path}/lab?tab=definition")
        page.click(".card-title-row a[href$='/edit']")
        expect(page.locator(".editing .cm-content")).to_be_visible()
    else:
        open_editor(page, door, node)
    page.locator(".editing .cm-content").click()
    page.keyboard.type("fla", delay=20)
    offered = page.locator(".cm-tooltip-autocomplete")
    expect(offered).to_contain_text("flavor")
    page.wait_for_timeout(150)  # the list takes no key in its first moment, lest one chooses by accident
    look(page, shots / f"editor-offers-{shot}")
    page.keyboard.press("Enter")
    expect(page.locator(".editing .cm-content")).to_contain_text("flavor: ")
    expect(offered).to_contain_text("small")
    page.keyboard.press("Escape")
    write(page, "labels:\n  week: 12\nflavour: small\n")
    fault = page.locator("[data-editor-faults] li")
    expect(fault).to_contain_text("flavour")
    expect(fault).to_have_attribute("data-line", "3")
    expect(page.locator(".editing .cm-lint-marker-error")).to_have_count(1)
    expect(page.locator("[data-plan-card]")).to_be_hidden()
    look(page, shots / f"editor-fault-{shot}")
    fault.locator("button").click()
    expect(page.locator(".editing .cm-activeLine")).to_contain_text("flavour")

    write(page, "flavor: small\n")
    expect(page.locator("[data-editor-faults] li")).to_have_count(0)
    computed = page.locator("[data-computed]")
    expect(computed.locator("tr[id='at-flavor']")).to_contain_text("small")
    plan = page.locator(".plan-card .plan")
    expect(plan).to_contain_text(f"{path}/lab/db")
    expect(page.locator("button[data-step=save].btn-primary")).to_be_visible()
    look(page, shots / f"editor-plan-{shot}")
    link = computed.locator("tr[id='at-image'] td.origin a")
    expect(link).to_have_text(path)

    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    link.click()  # what was typed is not lost by this
    expect(page.locator(".editing .cm-content")).to_contain_text("flavor: small")
    assert asked == ["beforeunload"]
    page.locator(".editing .cm-content").click()
    page.keyboard.press("Control+s") if width > 600 else page.click("button[data-step=save]")
    expect(page.locator(".notice-success")).to_be_visible()
    assert written(api, f"{path}/lab") == {"flavor": "small"}


def test_an_origin_leads_to_the_value(visitors: Visitors, api: Api) -> None:
    path, _node = desk(api, "origins")
    page = visitors.enter("manager", language="es")
    page.goto(f"/tree{path}/lab/web?tab=definition")
    page.click("tr[id='at-image'] td.origin a")
    page.wait_for_url(f"**/tree{path}?tab=definition*")
    expect(page.locator(".cm-activeLine")).to_contain_text("image")
    open_editor(page, "console", number(api, f"{path}/lab/web"))
    page.click("tr[id='at-flavor'] td.origin a")
    page.wait_for_url("**/admin/descriptors/node/**")
    expect(page.locator("h1")).to_contain_text("origins")
    assert not violations(page)


def test_two_people_write_at_once(visitors: Visitors, api: Api, shots: Path) -> None:
    path, node = desk(api, "at-once")
    teacher, operator = visitors.enter("manager", width=390), visitors.enter("admin", language="es")
    open_editor(teacher, "portal", node)
    open_editor(operator, "console", node)
    write(operator, "flavor: small\n")
    expect(operator.locator("button[data-step=save].btn-primary")).to_be_visible()
    operator.click("button[data-step=save]")
    expect(operator.locator(".notice-success")).to_be_visible()
    write(teacher, "labels:\n  week: 12\n")
    expect(teacher.locator("[data-stale]")).to_contain_text("admin")  # while one types
    assert not violations(teacher)
    teacher.click("button[data-step=save]")
    told = teacher.locator("section.stale")
    expect(told).to_contain_text("admin")
    meant(visitors, status=400)
    expect(told.locator("ins")).to_contain_text("flavor: small")
    expect(teacher.locator(".editing .cm-content")).to_contain_text("week: 12")
    teacher.screenshot(path=shots / "editor-stale.png", full_page=True)
    assert not violations(teacher)
    assert written(api, f"{path}/lab") == {"flavor": "small"}
    write(teacher, "flavor: small\nlabels:\n  week: 12\n")
    teacher.click("button[data-step=save].btn-primary")  # not before its plan was seen
    expect(teacher.locator(".notice-success")).to_be_visible()
    assert written(api, f"{path}/lab") == {"flavor": "small", "labels": {"week": 12}}


def test_without_script(chromium: Browser, product: Product, api: Api) -> None:
    path, node = desk(api, "no-script")
    context = chromium.new_context(base_url=product.address, locale="es", java_script_enabled=False)
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.fill("input[name=username]", "manager")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.goto(DOOR["portal"].format(node))
    page.fill("textarea[name=definition]", "flavour: small\n")
    page.click("button[value=plan]")
    expect(page.locator("li.field-error")).to_contain_text("flavour")
    expect(page.locator("textarea[name=definition]")).to_have_value("flavour: small\n")
    page.fill("textarea[name=definition]", "flavor: small\n")
    page.click("button[value=plan]")
    expect(page.locator(".plan")).to_be_visible()
    page.click("button[value=save]")
    expect(page.locator(".notice-success")).to_be_visible()
    context.close()
    assert written(api, f"{path}/lab") == {"flavor": "small"}
