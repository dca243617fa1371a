"""What a list of nodes is narrowed to beyond its columns: whose machines, what waits, and how many of what is where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.db.models.functions import StrIndex, Substr

from accounts.models import User
from descriptors.access import Interval, end_of, key_of
from descriptors.cascade import Computed
from descriptors.models import Descriptor, Kind, Node, NodeUserObjectPermission
from descriptors.permissions import one_of, within
from descriptors.selectors.definitions import computed_many, pending
from descriptors.states import CHOICES, State
from hypervisors.models import Health

#: Shown in place of the state while the hypervisor does not answer.
UNKNOWN = "unknown"


def branches(paths: Iterable[str]) -> list[Interval]:
    """The branches at these paths as sorted, disjoint intervals of keys, for `permissions.within`."""
    found: list[Interval] = []
    for key in sorted(map(key_of, paths)):
        if not found or not key.startswith(found[-1][0]):
            found.append((key, end_of(key)))
    return found


def within_branches(paths: Iterable[str]) -> Q:
    """A condition: the node is at one of these paths or below one."""
    return within("path", branches(paths))


def granted_to(user: User, rows: QuerySet[Node]) -> QuerySet[Node]:
    """The rows in branches that were granted to this very person, not through a group or by being superuser; one query."""
    granted = NodeUserObjectPermission.objects.filter(user=user).values_list("content_object__path", flat=True)
    return rows.filter(within_branches(granted))


def waiting(rows: QuerySet[Node]) -> QuerySet[Node]:
    """The machines whose definition wants what the hypervisor was not given yet; three queries for any number."""
    given = Descriptor.objects.filter(pk__in=rows.order_by().values("pk"), applied__isnull=False)
    machines = list(given.only("path", "name", "definition", "applied").order_by())
    computed = computed_many(machines)
    return rows.filter(one_of(pk for pk in _differing(machines, computed)))


def _differing(machines: Iterable[Descriptor], computed: dict[int, object]) -> Iterable[int]:
    for machine in machines:
        wanted = computed.get(machine.pk)
        if isinstance(wanted, Computed) and pending(machine, wanted.values):
            yield machine.pk


#: Columns of a machine that a tally counts by.
COUNTED = ("state", "drifted", "unheard", "hypervisor__health")
#: Machines of which nothing is known now: their hypervisor, or their part of it, does not answer.
SILENT = (Q(hypervisor__health=Health.UNREACHABLE) | Q(unheard=True)) & ~Q(state=State.PROVISIONED)


def is_silent(state: str, unheard: bool, health: str | None) -> bool:
    """The same of facts that were read."""
    return (unheard or health == Health.UNREACHABLE) and state != State.PROVISIONED


@dataclass
class Tally:
    """How many machines of a branch are in each state (`unknown` where the hypervisor does not answer), how many drift."""

    states: Counter[str] = field(default_factory=Counter)
    #: As the state machine holds them, for the question which verbs apply.
    held: Counter[str] = field(default_factory=Counter)
    drifted: int = 0

    def add(self, number: int, state: str, drifted: bool, unheard: bool, health: str | None) -> None:
        """Count machines that have these `COUNTED`."""
        self.states[UNKNOWN if is_silent(state, unheard, health) else state] += number
        self.held[state] += number
        self.drifted += number if drifted else 0

    @property
    def total(self) -> int:
        """How many machines there are."""
        return self.held.total()

    @property
    def urgency(self) -> tuple[int, int, int]:
        """The more of these, the sooner somebody should look: failed, unknown, drifted."""
        return self.states[State.FAILED], self.states[UNKNOWN], self.drifted

    @property
    def ordered(self) -> list[tuple[str, int]]:
        """(state, number), what should be looked at first; states without machines are left out."""
        order = [State.FAILED, UNKNOWN, *(state for state, _label in CHOICES if state != State.FAILED)]
        return [(str(state), self.states[state]) for state in order if self.states[state]]


def tallies(rows: QuerySet[Node], base: str) -> dict[str, Tally]:
    """The machines among the rows, all below `base`, counted for each child of `base`; "" for those right in it.

    One query for any number of rows and children.
    """
    rest = Substr("path", len(key_of(base)) + 1)
    child = Case(When(Q(slash__gt=1), then=Substr(rest, 1, StrIndex(rest, Value("/")) - 1)), default=Value(""))
    machines = rows.select_related(None).filter(kind=Kind.DESCRIPTOR).order_by()
    columns = ("child", *(f"descriptor__{name}" for name in COUNTED))
    counted = machines.alias(slash=StrIndex(rest, Value("/"))).annotate(child=child).values_list(*columns)
    found: dict[str, Tally] = {}
    for name, *facts, n in counted.annotate(n=Count("pk")):
        found.setdefault(name, Tally()).add(n, *facts)
    return found
