"""The floor of the OpenStack benchmarks: servers created and deleted by plain openstacksdk, and nothing else.

As in any orchestrator worth comparing with: each server gets a port made for it, ten threads work at once, and one list
for all (every half second) tells who is ACTIVE or gone: asking for each server by itself makes Nova ask Neutron each time.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keystoneauth1.session
import requests
from keystoneauth1 import loading
from openstack.connection import Connection

from tests.lab.cloud import Cloud

POLL = 0.5
PATIENCE = 300.0
#: A server and its ports.
Made = tuple[str, list[str]]


@dataclass
class Bare:
    """Plain openstacksdk in the network `network`; `calls` counts every request by `kind_of`."""

    cloud: Cloud
    network: str
    threads: int
    image: str = "cirros"
    flavor: str = "nano"
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        account = self.cloud.account()
        region = account.pop("region_name")
        http = requests.Session()
        http.hooks["response"].append(self._count)
        auth = loading.get_plugin_loader("v3password").load_from_options(**account)
        self.sdk = Connection(session=keystoneauth1.session.Session(auth=auth, session=http), region_name=region)
        self._image = self.sdk.image.find_image(self.image, ignore_missing=False).id
        self._flavor = self.sdk.compute.find_flavor(self.flavor, ignore_missing=False).id

    def create(self, number: int) -> list[Made]:
        """That many servers with a card each, all ACTIVE when it returns: (server, ports) of each."""
        return self.create_with([[{"network_id": self.network}] for _number in range(number)])

    def create_with(self, cards: Sequence[Sequence[dict[str, Any]]]) -> list[Made]:
        """A server for each of these, with a port for each of its cards, made in one call."""
        tag = f"{self.network}-{uuid.uuid4().hex[:6]}"
        active = {"status": "ACTIVE", "name": tag}

        def one(index: int) -> Made:
            name = f"{tag}-{index:03}"
            ports = self._ports(name, cards[index])
            networks = [{"port": port} for port in ports]
            server = self.sdk.compute.create_server(
                name=name, image_id=self._image, flavor_id=self._flavor, networks=networks
            ).id
            watch(lambda ids: server in ids)
            return server, ports

        with ThreadPoolExecutor(self.threads) as pool, self._watching(active) as watch:
            return list(pool.map(one, range(len(cards))))

    def delete(self, servers: Sequence[Made]) -> None:
        """All gone, with their ports, when it returns."""

        def one(made: Made) -> None:
            server, ports = made
            self.sdk.compute.delete_server(server)
            watch(lambda ids: server not in ids)
            for port in ports:
                self.sdk.network.delete_port(port)

        with ThreadPoolExecutor(self.threads) as pool, self._watching({"name": self.network}) as watch:
            list(pool.map(one, servers))

    def create_networks(self, cidrs: Sequence[str]) -> list[str]:
        """A network with a subnet of each range, which leads nowhere: their ids."""

        def one(cidr: str) -> str:
            network = self.sdk.network.create_network(name=f"{self.network}-{cidr}").id
            self.sdk.network.create_subnet(network_id=network, ip_version=4, cidr=cidr, gateway_ip=None)
            return str(network)

        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(one, cidrs))

    def delete_networks(self, networks: Sequence[str]) -> None:
        """Nothing is in them any more; they go with their subnets."""
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(self.sdk.network.delete_network, networks))

    def _ports(self, name: str, cards: Sequence[dict[str, Any]]) -> list[str]:
        made = self.sdk.network.create_ports([{"name": name, **card} for card in cards])
        return [port.id for port in made]

    @contextmanager
    def _watching(self, query: dict[str, str]) -> Iterator[Callable[[Callable[[set[str]], bool]], None]]:
        """One list for all who wait. Yields what waits until the list says so."""
        news, over = threading.Condition(), threading.Event()
        seen: set[str] | None = None

        def look() -> None:
            nonlocal seen
            while not over.wait(POLL):
                ids = {server.id for server in self.sdk.compute.servers(details=False, **query)}
                with news:
                    seen = ids
                    news.notify_all()

        def watch(true: Callable[[set[str]], bool]) -> None:
            with news:
                assert news.wait_for(lambda: seen is not None and true(seen), PATIENCE), "not in time"

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield watch
        finally:
            over.set()
            watcher.join()

    def _count(self, answer: requests.Response, **_more: Any) -> None:
        self.calls[kind_of(answer.request)] += 1


def kind_of(request: requests.PreparedRequest) -> str:
    """What a request is for.

    "watch": a list that tells how all servers are; "look": one server alone; "find": servers with a tag; "lookup": what does
    not depend on the server, as images and flavors; else the method.
    """
    path, _mark, query = str(request.url).partition("?")
    if request.method != "GET":
        return str(request.method)
    if path.endswith("/servers"):
        return "watch"
    if re.search(r"/servers/[0-9a-f-]{36}$", path):
        return "look"
    return "find" if "tags=" in query else "lookup"


def timed(work: Callable[[], Any], cpu: Callable[[], float]) -> tuple[Any, float, float]:
    """What the work returns, its seconds, and the lab's CPU seconds meanwhile."""
    before, began = cpu(), time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    return result, seconds, cpu() - before
