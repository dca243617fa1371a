"""What all hypervisors have and what of it is in use: clouds, clusters of workers and single hosts, joined.

One question to a hypervisor serves all who look within some seconds; one that does not answer is told as such with what it
last said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from hypervisors import inventory
from hypervisors.actions import managed
from hypervisors.drivers.base import Capacity
from hypervisors.drivers.cloud import Host
from hypervisors.gateway import gateway_for
from hypervisors.inventory import Answer
from hypervisors.models import Hypervisor
from hypervisors.placement import RESOURCES
from olimpus.errors import Forbidden, OlimpusError

USED: Final = tuple(f"{name}_used" for name in RESOURCES)
TOTALS: Final = tuple(f"{name}_total" for name in RESOURCES)


@dataclass(frozen=True)
class Report:
    """One hypervisor: what it has in all, and its hosts where it is made of several and says so.

    `source` is live, cached, last_known or, when it never said anything, "none"; `error` says why it is not newer.
    """

    hypervisor: Hypervisor
    capacity: Capacity
    hosts: tuple[Host, ...] = ()
    source: str = "none"
    age_seconds: float | None = None
    error: str = ""
    cpu_percent: float | None = None


def reports(actor: User) -> list[Report]:
    """The hypervisors that the actor is in charge of, by name. `Forbidden` for who manages none.

    A fixed number of queries while what is known is fresh.
    """
    hypervisors = managed(actor)
    if not hypervisors and not actor.is_superuser:
        raise Forbidden(_("Only managers of a hypervisor may look at its resources."))
    known = inventory.known_of(hypervisors, "hosts", "capacity", "zones")
    return [_report(hypervisor, answer, known) for hypervisor, answer in _answers(hypervisors, known).items()]


def totals(found: Sequence[Report]) -> dict[str, Any]:
    """All of them together; a total is None when none of them has one, or when what is used is not all within it."""
    sums: dict[str, Any] = {name: sum(getattr(each.capacity, name) for each in found) for name in (*USED, "vms")}
    for used, total in zip(USED, TOTALS, strict=True):
        bounded = [each.capacity for each in found if getattr(each.capacity, total) is not None]
        whole = sums[used] == sum(getattr(each, used) for each in bounded)
        sums[total] = sum(getattr(each, total) for each in bounded) if bounded and whole else None
    hosts = [host for each in found for host in each.hosts]
    silent = sum(bool(each.error) for each in found)
    return sums | {"hosts": len(hosts), "hosts_up": sum(host.up for host in hosts), "silent": silent}


def plain(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    row = report.hypervisor
    about = {"name": row.name, "driver": row.driver, "health": row.health, "maintenance": row.maintenance}
    told = {name: getattr(report, name) for name in ("source", "age_seconds", "error", "cpu_percent")}
    return {**about, "maintenance_reason": row.maintenance_reason, **told, **asdict(report.capacity)} | {
        "hosts": [asdict(host) for host in report.hosts]
    }


# -- inside ------------------------------------------------------------------------------------------------------------

Known = Mapping[tuple[int, str], Answer]
Heard = Answer | OlimpusError | None


def _answers(hypervisors: Sequence[Hypervisor], known: Known) -> dict[Hypervisor, Heard]:
    """What each says, in this order; those of whom nothing fresh is known are asked side by side."""
    kinds: dict[Hypervisor, str] = {}
    answers: dict[Hypervisor, Heard] = {}
    for hypervisor in hypervisors:
        try:
            kinds[hypervisor] = "hosts" if gateway_for(hypervisor).places else "capacity"
            answers[hypervisor] = known.get((hypervisor.pk, kinds[hypervisor]))
        except OlimpusError as error:  # its settings cannot be read, its library is missing
            answers[hypervisor] = error
    stale = [row for row in kinds if not (isinstance(told := answers[row], Answer) and told.source == "cached")]
    return answers | inventory.read_each({hypervisor: kinds[hypervisor] for hypervisor in stale})


def _report(hypervisor: Hypervisor, answer: Heard, known: Known) -> Report:
    if not isinstance(answer, Answer):
        return _as_of_the_record(hypervisor, str(answer))
    if gateway_for(hypervisor).places:
        hosts = tuple(inventory.hosts(answer))
        return Report(hypervisor, _summed(hosts), hosts, *_when(answer), _busy(hosts))
    zones = known.get((hypervisor.pk, "zones"))
    return Report(hypervisor, _capacity(answer.data), _hosts_of_zones(zones), *_when(answer))


def _when(answer: Answer) -> tuple[str, float | None, str]:
    return answer.source, answer.age_seconds, answer.error


def _as_of_the_record(hypervisor: Hypervisor, error: str) -> Report:
    """What the last comparison left, where nothing newer is known."""
    if not hypervisor.capacity:
        return Report(hypervisor, Capacity(), error=error)
    age = (timezone.now() - hypervisor.last_ok_at).total_seconds() if hypervisor.last_ok_at else None
    known = age if age is None else round(max(0.0, age), 1)
    return Report(hypervisor, _capacity(hypervisor.capacity), (), "last_known", known, error)


def _capacity(row: Mapping[str, Any]) -> Capacity:
    return Capacity(**{field.name: row[field.name] for field in fields(Capacity) if field.name in row})


def _hosts_of_zones(answer: Answer | None) -> tuple[Host, ...]:
    """A cloud's hosts as somebody last heard of them; nobody is asked."""
    return tuple(host for zone in inventory.zones(answer) for host in zone.hosts) if answer else ()


def _summed(hosts: Iterable[Host]) -> Capacity:
    up = [host for host in hosts if host.up]
    sums = {name: sum(getattr(host, name) for host in up) for name in (*USED, "vms")}
    bounded = {name: [total for host in up if (total := getattr(host, name)) is not None] for name in TOTALS}
    return Capacity(**sums, **{name: sum(found) if found else None for name, found in bounded.items()})


def _busy(hosts: Iterable[Host]) -> float | None:
    """How busy the CPUs are altogether: each host counts by what it has."""
    told = [(host.cpu_percent, host.cpus_total or 1) for host in hosts if host.up and host.cpu_percent is not None]
    return round(sum(percent * weight for percent, weight in told) / sum(w for _p, w in told), 1) if told else None
