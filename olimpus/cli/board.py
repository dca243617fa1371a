"""What `watch` knows: the machines below a path, kept true by the events of the live feed. Pure: no network, no printing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Event = Mapping[str, Any]
#: Events of these change which nodes there are, or their paths: the branch is read again.
RESHAPING = ("folder.", "descriptor.", "tree.", "document.", "course.", "apply")
OPEN = ("queued", "running")


@dataclass
class Change:
    """One machine went from one state to another, or an operation on it ended."""

    event: Event
    path: str
    before: str | None
    after: str | None


@dataclass
class Board:
    """Machines by id. Events may come twice and late: each counts once, and never undoes a newer one."""

    rows: dict[int, Row] = field(default_factory=dict)
    #: Resume from here; ids above it that we have had are in `_had`.
    settled: int | None = None
    #: The branch has another shape now.
    reshaped: bool = False
    _had: set[int] = field(default_factory=set)
    _newest: dict[int, int] = field(default_factory=dict)

    def fill(self, rows: Iterable[Row]) -> None:
        """Begin anew with what the API says; what the feed tells after that is applied on top."""
        self.rows = {row["id"]: dict(row) for row in rows if row["kind"] != "folder"}
        self.reshaped = False

    def take(self, message: Mapping[str, Any]) -> list[Change]:
        """Apply a message of the feed; returns what was new in it, in order."""
        events = sorted(message.get("events", ()), key=lambda event: event["id"])
        fresh = [event for event in events if event["id"] not in self._had and event["id"] > (self.settled or 0)]
        self._had.update(event["id"] for event in fresh)
        if (settled := message.get("settled")) is not None and settled > (self.settled or 0):
            self.settled = settled
            self._had = {pk for pk in self._had if pk > settled}
        return [change for event in fresh if (change := self._apply(event))]

    def _apply(self, event: Event) -> Change | None:
        if event["verb"].startswith(RESHAPING):
            self.reshaped = True
        operation = event["operation"] or {}
        if "progress" in operation or event["node"] is None:
            return None  # about a folder: each machine tells its own
        row = self.rows.get(event["node"])
        before = row["state"] if row else None
        if not event["state"] and not event["error"]:
            return None
        after = event["state"] or before
        if row is not None and event["id"] > self._newest.get(event["node"], 0):
            self._newest[event["node"]] = event["id"]
            self._update(row, event, operation)
        return Change(event, event["path"], before, after)

    def _update(self, row: Row, event: Event, operation: Mapping[str, Any]) -> None:
        if event["state"] and event["state"] != row["state"]:
            row["state"], row["state_since"] = event["state"], event["at"]
        if operation:
            row["verb"] = operation["verb"] if operation.get("status") in OPEN else None
        error = event["error"] or {}
        row["reason"] = (error.get("message") or "") if row["state"] == "failed" else ""
        row["changed_at"] = event["at"]

    @property
    def counts(self) -> Counter[str]:
        """How many machines are in each state."""
        return Counter(row["state"] for row in self.rows.values())

    def urgent(self) -> list[Row]:
        """The machines, attention first: failed, on the way, then what changed last, the rest by path."""
        rows = sorted(self.rows.values(), key=lambda row: str(row["path"]).replace("/", "\0"))
        rows.sort(key=lambda row: str(row.get("changed_at", "")), reverse=True)
        return sorted(rows, key=_urgency)


def _urgency(row: Row) -> int:
    if row["state"] == "failed":
        return 0
    return 1 if row["verb"] or row["state"] in ("starting", "stopping") else 2
