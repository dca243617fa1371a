"""What an operator should look at first. Each answer is one query, of a bounded number of rows whatever the tree's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    Func,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from accounts.models import Entry, User
from descriptors.models import OPEN, Descriptor, Operation, Status
from descriptors.permissions import access_of, visible
from descriptors.selectors.narrowing import COUNTED, UNKNOWN, is_silent
from descriptors.selectors.records import operations
from descriptors.states import CHOICES, State
from hypervisors.models import Health, Hypervisor

#: Rows of each list; whatever is more is told as such.
FEW: Final = 8
#: Hypervisors on the first page; those in trouble come first.
MANY: Final = 60
#: How far back failed operations are told.
RECENT: Final = timedelta(days=1)
#: A queued operation whose time has come this long ago waits for a worker.
PATIENCE: Final = timedelta(seconds=60)
#: Why an operation is stuck.
CAUSES: Final = {
    "late": _("past its deadline"),
    "unreachable": _("the hypervisor does not answer"),
    "waiting": _("waits for a worker"),
}
GAUGES: Final = {"cpus": _("CPUs"), "memory_mib": _("Memory"), "machines": _("Machines")}
T = TypeVar("T")


@dataclass(frozen=True)
class Few(Sequence[T]):
    """The first rows of a list, and whether there are more."""

    rows: list[T]
    more: bool

    @classmethod
    def of(cls, found: Any) -> Few[T]:
        """The first of a sliceable; one query."""
        rows = list(found[: FEW + 1])
        return cls(rows[:FEW], len(rows) > FEW)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class Share:
    """The machines of one hypervisor: how many there are, and what those that run have of it."""

    machines: int = 0
    running: int = 0
    cpus: int = 0
    memory_mib: int = 0


@dataclass
class Census:
    """How many machines are in each state, how many drift, and how they share the hypervisors."""

    states: dict[str, int]
    drifted: int = 0
    shares: dict[int, Share] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All machines."""
        return sum(self.states.values())


def census(user: User) -> Census:
    """The machines this person may see, counted. On a hypervisor that does not answer a state is `unknown`."""
    rows = visible(user, Descriptor.objects.order_by()).values("hypervisor", *COUNTED)
    if user.is_superuser:
        rows = rows.annotate(**{f"sum_{name}": _observed(name) for name in ("cpus", "memory_mib")})
    counted = Census({state: 0 for state, _label in CHOICES} | {UNKNOWN: 0})
    for row in rows.annotate(n=Count("pk")):
        _count(counted, row)
    return counted


def _observed(name: str) -> Sum:
    """What running machines were seen to have; one plain JSON_EXTRACT: Django's own transform reads each value thrice."""
    value = Func(F("observed"), Value(f"$.{name}"), function="JSON_EXTRACT", output_field=IntegerField())
    return Sum(value, filter=Q(state=State.RUNNING))


def _count(counted: Census, row: dict[str, Any]) -> None:
    silent = is_silent(row["state"], row["unheard"], row["hypervisor__health"])
    counted.states[UNKNOWN if silent else row["state"]] += row["n"]
    counted.drifted += row["n"] if row["drifted"] else 0
    if row["hypervisor"] is None:
        return
    share = counted.shares.setdefault(row["hypervisor"], Share())
    share.machines += row["n"]
    share.running += row["n"] if row["state"] == State.RUNNING else 0
    share.cpus += row.get("sum_cpus") or 0
    share.memory_mib += row.get("sum_memory_mib") or 0


@dataclass(frozen=True)
class Failure:
    """Machines that failed for the same reason."""

    reason: str
    count: int
    latest: datetime
    path: str


def failures(user: User) -> Few[Failure]:
    """Failed machines grouped by reason, the newest first."""
    groups = failed_machines(user).order_by().values_list("reason")
    groups = groups.annotate(n=Count("pk"), latest=Max("state_since"), path=Min("path")).order_by("-latest", "reason")
    found: Few[tuple[Any, ...]] = Few.of(groups)
    return Few([Failure(*row) for row in found], found.more)


def failed_machines(user: User) -> QuerySet[Descriptor]:
    """The failed machines that this person may see."""
    return visible(user, Descriptor.objects.filter(state=State.FAILED))


def failed_operations(user: User) -> Few[Operation]:
    """What was asked for within a day and failed, wholly or in part; newest first."""
    recent = operations(user).filter(created_at__gte=timezone.now() - RECENT, parent=None)
    return Few.of(recent.filter(status__in=(Status.FAILED, Status.PARTIAL)).order_by("-created_at"))


@dataclass(frozen=True)
class Stuck:
    """Operations that do not go on, for the same cause on the same hypervisor."""

    cause: str
    hypervisor: str
    count: int
    since: datetime
    path: str

    @property
    def words(self) -> str:
        """The cause as people say it."""
        return str(CAUSES[self.cause])


