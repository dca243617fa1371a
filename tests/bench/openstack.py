"""30 servers on the lab's OpenStack: created and ACTIVE, then deleted, ten at once; and the listing of 500.

Measured: from the request for the folder (`actions.request`, as the API calls it) to the end that the parent operation
carries, through the queue and a real worker process; directly, and with every call to the cloud through an SSH bastion.
Machines stay on when they are created, as servers do; deleting is timed after they were switched off.
Floor: `tests.bench.bare`, plain openstacksdk: the same concurrency, ports and way of watching, without a bastion. The three
alternate, three rounds; the median counts. The lab's computing per server is told beside it: unlike the time it hardly
depends on what else the machine does.
API calls are counted in a round of its own, in one process on both sides, once everything that is looked up is known.
The 500 servers of the listing are rows written beside a real one into Nova's database; Nova answers for them all.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accounts.models import User
from descriptors import actions, reconcile
from descriptors.models import Node
from descriptors.worker.engine import Engine
from hypervisors import actions as hypervisors
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from tests.bench import figures
from tests.bench.bare import Bare, timed
from tests.bench.figures import Figure, say
from tests.bench.servers import worker
from tests.bench.world import folder, machines, perform, superuser
from tests.lab.clones import clones
from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import network
from tests.lab.sshd import Sshd

SERVERS, AT_ONCE, ROUNDS, LISTED = 30, 10, 3, 500
REACH, THROUGH_BASTION, MORE_CALLS = 1.15, 1.25, 2
BARE, DIRECT, BASTION = "bare", "direct", "bastion"


@dataclass
class Round:
    """One round of one of the three."""

    create: float
    delete: float
    cpu: float  # of the lab, creating, per server


def run() -> list[Figure]:
    """Times, computing, calls, listing."""
    cloud, root = Cloud.running(), superuser()
    with network(cloud) as net, tempfile.TemporaryDirectory() as place:
        bastion = Sshd(Path(place))
        try:
            records = {DIRECT: {}, BASTION: bastion.settings()}
            made = {name: build(cloud, net, root, name, more) for name, more in records.items()}
            bare = Bare(cloud, cloud.sdk().network.find_network(net, ignore_missing=False).id, AT_ONCE)
            rounds = alternate(cloud, bare, made, root)
            counted = calls(bare, *made[DIRECT], root)
            listed = listing(cloud, bare, made[DIRECT][0])
        finally:
            bastion.close()
    return [*timings(rounds), counted, *listed]


def build(cloud: Cloud, net: str, root: User, name: str, more: dict[str, Any]) -> tuple[Hypervisor, Node]:
    """The hypervisor and a folder of machines on it, which are not created yet."""
    fields = {"name": name, "driver": "openstack", "concurrency": AT_ONCE, "reconcile_interval": 3600}
    hypervisor = hypervisors.create(fields | {"settings": cloud.account(created_power="on", **more)}, actor=root)
    place = folder(f"/{name}", {"hypervisor": name, "image": "cirros", "flavor": "nano", "nics": [{"network": net}]})
    machines(place, {f"vm-{number:02}": {} for number in range(SERVERS)})
    return hypervisor, Node.objects.get(pk=place.pk)


# -- times -----------------------------------------------------------------------------------------------------------------
def alternate(cloud: Cloud, bare: Bare, made: dict[str, tuple[Hypervisor, Node]], root: User) -> dict[str, list[Round]]:
    """All rounds of all three, after one small one of each that warms it up."""
    found: dict[str, list[Round]] = defaultdict(list)
    with worker():
        bare.delete(bare.create(2))
        for _hypervisor, place in made.values():
            first = Node.objects.filter(parent=place).earliest("path")
            for verb in ("create", "force_off", "destroy"):
                perform(verb, first, root)
        for number in range(ROUNDS):
            found[BARE].append(bare_round(cloud, bare))
            for name, (_hypervisor, place) in made.items():
                found[name].append(round_of(cloud, place, root))
            told = ", ".join(f"{name} {one[-1].create:.1f} s" for name, one in found.items())
            say(f"{SERVERS} servers, round {number + 1}: {told}")
    return found


def bare_round(cloud: Cloud, bare: Bare) -> Round:
    """The floor."""
    servers, create, cpu = timed(lambda: bare.create(SERVERS), cloud.cpu_seconds)
    _nothing, delete, _cpu = timed(lambda: bare.delete(servers), cloud.cpu_seconds)
    return Round(create, delete, cpu / SERVERS)


def round_of(cloud: Cloud, place: Node, root: User) -> Round:
    """The same by Olimpus; every server is really there, and gone afterwards."""
    create, _seconds, cpu = timed(lambda: perform("create", place, root), cloud.cpu_seconds)
    assert active(cloud, place) == SERVERS
    perform("force_off", place, root)
    delete = perform("destroy", place, root)
    assert active(cloud, place) == 0
    return Round(create, delete, cpu / SERVERS)


def active(cloud: Cloud, place: Node) -> int:
    """Servers of the folder that Nova calls ACTIVE."""
    tags = {f"olimpus-{uid}" for uid in Node.objects.filter(parent=place).values_list("descriptor__uid", flat=True)}
    rows = cloud.sdk().compute.get("/servers/detail?status=ACTIVE&all_tenants=1", microversion="2.52").json()["servers"]
    return sum(bool(tags.intersection(row["tags"])) for row in rows)


def timings(rounds: dict[str, list[Round]]) -> list[Figure]:
    """The lines of creating, deleting and computing."""

    def median(name: str, what: str) -> float:
        return statistics.median(getattr(one, what) for one in rounds[name])

    def line(work: str, name: str, what: str, reach: float) -> Figure:
        measured, floor = median(name, what), median(BARE, what)
        details = {one: [getattr(each, what) for each in rounds[one]] for one in (name, BARE)}
        return Figure(work, measured, "s", f"≤ {reach:g} ×", measured <= reach * floor, floor, details)

    work = f"OpenStack: {SERVERS} servers, {AT_ONCE} at once"
    return [
        line(f"{work}: all ACTIVE", DIRECT, "create", REACH),
        line(f"{work}: the cloud's CPU for each", DIRECT, "cpu", REACH),
        line(f"{work}: all deleted", DIRECT, "delete", REACH),
        line(f"{work}, through a bastion: all ACTIVE", BASTION, "create", THROUGH_BASTION),
        line(f"{work}, through a bastion: all deleted", BASTION, "delete", THROUGH_BASTION),
    ]


# -- calls -----------------------------------------------------------------------------------------------------------------
def calls(bare: Bare, hypervisor: Hypervisor, place: Node, root: User) -> Figure:
    """Requests for each server created; both have signed in and know image, flavor and network."""
    engine, count = Engine(name="bench"), counter(hypervisor)

    def here(verb: str) -> None:
        actions.request(verb, Node.objects.get(pk=place.pk), actor=root)
        engine.drain([hypervisor.pk])

    gateway_for(hypervisor).list()
    before = count()
    here("create")
    ours = count() - before
    bare.calls.clear()
    servers = bare.create(SERVERS)
    theirs = bare.calls.total()
    bare.delete(servers)
    here("force_off")
    here("destroy")
    measured, floor = ours / SERVERS, theirs / SERVERS
    reach = f"≤ floor + {MORE_CALLS}"
    return Figure(
        "OpenStack: API calls for each server created", measured, "calls", reach, measured <= floor + MORE_CALLS, floor
    )


def counter(hypervisor: Hypervisor) -> Callable[[], int]:
    """Requests to the cloud so far, of this process."""
    session = gateway_for(hypervisor).driver.session  # type: ignore[attr-defined]
    return lambda: sum(session.calls().values())


# -- listing ---------------------------------------------------------------------------------------------------------------
def listing(cloud: Cloud, bare: Bare, hypervisor: Hypervisor) -> list[Figure]:
    """What reconciliation asks of a cloud with 500 servers, beside the same list by bare openstacksdk."""
    count, gateway = counter(hypervisor), gateway_for(hypervisor)
    ((server, ports),) = bare.create(1)
    with clones(cloud, server, LISTED):
        gateway.list()  # the names of images are looked up once for all servers, and kept for a while
        before = count()
        infos, seconds, _cpu = timed(gateway.list, cloud.cpu_seconds)
        asked = count() - before
        assert len(infos) >= LISTED, len(infos)
        floor = min(figures.timed(lambda: list(bare.sdk.compute.servers(all_projects=True))) for _ in range(ROUNDS))
        seconds = min([seconds, *(figures.timed(gateway.list) for _ in range(ROUNDS - 1))])
        report = reconcile.reconcile(hypervisor.pk)
    bare.delete([(server, ports)])
    assert report is not None
    assert report.vms >= LISTED, report
    work = f"OpenStack: listing of {LISTED} servers for reconcile"
    return [
        Figure(f"{work}: calls", asked, "calls", "1", asked == 1),
        Figure(work, seconds, "s", "–", True, floor),
    ]
