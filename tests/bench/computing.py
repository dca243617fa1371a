"""Computed definitions: of one machine at depth 10, and of 5,000 machines at depth 10 at once.

Measured: `selectors.computed` of one machine, and `selectors.computed_many` of 5,000 machines in 1,000 folders, reading
the machines included: definitions with the origin of every value, references filled in. Queries are counted.
Floor: the same definitions, already read and decoded, merged in memory as plain nested `dict`s, each folder's chain only
once: no origins, no prototypes, no references, no database. The best of five rounds counts on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from descriptors import selectors, tree
from descriptors.cascade import Computed
from descriptors.models import Descriptor, Kind, Node
from tests.bench.figures import Figure, say, timed

DEPTH, STUDENTS, ROUNDS, MOST_QUERIES, REACH = 10, 1000, 5, 3, 5.0
MACHINES = ("web", "db", "router", "client", "monitor")
Values = dict[str, Any]


def run() -> list[Figure]:
    """One machine, many machines."""
    lowest = build()
    machines = Descriptor.objects.filter(lft__gt=lowest.lft, rght__lt=lowest.rght).order_by()
    one = Descriptor.objects.get(path=f"{lowest.path}/s0007/web")
    assert one.level == DEPTH
    return [of_one(one), *of_many(lambda: list(machines))]


def build() -> Node:
    """Eight folders inside each other, 1,000 in the lowest, five machines in each."""
    draft = tree.Draft("d8", definition=of_folder(8), children=[student(number) for number in range(STUDENTS)])
    for depth in range(DEPTH - 3, 0, -1):
        draft = tree.Draft(f"d{depth}", definition=of_folder(depth), children=[draft])
    nodes = tree.insert([(tree.by_path("/"), [draft])])
    return next(node for node in nodes if node.level == DEPTH - 2)


def of_folder(depth: int) -> Values:
    """What a folder in the middle says: some of its own, some of what others say, too."""
    return {
        "labels": {f"level-{depth}": str(depth), "nearest": str(depth)},
        "custom": {"course": {"depth": depth, f"only-{depth}": [1, 2, 3]}},
        "memory_mib": 512 * depth,
        "networks": {f"lan-{depth}": {"cidr": f"10.{depth}.0.0/24"}},
        **({"hypervisor": "mock", "image": "debian-12", "flavor": "small"} if depth == 1 else {}),
    }


def student(number: int) -> tree.Draft:
    """A student's folder."""
    name = f"s{number:04}"
    children = [
        tree.Draft(machine, Kind.DESCRIPTOR, {"labels": {"role": machine}, "nics": [{"network": "lan-8"}], "cpus": 2})
        for machine in MACHINES
    ]
    return tree.Draft(name, definition={"student": name, "labels": {"group": str(number % 8)}}, children=children)


def of_one(machine: Node) -> Figure:
    """One query, and how long it takes."""
    layers = [layer.definition for layer in selectors.chain(machine)]
    queries = count_queries(lambda: selectors.computed(machine))
    found = selectors.computed(machine).values
    assert (found["memory_mib"], found["labels"]["nearest"], len(layers)) == (512 * 8, "8", DEPTH + 1)
    measured = min(timed(lambda: selectors.computed(machine)) for _ in range(100)) * 1000
    floor = min(timed(lambda: merged_chain(layers)) for _ in range(100)) * 1000
    reach = "1 query"
    return Figure(
        f"computed definition at depth {DEPTH}", measured, "ms", reach, queries == 1, floor, {"queries": queries}
    )


def of_many(read: Callable[[], list[Descriptor]]) -> list[Figure]:
    """Queries and time of all."""
    queries = count_queries(lambda: selectors.computed_many(read()))
    machines = read()
    folders = selectors.folders_above(machines)
    check(machines, folders)
    measured = [timed(lambda: selectors.computed_many(read())) for _round in range(ROUNDS)]
    floors = [timed(lambda: merged_all(machines, folders)) for _round in range(ROUNDS)]
    say(f"{len(machines):,} definitions in {min(measured):.2f} s, merged in {min(floors):.2f} s")
    work = f"computed definitions of {len(machines):,} VMs at depth {DEPTH}"
    details = {"measured": measured, "floors": floors}
    ok = min(measured) <= REACH * min(floors)
    return [
        Figure(f"{work}: queries", queries, "queries", f"≤ {MOST_QUERIES}", queries <= MOST_QUERIES),
        Figure(work, min(measured), "s", f"≤ {REACH:g} ×", ok, min(floors), details),
    ]


def check(machines: list[Descriptor], folders: dict[str, Values]) -> None:
    """Both ways give the same values."""
    computed, plain = selectors.computed_many(machines), merged_all(machines, folders)
    for machine, values in zip(machines, plain, strict=True):
        found = computed[machine.pk]
        assert isinstance(found, Computed), found
        assert found.values == values, machine.path


def count_queries(work: Callable[[], object]) -> int:
    """Queries that `work` makes."""
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def merged_all(machines: list[Descriptor], folders: dict[str, Values]) -> list[Values]:
    """The floor: every chain of folders merged once, every machine over its own."""
    known: dict[str, Values] = {"/": folders["/"]}
    return [
        merged(chain_of(machine.path.rpartition("/")[0] or "/", folders, known), machine.definition)
        for machine in machines
    ]


def chain_of(path: str, folders: dict[str, Values], known: dict[str, Values]) -> Values:
    """What holds in a folder."""
    if path not in known:
        known[path] = merged(chain_of(path.rpartition("/")[0] or "/", folders, known), folders[path])
    return known[path]


def merged_chain(layers: list[Values]) -> Values:
    """One chain, root first."""
    values: Values = {}
    for layer in layers:
        values = merged(values, layer)
    return values


def merged(below: Values, above: Values) -> Values:
    """A new mapping; what is not a mapping is taken over as it is. The result shares nothing that can change."""
    result = {
        key: merged(value, {}) if isinstance(value, dict) else list(value) if isinstance(value, list) else value
        for key, value in below.items()
    }
    for key, value in above.items():
        inner = result.get(key)
        result[key] = merged(inner if isinstance(inner, dict) else {}, value) if isinstance(value, dict) else value
    return result
