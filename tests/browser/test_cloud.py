"""The console's pages of a cloud: what was last heard, asked for what it is, usable on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Product, Visitors
from tests.browser.hands import Api, look

pytestmark = pytest.mark.browser
CLOUDS = "/admin/hypervisors/hypervisor/clouds/"
NAME = "sky"  # also in sky.py, which imports models


def say(product: Product, hours_ago: int) -> None:
    """All that the cloud said is of that hour."""
    product.manage("shell", "-c", f"from tests.browser.sky import cloud; cloud(hours_ago={hours_ago})")


@pytest.fixture(scope="module")
def sky(product: Product) -> Iterator[str]:
    """The address of a cloud that was heard just now; it is forgotten afterwards, others look at all hypervisors."""
    say(product, -1)
    api = Api(product)
    found = api.ask("GET", "hypervisors", params={"q": NAME})["results"][0]["id"]
    yield f"{CLOUDS}{found}/"
    api.ask("DELETE", f"hypervisors/{found}")


@pytest.mark.parametrize(("language", "width", "theme"), [("en", 1440, "light"), ("es", 390, "dark")])
def test_a_cloud_is_looked_at_and_asked_before_anything_goes(
    visitors: Visitors, sky: str, shots: Path, language: str, width: int, theme: str
) -> None:
    shot = f"{language}-{width}.png"
    page = visitors.enter("admin", language=language, width=width, theme=theme)
    page.goto(CLOUDS)
    expect(page).to_have_url(f"{visitors.address}{sky}")
    expect(page.locator("[data-service]")).to_have_count(5)
    expect(page.locator("[data-host]")).to_have_count(3)
    expect(page.locator("[data-quota=cores] .bar-nearly")).to_be_visible()
    look(page, shots / f"cloud-{shot}")
    page.click(f".tabs a[href='{sky}images/']")
    look(page, shots / f"cloud-images-{shot}")
    page.click("[data-image] .cell-actions a >> nth=0")
    expect(page.locator(".ask-warning")).to_be_visible()
    look(page, shots / f"cloud-remove-{shot}")
    page.click(".form-buttons .btn:not(.btn-danger)")
    expect(page).to_have_url(f"{visitors.address}{sky}images/")
    page.goto(f"{sky}flavors/")
    expect(page.locator(".cloud-offer button")).to_have_attribute("value", "nano,small,large")
    look(page, shots / f"cloud-flavors-{shot}")
    page.goto(f"{sky}networks/")
    page.fill("[name=name]", "lab")
    page.fill("[name=cidr]", "10.7.0.9/24")
    page.press("[name=cidr]", "Enter")
    expect(page.locator(".field-error")).to_contain_text("10.7.0.0/24")
    expect(page.locator("[name=name]")).to_have_value("lab")
    look(page, shots / f"cloud-networks-{shot}")


def test_a_silent_cloud_s_last_word_is_shown_and_an_upload_keeps_what_was_typed(
    visitors: Visitors, sky: str, product: Product, shots: Path
) -> None:
    say(product, 3)
    page = visitors.enter("admin", language="en", width=390)
    page.goto(f"{sky}images/")
    expect(page.locator(".cloud-silent")).to_contain_text("3 hours ago")
    expect(page.locator("[data-image]")).to_have_count(2)
    look(page, shots / "cloud-silent.png")
    page.set_input_files("[data-upload] [type=file]", {"name": "small.raw", "mimeType": "", "buffer": bytes(4096)})
    expect(page.locator("[data-upload] [name=name]")).to_have_value("small")
    page.click("[data-upload] .btn-primary")
    expect(page.locator("#upload .notice-danger")).to_be_visible()
    expect(page.locator("[data-upload] [name=name]")).to_have_value("small")
    assert page.evaluate("document.querySelector('#upload [type=file]').files.length") == 1
    look(page, shots / "cloud-upload-refused.png")
