"""What a person is told about operations: what goes on, and what of one's own ended since the last look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from accounts import personal
from accounts.models import User
from descriptors.models import OPEN, Operation, Status
from descriptors.selectors.records import operations

#: Nobody waits longer than this for an operation; older ones were ended by then.
LONGEST = timedelta(days=2)
TROUBLED = (Status.FAILED, Status.PARTIAL)


@dataclass(frozen=True)
class Told:
    """Figures for the bell: operations going on, ended ones that are new, and how many of those have failures."""

    open: int
    new: int
    failed: int

    @property
    def shown(self) -> int:
        """The number on the bell."""
        return self.open + self.new


def told(user: User) -> Told:
    """What the bell says; one query."""
    ended = _ended(user, personal.operations_seen(user))
    rows = operations(user).filter(parent=None).filter(Q(status__in=OPEN) | ended).order_by()
    found = rows.aggregate(
        going=Count("pk", filter=Q(status__in=OPEN)),
        fresh=Count("pk", filter=ended),
        failed=Count("pk", filter=ended & Q(status__in=TROUBLED)),
    )
    return Told(found["going"], found["fresh"], found["failed"])


def ended_since_seen(user: User, since: datetime | None = None) -> QuerySet[Operation]:
    """One's own operations that ended since the last look (or `since`), those with failures first, then the newest."""
    ended = _ended(user, since or personal.operations_seen(user))
    rows = Operation.objects.select_related("actor", "hypervisor").filter(ended, parent=None)
    worst = Case(When(status__in=TROUBLED, then=Value(0)), default=Value(1), output_field=IntegerField())
    return rows.annotate(worst=worst).order_by("worst", "-finished_at")


def _ended(user: User, seen: datetime) -> Q:
    # The time of the request is indexed, that of the end is not.
    return Q(actor=user, created_at__gt=seen - LONGEST, finished_at__gt=seen) & ~Q(status__in=OPEN)
