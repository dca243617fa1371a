"""The slice that is deployed on the labs beside their floors: machines joined by point-to-point links, four cards each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.utils import timezone

from descriptors.models import Operation, Status
from slices import ipam
from slices.graph import End, Graph, Link, Node
from slices.models import Deployment
from tests.bench.servers import until
from tests.bench.world import PATIENCE


def mesh(name: str, hypervisor: str, defaults: Mapping[str, Any], nodes: int, links: int) -> Graph:
    """Each node is linked to the next, then to the next but one…, until there are so many links; with their addresses."""
    names = [f"n{number:02}" for number in range(nodes)]
    pairs = [(names[each % nodes], names[(each + each // nodes + 1) % nodes]) for each in range(links)]
    graph = Graph(
        name=name,
        defaults={"hypervisor": hypervisor, **defaults},
        nodes=tuple(map(Node, names)),
        links=tuple(Link(f"{a}-{b}", (End(a), End(b))) for a, b in pairs),
    )
    return replace(ipam.addressed(graph), name=name)


def worked(ask: Callable[[], Deployment | None]) -> float:
    """Seconds from asking until all operations have ended; all have succeeded. A worker is running."""
    begun = timezone.now()
    deployment = ask()
    assert deployment is not None
    operations = Operation.objects.filter(pk__in=deployment.operations)
    until(lambda: not any(operation.is_open for operation in operations.all()), PATIENCE, 0.25)
    for operation in operations.all():
        faults = [(child.path, child.error) for child in operation.children.exclude(error=None)]
        assert operation.status == Status.SUCCEEDED, (operation.status, operation.error, operation.result, faults)
    return max(
        (operation.finished_at - begun).total_seconds() for operation in operations.all() if operation.finished_at
    )
