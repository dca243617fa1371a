"""Keeps the SSH connection: makes it, watches it, and makes it again when it is lost."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from hypervisors.tunnels.board import State
from hypervisors.tunnels.hops import Hop
from hypervisors.tunnels.link import STEP_SECONDS, Link
from hypervisors.tunnels.trust import Trust
from olimpus.errors import HypervisorError, Rejected, Unreachable
from olimpus.words import gettext as _

log = logging.getLogger(__name__)

PATIENCE: Final = 5.0  # seconds for which callers wait for a connection that is being made
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 4.0  # between attempts: back within five seconds once the bastion is
REFUSED_PAUSE: Final = 30.0  # a refused key is not offered more often: hosts lock out who insists
STABLE_SECONDS: Final = 10.0  # what lives shorter counts as another failed attempt
PING_EVERY, PING_LIMIT = 5.0, 10.0


class Keeper:
    """One link at a time. `changed` is called, by any thread, when the state has changed."""

    def __init__(self, hops: tuple[Hop, ...], trust: Trust, changed: Callable[[], None]):
        self._hops = hops
        self._trust = trust
        self._tell = changed
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()  # of this thread
        self._link: Link | None = None  # the one that stands or is being made
        self._fault: HypervisorError | None = None  # why it does not stand; None: it does, or nobody knows yet
        self._pinged: float | None = None  # when the ping began that has no answer yet
        self._made = 0
        self.state: State = "down"
        self.since = time.time()
        self.latency: float | None = None  # seconds
        self.last_error = ""
        self.last_error_at: float | None = None
        self.host_keys: tuple[str, ...] = ()

    @property
    def reconnects(self) -> int:
        """How often the link was made again."""
        return max(0, self._made - 1)

    def link(self, patience: float = PATIENCE) -> Link:
        """The link, once it stands; it is made when nobody has asked yet.

        Raises what went wrong: at once when the bastion refuses us, was never reached or has been away for some seconds;
        else after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        with self._changed:
            self._start()
            while not (self.state == "up" and self._link and self._link.alive):
                left = deadline - time.monotonic()
                if self._stop.is_set() or left <= 0 or self._hopeless():
                    raise self._excuse()
                self._changed.wait(left)
            return self._link

    def reconnect(self) -> None:
        """Drop the link, if there is one, and connect now. What goes through it is cut off."""
        with self._changed:
            if self.state == "down" and self._thread:  # callers wait for what comes of it
                self.state, self.since, self._fault = "connecting", time.time(), None
        self._hurry.set()
        self._cut()

    def watch_over_ping(self) -> None:
        """Cut a link that has not answered for long; to be called now and then."""
        begun = self._pinged
        if begun is not None and time.monotonic() - begun > PING_LIMIT:
            self._cut()

    def close(self) -> None:
        """End the link and the thread. A later `link` begins anew."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._stop.set()
            self._changed.notify_all()
        self._hurry.set()
        self._cut()
        if thread:
            thread.join(STEP_SECONDS)
        self._become("down", None)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _cut(self) -> None:
        if link := self._link:
            link.cut()

    def _hopeless(self) -> bool:
        """Waiting helps only when the link stood a moment ago and is being made again."""
        if isinstance(self._fault, Rejected) or (self._fault and not self._made):
            return True
        return self.state == "down" and time.time() - self.since > PATIENCE

    def _excuse(self) -> HypervisorError:
        """The fault as a new exception: many threads raise it."""
        if fault := self._fault:
            return type(fault)(fault.message, where=fault.where, hint=fault.hint)
        return Unreachable(_("The SSH connection does not stand yet."))

    def _become(self, state: State, fault: HypervisorError | None) -> None:
        with self._changed:
            self._fault = fault
            if fault:
                self.last_error, self.last_error_at = str(fault), time.time()
            if state != self.state:
                self.state, self.since = state, time.time()
            self._changed.notify_all()
        self._tell()

    # -- its thread -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None:
            self._stop = threading.Event()
            self._hurry.clear()
            self._made = 0
            self.state, self.since = "connecting", time.time()
            self._thread = threading.Thread(target=self._run, args=(self._stop,), name="tunnel-keeper", daemon=True)
            self._thread.start()

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            begun = time.monotonic()
            fault = self._hold(stop)
            if stop.is_set():
                return
            stable = fault is None and time.monotonic() - begun > STABLE_SECONDS
            failures = 0 if stable else failures + 1
            if self._hurry.wait(_pause(failures, fault)):
                failures = 0
            self._hurry.clear()

    def _hold(self, stop: threading.Event) -> HypervisorError | None:
        """Make a link and watch it until it is lost. Why it could not be made, or None."""
        link = self._link = Link(self._hops, self._trust)
        fault: HypervisorError | None = None
        try:
            self._stand(link, stop)
        except HypervisorError as error:
            fault = error
        except Exception as error:
            # Whatever the SSH library trips over, the tunnel must come back.
            log.exception("the SSH connection to %s failed unexpectedly", self._hops[0].address)
            fault = Unreachable(
                _("The SSH connection failed unexpectedly (%(error)s).") % {"error": type(error).__name__}
            )
        finally:
            link.close()
        if self._hurry.is_set():
            fault = None  # it was dropped on purpose
        if not stop.is_set():
            self._become("down" if fault else "connecting", fault)
        return fault

    def _stand(self, link: Link, stop: threading.Event) -> None:
        if stop.is_set():
            return
        link.make()
        self.latency = min(link.ping(), link.ping())  # the first one still meets what signing in has left
        self.host_keys = tuple(link.host_keys)
        self._made += 1
        self._become("up", None)
        while not stop.is_set() and link.wait(PING_EVERY) and self._answers(link):
            pass
        if not stop.is_set() and not self._hurry.is_set():  # which is set when it was dropped on purpose
            self.last_error, self.last_error_at = _("The SSH connection was lost."), time.time()

    def _answers(self, link: Link) -> bool:
        self._pinged = time.monotonic()
        try:
            self.latency = link.ping()
        except Unreachable:
            return False
        finally:
            self._pinged = None
        return True


def _pause(failures: int, fault: HypervisorError | None) -> float:
    """Seconds until the next attempt. Jitter keeps many processes from knocking at once."""
    if isinstance(fault, Rejected):
        return REFUSED_PAUSE
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
