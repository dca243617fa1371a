"""The whole product on the lab: a document laid out, machines on two workers, their consoles in a browser, drift, the end.

Real processes (web, worker), real machines, headless Chromium; what has really happened is asked of the workers by `virsh`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitors, serving
from tests.browser.hands import Api
from tests.lab import document as anywhere
from tests.lab.linux.cluster import Cluster
from tests.processes.installation import until

PLACE = "/rack"
CIDR, FIRST, SECOND = "10.42.0.0/24", "10.42.0.11", "10.42.0.12"
#: Seconds that a machine may take to boot when all boot at once.
BOOT = 120.0
#: Milliseconds for what a guest says and shows.
SPEAKS = 60_000


@dataclass
class Rack:
    """Olimpus with the lab's cluster as its hypervisor `rack`."""

    api: Api
    visitors: Visitors
    cluster: Cluster

    def machine(self, name: str) -> dict[str, Any]:
        return self.api.node(f"{PLACE}/{name}")

    def do(self, verb: str, name: str, /, **arguments: Any) -> None:
        done = self.api.do(verb, f"{PLACE}/{name}", **arguments)
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


@pytest.fixture(scope="module")
def rack(cluster: Cluster, image: str, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    cluster.empty(tmp_path_factory.mktemp("empty"))
    with serving(tmp_path_factory.mktemp("home")) as product:
        api, visitors = Api(product), Visitors(chromium, product.address)
        fields = {"name": "rack", "driver": "linux", "settings": cluster.settings(), "reconcile_interval": 5}
        api.ask("POST", "hypervisors", json=fields)
        api.lay_out(PLACE, **document(image, *cluster.workers[:2]))
        yield Rack(api, visitors, cluster)
        visitors.leave()


def document(image: str, first: str, second: str) -> dict[str, Any]:
    """Two machines on two workers, in one network."""
    common = {
        "hypervisor": "rack",
        "image": image,
        "cpus": 1,
        "memory_mib": 128,
        "disk_gib": 1,
        "stop_timeout": 8,  # a guest that boots hears no button
        "networks": {"lan": {"cidr": CIDR, "type": "private"}},
    }
    machines = {
        "web": {"host": first, "nics": [{"network": "lan", "ip": FIRST, "ip_mode": "cloud-init"}]},
        "db": {"host": second, "nics": [{"network": "lan", "ip": SECOND}]},
    }
    return {"common": common, "descriptors": machines}


def test_machines_on_two_workers_and_their_consoles(rack: Rack) -> None:
    for name in ("web", "db"):
        rack.do("create", name)
        rack.do("start", name)
        assert rack.virsh(name, "domstate", rack.domain(name)) == "running"
    refs = [rack.machine(name)["vm_ref"] for name in ("web", "db")]
    assert [ref.partition("/")[0] for ref in refs] == list(rack.cluster.workers[:2])

    page = rack.visitors.enter("admin")
    opened(page, rack.machine("web")["id"], "serial")
    says(page, f"eth0={FIRST}/24", "LAB-READY")
    page.keyboard.type("root\n")
    says(page, "assword:")
    page.keyboard.type("lab\n")
    page.keyboard.type(f"until ping -c 1 -W 2 {SECOND} >/dev/null; do :; done; echo neighbour=$?\n")
    says(page, "neighbour=0")

    opened(page, rack.machine("web")["id"], "vnc")
    canvas = page.locator(".glass-pane canvas")
    expect(canvas).to_be_visible(timeout=SPEAKS)
    page.wait_for_function(LIT, arg=200, timeout=SPEAKS)
    assert rack.visitors.complaints == []


def test_what_somebody_does_by_hand_is_seen_and_mended(rack: Rack) -> None:
    rack.virsh("db", "destroy", rack.domain("db"))
    assert until(lambda: "power" in rack.drift("db"), 10), rack.machine("db")
    rack.virsh("db", "start", rack.domain("db"))
    assert until(lambda: not rack.drift("db"), 10), rack.drift("db")


def test_every_verb(rack: Rack) -> None:
    for verb, arguments, state in (
        ("pause", {}, "paused"),
        ("resume", {}, "running"),
        ("snapshot", {"name": "before"}, "running"),
        ("stop", {}, "stopped"),
        ("revert", {"name": "before"}, "stopped"),
        ("delete_snapshot", {"name": "before"}, "stopped"),
        ("start", {}, "running"),
        ("restart", {}, "running"),
        ("force_off", {}, "stopped"),
        ("reapply", {}, "stopped"),
    ):
        rack.do(verb, "web", **arguments)
        assert rack.machine("web")["state"] == state, verb


def test_one_document_for_the_rehearsal_and_for_the_rack(rack: Rack, image: str) -> None:
    api = rack.api.client
    rack.api.hypervisor("rehearsal", images="bookworm")
    anywhere.call(api, "rehearsal", images={"debian-12": "bookworm"})
    anywhere.call(api, "rack", images={"debian-12": image})
    anywhere.lay_out(api)
    for hypervisor in ("rehearsal", "rack"):
        made = anywhere.deploys_on(api, hypervisor)
        assert [machine["state"] for machine in made] == ["created", "created"]


def test_nothing_is_left_at_the_end(rack: Rack) -> None:
    rack.do("force_off", "db")
    for name in ("web", "db"):
        rack.do("destroy", name)
        assert rack.machine(name)["state"] == "provisioned"
    assert rack.cluster.leftovers() == []


def opened(page: Page, node: int, kind: str) -> None:
    page.goto(f"/-/nodes/{node}/console?kind={kind}")
    expect(page.locator("body[data-state=open]")).to_be_visible(timeout=SPEAKS)


def says(page: Page, *texts: str) -> None:
    for text in texts:
        expect(page.locator(".xterm-rows")).to_contain_text(text, timeout=BOOT * 1000)


#: Whether so many dots of the screen are lit.
LIT = """least => {
    const canvas = document.querySelector(".glass-pane canvas")
    const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    let lit = 0
    for (let place = 0; place < dots.length; place += 4) lit += dots[place] > 100
    return lit > least
}"""
