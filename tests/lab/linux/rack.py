"""Olimpus whole, as processes, with the lab's cluster as its hypervisor `rack`, and Chromium before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitors, serving
from tests.browser.hands import Api
from tests.lab.linux.cluster import Cluster
from tests.processes.installation import until

#: Seconds that a machine may take to boot when all boot at once.
BOOT = 120.0
#: Milliseconds for what a guest says and shows.
SPEAKS = 60_000


@dataclass
class Rack:
    """Olimpus above the cluster, by its API and in browsers. `place` is the folder of the test's machines."""

    api: Api
    visitors: Visitors
    cluster: Cluster
    place: str

    def machine(self, name: str) -> dict[str, Any]:
        return self.api.node(f"{self.place}/{name}")

    def do(self, verb: str, name: str, /, **arguments: Any) -> None:
        done = self.api.do(verb, f"{self.place}/{name}", **arguments)
        assert done["status"] == "succeeded", done

    def drift(self, name: str) -> str:
        """What differs from what was asked for, as the API tells it; "" when nothing does."""
        return str(self.api.ask("GET", f"nodes/{self.machine(name)['id']}")["drift"] or "")

    def virsh(self, name: str, *words: str) -> str:
        """What virsh says about a machine on the worker that has it."""
        host = self.machine(name)["vm_ref"].partition("/")[0]
        return self.cluster.run(host, "virsh", *words).strip()

    def domain(self, name: str) -> str:
        return self.machine(name)["vm_ref"].partition("/")[2]


@contextmanager
def racked(cluster: Cluster, browser: Browser, home: Path, place: str) -> Iterator[Rack]:
    """The product with an empty cluster, until the block ends. `home` is a new folder."""
    cluster.empty(home)
    with serving(home) as product:
        api, visitors = Api(product), Visitors(browser, product.address)
        fields = {"name": "rack", "driver": "linux", "settings": cluster.settings(), "reconcile_interval": 5}
        api.ask("POST", "hypervisors", json=fields)
        yield Rack(api, visitors, cluster, place)
        visitors.leave()


def small(image: str) -> dict[str, Any]:
    """What all machines are: the tiny guest, as small as it boots."""
    return {
        "hypervisor": "rack",
        "image": image,
        "cpus": 1,
        "memory_mib": 128,
        "disk_gib": 1,
        "stop_timeout": 8,  # a guest that boots hears no button
    }


def says(page: Page, *texts: str) -> None:
    """Wait until the serial console has said all of this."""
    for text in texts:
        expect(page.locator(".xterm-rows")).to_contain_text(text, timeout=BOOT * 1000)


def sign_in(page: Page) -> None:
    """To the tiny guest, on its serial console that is open, as soon as it has booted. It may have said so before."""
    expect(page.locator("body[data-state=open]")).to_be_visible(timeout=SPEAKS)
    assert until(lambda: _asked(page), BOOT, pause=1)
    page.keyboard.type("root\n")
    says(page, "assword:")
    page.keyboard.type("lab\n")
    says(page, "#")


def _asked(page: Page) -> bool:
    page.keyboard.press("Enter")
    return "login:" in page.locator(".xterm-rows").inner_text()
