"""What the tree adds to the console's pages of hypervisors, people and the journal."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.models import Group
from django.db.models import Count, F, Q, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import User
from descriptors import deeds
from descriptors.models import (
    OPEN,
    Descriptor,
    NodeGroupObjectPermission,
    NodeUserObjectPermission,
    Operation,
    Unowned,
)
from descriptors.permissions import PERMISSION_OF
from descriptors.states import State
from hypervisors.drivers.base import POWER_WORDS, Power
from hypervisors.models import Hypervisor
from olimpus import panels

#: Operations shown on the page of a hypervisor.
SHOWN: Final = 8
#: Grants shown on the page of a person or a group.
PLACES: Final = 100


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
    told = urlencode({"verb": "hypervisor.*", "q": hypervisor.name})
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
        "journal_url": f"{reverse('admin:accounts_entry_changelist')}?{told}",
    }


def of_cloud(request: HttpRequest, hypervisor: Hypervisor) -> dict[str, Any]:
    """Machines by state, VMs of nobody by power; two queries."""
    rows = Descriptor.objects.filter(hypervisor=hypervisor).order_by().values_list("state")
    states = dict(rows.annotate(Count("pk")))
    found = Unowned.objects.filter(hypervisor=hypervisor).order_by().values_list("info__power")
    powers = Counter({power or Power.UNKNOWN: number for power, number in found.annotate(Count("pk"))})
    return {
        "states": {state: states[state] for state in State if state in states},
        "machines_number": sum(states.values()),
        "machines_url": f"{reverse('admin:descriptors_node_changelist')}?{urlencode({'hypervisor': hypervisor.pk})}",
        "unowned_powers": [(gettext(POWER_WORDS[power]), powers[power]) for power in Power if powers[power]],
        "unowned_number": powers.total(),
        "unowned_url": f"{_unowned()}?{urlencode({'hypervisor': hypervisor.pk})}",
        "compare_url": reverse("admin:descriptors_unowned_compare", args=[hypervisor.pk]),
    }


def of_cloud_images(request: HttpRequest, hypervisor: Hypervisor) -> dict[str, Any]:
    """How many machines of the tree were made from each image; one query."""
    made = Descriptor.objects.filter(hypervisor=hypervisor, applied__image__isnull=False).order_by()
    return {"made_from": dict(made.values_list("applied__image").annotate(Count("pk")))}


def _unowned() -> str:
    return reverse("admin:descriptors_unowned_changelist")


def of_people(request: HttpRequest, users: list[User]) -> dict[str, Any]:
    """On how many nodes each user of a page holds a role of his own; one query."""
    rows = NodeUserObjectPermission.objects.filter(user__in=users).order_by().values_list("user")
    return {"places": dict(rows.annotate(Count("content_object", distinct=True)))}


def of_person(request: HttpRequest, user: User) -> dict[str, Any]:
    """Where a person holds roles, himself and through groups, and the last operations he asked for; three queries."""
    own = NodeUserObjectPermission.objects.filter(user=user)
    shared = NodeGroupObjectPermission.objects.filter(group__user=user).annotate(through=F("group__name"))
    operations = Operation.objects.filter(actor=user, parent=None).select_related("actor").order_by("-created_at")
    return {**_places(own.annotate(through=Value("")), shared), "operations": operations[:SHOWN]}


def of_group(request: HttpRequest, group: Group) -> dict[str, Any]:
    """Where the members of a group hold roles through it; one query."""
    return _places(NodeGroupObjectPermission.objects.filter(group=group).annotate(through=F("group__name")))


def _places(*grants: QuerySet[Any]) -> dict[str, Any]:
    columns = ("content_object__path", "permission__codename", "through")
    rows = [row for some in grants for row in some.order_by("content_object__path").values_list(*columns)[:PLACES]]
    role_of = {code: role for role, code in PERMISSION_OF.items()}
    told = [{"path": path, "role": role_of.get(code, code), "group": through} for path, code, through in sorted(rows)]
    return {"grants": told[:PLACES], "grants_more": len(told) - len(told[:PLACES])}


def of_journal(request: HttpRequest, entries: list[Any]) -> dict[str, Any]:
    """The verbs that the journal can be filtered by, in words; no query."""
    return {"verbs": deeds.choices()}


panels.add("journal", of_journal)
panels.add("user-list", of_people)
panels.add("user", of_person)
panels.add("group", of_group)
panels.add("hypervisor-list", of_list)
panels.add("hypervisor", of_one)
panels.add("cloud", of_cloud)
panels.add("cloud-images", of_cloud_images)
