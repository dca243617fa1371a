"""The console's first page and what it leads to: failures and their retry, drift and its repair, by whom one is."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Product, Visitors
from tests.browser.ground import states
from tests.browser.hands import Api, live, look, never_reloaded, until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def api(product: Product) -> Api:
    """The API as the admin."""
    return Api(product)


@pytest.mark.parametrize(("language", "width"), [("en", 390), ("es", 1440)])
def test_what_fails_is_seen_and_tried_again(
    visitors: Visitors, api: Api, shots: Path, language: str, width: int
) -> None:
    place = api.hypervisor(f"flaky-{language}", failure_rate=1, failure_kind="fatal")
    common = {"hypervisor": place, "image": "debian-12", "flavor": "nano"}
    mine = api.lay_out(f"/courses/broken-{language}", common=common, descriptors={"a": {}, "b": {}})
    other = api.lay_out(f"/elsewhere-{language}", common=common, descriptors={"hidden": {}})
    operator = visitors.enter("admin", language=language, width=width)
    teacher = visitors.enter("manager", language=language, width=width)
    for page in (operator, teacher):
        page.goto("/admin/")
        live(page)
    api.do("create", other)
    failed = api.do("create", mine)
    assert failed["status"] == "failed"
    for page in (operator, teacher):
        expect(page.locator("[data-part=operations]")).to_contain_text(mine, timeout=30_000)
        assert never_reloaded(page)
    look(operator, shots / f"attention-operator-{language}-{width}.png")
    look(teacher, shots / f"attention-teacher-{language}-{width}.png")
    expect(operator.locator("main")).to_contain_text(other)
    expect(teacher.locator("main")).not_to_contain_text(other)  # not his branch

    api.hypervisor(f"flaky-{language}", failure_rate=0)
    teacher.goto(f"/admin/descriptors/operation/{failed['id']}/")
    expect(teacher.locator(".table-results tbody tr")).to_have_count(2)
    look(teacher, shots / f"operation-{language}-{width}.png")
    broken = set(states(api, mine).values()) == {"failed"}
    teacher.click(".page-actions button[value=recover]" if broken else ".page-actions button:not([value])")
    teacher.wait_for_url("**/operation/**")
    until(lambda: "failed" not in states(api, mine).values())
    assert set(states(api, mine).values()) <= {"created", "provisioned"}


@pytest.mark.parametrize(("who", "language", "width"), [("manager", "es", 390), ("admin", "en", 1440)])
def test_drift_is_shown_and_repaired(
    visitors: Visitors, api: Api, product: Product, shots: Path, who: str, language: str, width: int
) -> None:
    place = api.hypervisor(f"drifting-{language}")
    common = {"hypervisor": place, "image": "debian-12", "flavor": "nano"}
    here = api.lay_out(f"/courses/drift-{language}", common=common, descriptors={"web": {}})
    api.do("create", here)
    api.do("start", here)
    product.manage("mock_drift", place, api.node(f"{here}/web")["vm_ref"], "--power", "off")
    until(lambda: bool(api.node(f"{here}/web")["drifted"]) or states(api, here)[f"{here}/web"] == "stopped")
    page = visitors.enter(who, language=language, width=width)
    page.goto(f"/admin/drift/?branch={here}")
    look(page, shots / f"drift-{language}-{width}.png")
    expect(page.locator(".table-drift tbody tr")).to_have_count(1)
    page.check(".table-drift tbody [data-select]")
    look(page, shots / f"drift-chosen-{language}-{width}.png")
    page.click("[data-chosen-bar] .btn-primary")
    expect(page.locator(".ask-names")).to_contain_text(f"{here}/web")
    look(page, shots / f"drift-question-{language}-{width}.png")
    page.click("button[name=confirmed]")
    until(lambda: not api.node(f"{here}/web")["drifted"])
    page.goto(f"/admin/drift/?branch={here}")
    expect(page.locator(".table-drift tbody tr")).to_have_count(0)
