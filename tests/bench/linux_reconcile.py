"""Reconcile of a hundred machines on the lab's three workers: seconds, and what libvirt is asked for.

Measured: `reconcile.reconcile` of machines that are made and off, over connections that stand: what happens every minute.
Floor: libvirt's own library alone, over OpenSSH's client and the same bastion, over connections that stand, too: the figures
of all domains, from all workers side by side. The two alternate; the median counts. Calls are counted where libvirt's
library hands them to its daemon, and programs that are run by SSH where they are sent.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import libvirt

from descriptors import reconcile
from hypervisors.drivers.linux.machines import STATS
from hypervisors.gateway import gateway_for
from tests.bench.figures import Figure, say, timed
from tests.bench.rack import Rack, bare_libvirt
from tests.bench.servers import worker
from tests.bench.world import perform
from tests.lab.linux.calls import asking, counted

MACHINES, ROUNDS = 100, 20
#: Of libvirt's calls, those that list machines.
LISTINGS = ("virConnectGetAllDomainStats", "virConnectListAllDomains")
WORK = f"Linux: {MACHINES} machines on three workers"


def run() -> list[Figure]:
    """The listing alone and the whole reconcile, each round beside the floor."""
    rack = Rack.of(MACHINES)
    with worker():
        perform("create", rack.place, rack.root)
        try:
            return measure(rack)
        finally:
            perform("destroy", rack.place, rack.root, force=True)


def measure(rack: Rack) -> list[Figure]:
    """All rounds, after one that connects and reads the definitions."""
    workers = rack.cluster.workers
    listing = gateway_for(rack.hypervisor).list
    whole = partial(compare, rack)
    say(f"{MACHINES} machines, first look {timed(whole):.2f} s")
    with counted() as calls:
        whole()
    with bare_libvirt(rack.cluster, workers) as bare, ThreadPoolExecutor(len(workers)) as threads:
        floor = partial(look, bare, threads)
        rounds = [(timed(floor), timed(listing), timed(whole)) for _number in range(ROUNDS)]
    say(f"listed, slowest {max(each[1] for each in rounds):.3f} s; a reconcile asks for {asking(calls)}")
    return [*timings(rounds), calls_figure(calls, len(workers))]


def compare(rack: Rack) -> None:
    """A reconcile that finds all of them as they should be."""
    report = reconcile.reconcile(rack.hypervisor.pk)
    assert report == reconcile.Report(rack.hypervisor.name, True, MACHINES, MACHINES, 0, 0), report


def look(bare: Mapping[str, libvirt.virConnect], threads: ThreadPoolExecutor) -> None:
    """The floor."""
    found = list(threads.map(lambda connection: connection.getAllDomainStats(STATS, 0), bare.values()))
    assert sum(map(len, found)) == MACHINES, found


# -- figures -----------------------------------------------------------------------------------------------------------


def timings(rounds: Sequence[tuple[float, float, float]]) -> list[Figure]:
    """Medians."""
    floors, listings, wholes = zip(*rounds, strict=True)
    floor, details = statistics.median(floors), {"floor": floors, "listings": listings, "reconciles": wholes}
    return [
        Figure(f"{WORK}, listed", statistics.median(listings), "s", "–", True, floor, details),
        Figure(f"{WORK}, reconciled", statistics.median(wholes), "s", "–", True, floor, details),
    ]


def calls_figure(calls: Counter[str], workers: int) -> Figure:
    """Of a reconcile: what lists machines. What else is asked for does not grow with their number."""
    each = sum(calls[name] for name in LISTINGS) / workers
    work = f"{WORK}, reconciled: listings of each"
    return Figure(work, each, "calls", "1", each == 1, details=asking(calls))
