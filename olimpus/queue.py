"""The queue: it carries ids and nothing else. Losing it loses no work (see descriptors/tasks.py)."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from olimpus import filequeue
from olimpus.celery import app, queue_folder


def send(task: str, ids: Sequence[str], *, queue: str = "olimpus") -> None:
    """Ask some worker of `queue` to run `task` with `ids`. May be repeated; delivery is not guaranteed."""
    app.send_task(task, args=[list(ids)], queue=queue, ignore_result=True)


def send_on_commit(task: str, ids: Sequence[str], *, queue: str = "olimpus") -> None:
    """`send` after the current transaction commits; nothing is sent if it rolls back."""
    transaction.on_commit(lambda: send(task, ids, queue=queue))


def tidy() -> None:
    """Drop what nobody fetches from the embedded queue, so that its folder stays small; other brokers tidy themselves."""
    filequeue.tidy(queue_folder())
