"""Listening to all workers of a cluster, which tell only those who are connected."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # libvirt's library may be missing
    from hypervisors.drivers.linux.cluster import Cluster, Member

log = logging.getLogger(__name__)

#: Seconds between two looks whether the workers are still connected.
LOOK: Final = 2.0
#: Seconds within which a look ends, also when workers hang.
LONGEST_LOOK: Final = 30.0


class Watch:
    """Tells changes from a thread of its own, and keeps the workers connected."""

    def __init__(self, cluster: Cluster, changed: Callable[[str], None]):
        self._cluster = cluster
        self._changed = changed
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._over = threading.Event()
        self._ends = [self._listen(member) for member in cluster.members.values()]
        threading.Thread(target=self._tell, name="linux-watch", daemon=True).start()
        self._keeper = threading.Thread(target=self._keep, name="linux-watch", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Tell nothing more. May be repeated."""
        self._over.set()
        for end in self._ends:
            end()
        self._heard.put(None)

    def end(self) -> None:
        """The same, and connect nothing more once this returns."""
        self.stop()
        if self._keeper is not threading.current_thread():
            self._keeper.join(LONGEST_LOOK)

    def _listen(self, member: Member) -> Callable[[], None]:
        return member.machines.watch(lambda uuid: self._heard.put(f"{member.name}/{uuid}" if uuid else ""))

    def _tell(self) -> None:
        while (ref := self._heard.get()) is not None and not self._over.is_set():
            self._changed(ref)

    def _keep(self) -> None:
        silent: set[str] = set()
        while not self._over.is_set():
            found = self._silent()
            if found - silent:
                self._heard.put("")  # what was there is unknown now
            silent = found
            self._over.wait(LOOK)

    def _silent(self) -> set[str]:
        """Names of the workers that do not answer; the others are connected."""
        try:
            return set(self._cluster.each(lambda member: bool(member.worker.connect()))[1])
        except Exception:  # whatever a library trips over, the workers are to be heard again when it is over
            log.exception("%s: the workers cannot be listened to", self._cluster.hypervisor)
            return set(self._cluster.members)
