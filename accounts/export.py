"""The journal as CSV, page by page, whatever its length."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from accounts.models import Entry
from olimpus.streams import streamed

COLUMNS: Final = ("id", "at", "actor", "verb", "path", "node", "operation", "source", "via", "data")
#: Rows fetched at once.
PAGE: Final = 2000
#: Beginnings that spreadsheets take for a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: Any) -> str:
    """Return a cell that no spreadsheet executes: text that looks like a formula gets a leading apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def row_of(entry: Entry) -> list[str]:
    """The cells of one entry, in the order of COLUMNS; times in UTC, ISO 8601."""
    data = json.dumps(entry.data, ensure_ascii=False, sort_keys=True) if entry.data else ""
    cells = [entry.pk, entry.at.isoformat(), entry.actor_name, entry.verb, entry.path]
    cells += [entry.node_id, entry.operation_id, entry.source, entry.via, data]
    return [harmless(cell) for cell in cells]


def readable(data: Any) -> str:
    """The data of an entry as indented JSON, for people."""
    return json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True)


def pages(entries: QuerySet[Entry]) -> Iterator[str]:
    """Yield the CSV of `entries`, newest first, one query per PAGE rows; rows written meanwhile are not in it."""
    yield _lines([list(COLUMNS)])
    entries = entries.order_by("-id")
    page = list(entries[:PAGE])
    while page:
        yield _lines([row_of(entry) for entry in page])
        page = list(entries.filter(id__lt=page[-1].pk)[:PAGE])


def response(request: HttpRequest, entries: QuerySet[Entry]) -> StreamingHttpResponse:
    """Answer with `entries` as a file, streamed under ASGI and WSGI alike."""
    answer = streamed(request, pages(entries), "text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="journal.csv"'
    return answer


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
