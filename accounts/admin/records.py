"""The journal in the console: filtered, live, as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import export, journal, roles
from accounts.admin.base import ReadOnly
from accounts.entries import OUTCOMES, EntryFilter, is_wrong
from accounts.models import Entry
from olimpus import panels

#: Word in the address bar → (words, how long ago it begins).
RANGES: Final = {
    "1h": (_("Last hour"), timedelta(hours=1)),
    "24h": (_("Last 24 hours"), timedelta(hours=24)),
    "7d": (_("Last 7 days"), timedelta(days=7)),
    "30d": (_("Last 30 days"), timedelta(days=30)),
}
#: Filters that the console takes as they are.
PLAIN: Final = ("q", "actor", "verb", "path", "outcome", "via", "node", "operation")
PER_PAGE: Final = 100
#: What an entry without a path is about, by its data.
SUBJECTS: Final = ("hypervisor", "user", "group", "name", "username", "file")
#: New entries are counted up to here.
MANY: Final = 100
#: More of the data is folded behind the download.
LONGEST: Final = 20_000


class Asked:
    """What the address bar asks for, made ready for `EntryFilter`, with its faults by field."""

    def __init__(self, given: Mapping[str, str]):
        self.shown = {name: given.get(name, "").strip()[:768] for name in (*PLAIN, "range", "from", "to")}
        self.faults: dict[str, str] = {}
        self.data = {name: self.shown[name] for name in PLAIN if self.shown[name]}
        for name, field in (("from", "since"), ("to", "until")):
            if self.shown[name] and (moment := self._moment(name)):
                self.data[field] = moment.isoformat()
        if self.shown["range"] in RANGES and "since" not in self.data:
            self.data["since"] = (timezone.now() - RANGES[self.shown["range"]][1]).isoformat()

    def entries(self, request: HttpRequest) -> QuerySet[Entry]:
        """The entries asked for that this person may read; none while there are faults."""
        filters = EntryFilter(self.data, journal.visible_to(request.user).order_by("-id"), request=request)
        if not filters.is_valid():
            self.faults |= {name: " ".join(texts) for name, texts in filters.errors.items()}
        return Entry.objects.none() if self.faults else filters.qs

    def any(self) -> bool:
        """Whether anything is filtered at all."""
        return any(self.shown.values())

    def _moment(self, name: str) -> datetime | None:
        try:
            moment = parse_datetime(self.shown[name])
            return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else self._known(name, moment)
        except (ValueError, OverflowError):
            return self._known(name, None)

    def _known(self, name: str, moment: datetime | None) -> datetime | None:
        if moment is None:
            self.faults[name] = gettext("This is no date and time.")
        return moment


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """The journal: superusers all of it, managers what they may see."""

    fields = ("at", "actor_name", "verb", "path", "node_id", "operation_id", "via", "source", "data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """What this user may read."""
        return journal.visible_to(request.user).order_by("-id")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may open the console."""
        return roles.may_open_console(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        """Whoever may open the console; the queryset says which entries."""
        return roles.may_open_console(request.user)

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view
        return [
            path("export/", view(self.export_view), name="accounts_entry_export"),
            path("news/", view(self.news_view), name="accounts_entry_news"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One page of the filtered journal, newest first; `before` is the id that the page before ended with."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return HttpResponseRedirect(request.get_full_path())
        asked = Asked(request.GET.dict())
        entries, before = asked.entries(request), request.GET.get("before", "")
        if before.isascii() and before.isdigit() and len(before) < 19:
            entries = entries.filter(id__lt=int(before))
        shown = list(entries[: PER_PAGE + 1])
        context = panels.context("journal", request, shown)
        return self.page(
            request,
            "journal",
            gettext("Journal"),
            rows=[_row(entry) for entry in shown[:PER_PAGE]],
            older=shown[PER_PAGE - 1].pk if len(shown) > PER_PAGE else None,
            paged=bool(before),
            newest=shown[0].pk if shown and not before else (0 if not before else None),
            asked=asked.shown,
            filtered=asked.any(),
            faults=asked.faults,
            ranges=[(name, words) for name, (words, _ago) in RANGES.items()],
            outcomes=OUTCOMES,
            zone=timezone.get_current_timezone_name(),
            **context,
        )

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
        """Exactly what is filtered, all of it, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = Asked(request.GET.dict())
        entries = asked.entries(request)
        if asked.faults:
            return HttpResponseRedirect(f"{reverse('admin:accounts_entry_changelist')}?{request.GET.urlencode()}")
        return export.response(request, entries)

    def news_view(self, request: HttpRequest) -> JsonResponse:
        """How many entries of the filtered journal came after the one with id `after`: {"count", "many"}."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        after = request.GET.get("after", "")
        number = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
        newer = Asked(request.GET.dict()).entries(request).filter(id__gt=number)
        count = len(newer.values_list("pk", flat=True)[: MANY + 1])
        return JsonResponse({"count": min(count, MANY), "many": count > MANY})


def _row(entry: Entry) -> dict[str, Any]:
    named = (entry.data.get(name) for name in SUBJECTS) if isinstance(entry.data, dict) else ()
    subject = entry.path or next((str(name) for name in named if name), "")
    return {"entry": entry, "subject": subject, "wrong": is_wrong(entry), "data": _told(entry)}


def _told(entry: Entry) -> str:
    """The data of an entry, readable; cut where nobody reads on."""
    text = export.readable(entry.data) if entry.data else ""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
