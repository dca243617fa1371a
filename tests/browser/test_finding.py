"""Ways to a place: suggestions, the palette, siblings in the path, the folders on the left."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitors
from tests.browser.hands import WIDTHS, live, look

pytestmark = pytest.mark.browser
HOME = "/courses/TEL141/2026-2/student"


@pytest.mark.parametrize(("language", "width"), [("en", "phone"), ("es", "desk")])
def test_search_suggests_by_keyboard(visitors: Visitors, shots: Path, language: str, width: str) -> None:
    page = visitors.enter("manager", language=language, width=WIDTHS[width])
    page.goto("/")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("student/w", delay=40)
    option = page.locator("#suggestions [role=option]")
    expect(option.first).to_contain_text("web")
    look(page, shots / f"suggestions-{language}-{width}.png")
    page.keyboard.press("ArrowDown")
    expect(option.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tree{HOME}/web")


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_palette_goes_places_and_does_verbs(visitors: Visitors, shots: Path, language: str) -> None:
    page = visitors.enter("manager", language=language)
    page.goto(f"/tree{HOME}/client")
    live(page)
    page.goto(f"/tree{HOME}/db")
    live(page)
    page.keyboard.press("Control+k")
    first = page.locator("#palette [role=option]")
    expect(page.locator("#palette")).to_contain_text(f"{HOME}/client")
    look(page, shots / f"palette-{language}-desk.png")
    page.keyboard.type(f"{HOME}/web", delay=10)
    expect(first.first).to_contain_text("web")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tree{HOME}/web")
    live(page)
    page.keyboard.press("Control+k")
    expect(first.first).to_be_visible()
    page.fill(".palette-input", "claro" if language == "es" else "light or dark")
    expect(first).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    look(page, shots / f"machine-dark-{language}.png")
    with page.expect_response("**/accounts/profile/theme/"):  # the account is light again for the next test
        page.click("[data-theme-toggle]:visible")


@pytest.mark.parametrize(("language", "width"), [("es", "phone"), ("en", "desk")])
def test_siblings_are_in_the_path(visitors: Visitors, shots: Path, language: str, width: str) -> None:
    page = visitors.enter("manager", language=language, width=WIDTHS[width])
    page.goto(f"/tree{HOME}/web")
    page.locator(".crumb-menu:visible > button").last.click()
    expect(page.locator(f".siblings.show a[href='/tree{HOME}/db']")).to_be_visible()
    look(page, shots / f"siblings-{language}-{width}.png")
    page.click(f".siblings.show a[href='/tree{HOME}/db']")
    page.wait_for_url(f"**/tree{HOME}/db")


def test_the_folders_on_the_left_stay_put_away(visitors: Visitors, shots: Path) -> None:
    page = visitors.enter("manager", language="es")
    page.goto(f"/tree{HOME}")
    page.keyboard.press("[")
    expect(page.locator("#sidebar")).to_be_hidden()
    look(page, shots / "sidebar-closed-es-desk.png")
    page.reload()
    expect(page.locator("#sidebar")).to_be_hidden()
    page.keyboard.press("[")
    expect(page.locator("#sidebar")).to_be_visible()
