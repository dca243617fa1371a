"""How the journal is filtered, the same for the API, the console and the CSV that either gives."""

from __future__ import annotations

from typing import Final

import django_filters
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Lower
from django.utils.translation import gettext_lazy as _

from accounts import journal
from accounts.models import Entry

#: What somebody looks for: how it ended.
OUTCOMES: Final = (
    ("failed", _("went wrong")),
    ("succeeded", _("went well")),
)
#: Endings of verbs, whole verbs: these went wrong.
WRONG_ENDINGS: Final = (".failed", ".partial", ".cancelled", ".retry")
WRONG: Final = ("hypervisor.unreachable", "hypervisor.error", "user.locked_out", "vm.drift", "vm.unheard")


def went_wrong() -> Q:
    """The condition of entries that tell of a failure."""
    found = Q(verb__in=WRONG) | Q(verb="hypervisor.test", data__ok=False)
    for ending in WRONG_ENDINGS:
        found |= Q(verb__endswith=ending)
    return found


def is_wrong(entry: Entry) -> bool:
    """The same for one entry."""
    failed_test = entry.verb == "hypervisor.test" and (entry.data or {}).get("ok") is False
    return failed_test or entry.verb in WRONG or entry.verb.endswith(WRONG_ENDINGS)


class EntryFilter(django_filters.FilterSet):
    """Filters of the journal."""

    actor = django_filters.CharFilter(field_name="actor_name", help_text="User name.")
    verb = django_filters.CharFilter(method="by_verb", help_text="Exact, or a beginning such as `user.*`.")
    path = django_filters.CharFilter(method="by_path", help_text="This path and everything below it.")
    node = django_filters.NumberFilter(
        field_name="node_id", min_value=0, max_value=2**63 - 1, decimal_places=0, help_text="Id of a node."
    )
    operation = django_filters.UUIDFilter(field_name="operation_id")
    via = django_filters.CharFilter()
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", help_text="ISO 8601.")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", help_text="ISO 8601.")
    outcome = django_filters.ChoiceFilter(
        choices=OUTCOMES, method="by_outcome", help_text="`failed`: what went wrong; `succeeded`: all the rest."
    )
    q = django_filters.CharFilter(method="search", help_text="Part of the path, the user name or the data.")

    class Meta:
        model = Entry
        fields: list[str] = []

    def by_verb(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """Exact, or by beginning where the value ends with a star."""
        if value.endswith("*"):
            return queryset.filter(verb__startswith=value[:-1])
        return queryset.filter(verb=value)

    def by_path(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """A path and what is below it."""
        return queryset.filter(journal.below(value))

    def by_outcome(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """What went wrong, or the rest."""
        return queryset.filter(went_wrong() if value == "failed" else ~went_wrong())

    def search(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        """Part of what an entry says, whatever its case."""
        text = value.lower()
        queryset = queryset.alias(
            told=Lower(Cast("data", TextField())), low_path=Lower("path"), low_actor=Lower("actor_name")
        )
        return queryset.filter(Q(low_path__contains=text) | Q(low_actor__contains=text) | Q(told__contains=text))
