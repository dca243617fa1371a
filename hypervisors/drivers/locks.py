"""One at a time: among the threads of a process, and among the processes that share a home folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_guard = threading.Lock()
_locks: dict[Path, tuple[threading.Lock, int]] = {}


@contextmanager
def one_at_a_time(home: Path, *key: str) -> Iterator[None]:
    """Hold the lock of this key. It is let go when the process dies, too.

    Processes on several machines do not see each other here: what must be single then needs a rule of its own.
    """
    path = home / "locks" / hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
    with _thread_lock(path), _locked(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> IO[str]:
    """The file of a lock, held until it is closed; not one that whoever held it before has removed meanwhile."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        except FileNotFoundError:
            pass
        file.close()


@contextmanager
def _thread_lock(path: Path) -> Iterator[None]:
    """A lock that exists while somebody holds or awaits it; a thread waits here without a file of its own."""
    with _guard:
        lock, users = _locks.get(path, (threading.Lock(), 0))
        _locks[path] = (lock, users + 1)
    try:
        with lock:
            yield
    finally:
        with _guard:
            lock, users = _locks[path]
            if users == 1:
                del _locks[path]
            else:
                _locks[path] = (lock, users - 1)
