"""Machines that are started together: none of them boots before all of them are there.

Guests that boot take the processors that the others' start needs, and most of all Open vSwitch, which gives them their ports
one after the other. It is so on one worker, and on all of a cluster whose workers are guests of one machine themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import libvirt

#: Seconds that a machine waits for others at most: one whose start hangs keeps nobody for longer.
PATIENCE: Final = 5.0


class Starts:
    """The starts of one cluster. Thread-safe; every call may be repeated, also after whoever made it was killed."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._under_way: set[object] = set()

    def start(self, domain: libvirt.virDomain) -> None:
        """Switch it on; let one that is paused go on. Fine when it runs."""
        if not domain.isActive():
            with self._counted():
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            self._wait()
        go_on(domain)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        mine = object()
        with self._change:
            self._under_way.add(mine)
        try:
            yield
        finally:
            with self._change:
                self._under_way.remove(mine)
                self._change.notify_all()

    def _wait(self) -> None:
        """For those that have begun already; not for those that come later."""
        with self._change:
            others = frozenset(self._under_way)
            self._change.wait_for(lambda: others.isdisjoint(self._under_way), PATIENCE)


def go_on(domain: libvirt.virDomain) -> None:
    """Let a paused machine run; one that its guest has put to sleep must be woken."""
    state, _reason = domain.state()
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        domain.pMWakeup()
    elif state == libvirt.VIR_DOMAIN_PAUSED:
        domain.resume()
