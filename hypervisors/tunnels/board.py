"""What the processes tell each other about their tunnels: small files in `<home>/tunnels/`.

Each process writes the state of its own tunnels, about every two seconds; a request to connect anew is a file too,
which every process sees. Nothing here needs a database, so that a driver used alone has it as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

State = Literal["up", "connecting", "down"]

STALE_SECONDS: Final = 15.0  # a file that was not written for so long belongs to a process that is gone


@dataclass(frozen=True)
class Service:
    """One target behind the tunnel. Bytes in are those that came from it."""

    service: str  # compute, network, identity…; "" when it was not said
    host: str
    port: int
    local_port: int  # of the listener on loopback; 0: none
    state: State
    since: float  # when the state began; seconds since 1970, as all times here
    reconnects: int  # of the tunnel, since this target is used
    connections: int  # open now
    opened: int  # ever
    latency_ms: float | None  # of the last opening
    bytes_in: int
    bytes_out: int
    last_error: str
    last_error_at: float | None


@dataclass(frozen=True)
class Status:
    """The tunnel of one hypervisor in one process."""

    name: str  # of the hypervisor
    hops: tuple[str, ...]  # host:port of the bastion, and of the headnode
    state: State
    since: float
    reconnects: int
    latency_ms: float | None  # of a round trip to the last hop
    bytes_in: int
    bytes_out: int
    connections: int
    connections_max: int
    last_error: str
    last_error_at: float | None
    host_keys: tuple[str, ...] = ()  # fingerprints met, in the order of the hops
    services: tuple[Service, ...] = ()
    process: str = field(default_factory=lambda: Path(sys.argv[0]).name)
    pid: int = field(default_factory=os.getpid)
    machine: str = field(default_factory=socket.gethostname)
    at: float = field(default_factory=time.time)


class Notice:
    """The file in which one process tells the state of one tunnel."""

    def __init__(self, home: Path, name: str, number: int):
        self._path = _folder(home) / "status" / f"{socket.gethostname()}-{os.getpid()}-{number}.json"

    def publish(self, status: Status) -> None:
        """Quietly not at all when the disk is full: a tunnel works without."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._path, json.dumps(asdict(status)))

    def withdraw(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def statuses(home: Path) -> list[Status]:
    """The tunnels of all living processes, by name. Files of dead ones are removed."""
    found = []
    for path in (_folder(home) / "status").glob("*.json"):
        try:
            status = _read(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, KeyError):
            status = None  # withdrawn meanwhile, or not ours
        if status and _alive(status, path):
            found.append(status)
        else:
            _sweep(path)
    for path in (_folder(home) / "status").glob(".new-*"):
        _sweep(path)  # whose writer died in between
    return sorted(found, key=lambda status: (status.name, status.pid, status.hops))


def ask_reconnect(home: Path, name: str) -> None:
    """Ask every process to connect this hypervisor's tunnel anew, within about two seconds."""
    path = _request(home, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, repr(time.time()))


def reconnect_asked(home: Path, name: str) -> float:
    """When that was asked last, as a number that grows; 0: never."""
    try:
        return _request(home, name).stat().st_mtime_ns
    except OSError:
        return 0


def _folder(home: Path) -> Path:
    return Path(home) / "tunnels"


def _request(home: Path, name: str) -> Path:
    return _folder(home) / "reconnect" / quote(name, safe="")


def _write(path: Path, text: str) -> None:
    """As a whole or not at all, for our own account only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(temporary, path)


def _read(told: dict[str, Any]) -> Status:
    services = tuple(Service(**service) for service in told.pop("services"))
    lists = {name: tuple(told.pop(name)) for name in ("hops", "host_keys")}
    return Status(services=services, **lists, **told)


def _alive(status: Status, path: Path) -> bool:
    """Its file is fresh; and on this machine its process lives. (Containers that share a disk do not share processes.)"""
    if time.time() - status.at > STALE_SECONDS:
        return False
    if status.machine != socket.gethostname() or status.pid == os.getpid():
        return True
    try:
        os.kill(status.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as somebody else
    return True


def _sweep(path: Path) -> None:
    """Not a file that was just written: its process may be starting."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            path.unlink()
