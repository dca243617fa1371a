"""A slice of 30 machines with 60 point-to-point links on the lab's Linux cluster: deployed until all are on, then torn down.

Measured: from the request to deploy the plan that was shown (`slices.actions.deploy`, as the API calls it) to the end that
its operation carries, through the queue and a real worker process; 60 networks with a DHCP server each on the headnode, 120
cards, 30 machines. Then the same to the end of tearing it down; nothing is left of it then.
Floor: the lab's own `floor --links`, one shell script for the headnode beside one for each worker: all ports and addresses in
one call each, DHCP servers and machines all at once. Its networks have no namespaces and no rules that keep them apart.
The two alternate, three rounds; the median counts. Nobody waits until the guests have booted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from accounts.models import User
from slices import actions as slices
from tests.bench.figures import Figure, say
from tests.bench.linux import Pair, running, timings
from tests.bench.linux_bare import Round, floor
from tests.bench.mesh import mesh, worked
from tests.bench.rack import NAME, known
from tests.bench.servers import worker
from tests.bench.world import superuser
from tests.lab.linux.cluster import Cluster

NODES, LINKS, ROUNDS = 30, 60, 3
REACH = 1.25


def run() -> list[Figure]:
    """All rounds, after a small slice that warms it up."""
    cluster, root = Cluster.running(), superuser()
    _hypervisor, definition = known(cluster, NODES, root)
    with worker():
        ours(cluster, definition, root, 3, 3)
        rounds = [a_round(cluster, definition, root) for _number in range(ROUNDS)]
    return timings(rounds, f"Linux: slice of {NODES} machines, {LINKS} links", REACH)


def a_round(cluster: Cluster, definition: Mapping[str, Any], root: User) -> Pair:
    """The floor and ours."""
    pair = floor(cluster, NODES, LINKS), ours(cluster, definition, root, NODES, LINKS)
    say(f"{NODES} machines, {LINKS} links: bare {pair[0]}, Olimpus {pair[1]}")
    return pair


def ours(cluster: Cluster, definition: Mapping[str, Any], root: User, nodes: int, links: int) -> Round:
    """By Olimpus; every machine is really on, every network there, and all gone afterwards."""
    folder = slices.create(mesh("mesh", NAME, definition, nodes, links), "/", actor=root)
    digest = slices.plan(folder, actor=root).digest
    up = worked(partial(slices.deploy, folder, actor=root, digest=digest))
    assert sum(map(len, running(cluster).values())) == nodes, running(cluster)
    assert len(cluster.run("headnode", "ip", "netns", "list").splitlines()) == links
    down = worked(partial(slices.teardown, folder, actor=root))
    assert not cluster.leftovers(), cluster.leftovers()
    return Round(up, down)
