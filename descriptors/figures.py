"""Figures of the tree for Prometheus, read when somebody asks: see `hypervisors.metrics`."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from descriptors.models import OPEN, Descriptor, Operation


def told() -> Iterator[Metric]:
    """Operations that are open, and machines by state; two queries, answered from indexes."""
    going_on = GaugeMetricFamily("olimpus_operations_open", "Operations going on.", labels=["verb", "status"])
    rows = Operation.objects.filter(status__in=OPEN, total=0).order_by().values_list("verb", "status")
    for verb, status, number in rows.annotate(n=Count("pk")):
        going_on.add_metric([verb, status], number)
    machines = GaugeMetricFamily("olimpus_machines", "Machines of the tree.", labels=["state"])
    for state, number in Descriptor.objects.order_by().values_list("state").annotate(n=Count("pk")):
        machines.add_metric([state], number)
    yield from (going_on, machines)
