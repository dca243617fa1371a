"""The workers as the settings name them, and the way to each. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hypervisors.tunnels import WORKER, Hop, hop_of
from olimpus.errors import Misconfigured
from olimpus.words import gettext as _

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
WHOLE: Final = frozenset({"port", "cpus", "memory", "disk"})
OPTIONS: Final = WHOLE | {"user"}
MAINTENANCE: Final = "maintenance"


@dataclass(frozen=True)
class WorkerLine:
    """One worker. Sizes of None are asked of the worker itself; memory is MiB, disk is GiB."""

    name: str
    address: str
    user: str = ""
    port: int = 22
    cpus: int | None = None
    memory: int | None = None
    disk: int | None = None
    maintenance: bool = False


def parse(text: str) -> tuple[WorkerLine, ...]:
    """The workers in these lines. `Misconfigured` names the line that cannot be read, or is there twice."""
    workers: dict[str, WorkerLine] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        worker = _parsed(words, number)
        if worker.name in workers or worker.address in {other.address for other in workers.values()}:
            raise _refused(number, _("This worker is there twice."))
        workers[worker.name] = worker
    if not workers:
        raise Misconfigured(_("The setting “%(name)s” is missing.") % {"name": "workers"}, where="workers")
    return tuple(workers.values())


def hops_to(values: Mapping[str, Any], worker: WorkerLine) -> tuple[Hop, ...]:
    """The bastion, where there is one, then the worker."""
    own = {
        "worker_host": worker.address,
        "worker_port": worker.port,
        "worker_user": worker.user or values.get("worker_user") or values.get("bastion_user"),
        "worker_host_key": values.get("worker_host_keys"),
    }
    return (*_bastion(values), hop_of({**values, **own}, WORKER))


def hops_to_gateway(values: Mapping[str, Any]) -> tuple[Hop, ...]:
    """The bastion, where there is one, then the head node; empty when the settings name none."""
    return (*_bastion(values), hop_of(values, "headnode")) if values.get("headnode_host") else ()


def _bastion(values: Mapping[str, Any]) -> Iterator[Hop]:
    if values.get("bastion_host"):
        yield hop_of(values, "bastion")


def _parsed(words: list[str], number: int) -> WorkerLine:
    name, address, *rest = [*words, ""] if len(words) == 1 else words
    if not NAME.fullmatch(name) or not address or "=" in address:
        raise _refused(number, _("A name and an address are needed."))
    found: dict[str, Any] = {}
    for word in rest:
        key, _equals, value = word.partition("=")
        if word == MAINTENANCE:
            found[MAINTENANCE] = True
        elif key not in OPTIONS or not value or (key in WHOLE and not (value.isascii() and value.isdigit())):
            raise _refused(number, _("“%(word)s” is not understood.") % {"word": word[:60]})
        else:
            found[key] = int(value) if key in WHOLE else value
    return WorkerLine(name, address, **found)


def _refused(number: int, message: str) -> Misconfigured:
    hint = _("Write for example: worker-1 192.168.201.11 port=2222 maintenance")
    return Misconfigured(
        _("Line %(line)d: %(message)s") % {"line": number, "message": message}, where="workers", hint=hint
    )
