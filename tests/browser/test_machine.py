"""A machine's page: what it does now, what is in the way, what went wrong, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import WIDTHS, Api, bring_to, live, look, never_reloaded, state_is

pytestmark = pytest.mark.browser
PLACE = "/machine-walk"


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """A pupil with machines that work, one whose hypervisor refuses, one that was changed behind our back."""
    api = Api(product)
    good, bad = api.hypervisor("machine-good"), api.hypervisor("machine-bad", failure_rate=1, failure_kind="fatal")
    machines = {name: {} for name in ("en", "es", "drifted", "edited")} | {"bad": {"hypervisor": bad}}
    api.lay_out(PLACE, common={"hypervisor": good, "image": "debian-12", "cpus": 1}, descriptors=machines)
    api.person("machinist", PLACE)
    return api


@pytest.mark.parametrize(("language", "width"), [("en", "phone"), ("es", "desk")])
def test_verbs_snapshots_and_console_text(visitors: Visitors, shots: Path, api: Api, language: str, width: str) -> None:
    page = visitors.enter("machinist", language=language, width=WIDTHS[width])
    page.goto(f"/tree{PLACE}/{language}")
    live(page)
    assert page.locator(".thumb-bar").is_visible() is (width == "phone")
    bring_to(page, "create", "created")
    bring_to(page, "start", "running")
    says_why(page)
    page.click(".machine-verbs .dropdown > button")
    look(page, shots / f"machine-actions-{language}-{width}.png")
    page.keyboard.press("Escape")
    page.locator("#console summary").click()
    expect(page.locator("#console pre")).not_to_be_empty()
    bring_to(page, "stop", "stopped")
    keep_and_go_back(page, f"before-{language}")
    look(page, shots / f"machine-folds-{language}-{width}.png")
    assert never_reloaded(page)
    assert "snapshots" in page.url
    page.reload()
    expect(page.locator("#snapshots[open]")).to_be_visible()


def says_why(page: Page) -> None:
    """A button that cannot be pressed now tells its reason below, and does nothing."""
    button = page.locator(".machine-verbs button[aria-disabled=true]:visible").first
    if button.count() == 0:
        return
    button.click(force=True)
    expect(page.locator("[data-verbs-why]")).to_contain_text(str(button.get_attribute("title")))


def keep_and_go_back(page: Page, name: str) -> None:
    """Take a snapshot, revert to it, delete it."""
    page.locator("#snapshots summary").click()
    page.fill("#snapshot-name", name)
    page.press("#snapshot-name", "Enter")
    row = page.locator(".snapshot-table tr", has_text=name)
    expect(row).to_be_visible()
    for verb in ("revert", "delete_snapshot"):
        row.locator(f"a[href*='/ask/{verb}']").click()
        expect(page.locator("dialog[open] #ask-name")).to_have_value(name)
        page.click("dialog .ask-buttons button")
        expect(page.locator("dialog[open]")).to_have_count(0)
        state_is(page, "stopped")
    expect(row).to_have_count(0)


@pytest.mark.parametrize(("language", "width"), [("es", "phone"), ("en", "desk")])
def test_a_failure_says_what_to_do_next(visitors: Visitors, shots: Path, api: Api, language: str, width: str) -> None:
    if api.node(f"{PLACE}/bad")["state"] == "provisioned":
        api.do("create", f"{PLACE}/bad")
    page = visitors.enter("machinist", language=language, width=WIDTHS[width])
    page.goto(f"/tree{PLACE}/bad")
    live(page)
    expect(page.locator(".trouble h2")).to_contain_text("machine-bad")
    expect(page.locator(".trouble-reason")).not_to_be_empty()
    expect(page.locator(".trouble-steps button[data-copy]")).to_be_visible()
    look(page, shots / f"machine-failed-{language}-{width}.png")
    bring_to(page, "recover", "provisioned")
    assert never_reloaded(page)


def test_pending_changes_are_brought_by_their_button(visitors: Visitors, shots: Path, api: Api) -> None:
    path = f"{PLACE}/edited"
    api.do("create", path)
    page = visitors.enter("machinist", width=390)
    page.goto(f"/tree{path}")
    live(page)
    api.ask("PATCH", f"nodes/{api.node(path)['id']}/definition", json={"memory_mib": 1024})
    expect(page.locator("#changed")).to_be_visible()
    page.click("#changed a")
    pending = page.locator("#details .card", has=page.locator("del"))
    expect(pending.locator("ins")).to_contain_text("1024")
    look(page, shots / "machine-pending-phone.png")
    pending.locator("button[data-verb=reapply]").click()
    expect(pending).to_have_count(0)


def test_drift_is_shown_and_repaired(visitors: Visitors, product: Product, shots: Path, api: Api) -> None:
    path = f"{PLACE}/drifted"
    api.do("create", path)
    page = visitors.enter("machinist", language="es")
    page.goto(f"/tree{path}")
    live(page)
    product.manage("mock_drift", "machine-good", api.node(path)["vm_ref"], "--cpus", "8")
    expect(page.locator(".machine-state [data-mark=drift]")).to_be_visible(timeout=30_000)
    drift = page.locator("#details .card", has=page.locator("h2 .drift"))
    expect(drift).to_contain_text("8")
    look(page, shots / "machine-drift-es.png")
    drift.locator("button[data-verb]").click()
    if page.locator("dialog[open]").count():
        page.click("dialog .ask-buttons button")
    expect(drift).to_have_count(0, timeout=30_000)


def test_tabs_are_in_the_address_and_back_works(visitors: Visitors, shots: Path, api: Api) -> None:
    page = visitors.enter("machinist", language="es", width=390)
    page.goto(f"/tree{PLACE}/es")
    for number, tab in ((2, "definition"), (4, "history")):
        page.click(f".tabs a:nth-child({number})")
        page.wait_for_url(f"**?tab={tab}")
        look(page, shots / f"machine-{tab}-es-phone.png")
    page.go_back()
    expect(page.locator(".tabs a:nth-child(2)")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.locator(".machine-state")).to_be_visible()
