"""People in the console: a user made by form, users from a file, an account closed; the journal filtered and taken away."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitors
from tests.browser.hands import look

pytestmark = pytest.mark.browser
USERS = "/admin/accounts/user/"
FILE = """usuario;correo;nombres;apellidos;tipo;grupos
nora-{0};nora-{0}@uni.edu;Nora;Ñahui Peña;manager;lab-{0}
leo-{0};leo-{0}@uni.edu;Leo;Díaz;simple;
"""


@pytest.mark.parametrize(("language", "width"), [("en", 390), ("es", 1440)])
def test_people_come_and_go(visitors: Visitors, shots: Path, language: str, width: int, tmp_path: Path) -> None:
    page = visitors.enter("admin", language=language, width=width)
    shot, name = f"{language}-{width}.png", f"carla-{language}"
    page.goto(f"{USERS}add/")
    page.fill("[name=username]", "not a name!")
    page.fill("[name=email]", f"{name}@uni.edu")
    page.fill("[name=password1]", "a long enough secret")
    page.fill("[name=password2]", "another secret of hers")
    page.click("[name=_save]")
    expect(page.locator(".errorlist").first).to_be_visible()
    expect(page.locator("[name=email]")).to_have_value(f"{name}@uni.edu")
    look(page, shots / f"user-refused-{shot}")
    page.fill("[name=username]", name)
    page.fill("[name=password1]", "a long enough secret")
    page.fill("[name=password2]", "a long enough secret")
    page.click("[name=_save]")
    expect(page.locator(".notice-success")).to_contain_text(name)

    sheet = tmp_path / "people.csv"
    page.goto(f"{USERS}import/")
    sheet.write_text("usuario;correo\nbad name;nowhere\n")
    page.set_input_files("#file", sheet)
    page.click("main form.narrow .btn-primary")
    expect(page.locator("td.reason").first).to_be_visible()
    look(page, shots / f"import-faults-{shot}")
    sheet.write_text(FILE.format(language))
    page.set_input_files("#file", sheet)
    page.check("[name=make_groups]")
    page.click("main form.narrow .btn-primary")
    expect(page.locator(".import-counts .chip b").first).to_have_text("2")
    expect(page.locator("main")).to_contain_text("Ñahui Peña")
    look(page, shots / f"import-preview-{shot}")
    page.click("button[name=apply]")
    expect(page.locator(".notice-success")).to_be_visible()

    page.goto(f"{USERS}?q=nora-{language}")
    page.click(f"a:has-text('nora-{language}')")
    expect(page.locator(".belongs")).to_contain_text(f"lab-{language}")
    page.click("button[value=deactivate]")
    expect(page.locator("button[value=activate]")).to_be_visible()
    look(page, shots / f"person-{shot}")


@pytest.mark.parametrize(("who", "language", "width"), [("admin", "es", 390), ("manager", "en", 1440)])
def test_the_journal(visitors: Visitors, shots: Path, who: str, language: str, width: int) -> None:
    page = visitors.enter(who, language=language, width=width)
    page.goto("/admin/accounts/entry/")
    page.fill("[name=actor]", who)
    page.press("[name=actor]", "Enter")
    page.wait_for_url("**actor=*")
    line = page.locator(".journal > li")
    expect(line.first).to_contain_text(who)
    line.first.locator("summary").click()
    expect(line.first.locator("dl.facts")).to_be_visible()
    look(page, shots / f"journal-{language}-{width}.png")
    with page.expect_download() as waiting:
        page.click("a[href*='/export/']")
    rows = Path(waiting.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) > 1
    assert all(who in row for row in rows[1:] if row)
    page.goto("/admin/accounts/entry/?from=2026-13-45")
    expect(page.locator(".field-error, .empty").first).to_be_visible()
