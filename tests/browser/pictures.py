"""Takes the pictures of the documentation: `make pictures`, about two minutes.

`docs/images/<who>-<page>-<language>-<width>[-dark].webp`. `OLIMPUS_PICTURES` names another folder, and words after the
command choose pictures whose names hold one of them.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, ROOT, Product, Visitors, serving
from tests.browser.situation import COURSE, DRIFTED, FAILED, STUDENT, arrange

FOLDER = Path(os.environ.get("OLIMPUS_PICTURES") or ROOT / "docs" / "images")
LARGEST = 120_000  # bytes
ACCOUNTS = {"student": "student", "teacher": "manager", "operator": "admin"}
LOOKS = {"desk": ("en", 1440, "light"), "mesa": ("es", 1440, "light"), "dark": ("en", 1440, "dark")}
LOOKS |= {"phone": ("en", 390, "light"), "móvil": ("es", 390, "light")}
Deed = Callable[[Page], None]


@dataclass(frozen=True)
class Picture:
    """One page as one kind of person sees it."""

    who: str
    name: str
    address: str
    look: str
    deed: Deed | None = None

    @property
    def file(self) -> str:
        language, width, theme = LOOKS[self.look]
        return f"{self.who}-{self.name}-{language}-{width}{'-dark' if theme == 'dark' else ''}.webp"


# -- what is done on a page before its picture is taken ----------------------------------------------------------------


def choose(page: Page) -> None:
    """Three machines are chosen."""
    for box in page.locator("tr[data-node] input[data-select]:visible").all()[:3]:
        box.check()


def press(key: str, typed: str = "") -> Deed:
    """A key, and what is typed then."""

    def deed(page: Page) -> None:
        page.keyboard.press(key)
        page.wait_for_timeout(600)
        page.keyboard.type(typed)

    return deed


def click(selector: str) -> Deed:
    """One click."""
    return lambda page: page.locator(selector).first.click()


def write_value(page: Page) -> None:
    """A value is changed in the editor, so that the plan says something."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("memory_mib: 4096\n")
    page.wait_for_timeout(1500)


# -- the pictures ------------------------------------------------------------------------------------------------------


def of(who: str, name: str, address: str, looks: str, deed: Deed | None = None) -> Iterator[Picture]:
    """The same page in several looks."""
    return (Picture(who, name, address, look, deed) for look in looks.split())


def pictures(ids: dict[str, int]) -> list[Picture]:
    """All of them; `ids` are those of nodes and operations that addresses need."""
    web, course = ids[f"{STUDENT}/web"], ids[COURSE]
    student = [
        of("student", "home", "/", "desk mesa phone móvil"),
        of("student", "machine", f"/tree{STUDENT}/web", "desk phone móvil dark"),
        of("student", "definition", f"/tree{STUDENT}/web?tab=definition", "desk"),
        of("student", "profile", "/accounts/profile/", "mesa"),
    ]
    teacher = [
        of("teacher", "home", "/", "desk móvil"),
        of("teacher", "folder", f"/tree{COURSE}?below=1&view=table", "desk mesa phone dark"),
        of("teacher", "class", f"/tree{COURSE}?below=1&view=grid", "desk"),
        of("teacher", "chosen", f"/tree{COURSE}/20260007", "desk", choose),
        of("teacher", "failed", f"/tree{FAILED}", "desk móvil"),
        of("teacher", "drift", f"/tree{DRIFTED}", "desk"),
        of("teacher", "editor", f"/-/nodes/{web}/edit", "desk", write_value),
        of("teacher", "access", f"/tree{STUDENT}?tab=access&who=student", "desk"),
        of("teacher", "new-machine", f"/-/nodes/{course}/new-machine", "desk móvil"),
        of("teacher", "palette", f"/tree{STUDENT}", "desk", press("Control+k", "web")),
    ]
    operator = [
        of("operator", "attention", "/admin/", "desk mesa phone dark"),
        of("operator", "tree", f"/admin/descriptors/node/tree/?at={STUDENT}", "desk móvil"),
        of("operator", "hypervisors", "/admin/hypervisors/hypervisor/", "desk phone"),
        of("operator", "unowned", "/admin/descriptors/unowned/", "desk"),
        of("operator", "operations", "/admin/descriptors/operation/", "mesa"),
        of("operator", "drift", "/admin/drift/", "desk"),
        of("operator", "journal", "/admin/accounts/entry/", "desk"),
        of("operator", "people", "/admin/accounts/user/", "mesa"),
    ]
    return [picture for group in (*student, *teacher, *operator) for picture in group]


def take(page: Page, picture: Picture, folder: Path) -> None:
    """Open, wait until it is still, do what belongs to it, and keep what is seen."""
    page.goto(picture.address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(700)
    if picture.deed:
        picture.deed(page)
        page.wait_for_timeout(900)
    quality = 84
    while len(content := shot(page, quality)) > LARGEST:
        quality -= 12
    (folder / picture.file).write_bytes(content)


def shot(page: Page, quality: int) -> bytes:
    """What is seen, as WebP: Playwright itself knows only larger forms."""
    session = page.context.new_cdp_session(page)
    answer = session.send(
        "Page.captureScreenshot", {"format": "webp", "quality": quality, "captureBeyondViewport": False}
    )
    session.detach()
    return base64.b64decode(answer["data"])


def walk(product: Product, wanted: list[Picture], folder: Path) -> list[str]:
    """Take them, one browser profile for each person and look. Returns what the pages complained of."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        visitors = Visitors(browser, product.address)
        for (who, look), group in groupby(sorted(wanted, key=_profile), key=_profile):
            language, width, theme = LOOKS[look]
            page = visitors.enter(ACCOUNTS[who], language=language, width=width, theme=theme)
            for picture in group:
                take(page, picture, folder)
                sys.stdout.write(f"{picture.file}\n")
        visitors.leave()
        browser.close()
    return visitors.complaints


def _profile(picture: Picture) -> tuple[str, str]:
    return picture.who, picture.look


def main(words: list[str]) -> int:
    """Make the situation and take the pictures. Returns the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as product:
        found = pictures(arrange(product))
        wanted = [one for one in found if not words or any(word in one.file for word in words)]
        if not words:
            for old in {path.name for path in FOLDER.glob("*.webp")} - {one.file for one in found}:
                (FOLDER / old).unlink()
        complaints = walk(product, wanted, FOLDER)
    sys.stderr.write("".join(f"{text}\n" for text in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
