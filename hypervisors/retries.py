"""Calls that did not succeed: which come again, and when; which mean that nobody answers."""

from __future__ import annotations

import random

from hypervisors.breaker import TRIAL
from olimpus.errors import HypervisorError, OlimpusError, TimedOut, Unreachable

ATTEMPTS = 5
ATTEMPTS_UNREACHABLE = 8
LONGEST_BACKOFF = 60.0


class Interrupted(HypervisorError):
    """`should_stop` said so during a wait: cancelled or past its deadline. What was asked for may still happen."""

    id = "hypervisor:interrupted"
    status = 409


class CircuitOpen(Unreachable):
    """Not asked: the hypervisor has not answered for a while. `retry_in` seconds later it may be asked again."""

    retry_in: float = TRIAL


def backoff(error: Exception, attempt: int) -> float | None:
    """Seconds to wait after the failed attempt number `attempt` (1 = the first), or None: give up.

    Only errors whose class says `retry` come again: about 1 s, 2 s, 4 s, … 60 s; five attempts, eight when unreachable.
    What the circuit breaker refused was no attempt: it comes again as soon as the circuit lets it, however often.
    """
    if isinstance(error, CircuitOpen):
        return error.retry_in
    limit = ATTEMPTS_UNREACHABLE if isinstance(error, Unreachable) else ATTEMPTS
    if not isinstance(error, OlimpusError) or not error.retry or attempt >= limit:
        return None
    return min(LONGEST_BACKOFF, 2 ** (attempt - 1) * random.uniform(0.8, 1.2))


def is_silence(error: BaseException) -> bool:
    """Whether nobody answered: unreachable, or a call (not a change) that timed out on the connection."""
    if isinstance(error, Unreachable) or not isinstance(error, TimedOut):
        return isinstance(error, Unreachable)
    cause: BaseException | None = error
    while cause := cause.__cause__ or cause.__context__:
        if isinstance(cause, OSError):  # TimeoutError and the exceptions of HTTP libraries are ones
            return True
    return False
