"""A page of 50 from a folder with 20,000 machines, for a manager with 200 grants, through HTTP.

Measured: `GET /api/nodes?path=…&page=n` on a real daphne over one kept connection, signed in by session, random pages,
95th percentile of 200 requests after 20 that warm up; and the number of queries of one such request, counted in-process.
Two managers: one of whose grants lies on the folder above (he sees all 20,000), one whose grants lie on 200 of the machines.
The first one's page of the same folder in the portal is measured in the same way.
Floor: the same rows of the same pages by one raw SELECT and `json.dumps`, 95th percentile.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Kind as Account
from descriptors import tree
from descriptors.actions import grant_many
from descriptors.models import Descriptor, Nic
from hypervisors import actions as hypervisors
from tests.bench.figures import Figure, percentile, say
from tests.bench.servers import web
from tests.bench.world import folder, machines, people, session_of, superuser

MACHINES, GRANTS, PAGE, REQUESTS, WARM_UP = 20_000, 200, 50, 200, 20
MOST_QUERIES, MOST_MS = 10, 100.0
SELECT = """
SELECT n.id, n.path, n.name, n.kind, n.parent_id, n.version, d.state, d.state_since, d.reason, h.name, d.vm_ref,
       d.drifted, d.observed, o.id, o.verb, o.status
FROM descriptors_node n
JOIN descriptors_descriptor d ON d.node_ptr_id = n.id
LEFT JOIN hypervisors_hypervisor h ON h.id = d.hypervisor_id
LEFT JOIN descriptors_operation o ON o.open_for_id = d.node_ptr_id
WHERE n.parent_id = %s {} ORDER BY n.kind DESC, n.name LIMIT 50 OFFSET %s
"""
API = ("API", f"/api/nodes?path=/farm&page_size={PAGE}&page=")
PORTAL = ("portal", "/tree/farm?page=")
GRANTED = "AND n.id IN (SELECT content_object_id FROM descriptors_nodeuserobjectpermission WHERE user_id = %s)"


@dataclass(frozen=True)
class Case:
    """A manager, what he may see of the folder, and the raw SELECT that gives the same rows."""

    label: str
    user: User
    visible: int
    sql: str
    arguments: tuple[int, ...]
    #: The address of the page, but for its number, by the name of the door.
    doors: tuple[tuple[str, str], ...]

    @property
    def pages(self) -> int:
        """How many pages he can turn."""
        return self.visible // PAGE


def run() -> list[Figure]:
    """For each manager the queries and the time at each door."""
    cases = build()
    figures = []
    with web() as address:
        for case in cases:
            figures += measure(case, address)
    return figures


def build() -> list[Case]:
    """The folder, its machines, the two managers and their grants."""
    root = superuser()
    mock = hypervisors.create({"name": "mock", "driver": "mock"}, actor=root)
    farm = folder("/farm", {"hypervisor": "mock", "image": "debian-12", "flavor": "nano"})
    rows = machines(farm, {f"vm-{number:05}": {"labels": {"row": str(number % 50)}} for number in range(MACHINES)})
    seen = {"power": "on", "cpus": 1, "memory_mib": 512, "addresses": []}
    Descriptor.objects.update(state="running", hypervisor=mock, vm_ref="mock-1", applied={}, observed=seen)
    Nic.objects.bulk_create(
        Nic(descriptor_id=row.pk, position=0, network="lan", mac=f"52:54:00:{number:06x}", ip=None)
        for number, row in enumerate(rows)
    )
    above, inside = people(["above", "inside"])
    User.objects.update(kind=Account.MANAGER)
    elsewhere = tree.insert([(tree.by_path("/"), [tree.Draft(f"other-{number}") for number in range(GRANTS - 1)])])
    grant_many([(node.pk, "manager", above.pk) for node in [farm, *elsewhere]], actor=root)
    chosen = random.Random(1).sample(rows, GRANTS)
    grant_many([(node.pk, "manager", inside.pk) for node in chosen], actor=root)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "ANALYZE TABLE descriptors_node")
    return [
        Case("grant above", above, MACHINES, SELECT.format(""), (farm.pk,), (API, PORTAL)),
        Case("grants inside", inside, GRANTS, SELECT.format(GRANTED), (farm.pk, inside.pk), (API,)),
    ]


def measure(case: Case, address: str) -> list[Figure]:
    """Queries and times of one manager."""
    session = session_of(case.user)
    queries = count_queries(session, f"{API[1]}2", case)
    floor = percentile(times(lambda page: raw(case, page), case), 95)
    head = f"page of {PAGE} of {MACHINES:,}, {case.label}"
    figures = [Figure(f"{head}: queries", queries, "queries", f"≤ {MOST_QUERIES}", queries <= MOST_QUERIES)]
    cookies = {settings.SESSION_COOKIE_NAME: session}
    with httpx.Client(base_url=address, cookies=cookies, timeout=30) as client:
        for door, url in case.doors:
            taken = times(lambda page, url=url: fetch(client, f"{url}{page}"), case)
            p95 = percentile(taken, 95)
            details = {"p50": statistics.median(taken), "worst": max(taken), "requests": len(taken)}
            say(f"{case.label}, {door}: p50 {details['p50']:.1f} ms, p95 {p95:.1f} ms, worst {max(taken):.1f} ms")
            reach = f"p95 < {MOST_MS:g} ms"
            figures.append(Figure(f"{head}: {door}, p95", p95, "ms", reach, p95 < MOST_MS, floor, details))
    return figures


def count_queries(session: str, url: str, case: Case) -> int:
    """Queries of one request, those of session and sign-in included."""
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    client.get(url, headers={"host": "localhost"})
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url, headers={"host": "localhost"})
    found = answer.json()
    assert (found["count"], len(found["results"])) == (case.visible, PAGE), answer.content[:300]
    return len(captured)


def fetch(client: httpx.Client, url: str) -> None:
    """One request, its whole answer read."""
    answer = client.get(url)
    assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:200]}"


def raw(case: Case, page: int) -> None:
    """The same rows, without Olimpus."""
    with connection.cursor() as cursor:
        cursor.execute(case.sql, [*case.arguments, PAGE * (page - 1)])
        rows = cursor.fetchall()
    assert len(rows) == PAGE
    json.dumps(rows, default=str)


def times(work: Callable[[int], None], case: Case) -> Sequence[float]:
    """Milliseconds of each of many random pages."""
    chance = random.Random(2)
    taken = []
    for number in range(WARM_UP + REQUESTS):
        page = chance.randint(1, case.pages)
        start = time.perf_counter()
        work(page)
        if number >= WARM_UP:
            taken.append((time.perf_counter() - start) * 1000)
    return taken
