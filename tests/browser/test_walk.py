"""Every page, as operator, teacher and student, dark and in Spanish on a phone, light and in English on a desk.

On each page: no complaint of the browser (scripts, CSP), nothing wider than the screen, no violation that axe-core finds.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.accessible import violations
from tests.browser.conftest import Visitors

pytestmark = pytest.mark.browser
COURSE = "/courses/TEL141/2026-2"
HOME = f"{COURSE}/student"
#: Name → address, of what everybody may open who sees the course.
PORTAL = {
    "home": "/",
    "folder": f"/tree{HOME}",
    "machine": f"/tree{HOME}/web",
    "definition": f"/tree{HOME}/web?tab=definition",
    "history": f"/tree{HOME}/web?tab=history",
    "operations": "/operations/",
    "search": "/search/?q=web",
    "profile": "/accounts/profile/",
}
TEACHER = PORTAL | {
    "course": f"/tree{COURSE}",
    "course-below": f"/tree{COURSE}?below=1",
    "access": f"/tree{HOME}?tab=access",
    "apply": "/apply/",
    "thousands": "/tree/farm/flat",
    "thousands-below": "/tree/farm?below=1&page=200",
}
CONSOLE = {
    "attention": "/admin/",
    "tree": "/admin/descriptors/node/tree/",
    "list": "/admin/descriptors/node/",
    "operations": "/admin/descriptors/operation/",
    "cards": "/admin/descriptors/nic/",
    "unowned": "/admin/descriptors/unowned/",
    "hypervisors": "/admin/hypervisors/hypervisor/",
    "new-hypervisor": "/admin/hypervisors/hypervisor/add/",
    "journal": "/admin/accounts/entry/",
    "users": "/admin/accounts/user/",
    "new-user": "/admin/accounts/user/add/",
    "groups": "/admin/auth/group/",
}
#: Much of what other pages have, too: only how wide they are and what the browser complains of is of interest.
LONG = {"thousands", "thousands-below"}
WALKS = {"student": PORTAL, "manager": TEACHER, "admin": CONSOLE}


@pytest.mark.parametrize(("language", "width", "theme"), [("es", 390, "dark"), ("en", 1440, "light")])
@pytest.mark.parametrize("who", WALKS)
@pytest.mark.usefixtures("farm")
def test_walk(visitors: Visitors, shots: Path, who: str, language: str, width: int, theme: str) -> None:
    page = visitors.enter(who, language=language, width=width, theme=theme)
    found = {}
    for name, address in WALKS[who].items():
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        page.wait_for_load_state("networkidle")
        page.screenshot(path=shots / f"{who}-{name}-{language}-{width}-{theme}.png")
        wide = too_wide(page, {390: 360, 1440: 1920}[width]) + too_wide(page, width)
        if faults := violations(page, markup=name not in LONG) + wide:
            found[address] = faults
    assert not found, "\n".join(f"{address}: {fault}" for address, faults in found.items() for fault in faults)


def too_wide(page: Page, width: int) -> list[str]:
    """Whether the page is wider than a screen of this width, in one line."""
    page.set_viewport_size({"width": width, "height": 900})
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} px wide at {width}"] if wide > width else []
