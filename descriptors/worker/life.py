"""Which workers of this data folder have died: each holds a lock that the kernel frees when its process ends.

So a killed worker is known to be dead the moment somebody asks. Workers with another data folder are known by their leases
only.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings


class Life:
    """Held by a worker from its start to its end."""

    def __init__(self, worker: str):
        self._path = _folder() / worker
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{worker}{DRAFT}")
        self._file = draft.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        draft.rename(self._path)  # it appears locked: nobody takes it for dead in between

    def end(self) -> None:
        """The worker holds nothing any more. May be repeated."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def dead() -> list[str]:
    """Names of the workers of this data folder that died without an end."""
    return [path.name for path in _workers() if _is_free(path)]


def alive() -> list[str]:
    """Names of the workers of this data folder that run now."""
    return [path.name for path in _workers() if not _is_free(path)]


def bury(workers: Iterable[str]) -> None:
    """Forget dead workers; call it when nothing is theirs any more."""
    for worker in workers:
        (_folder() / worker).unlink(missing_ok=True)


def _workers() -> list[Path]:
    return sorted(path for path in _folder().glob("*") if not path.name.endswith(DRAFT))


def _is_free(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _folder() -> Path:
    return Path(settings.OLIMPUS_HOME) / "workers"


DRAFT = ".draft"
