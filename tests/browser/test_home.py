"""Home: a student's machines at a glance, a teacher's exceptions, the guided path, and nothing at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import WIDTHS, Api, live, look, never_reloaded

pytestmark = pytest.mark.browser
PLACE = "/home-walk"
WEB = {"image": "debian-12", "nics": [{"network": "lan", "ip": "10.9.0.7"}], "custom": {"ssh_user": "debian"}}


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """A class with a pupil, a teacher, and somebody who has nothing."""
    api = Api(product)
    good, bad = api.hypervisor("home-good"), api.hypervisor("home-bad", failure_rate=1, failure_kind="fatal")
    own = {"descriptors": {"web": WEB, "db": {"image": "debian-12"}}}
    broken = {"descriptors": {"web": {"image": "debian-12", "hypervisor": bad}}}
    api.lay_out(PLACE, common={"hypervisor": good}, folders={"paula": own, "broken": broken})
    api.person("paula", f"{PLACE}/paula")
    api.person("profe", PLACE, role="manager", kind="manager")
    api.person("nobody")
    api.person("starter", kind="manager")
    return api


@pytest.mark.parametrize(("language", "width"), [("en", "phone"), ("es", "desk")])
def test_a_student_starts_a_machine_from_its_card(
    visitors: Visitors, shots: Path, api: Api, language: str, width: str
) -> None:
    page = visitors.enter("paula", language=language, width=WIDTHS[width])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/")
    live(page)
    card = page.locator(".home-card", has=page.locator(f"a[href='/tree{PLACE}/paula/web']")).first
    expect(page.locator(".home-card")).to_have_count(2)
    expect(card.locator(".home-verb button:visible")).to_have_count(1)
    if card.get_attribute("data-state") == "provisioned":
        card.locator("button[data-verb=create]").click()
        expect(card.locator("button[data-verb=start]:not([aria-disabled])")).to_be_visible()
    card.locator("button[data-verb=start]").click()
    expect(card.locator(".state-running")).to_be_visible()
    card.locator("button[data-copy='ssh debian@10.9.0.7']").click()
    expect(card.locator(".copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "ssh debian@10.9.0.7"
    expect(page.locator("[data-refresh*=operations] .operation").first).to_be_visible()
    look(page, shots / f"home-student-{language}-{width}.png")
    card.locator("button[data-verb=stop]:not([aria-disabled])").click()
    expect(card.locator(".state-stopped")).to_be_visible()
    assert never_reloaded(page)


@pytest.mark.parametrize(("language", "width"), [("es", "phone"), ("en", "desk")])
def test_a_teacher_sees_who_is_not_ready(visitors: Visitors, shots: Path, api: Api, language: str, width: str) -> None:
    if api.node(f"{PLACE}/broken/web")["state"] != "failed":
        api.do("create", f"{PLACE}/broken/web")
    page = visitors.enter("profe", language=language, width=WIDTHS[width])
    page.goto("/")
    trouble = page.locator(".trouble-list li")
    expect(trouble).to_have_count(1)
    expect(trouble).to_contain_text("The mock hypervisor refuses" if language == "en" else "home-bad")
    expect(trouble.locator("button[data-verb=recover]")).to_be_visible()
    expect(page.locator(f".place a[href='/tree{PLACE}?state=failed'] b")).to_have_text("1")
    look(page, shots / f"home-teacher-{language}-{width}.png")
    page.click(f".place a[href='/tree{PLACE}?state=failed']")
    expect(page.locator("tr[data-node]:visible")).to_have_count(1)


@pytest.mark.parametrize(("who", "language", "width"), [("nobody", "es", "phone"), ("nobody", "en", "desk")])
def test_an_empty_home_says_what_to_expect(
    visitors: Visitors, shots: Path, api: Api, who: str, language: str, width: str
) -> None:
    page = visitors.enter(who, language=language, width=WIDTHS[width])
    page.goto("/")
    expect(page.locator(".nothing-actions")).to_contain_text("nobody")
    expect(page.locator(".home-card, .guide")).to_have_count(0)
    look(page, shots / f"home-empty-{language}-{width}.png")


def step(page: Page, number: int) -> None:
    """Home, where the first steps are done and the next one is not."""
    page.goto("/")
    expect(page.locator(".guide-steps li.done")).to_have_count(number)


def test_the_guided_path_is_walked_and_closed(visitors: Visitors, shots: Path, api: Api) -> None:
    place = api.lay_out("/guide-walk", common={"hypervisor": "home-good", "image": "debian-12"})
    api.ask("POST", f"nodes/{api.node(place)['id']}/grants", json={"role": "manager", "user": "starter"})
    page = visitors.enter("starter", width=390)
    step(page, 0)
    page.click(".guide-steps li:nth-child(1) .btn")
    page.fill("textarea[name=document]", f"path: {place}/first\ndescriptors:\n  web: {{}}\n  db: {{}}\n")
    page.click("button[value=plan]")
    expect(page.locator("[data-plan]")).to_contain_text("first/web")
    page.click("button[value=apply]")
    step(page, 1)
    page.click(".guide-steps li:nth-child(2) .btn")
    page.wait_for_url(f"**/tree{place}/first")
    live(page)
    for verb, state in (("create", "created"), ("start", "running")):
        page.check("[data-select-all]") if page.locator("[data-select-all]:visible").count() else choose_all(page)
        page.locator(f"#selection button[value={verb}]:visible").click()
        page.locator("dialog[open] .btn-primary").click()
        expect(page.locator(f"tr[data-node] .state-{state}")).to_have_count(2)
    step(page, 2)
    page.click(".guide-steps li:nth-child(3) button")
    page.wait_for_url(f"**/tree{place}/first/*")
    noticed = page.locator(".machine-state[data-state=stopped], .machine-state [data-mark=drift]:visible")
    expect(noticed.first).to_be_visible(timeout=30_000)
    step(page, 3)
    page.click(".guide-steps li:nth-child(4) .btn")
    live(page)
    repair = "#details .card:has(h2 .drift) button[data-verb]:visible, [data-verb=start]:not([aria-disabled]):visible"
    with page.expect_response(re.compile("/(ask|do)/")) as answer:
        page.locator(repair).first.click()
    if "/ask/" in answer.value.url:  # what loses something asks first
        with page.expect_response("**/do/**"):
            page.click("dialog[open] .ask-buttons button")
    step(page, 4)
    look(page, shots / "guide-phone.png")
    page.goto(f"/tree{place}/first?tab=access")
    page.fill("#grant-holder", "paula")
    page.click(".grant-form button.btn-primary")
    expect(page.locator("a", has_text="paula").first).to_be_visible()
    step(page, 5)
    look(page, shots / "guide-done.png")
    page.click(".guide form .btn")
    expect(page.locator(".guide")).to_have_count(0)
    again = visitors.enter("starter")
    again.goto("/")
    expect(again.locator(".guide")).to_have_count(0)
    again.goto("/accounts/profile/")
    again.click("form[action='/-/guide/close'] button")
    expect(again.locator(".guide")).to_be_visible()


def choose_all(page: Page) -> None:
    """On a phone each line is chosen by itself."""
    for box in page.locator("tr[data-node] input[data-select]").all():
        box.check()
