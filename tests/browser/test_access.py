"""Access: a role given by a suggested name, the reasons of every right, a role taken back after a question, a stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Product, Visitors
from tests.browser.ground import ground, number
from tests.browser.hands import Api, look, meant

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """The API as the admin."""
    return Api(product)


@pytest.mark.parametrize(
    ("who", "door", "language", "width"),
    [("manager", "portal", "es", 1440), ("admin", "console", "en", 390), ("manager", "portal", "en", 390)],
)
def test_giving_explaining_and_taking_back(
    visitors: Visitors, api: Api, shots: Path, who: str, door: str, language: str, width: int
) -> None:
    path = ground(api, f"access-{language}-{who}", descriptors={"web": {}})
    node = number(api, path)
    address = f"/tree{path}?tab=access" if door == "portal" else f"/admin/descriptors/node/{node}/grants/"
    page = visitors.enter(who, language=language, width=width)
    shot = f"{door}-{language}-{width}.png"
    page.goto(address)
    look(page, shots / f"access-{shot}")

    page.locator("#grant-holder").fill("stu")
    expect(page.locator("#grant-names option[value=student]")).to_be_attached()
    page.locator("#grant-holder").fill("nobody-at-all")
    page.locator("#grant-holder").press("Enter")
    expect(page.locator("#grant-fault")).to_be_visible()
    meant(visitors, status=400)
    expect(page.locator("#grant-holder")).to_have_value("nobody-at-all")
    look(page, shots / f"access-nobody-{shot}")
    page.locator("#grant-holder").fill("student")
    page.locator("#grant-holder").press("Enter")
    expect(page.locator(".notice-success")).to_be_visible()
    row = page.locator("tr[data-filterable^='student ']")
    expect(row).to_be_visible()

    row.locator("a", has_text="student").first.click()
    why = page.locator("#why")
    expect(why.locator("h2")).to_contain_text("student")
    expect(why.locator("table.reasons")).to_contain_text(path)
    page.locator("details:has(.matrix) > summary").click()
    expect(page.locator(".matrix tbody tr").first).to_be_visible()
    look(page, shots / f"access-why-{shot}")

    page.goto(address)
    page.locator("a[href*='do=stop']").click()
    question = page.locator("dialog[open]")
    expect(question.locator(".losses")).to_contain_text("manager")
    look(page, shots / f"access-stop-{shot}")
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    if who == "admin":  # a manager would take his own role away by this
        page.locator("a[href*='do=stop']").click()
        question.locator(".btn-danger").click()
        expect(page.locator(".inherits button")).to_be_visible()
        page.locator(".inherits button").click()
        expect(page.locator("a[href*='do=stop']")).to_be_visible()

    page.locator("a[href*='do=revoke'][href*='holder=student']").click()
    expect(question.locator(".losses")).to_contain_text("student")
    look(page, shots / f"access-take-back-{shot}")
    question.locator(".btn-danger").click()
    expect(page.locator("tr[data-filterable^='student ']")).to_have_count(0)


def test_a_student_sees_why_he_may(visitors: Visitors, api: Api, shots: Path) -> None:
    path = ground(api, "access-own", descriptors={"web": {}})
    api.ask("POST", f"nodes/{number(api, path)}/grants", json={"user": "student", "role": "user"})
    for language, width in (("es", 390), ("en", 1440)):
        page = visitors.enter("student", language=language, width=width)
        page.goto(f"/tree{path}/web?tab=access")
        expect(page.locator("table.reasons")).to_contain_text(path)
        expect(page.locator("#grant-holder")).to_have_count(0)
        look(page, shots / f"access-own-{language}-{width}.png")
