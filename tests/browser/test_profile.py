"""What is mine: language, theme and zone on every device, tokens, the password."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Product, Visitors
from tests.browser.hands import Api, look

pytestmark = pytest.mark.browser
FORM = "form[aria-labelledby=person]"


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """Somebody with a profile."""
    api = Api(product)
    api.person("owner")
    return api


def test_choices_hold_on_another_device(visitors: Visitors, shots: Path, api: Api) -> None:
    page = visitors.enter("owner", language="en", width=390)
    page.goto("/accounts/profile/")
    look(page, shots / "profile-en-phone.png")
    page.select_option("#id_language", "es")
    page.select_option("#id_theme", "dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.select_option("#id_time_zone", "America/Lima")
    page.click(f"{FORM} .btn-primary")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    other = visitors.enter("owner", language="en")
    other.goto("/")
    expect(other.locator("html")).to_have_attribute("lang", "es")
    expect(other.locator("html")).to_have_attribute("data-bs-theme", "dark")
    other.goto("/accounts/profile/")
    expect(other.locator("#id_time_zone")).to_have_value("America/Lima")
    look(other, shots / "profile-es-desk-dark.png")


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("es", 390)])
def test_a_token_is_made_copied_and_taken_back(
    visitors: Visitors, shots: Path, api: Api, language: str, width: int
) -> None:
    page = visitors.enter("owner", language=language, width=width)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/accounts/profile/")
    page.fill(".token-form input[name=name]", f"script {language}")
    page.click(".token-form .btn-primary")
    page.click(".notice-success [data-copy]")
    expect(page.locator(".notice-success .copied")).to_be_visible()
    token = page.evaluate("navigator.clipboard.readText()")
    assert token == page.locator(".notice-success code").inner_text()
    look(page, shots / f"profile-token-{language}-{width}.png")
    headers = {"Authorization": f"Bearer {token}"}
    assert page.request.get("/api/auth/me", headers=headers).json()["username"] == "owner"
    page.locator("tr", has_text=f"script {language}").locator("form button").click()
    expect(page.locator("tr", has_text=f"script {language}")).to_have_count(0)
    assert page.request.get("/api/auth/me", headers=headers).status == 401


@pytest.mark.parametrize(("language", "width"), [("es", 1440), ("en", 390)])
def test_a_wrong_password_is_told_beside_its_field(
    visitors: Visitors, shots: Path, api: Api, language: str, width: int
) -> None:
    page = visitors.enter("owner", language=language, width=width)
    page.goto("/accounts/password/")
    page.fill("#id_old_password", "not it")
    page.fill("#id_new_password1", PASSWORD)
    page.fill("#id_new_password2", f"{PASSWORD}!")
    page.click("form .btn-primary >> nth=0")
    for field in ("old_password", "new_password2"):
        expect(page.locator(f"div:has(> #id_{field}) > [role=alert]")).to_be_visible()
    look(page, shots / f"password-{language}-{width}.png")
    visitors.complaints[:] = [text for text in visitors.complaints if "400" not in text]
