"""Thirty machines on the lab's Linux cluster: made and powered on, then gone, by Olimpus and by a bare shell script.

Measured: from the request for the folder (`actions.request`, as the API calls it) to the end that the operation carries:
all are made and on, through the queue and a real worker process. Then the same folder is destroyed by force.
Floor: the lab's own `floor`, one shell script for each worker, in its fastest way. Disk, seed, card, memory and
translation cache are the same; Olimpus' machines have a network with a DHCP server, too, and a place that was chosen. The
two alternate; the median counts. Nobody waits until the guests have booted, which takes their own time.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from accounts.models import User
from descriptors.models import Node
from olimpus.embedded import worker_command
from tests.bench.figures import Figure, say
from tests.bench.linux_bare import Round, floor
from tests.bench.rack import Rack
from tests.bench.servers import process, spent
from tests.bench.world import perform
from tests.lab.linux.cluster import Cluster

MACHINES, ROUNDS = 30, 3
REACH = 1.2
NETWORK = {
    "networks": {"lan": {"cidr": "10.42.0.0/24", "type": "private"}},
    "nics": [{"network": "lan", "ip_mode": "cloud-init"}],
}
Pair = tuple[Round, Round]


def run() -> list[Figure]:
    """All rounds, after one machine that warms it up."""
    rack = Rack.of(MACHINES, **NETWORK)
    cluster, place, root = rack.cluster, rack.place, rack.root
    with process(worker_command()) as worker:
        first = Node.objects.filter(parent=place).earliest("path")
        perform("create", first, root, start=True)
        perform("destroy", first, root, force=True)
        before = spent(worker.pid)
        rounds = [a_round(cluster, place, root) for _number in range(ROUNDS)]
        computing = (spent(worker.pid) - before) / ROUNDS / MACHINES
    return [*timings(rounds, f"Linux: {MACHINES} machines", REACH), cpu_figure(computing)]


def a_round(cluster: Cluster, place: Node, root: User) -> Pair:
    """The floor and ours: all started, all gone."""
    bare = floor(cluster, MACHINES)
    started = create(cluster, place, root)
    ours = Round(started, destroy(cluster, place, root))
    say(f"{MACHINES} machines: bare {bare}, Olimpus {ours}")
    return bare, ours


def create(cluster: Cluster, place: Node, root: User) -> float:
    """Seconds until all are made and on; each of them really is."""
    seconds = perform("create", place, root, start=True)
    assert sum(map(len, running(cluster).values())) == MACHINES, running(cluster)
    return seconds


def destroy(cluster: Cluster, place: Node, root: User) -> float:
    """Seconds until all are gone, whatever they did; nothing is left of them."""
    seconds = perform("destroy", place, root, force=True)
    assert not cluster.leftovers(), cluster.leftovers()
    return seconds


def running(cluster: Cluster) -> dict[str, list[str]]:
    """The names of the domains that are on, as virsh tells them, by worker."""
    return {name: cluster.run(name, "virsh", "-q", "list", "--name").split() for name in cluster.workers}


def timings(rounds: Sequence[Pair], work: str, most: float) -> list[Figure]:
    """Medians of all rounds."""

    def line(label: str, part: Callable[[Round], float], most: float | None = None) -> Figure:
        bare, ours = ([part(pair[side]) for pair in rounds] for side in (0, 1))
        floor, measured = statistics.median(bare), statistics.median(ours)
        reach, ok = (f"≤ {most:g} ×", measured <= most * floor) if most else ("–", True)
        return Figure(f"{work}, {label}", measured, "s", reach, ok, floor, {"floor": bare, "ours": ours})

    return [line("all made and started", lambda one: one.started, most), line("all gone", lambda one: one.gone)]


def cpu_figure(seconds: float) -> Figure:
    """Of a whole life."""
    return Figure("Linux: CPU of Olimpus' worker for each machine, made and destroyed", seconds, "s", "–", True)
