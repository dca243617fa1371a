"""Waiting for an operation: a progress bar on a terminal, one line for each machine elsewhere, results grouped by reason."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from olimpus.cli import plans
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import duration
from olimpus.cli.output import printable
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext

Operation = Mapping[str, Any]
OPEN: Final = ("queued", "running")
ENDED: Final = "succeeded,failed,cancelled"
WORDS: Final = {
    "queued": _("queued"),
    "running": _("running"),
    "succeeded": _("succeeded"),
    "partial": _("partly succeeded"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
}
#: Seconds between two looks: often while it is young, later seldom.
SOONEST, LATEST = 0.25, 2.0
#: Seconds that the server may be away meanwhile: it is restarted, say.
PATIENCE: Final = 60


def follow(here: Context, operation: Operation, *, timeout: float | None = None) -> Operation:
    """Wait for the end, showing how it goes; returns the operation as it ended. Raises Failure after the timeout.

    Ctrl-C ends the waiting alone: the operation goes on, and it is said how to come back.
    """
    begun = heard = time.monotonic()
    pause = SOONEST
    try:
        with _display(here, operation) as display:
            while True:
                try:
                    operation = here.client.get(f"/operations/{operation['id']}")
                    display.show(operation)
                    if operation["status"] not in OPEN:
                        return operation
                    heard = time.monotonic()
                except Failure as failure:
                    if failure.code != Exit.UNREACHABLE or time.monotonic() - heard > PATIENCE:
                        raise
                if timeout is not None and time.monotonic() - begun > timeout:
                    break
                time.sleep(pause)
                pause = min(pause * 1.2, LATEST)
    except KeyboardInterrupt:
        raise Failure(_("Not waited for; it goes on."), Exit.INTERRUPTED, hint=_how(operation)) from None
    late = _("It has not ended after %(time)s; it goes on.") % {"time": duration(timeout or 0)}
    raise Failure(late, Exit.FAILED, where=str(operation["path"]), hint=_how(operation))


def _how(operation: Operation) -> str:
    names = {"id": operation["id"]}
    return _("Follow it: olimpus ops wait %(id)s; end it: olimpus ops cancel %(id)s") % names


class Display(Protocol):
    """How a wait is shown."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *_error: object) -> None: ...

    def show(self, operation: Operation) -> None:
        """How it is now."""


def _display(here: Context, operation: Operation) -> Display:
    if sys.stderr.isatty():
        return Bar(operation)
    return Lines(here)


class Bar:
    """One line that grows: done, failed, remaining time."""

    def __init__(self, operation: Operation):
        from rich import progress  # slow to load, and only for people
        from rich.console import Console

        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[failed]}", style="red"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(printable(told(operation)), total=total(operation), failed="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def show(self, operation: Operation) -> None:
        """Move the bar."""
        failed = (operation["counts"] or {}).get("failed", 0)
        text = ngettext("%d failed", "%d failed", failed) % failed if failed else ""
        self._progress.update(self._task, completed=ended(operation), failed=text)


class Lines:
    """A line for each of several machines that is done, on the standard error; of a single one the summary tells all."""

    def __init__(self, here: Context):
        self._here = here
        self._told: set[str] = set()
        self._ended = 0

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing was opened."""

    def show(self, operation: Operation) -> None:
        """Tell what has ended since the last look."""
        if operation["counts"] is not None and ended(operation) > self._ended:
            self._ended = ended(operation)
            for row in _machines(self._here, operation, ENDED):
                if row["id"] not in self._told:
                    self._told.add(row["id"])
                    self._here.out.note(line(row))


def line(row: Operation) -> str:
    """One operation in one line: how it ended, where, why."""
    told = f"{WORDS.get(row['status'], row['status'])}  {row['verb']} {row['path']}"
    return f"{told}: {reason(row)}" if row["error"] else told


def reason(row: Operation) -> str:
    """Why it failed, as the server says it."""
    error = row["error"] or {}
    return str(error.get("message") or error.get("title") or error.get("type") or "")


def told(operation: Operation) -> str:
    """What it is."""
    number = total(operation)
    if operation["counts"] is None:
        return f"{operation['verb']} {operation['path']}"
    machines = ngettext("%d machine", "%d machines", number) % number
    return f"{operation['verb']} {operation['path']} ({machines})"


def total(operation: Operation) -> int:
    """How many machines take part."""
    return int(operation["counts"]["total"]) if operation["counts"] else 1


def ended(operation: Operation) -> int:
    """With how many of them it is done."""
    counts = operation["counts"]
    if counts is None:
        return int(operation["status"] not in OPEN)
    return int(counts["succeeded"] + counts["failed"] + counts["cancelled"])


def _machines(here: Context, operation: Operation, status: str) -> Iterator[dict[str, Any]]:
    """The operations on single machines; an operation on one machine is its own."""
    if operation["counts"] is None:
        yield from [dict(operation)] if operation["status"] in status.split(",") else []
    else:
        yield from here.client.paged(f"/operations/{operation['id']}/results", status=status)


# -- what came of it ---------------------------------------------------------------------------------------------------


def sum_up(here: Context, operation: Operation) -> Exit:
    """Print what came of it, grouped by reason; the exit code says whether all went well."""
    if not here.out.for_people:
        here.out.data(operation)
    else:
        here.out.lines(summary(here, operation))
    return code_of(operation)


def code_of(operation: Operation) -> Exit:
    """Whether all went well, as far as it has gone."""
    return Exit.OK if operation["status"] in (*OPEN, "succeeded") else Exit.FAILED


def summary(here: Context, operation: Operation) -> Iterator[str]:
    """What came of it, grouped by reason."""
    counts = operation["counts"]
    if counts is None:
        yield line(operation)
    else:
        numbers = [f"{counts[name]} {WORDS[name]}" for name in ("succeeded", "failed", "cancelled") if counts[name]]
        head = f"{operation['verb']} {operation['path']}"
        yield f"{head}: {', '.join(numbers) or WORDS.get(operation['status'], operation['status'])}"
        yield from left_out(operation)
        yield from _failures(here, operation)
    if operation["status"] in ("failed", "partial"):
        yield _("Ask again for what failed: olimpus ops retry %(id)s") % {"id": operation["id"]}


def left_out(operation: Operation) -> Iterator[str]:
    """The machines that could not take part, grouped by reason."""
    for group in (operation["result"] or {}).get("skipped", []):
        yield _("Left out: %(number)d. %(reason)s") % {"number": group["count"], "reason": group["reason"]}
        yield from plans.some(list(group["paths"]), group["count"])


def _failures(here: Context, operation: Operation) -> Iterator[str]:
    if not operation["counts"]["failed"]:
        return
    groups: dict[str, list[str]] = defaultdict(list)
    for row in _machines(here, operation, "failed"):
        groups[reason(row)].append(row["path"])
    for why, paths in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield _("Failed: %(number)d. %(reason)s") % {"number": len(paths), "reason": why}
        yield from plans.some(paths, len(paths))
