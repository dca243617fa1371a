"""What the tree knows about a hypervisor, for the console's pages of hypervisors: machines, operations, nobody's VMs."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse

from descriptors.models import OPEN, Descriptor, Operation, Unowned
from descriptors.states import State
from hypervisors.models import Hypervisor
from olimpus import panels

#: Operations shown on the page of a hypervisor.
SHOWN: Final = 8


def of_list(request: HttpRequest, hypervisors: list[Hypervisor]) -> dict[str, Any]:
    """Machines and VMs of nobody of each hypervisor of a page; two queries."""
    running = Count("pk", filter=Q(state=State.RUNNING))
    rows = Descriptor.objects.filter(hypervisor__in=hypervisors).order_by().values("hypervisor")
    machines = {row["hypervisor"]: row for row in rows.annotate(all=Count("pk"), running=running)}
    unowned = Unowned.objects.filter(hypervisor__in=hypervisors).order_by().values_list("hypervisor")
    return {"machines": machines, "unowned": dict(unowned.annotate(Count("pk"))), "unowned_url": _unowned()}


def of_one(request: HttpRequest, hypervisor: Hypervisor) -> dict[str, Any]:
    """Machines by state, what is going on, VMs of nobody; four queries."""
    rows = Descriptor.objects.filter(hypervisor=hypervisor).order_by().values_list("state")
    states = dict(rows.annotate(Count("pk")))
    operations = Operation.objects.filter(hypervisor=hypervisor, status__in=OPEN).order_by("-created_at")
    shown = list(operations.select_related("actor")[: SHOWN + 1])
    return {
        "states": {state: states[state] for state in State if state in states},
        "machines_number": sum(states.values()),
        "machines_url": f"{reverse('admin:descriptors_node_changelist')}?{urlencode({'hypervisor': hypervisor.pk})}",
        "open_operations": shown[:SHOWN],
        "open_more": operations.count() - SHOWN if len(shown) > SHOWN else 0,
        "unowned_number": Unowned.objects.filter(hypervisor=hypervisor).count(),
        "unowned_url": _unowned(),
        "compare_url": reverse("admin:descriptors_unowned_compare", args=[hypervisor.pk]),
        "journal_url": f"{reverse('admin:accounts_entry_changelist')}?{urlencode({'q': hypervisor.name})}",
    }


def _unowned() -> str:
    return reverse("admin:descriptors_unowned_changelist")


panels.add("hypervisor-list", of_list)
panels.add("hypervisor", of_one)
