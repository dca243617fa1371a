"""A slice of 30 machines with 60 point-to-point links on the lab's OpenStack: deployed until all run, then torn down.

Measured: from the request to deploy the plan that was shown (`slices.actions.deploy`, as the API calls it) to the end that
its operation carries, through the queue and a real worker process; 60 networks, 60 subnets, 120 ports, 30 servers, ten at
once. Then the same to the end of tearing it down; nothing is left of it then.
Floor: `tests.bench.bare`, plain openstacksdk, grown by the same networks, subnets and ports: all networks side by side, then
servers as in the other benchmark. Ours names addresses and MACs of all cards; the floor's are Neutron's choice. The two
alternate, three rounds; the median counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from accounts.models import User
from descriptors.models import Descriptor, Node
from hypervisors import actions as hypervisors
from slices import actions as slices
from tests.bench.bare import Bare, timed
from tests.bench.figures import Figure, say
from tests.bench.mesh import mesh, worked
from tests.bench.servers import worker
from tests.bench.world import superuser
from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import network

NODES, LINKS, AT_ONCE, ROUNDS = 30, 60, 10, 3
REACH = 1.2


@dataclass
class Round:
    """Seconds until all run, seconds until all is gone, the lab's CPU seconds until all ran."""

    up: float
    down: float
    cpu: float


Pair = tuple[Round, Round]


def run() -> list[Figure]:
    """Three rounds of both, after a small slice of each that warms it up."""
    cloud, root = Cloud.running(), superuser()
    fields = {"name": "cloud", "driver": "openstack", "concurrency": AT_ONCE, "reconcile_interval": 3600}
    hypervisors.create(fields | {"settings": cloud.account()}, actor=root)
    with network(cloud) as net, worker():
        bare = Bare(cloud, cloud.sdk().network.find_network(net, ignore_missing=False).id, AT_ONCE)
        floor(cloud, bare, 3, 3)
        ours(cloud, root, 3, 3)
        rounds = [a_round(cloud, bare, root) for _number in range(ROUNDS)]
    return figures(rounds)


def a_round(cloud: Cloud, bare: Bare, root: User) -> Pair:
    """The floor and ours."""
    pair = floor(cloud, bare, NODES, LINKS), ours(cloud, root, NODES, LINKS)
    say(f"{NODES} machines, {LINKS} links: bare {pair[0]}, Olimpus {pair[1]}")
    return pair


def floor(cloud: Cloud, bare: Bare, nodes: int, links: int) -> Round:
    """By the bare library."""
    graph = mesh("floor", "", {}, nodes, links)
    cards: dict[str, list[dict[str, str]]] = {node.name: [] for node in graph.nodes}

    def up() -> list[str]:
        networks = bare.create_networks([link.cidr for link in graph.links])
        for link, network_id in zip(graph.links, networks, strict=True):
            for name in link.nodes:
                cards[name].append({"network_id": network_id})
        servers.extend(bare.create_with(list(cards.values())))
        return networks

    def down() -> None:
        bare.delete(servers)
        bare.delete_networks(networks)

    servers: list[tuple[str, list[str]]] = []
    networks, seconds, cpu = timed(up, cloud.cpu_seconds)
    _nothing, gone, _cpu = timed(down, cloud.cpu_seconds)
    return Round(seconds, gone, cpu)


def ours(cloud: Cloud, root: User, nodes: int, links: int) -> Round:
    """By Olimpus; every server and network is really there, and gone afterwards."""
    graph = mesh("mesh", "cloud", {"image": "cirros", "flavor": "nano"}, nodes, links)
    folder = slices.create(graph, "/", actor=root)
    digest = slices.plan(folder, actor=root).digest
    deploy, tear_down = (partial(act, folder, actor=root) for act in (slices.deploy, slices.teardown))
    up, _seconds, cpu = timed(lambda: worked(partial(deploy, digest=digest)), cloud.cpu_seconds)
    there = parts(cloud, folder)
    assert [len(there[kind]) for kind in ("server", "port", "network")] == [nodes, 2 * links, links]
    down = worked(tear_down)
    left = cloud.inventory()
    assert [(kind, pk) for kind, ids in there.items() for pk in ids if (kind, pk) in left] == []
    return Round(up, down, cpu)


def parts(cloud: Cloud, folder: Node) -> dict[str, set[str]]:
    """What the slice has on the cloud, as Neutron tells it, by kind."""
    servers = set(Descriptor.objects.filter(parent=folder).values_list("vm_ref", flat=True))
    ports = [port for port in cloud.sdk().network.ports() if port.device_id in servers]
    networks = {port.network_id for port in ports}
    return {"server": {port.device_id for port in ports}, "port": {port.id for port in ports}, "network": networks}


def figures(rounds: Sequence[Pair]) -> list[Figure]:
    """Medians of all rounds."""

    def line(label: str, part: str, most: float | None = None) -> Figure:
        bare, mine = ([getattr(pair[side], part) for pair in rounds] for side in (0, 1))
        least, measured = statistics.median(bare), statistics.median(mine)
        work = f"OpenStack: slice of {NODES} machines, {LINKS} links: {label}"
        reach, ok = (f"≤ {most:g} ×", measured <= most * least) if most else ("–", True)
        return Figure(work, measured, "s", reach, ok, least, {"floor": bare, "ours": mine})

    return [line("all run", "up", REACH), line("the cloud's CPU", "cpu"), line("all gone", "down")]
