"""Keys of a screen in headless Chromium, as QEMU and a real guest understand them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Product, Visitors, serving
from tests.browser.hands import Api, until
from tests.lab.linux.cluster import Cluster

PLACE = "/keys-lab"
SMALL = {"cpus": 1, "memory_mib": 128, "disk_gib": 1}
#: Key events as a keyboard makes them that is laid out otherwise than the guest's.
PRESS = """keys => { for (const [type, key, code] of keys) document.querySelector(".glass-pane canvas")
    .dispatchEvent(new KeyboardEvent(type, { key, code, bubbles: true, cancelable: true })) }"""
#: On a Spanish keyboard: "@", "#" and "|" with AltGr.
SPANISH = [
    ("keydown", "AltGraph", "AltRight"),
    *((way, key, f"Digit{number}") for key, number in (("@", 2), ("#", 3), ("|", 1)) for way in ("keydown", "keyup")),
    ("keyup", "AltGraph", "AltRight"),
]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product."""
    with serving(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="module")
def guest(product: Product, cluster: Cluster, image: str) -> Iterator[int]:
    """The id of a machine whose guest is up; its keyboard is English."""
    api, path = Api(product), f"{PLACE}/guest"
    api.ask("POST", "hypervisors", json={"name": "kvm", "driver": "linux", "settings": cluster.settings()})
    api.lay_out(PLACE, common={"hypervisor": "kvm", "image": image, **SMALL}, descriptors={"guest": {}})
    for verb in ("create", "start"):
        assert api.do(verb, path)["status"] == "succeeded"
    pk = int(api.node(path)["id"])
    until(lambda: "LAB-READY" in said(api, pk))
    yield pk
    api.do("destroy", path, force=True)


def said(api: Api, machine: int) -> str:
    """What the guest wrote to its serial line."""
    text: str = api.ask("GET", f"nodes/{machine}/console")["text"]
    return text


@pytest.fixture
def page(chromium: Browser, product: Product, guest: int) -> Iterator[Page]:
    """The screen, signed in as root."""
    visitors = Visitors(chromium, product.address)
    page = visitors.enter("admin")
    page.goto(f"/-/nodes/{guest}/console?kind=vnc")
    expect(page.locator("body[data-state=open]")).to_be_visible()
    page.keyboard.press("Enter")
    for word in ("root", "lab"):
        page.wait_for_timeout(1500)
        page.keyboard.type(f"{word}\n", delay=30)
    page.wait_for_timeout(1500)
    yield page
    visitors.leave()
    assert not visitors.complaints


def test_characters_arrive_as_they_stand_on_the_keys_and_in_what_is_pasted(
    page: Page, product: Product, guest: int
) -> None:
    page.select_option("[data-layout]", "us")
    page.locator(".glass-pane canvas").focus()
    page.keyboard.type("echo 'typed", delay=30)
    page.evaluate(PRESS, SPANISH)
    page.keyboard.type("' >/dev/ttyS0\n", delay=30)
    until(lambda: "typed@#|" in said(Api(product), guest))
    page.select_option("[data-layout]", "")
    page.click("[data-do=paste]")
    page.fill("[data-paste-text]", "echo 'pasted {[~\\^@#|]}' >/dev/ttyS0\n")
    page.click("[data-paste] button[value=type]")
    until(lambda: "pasted {[~\\^@#|]}" in said(Api(product), guest))
