"""One slice on two clusters: its networks are joined by gateways, real machines on both sides reach each other in them.

The worker is killed while machines are made; nothing is left on either side at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Product, serving
from tests.browser.hands import Api
from tests.lab.linux.cluster import FAR, Cluster
from tests.lab.linux.guests import answered
from tests.processes.installation import until

#: Seconds until all machines run.
MADE = 120.0
#: Asks for the hardware address of its router, whoever answers.
WHO_ROUTES = "arping -b -c 2 -I eth1 $(ip route | awk '/^default/ { print $3 }')"


@dataclass
class Pair:
    """The product above two clusters that reach each other's outside."""

    product: Product
    api: Api
    clusters: dict[str, Cluster]
    key: int = 0

    def deploy(self, image: str) -> None:
        """Two machines on different clusters, in a link of their own and in a network that a router serves."""
        document = {
            "name": "hybrid",
            "hypervisor": "near",
            "defaults": {"image": image, "cpus": 1, "memory_mib": 128, "disk_gib": 1, "stop_timeout": 3},
            "nodes": [{"name": "a"}, {"name": "b", "hypervisor": "far"}],
            "links": [["a", "b"]],
            "networks": [{"name": "lan", "type": "nat", "ends": ["a", "b"]}],
        }
        told = self.api.ask("POST", "slices", json={**document, "deploy": True})
        assert told["deployment"], told["plan"]["refusals"]
        self.key = told["slice"]["id"]

    def ref(self, name: str) -> str:
        """What the machine is called on its cluster."""
        return str(self.api.ask("GET", f"nodes/{self.row(name)['id']}")["vm_ref"])

    def row(self, name: str) -> dict[str, Any]:
        """How the machine is."""
        return next(dict(row) for row in self.status()["nodes"] if row["name"] == name)

    def addresses(self, name: str) -> list[str]:
        """Of the machine's cards, as the slice gave them."""
        document = self.api.ask("GET", f"slices/{self.key}")["document"]
        links = [*document["links"], *document["networks"]]
        return [end["ip"] for link in links for end in link["ends"] if end["node"] == name]

    def status(self) -> dict[str, Any]:
        return dict(self.api.ask("GET", f"slices/{self.key}/status"))


@pytest.fixture(scope="module")
def pair(cluster: Cluster, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    homes = {name: tmp_path_factory.mktemp(name) for name in ("near", "far", "product")}
    with cluster.beside(FAR) as far, serving(homes["product"]) as product:
        clusters = {"near": cluster, "far": far}
        cluster.empty(homes["near"])
        assert far.offer(homes["far"]) == image
        api = Api(product)
        for name, one in clusters.items():
            api.ask("POST", "hypervisors", json={"name": name, "driver": "linux", "settings": one.settings()})
        yield Pair(product, api, clusters)


def test_machines_of_two_clusters_are_neighbours(pair: Pair, image: str, tmp_path: Path) -> None:
    pair.deploy(image)
    near, far = (one.driver(tmp_path / name, name) for name, one in pair.clusters.items())
    try:
        assert until(lambda: near.list() or far.list(), MADE)
        pair.product.kill("celery")
        assert until(lambda: pair.status()["progress"]["running"] == 4, MADE), pair.status()
        link, lan = pair.addresses("b")
        pings = "; ".join(f"until ping -c 1 -W 2 -s 1472 {ip}; do sleep 1; done" for ip in (link, lan))
        said = answered(near, pair.ref("a"), f"{pings}; {WHO_ROUTES}; echo asked=$?", "asked=0", MADE)
        assert f"1480 bytes from {link}" in said
        assert f"1480 bytes from {lan}" in said
        assert len(set(re.findall(r"\[([0-9a-f:]{17})]", said))) == 1  # the router here, not the one there
    finally:
        near.close()
        far.close()


def test_a_gateway_is_made_anew_where_its_tunnels_change(pair: Pair, tmp_path: Path) -> None:
    """One was destroyed by hand and gets another address, which the other must be told; that one keeps its own."""
    before = pair.row("gw-near")
    pair.api.ask("POST", f"nodes/{pair.row('gw-far')['id']}/do/destroy", json={"force": True})
    assert until(lambda: pair.row("gw-far")["state"] == "provisioned", MADE)
    plan = pair.api.ask("POST", f"slices/{pair.key}/plan", json={})
    changes = {"a": "keep", "b": "keep", "gw-far": "add", "gw-near": "anew"}
    assert {row["node"]: row["change"] for row in plan["rows"]} == changes
    pair.api.ask("POST", f"slices/{pair.key}/deploy", json={"digest": plan["digest"]})
    assert until(lambda: pair.status()["status"] == "running", MADE), pair.status()
    after = pair.row("gw-near")
    assert (after["health"], after["ways"]) == ("ok", before["ways"])
    far = pair.clusters["far"].driver(tmp_path, "far")
    try:
        pings = "; ".join(f"until ping -c 1 -W 2 {ip}; do sleep 1; done" for ip in pair.addresses("a"))
        answered(far, pair.ref("b"), f"{pings}; echo asked=$?", "asked=0", MADE)
    finally:
        far.close()


def test_nothing_is_left_on_either_side(pair: Pair) -> None:
    pair.api.ask("DELETE", f"slices/{pair.key}")
    assert until(lambda: pair.api.client.get(f"slices/{pair.key}").status_code == 404, MADE), pair.status()
    assert {name: one.leftovers() for name, one in pair.clusters.items()} == {"near": [], "far": []}
