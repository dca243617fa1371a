"""Several people at once: what ended is told, a lost right and an ended session are noticed.

That nobody overwrites another's definition is a matter of the editor: `test_editor.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Product, Visitors
from tests.browser.hands import WIDTHS, Api, live, look, meant

pytestmark = pytest.mark.browser
PLACE = "/together-walk"


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """A teacher and a pupil."""
    api = Api(product)
    good, bad = api.hypervisor("together-good"), api.hypervisor("together-bad", failure_rate=1, failure_kind="fatal")
    machines = {"en": {"hypervisor": bad}, "es": {"hypervisor": bad}}
    folders = {"class": {"descriptors": machines}, "pupil": {"descriptors": {"web": {}}}}
    api.lay_out(PLACE, common={"hypervisor": good, "image": "debian-12"}, folders=folders)
    api.person("anna", PLACE, role="manager", kind="manager")
    api.person("carl", f"{PLACE}/pupil")
    return api


@pytest.mark.parametrize(("language", "width"), [("en", "phone"), ("es", "desk")])
def test_the_bell_tells_what_ended_and_forgets_what_was_seen(
    visitors: Visitors, shots: Path, api: Api, language: str, width: str
) -> None:
    page = visitors.enter("anna", language=language, width=WIDTHS[width])
    page.goto(f"/tree{PLACE}/class/{language}")
    live(page)
    page.locator("[data-verb=create]:visible:not([aria-disabled])").first.click()
    count = page.locator(".bell-count")
    expect(count).to_have_text("1", timeout=30_000)
    expect(page.locator("[data-said]")).not_to_be_empty()
    page.click(".bell")
    expect(page.locator(".notices .notice-failed")).to_contain_text(f"class/{language}")
    expect(page.locator(".notices .reason")).to_contain_text("mock hypervisor refuses")
    look(page, shots / f"notifications-{language}-{width}.png")
    expect(count).to_be_hidden()
    page.reload()
    expect(page.locator(".bell-count")).to_be_hidden()


def test_who_loses_a_place_is_told_and_hears_nothing_more(visitors: Visitors, shots: Path, api: Api) -> None:
    path = f"{PLACE}/pupil/web"
    page = visitors.enter("carl", language="es", width=390)
    page.goto(f"/tree{path}")
    live(page)
    api.take_access(f"{PLACE}/pupil")
    expect(page.locator("#notices .notice")).to_contain_text(path, timeout=30_000)
    look(page, shots / "access-lost-es-phone.png")
    api.do("create", path)
    page.wait_for_timeout(2000)
    expect(page.locator(".machine-state")).to_have_attribute("data-state", "provisioned")
    page.reload()
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator(".topbar")).to_be_visible()
    look(page, shots / "nothing-here-es-phone.png")
    meant(visitors, status=404)


def test_a_session_that_ended_leads_to_signing_in_and_back(visitors: Visitors, shots: Path, api: Api) -> None:
    page = visitors.enter("anna", language="es", width=390)
    page.goto(f"/tree{PLACE}/class/es")
    live(page)
    page.context.clear_cookies(name="sessionid")
    page.reload()
    page.wait_for_url("**/accounts/login/**")
    look(page, shots / "signed-out-es-phone.png")
    page.fill("input[name=username]", "anna")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"**/tree{PLACE}/class/es")


def test_a_form_that_is_too_old_says_what_to_do(visitors: Visitors, shots: Path, api: Api) -> None:
    page = visitors.enter("anna")
    page.goto("/accounts/profile/")
    page.context.clear_cookies(name="csrftoken")
    page.click("form[aria-labelledby=person] .btn-primary")
    expect(page.locator(".topbar")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Nothing was changed")
    look(page, shots / "form-too-old.png")
    meant(visitors, status=403)
