"""Hypervisors in the console: added by a form, tried step by step, closed for maintenance; machines of nobody adopted."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Product, Visitors
from tests.browser.ground import ground, states
from tests.browser.hands import Api, look, meant, until

pytestmark = pytest.mark.browser
LIST = "/admin/hypervisors/hypervisor/"


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """The API as the admin."""
    return Api(product)


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("es", 390)])
def test_a_hypervisor_from_its_form_to_its_maintenance(
    visitors: Visitors, api: Api, shots: Path, language: str, width: int
) -> None:
    name, shot = f"rack-{language}", f"{language}-{width}.png"
    page = visitors.enter("admin", language=language, width=width)
    page.goto(f"{LIST}add/?driver=mock")
    page.fill("[name=name]", name)
    page.fill("[name=setting_failure_rate]", "7")
    page.click("#hypervisor-form .sticky-buttons .btn-primary")
    field = page.locator(".record-field:has([name=setting_failure_rate])")
    expect(field.locator(".field-error")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value(name)
    if any("400" in text for text in visitors.complaints):
        meant(visitors, status=400)
    look(page, shots / f"hypervisor-refused-{shot}")
    page.fill("[name=setting_failure_rate]", "0.5")
    page.check("[name=setting_unreachable]")
    page.click("[data-test-button]")
    expect(page.locator(".verdict-failed")).to_be_visible()
    expect(page.locator(".test-step[data-outcome=failed]")).to_have_count(1)
    look(page, shots / f"hypervisor-test-{shot}")
    page.uncheck("[name=setting_unreachable]")
    page.click("[data-test-button]")
    expect(page.locator(".verdict-ok")).to_be_visible()
    expect(page.locator(".test-step[data-outcome=failed]")).to_have_count(0)
    page.click("#hypervisor-form .sticky-buttons .btn-primary")
    expect(page.locator("h1")).to_contain_text(name)
    expect(page.locator(".notice-success")).to_be_visible()
    page.click("[data-test-form] button")
    expect(page.locator(".verdict-ok")).to_be_visible()
    look(page, shots / f"hypervisor-page-{shot}")

    page.click(".page-actions a[href*='/maintenance/']")
    page.fill("#reason", "New disks; back at 14:00")
    look(page, shots / f"hypervisor-maintenance-{shot}")
    page.click("main form .btn-primary")
    expect(page.locator(".notice-warning")).to_contain_text("New disks")
    api.lay_out(
        f"/courses/closed-{language}", common={"hypervisor": name, "image": "debian-12"}, descriptors={"web": {}}
    )
    page.goto(f"/tree/courses/closed-{language}/web")
    page.locator("[data-verb=create]:visible").first.click()
    expect(page.locator("main")).to_contain_text("New disks")
    visitors.complaints.clear()  # a refusal may be an answer that Chromium reports
    page.goto(LIST)
    expect(page.locator("main")).to_contain_text(name)
    look(page, shots / f"hypervisors-{shot}")


def test_a_machine_of_nobody_is_adopted(visitors: Visitors, api: Api, product: Product, shots: Path) -> None:
    home = ground(api, "orphans")
    place = api.hypervisor("orphanage")
    for name in ("stray-1", "stray-2"):
        product.manage("mock_drift", place, name, "--create", "--power", "on")
    page = visitors.enter("admin", language="es")
    found = next(
        one for one in api.ask("GET", "hypervisors", params={"page_size": 200})["results"] if one["name"] == place
    )
    page.goto(f"{LIST}{found['id']}/")
    api.ask("POST", f"hypervisors/{found['id']}/reconcile")
    until(lambda: len(api.ask("GET", f"hypervisors/{found['id']}/unowned")["results"]) == 2)
    page.goto(f"/admin/descriptors/unowned/?hypervisor={found['id']}")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    look(page, shots / "unowned.png")
    rows.locator("input[type=checkbox]").first.check()
    rows.locator("input[type=checkbox]").last.check()
    page.select_option("select[name=action]", "adopt")
    page.click("button[name=index]")
    page.fill("#id_folder", "/courses/nowhere")
    page.click("main form.card .btn-primary")
    expect(page.locator("#fault_folder")).to_contain_text("nowhere")
    expect(page.locator("#id_folder")).to_have_value("/courses/nowhere")
    page.fill("#id_folder", home)
    look(page, shots / "adopt.png")
    page.click("main form.card .btn-primary")
    expect(page.locator(".notice-success")).to_have_count(2)
    assert states(api, home) == {f"{home}/stray-1": "running", f"{home}/stray-2": "running"}
