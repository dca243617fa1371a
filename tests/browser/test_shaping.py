"""Making and changing the tree: two steps to new machines, copies and moves with a preview, deletions that say what is
lost, documents dropped onto a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import WIDTHS, Api, look, meant

pytestmark = pytest.mark.browser
PLACE = "/shape-walk"
DROP = """([place, text]) => {
  const carried = new DataTransfer()
  carried.items.add(new File([text], "course.yaml", { type: "application/yaml" }))
  const event = type => new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: carried })
  for (const type of ["dragover", "drop"]) document.querySelector(place).dispatchEvent(event(type))
}"""


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """A teacher's folder with a prototype."""
    api = Api(product)
    prototypes = {"linux": {"image": "debian-12", "flavor": "micro", "description": "For the first weeks"}}
    common = {"hypervisor": api.hypervisor("shape-good"), "prototypes": prototypes}
    api.lay_out(PLACE, common=common, folders={"one": {"descriptors": {"vm": {"prototype": "linux"}}}, "two": {}})
    api.person("shaper", PLACE, role="manager", kind="manager")
    return api


@pytest.mark.parametrize(("language", "width"), [("en", "phone"), ("es", "desk")])
def test_machines_are_made_in_two_steps(visitors: Visitors, shots: Path, api: Api, language: str, width: str) -> None:
    page = visitors.enter("shaper", language=language, width=WIDTHS[width])
    page.goto(f"/tree{PLACE}/two")
    page.click(".page-actions .btn-primary")
    page.click(".dropdown-menu.show a[href*='new-machine']")
    look(page, shots / f"new-machine-1-{language}-{width}.png")
    page.click("a.choice[href*='prototype=linux']")
    page.fill("#id_name", f"{language}-{{1..3}}")
    expect(page.locator("#preview .ask-names .path")).to_have_count(3)
    expect(page.locator("#preview")).to_contain_text(f"{PLACE}/two/{language}-3")
    page.fill("#id_cpus", "0")
    page.click(".form-buttons .btn-primary")
    wrong = page.locator(".has-error", has=page.locator("#id_cpus"))
    expect(wrong.locator(".field-error")).to_be_visible()
    expect(page.locator("#id_name")).to_have_value(f"{language}-{{1..3}}")
    look(page, shots / f"new-machine-2-{language}-{width}.png")
    meant(visitors, status=400)
    page.fill("#id_cpus", "2")
    page.click(".form-buttons .btn-primary")
    expect(page.locator("tr[data-node]", has_text=f"{language}-")).to_have_count(3)


def more(page: Page, word: str) -> None:
    """Choose something in the menu "More"."""
    page.click(".page-actions .dropdown:last-child > button")
    page.click(f".dropdown-menu.show a[href$='/{word}']")


def test_copies_and_moves_are_seen_before_they_happen(visitors: Visitors, shots: Path, api: Api) -> None:
    page = visitors.enter("shaper", language="es", width=390)
    page.goto(f"/tree{PLACE}/one")
    more(page, "copy")
    page.fill("#id_to", f"{PLACE}/two")
    page.fill("#id_name", "copied")
    page.click("button[value=plan]")
    expect(page.locator(".shape-plan .diff-new")).to_contain_text(f"{PLACE}/two/copied")
    look(page, shots / "copy-es-phone.png")
    page.fill("#id_name", "copied-well")  # what was changed after its plan is planned again
    page.click("button[value=do]")
    expect(page.locator(".shape-plan .diff-new")).to_contain_text("copied-well")
    page.click("button[value=do]")
    page.wait_for_url(f"**/tree{PLACE}/two/copied-well")
    more(page, "move")
    page.fill("#id_to", f"{PLACE}/nowhere")
    page.click("button[value=plan]")
    expect(page.locator(".has-error", has=page.locator("#id_to")).locator(".field-error")).to_be_visible()
    meant(visitors, status=400)
    page.fill("#id_to", PLACE)
    page.click("button[value=plan]")
    expect(page.locator(".shape-plan .diff-old")).to_contain_text(f"{PLACE}/two/copied-well")
    look(page, shots / "move-es-phone.png")
    page.click("button[value=do]")
    page.wait_for_url(f"**/tree{PLACE}/copied-well")
    more(page, "rename")
    page.fill("#id_name", "kept")
    page.click("button[value=plan]")
    page.click("button[value=do]")
    page.wait_for_url(f"**/tree{PLACE}/kept")


def test_a_deletion_says_what_is_lost_and_what_forbids_it(visitors: Visitors, shots: Path, api: Api) -> None:
    path = api.lay_out(f"{PLACE}/lost", descriptors={"vm": {"prototype": "linux"}, "other": {"prototype": "linux"}})
    api.do("create", f"{path}/vm")
    page = visitors.enter("shaper", width=390)
    page.goto(f"/tree{path}")
    more(page, "delete")
    expect(page.locator(".notice-warning")).to_contain_text(f"{path}/vm")
    expect(page.locator(".ask-warning")).to_contain_text("2 machines")
    look(page, shots / "delete-phone.png")
    page.fill("#id_name", "lots")
    page.click(".btn-danger")
    expect(page.locator(".has-error .field-error")).to_contain_text("lost")
    meant(visitors, status=400)
    api.do("destroy", f"{path}/vm")
    page.fill("#id_name", "lost")
    page.click(".btn-danger")
    page.wait_for_url(f"**/tree{PLACE}")
    expect(page.locator(".notice-success")).to_contain_text(path)


@pytest.mark.parametrize(("language", "width"), [("es", "phone"), ("en", "desk")])
def test_a_document_is_dropped_reviewed_mended_and_applied(
    visitors: Visitors, shots: Path, api: Api, language: str, width: str
) -> None:
    page = visitors.enter("shaper", language=language, width=WIDTHS[width])
    page.goto(f"/tree{PLACE}/two")
    wrong = f"folders:\n  drop-{language}:\n    descriptors:\n      vm: {{cpu: 2}}\n"
    page.evaluate(DROP, ["main", wrong])
    page.wait_for_url("**/apply/**")
    expect(page.locator(".field-error:visible").first).to_contain_text("cpus")
    look(page, shots / f"import-fault-{language}-{width}.png")
    meant(visitors, status=400)
    page.evaluate(DROP, [".drop", wrong.replace("cpu:", "prototype: linux, cpus:")])
    expect(page.locator("[data-plan]")).to_contain_text(f"{PLACE}/two/drop-{language}/vm")
    look(page, shots / f"import-plan-{language}-{width}.png")
    page.click("button[value=apply]")
    page.goto(f"/tree{PLACE}/two/drop-{language}")
    page.click(".page-actions .dropdown:last-child > button")
    with page.expect_download() as download:
        page.click(".dropdown-menu.show a[href*=export]")
    assert f"{PLACE}/two/drop-{language}" in Path(download.value.path()).read_text()


def test_a_file_is_chosen_and_its_changes_are_told_line_by_line(
    visitors: Visitors, shots: Path, api: Api, tmp_path: Path
) -> None:
    file = tmp_path / "more.yaml"
    file.write_text(f"path: {PLACE}/one\ndescriptors:\n  vm: {{prototype: linux, cpus: 4}}\n")
    page = visitors.enter("shaper", language="es")
    page.goto("/apply/")
    page.set_input_files(".drop input[type=file]", file)
    expect(page.locator("[data-plan] .diff-new")).to_contain_text("cpus: 4")
    look(page, shots / "import-diff-es-desk.png")
    page.click("button[value=apply]")
    page.goto(f"/tree{PLACE}/one/vm?tab=definition")
    expect(page.locator("main")).to_contain_text("4")
