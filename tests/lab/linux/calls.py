"""What the driver asks the workers for, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import libvirt

from hypervisors.drivers.linux.connection import Worker

PROGRAM: Final = "a program by SSH"
#: What libvirt's library knows without asking.
KNOWN: Final = (
    "virConnectIsAlive",
    "virDomainFree",
    "virDomainGetID",
    "virDomainGetName",
    "virDomainGetUUIDString",
    "virStoragePoolFree",
)


class Counting:
    """libvirt's library below its Python classes; counts what is called."""

    def __init__(self, library: Any, calls: Counter[str]):
        self._library, self._calls = library, calls

    def __getattr__(self, name: str) -> Any:
        self._calls[name] += 1
        return getattr(self._library, name)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each of libvirt's functions is called, and programs are run on workers, while the block runs."""
    calls: Counter[str] = Counter()
    run = Worker.run

    def noted(worker: Worker, *args: Any, **more: Any) -> Any:
        calls[PROGRAM] += 1
        return run(worker, *args, **more)

    with (
        mock.patch.object(libvirt, "libvirtmod", Counting(libvirt.libvirtmod, calls)),
        mock.patch.object(Worker, "run", noted),
    ):
        yield calls


def asking(calls: Counter[str]) -> dict[str, int]:
    """Those calls that a worker must answer."""
    return {name: number for name, number in calls.items() if name not in KNOWN and not name.startswith("virEvent")}