def stuck(user: User) -> Few[Stuck]:
    """Operations on machines that are open and do not go on, grouped, the oldest first."""
    rows = stuck_operations(user).order_by().values_list("cause", "hypervisor__name")
    rows = rows.annotate(n=Count("pk"), since=Min("created_at"), path=Min("path")).order_by("since")
    found: Few[tuple[Any, ...]] = Few.of(rows)
    return Few([Stuck(cause, name or "", *rest) for cause, name, *rest in found], found.more)


def stuck_operations(user: User) -> QuerySet[Operation]:
    """Open operations on machines with the `cause` that holds each."""
    now = timezone.now()
    failing = Q(hypervisor__health__in=(Health.UNREACHABLE, Health.ERROR))
    cause = Case(
        When(deadline__lt=now, then=Value("late")),
        When(failing, then=Value("unreachable")),
        When(status=Status.QUEUED, wake_at__lt=now - PATIENCE, then=Value("waiting")),
        default=Value(""),
        output_field=CharField(),
    )
    return operations(user).filter(status__in=OPEN, total=0).annotate(cause=cause).exclude(cause="")


def drifted(user: User) -> QuerySet[Descriptor]:
    """The machines that reconcile found changed, of those this person may see; with all that `drift` reads."""
    rows = Descriptor.objects.filter(drifted=True).select_related("hypervisor", "open_operation")
    return visible(user, rows).order_by("path")


@dataclass(frozen=True)
class Gauge:
    """One kind of room on a hypervisor: all of it (None: no bound is known), given to machines, and to those that run."""

    name: str
    total: int | None
    given: int
    running: int

    @property
    def given_part(self) -> int:
        """Percent of all that is given; at most 100, though more may be promised."""
        return min(100, round(100 * self.given / self.total)) if self.total else 0

    @property
    def running_part(self) -> int:
        """Percent of all that machines use which run."""
        return min(100, round(100 * self.running / self.total)) if self.total else 0

    @property
    def label(self) -> str:
        """What it is."""
        return str(GAUGES[self.name])

    @property
    def words(self) -> str:
        """The same as the bar, in words."""
        size = _gib if self.name == "memory_mib" else str
        numbers = {"given": size(self.given), "running": size(self.running), "total": size(self.total or 0)}
        bounded, unbounded = (
            _("%(given)s of %(total)s given, %(running)s running"),
            _("%(given)s given, %(running)s running"),
        )
        return str(bounded if self.total else unbounded) % numbers


def _gib(mib: int) -> str:
    return f"{number_format(mib / 1024, 1 if mib % 1024 else 0)} GiB"


@dataclass(frozen=True)
class Place:
    """A hypervisor as the first page shows it."""

    hypervisor: Hypervisor
    share: Share
    room: bool  # whether this person may know its capacity

    @property
    def failing(self) -> bool:
        """Whether it does not answer, or refuses us."""
        return self.hypervisor.health in (Health.UNREACHABLE, Health.ERROR)

    @property
    def troubled(self) -> bool:
        """Whether somebody should look at it."""
        return self.failing or self.hypervisor.maintenance

    @property
    def gauges(self) -> list[Gauge]:
        """What it reports of its room; memory in MiB. Empty while it never reported, or is not this person's to know."""
        seen = self.hypervisor.capacity if self.room else {}
        if not seen:
            return []
        return [
            Gauge("cpus", seen.get("cpus_total"), seen.get("cpus_used") or 0, self.share.cpus),
            Gauge("memory_mib", seen.get("memory_mib_total"), seen.get("memory_mib_used") or 0, self.share.memory_mib),
            Gauge("machines", seen.get("vms_max"), seen.get("vms") or 0, self.share.running),
        ]


def places(user: User, counted: Census) -> list[Place]:
    """The hypervisors: all of them for superusers, for others those of their machines; in trouble first."""
    trouble = Case(When(Q(health__in=("unreachable", "error")) | Q(maintenance=True), then=Value(0)), default=Value(1))
    began = Entry.objects.filter(verb="hypervisor.maintenance_on", data__hypervisor=OuterRef("name")).order_by("-id")
    since = Case(When(maintenance=True, then=Subquery(began.values("at")[:1])))
    rows = Hypervisor.objects.defer("secrets", "settings").annotate(closed_since=since).order_by(trouble, "name")
    known = rows if user.is_superuser else rows.filter(pk__in=counted.shares)
    return [Place(row, counted.shares.get(row.pk, Share()), user.is_superuser) for row in known[:MANY]]


def listening_to(user: User) -> list[str]:
    """The tops of the branches of which this person may hear; no query beyond that of the grants."""
    access = access_of(user)
    if access.everything:
        return ["/"]
    tops: list[str] = []
    for mark in access.marks.values():
        if access.can("see", mark.path) and not (tops and mark.path.startswith(f"{tops[-1].rstrip('/')}/")):
            tops.append(mark.path)
    return tops[:MANY]
