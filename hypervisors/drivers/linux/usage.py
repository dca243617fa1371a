"""What stands on which volume of a worker: disks that need the one below them, machines that have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from hypervisors.drivers.linux.facts import Facts, facts_of, volume_of
from olimpus.errors import VMNotFound

if TYPE_CHECKING:  # libvirt's library may be missing
    from hypervisors.drivers.linux.connection import Worker
    from hypervisors.drivers.linux.pool import Pool


def users(worker: Worker, pool: Pool) -> Mapping[str, set[str]]:
    """Volume → names of the machines that have it, or a disk upon it; a disk that no machine has goes by its own name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for machine in _machines(worker):
        for path in (*machine.disks, *machine.cdroms):
            if path.startswith(f"{pool.path}/"):
                found[volume_of(path)].add(machine.name)
    for volume, below in pool.backings().items():
        found[below] |= found[volume] or {volume}
    return {volume: names for volume, names in found.items() if names}


def _machines(worker: Worker) -> Iterator[Facts]:
    for domain in worker.ask(lambda connection: connection.listAllDomains()):
        with suppress(VMNotFound):  # it is gone meanwhile
            yield facts_of(worker.ask(lambda _connection, domain=domain: domain.XMLDesc(0)))  # type: ignore[misc]
