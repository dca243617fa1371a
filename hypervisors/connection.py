"""A connection test told step by step while it runs, and given up when it hangs."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Iterator

from django.utils.translation import gettext as _

from hypervisors.drivers.checks import Check, listening
from hypervisors.gateway import Gateway

#: Longer than this nobody waits for an answer.
SECONDS = 60.0
#: The code of the step that says so.
LATE = "timeout"


def steps(gateway: Gateway, seconds: float = SECONDS) -> Iterator[Check]:
    """Yield each step as soon as it ends. Never raises: a fault is a failed step, a test that hangs one more.

    The driver works in a thread of its own: one that never comes back is left behind and harms nobody.
    """
    told: queue.SimpleQueue[Check | None] = queue.SimpleQueue()
    context = contextvars.copy_context()  # the language of whoever asked
    threading.Thread(target=context.run, args=(_check, gateway, told), daemon=True).start()
    end = time.monotonic() + seconds
    while True:
        try:
            check = told.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            detail = _("No answer within %(seconds)g s.") % {"seconds": seconds}
            yield Check(LATE, _("Answer in time"), ok=False, detail=detail, seconds=seconds)
            return
        if check is None:
            return
        yield check


def _check(gateway: Gateway, told: queue.SimpleQueue[Check | None]) -> None:
    known: list[Check] = []

    def tell(check: Check) -> None:
        known.append(check)
        told.put(check)

    try:
        with listening(tell):
            checks = gateway.check()
        for check in checks:  # of a driver that tells all at its end
            if check not in known:
                told.put(check)
    finally:
        told.put(None)
