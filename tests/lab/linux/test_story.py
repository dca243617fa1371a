"""The whole product on the lab: a document laid out, machines on two workers, their consoles in a browser, drift, the end.

Real processes (web, worker), real machines, headless Chromium; what has really happened is asked of the workers by `virsh`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.lab import document as anywhere
from tests.lab.linux.cluster import Cluster
from tests.lab.linux.rack import SPEAKS, Rack, racked, says, sign_in, small
from tests.processes.installation import until

PLACE = "/rack"
CIDR, FIRST, SECOND = "10.42.0.0/24", "10.42.0.11", "10.42.0.12"


@pytest.fixture(scope="module")
def rack(cluster: Cluster, image: str, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    with racked(cluster, chromium, tmp_path_factory.mktemp("home"), PLACE) as found:
        found.api.lay_out(PLACE, **document(image, *cluster.workers[:2]))
        yield found


def document(image: str, first: str, second: str) -> dict[str, Any]:
    """Two machines on two workers, in one network."""
    common = {**small(image), "networks": {"lan": {"cidr": CIDR, "type": "private"}}}
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
    says(page, f"eth0={FIRST}/24")
    sign_in(page)
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


#: Whether so many dots of the screen are lit.
LIT = """least => {
    const canvas = document.querySelector(".glass-pane canvas")
    const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    let lit = 0
    for (let place = 0; place < dots.length; place += 4) lit += dots[place] > 100
    return lit > least
}"""
