"""What the commands of this app print: plans, faults and the progress of operations, with rich."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from courses.plan import Plan
from descriptors.actions.effects import EditPlan
from descriptors.models import OPEN, Operation
from olimpus.errors import OlimpusError

#: Lines shown of a long list.
SHOWN: Final = 12
POLL_SECONDS: Final = 0.25
#: After this long without any movement, say that perhaps nobody works.
IDLE_SECONDS: Final = 15.0


def labels() -> dict[str, str]:
    """What each count of a plan is called."""
    return {
        "folders": _("folders to make"),
        "machines": _("machines to define"),
        "users": _("accounts to make"),
        "grants": _("grants to give"),
        "updates": _("definitions to update"),
        "unchanged": _("nodes as they should be"),
        "missing": _("no longer listed (left alone)"),
    }


def show_plan(console: Console, plan: Plan, effects: EditPlan) -> None:
    """Counts first, then what deserves to be read line by line."""
    title = " · ".join(part for part in (plan.course.name, plan.course.title) if part)
    console.print(f"[bold]{escape(title)}[/bold] → {escape(plan.course.folder)}", soft_wrap=True, highlight=False)
    table = Table(show_header=False)
    for name, count in plan.counts().items():
        table.add_row(labels()[name], str(count), style="" if count else "dim")
    console.print(table)
    _show_list(console, _("To make"), [item.path for item in plan.create])
    _show_list(console, _("To update"), [f"{u.path}: {', '.join(u.parameters)}" for u in plan.update])
    _show_effects(console, effects)
    _show_list(console, _("No longer listed, left alone"), plan.missing)


def _show_list(console: Console, title: str, lines: Iterable[str]) -> None:
    lines = list(lines)
    if not lines:
        return
    console.print(f"[bold]{escape(title)}[/bold]")
    for line in lines[:SHOWN]:
        console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    if len(lines) > SHOWN:
        console.print("  " + _("… and %(more)d more") % {"more": len(lines) - SHOWN})


def _show_effects(console: Console, effects: EditPlan) -> None:
    """What the updates do to machines that are there already."""
    words = {
        "now": _("machines change at once"),
        "next_start": _("machines change at their next start"),
        "reapply": _("machines change when “reapply” is asked for"),
        "recreate": _("machines change only when destroyed and created again"),
    }
    lines = [f"{count} {words[name]}" for name, count in effects.counts.items() if count]
    _show_list(console, _("What the updates do"), lines)
    _show_list(console, _("Could no longer be computed"), [f"{b['where']}: {b['message']}" for b in effects.faults])


def fault_block(error: OlimpusError) -> str:
    """All faults of an error, one a line with its place and hint, and that nothing was changed."""
    faults: list[dict[str, Any]] = error.errors or [
        {"where": error.where, "message": error.message, "hint": error.hint}
    ]
    lines = [" ".join(filter(None, (_place(fault), fault["message"], fault.get("hint", "")))) for fault in faults]
    return "\n".join([_("Nothing was changed."), *(f"  {line}" for line in lines)])


def _place(fault: dict[str, Any]) -> str:
    return f"{fault['where']}:" if fault.get("where") else ""


def follow(console: Console, operation: Operation, *, sleep: Callable[[float], None] = time.sleep) -> Operation:
    """Show the progress of an operation on a folder until it is done; returns its fresh row.

    Reads the database only: whoever stops watching (KeyboardInterrupt passes through) stops nothing.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as progress:
        task = progress.add_task(escape(str(operation)), total=operation.total or None, note="")
        moved = time.monotonic()
        while operation.status in OPEN:
            before = _done(operation)
            sleep(POLL_SECONDS)
            operation.refresh_from_db()
            moved = moved if _done(operation) == before else time.monotonic()
            _update(progress, task, operation, idle=time.monotonic() - moved > IDLE_SECONDS)
        _update(progress, task, operation, idle=False)
    return operation


def _done(operation: Operation) -> int:
    return operation.succeeded + operation.failed + operation.cancelled


def _update(progress: Progress, task: TaskID, operation: Operation, *, idle: bool) -> None:
    note = _("%(count)d failed") % {"count": operation.failed} if operation.failed else ""
    if idle:
        note = _("Nothing moves: is a worker running?")
    progress.update(task, completed=_done(operation), note=note)
