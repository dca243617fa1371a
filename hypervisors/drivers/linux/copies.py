"""Copies of images on the workers of a cluster: one is made when a machine needs it there, from another worker's.

A copy is a volume with a sheet beside it (`sheets`), which is written last: without it, it is half a copy and nobody's. What
writes or removes holds the name on that worker (`holds`), so thirty machines that need an image make one copy, in
however many processes. Content passes through here on its way between workers, and is hashed meanwhile: workers need
no keys for each other, and a corrupt copy is found before it spreads.
"""

from __future__ import annotations

import difflib
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from hypervisors.drivers.linux.holds import FOREVER, Hold, busy
from hypervisors.drivers.linux.sheets import (
    Base,
    Passing,
    Sheet,
    image_of,
    now,
    parse,
    require_name,
    sheet_of,
    volume_of,
)
from olimpus.errors import CapacityExceeded, HypervisorError, Missing, Rejected, Transient, Unreachable
from olimpus.words import gettext as _

if TYPE_CHECKING:  # libvirt's library may be missing
    from hypervisors.drivers.linux.connection import Worker
    from hypervisors.drivers.linux.pool import Pool

log = logging.getLogger(__name__)
T = TypeVar("T")


class Corrupt(Rejected):
    """A copy is not what its sheet says."""


@dataclass(frozen=True)
class Heard:
    """What the workers that answer have of one image, newest first, and those that do not answer."""

    copies: tuple[tuple[str, Sheet], ...]
    silent: Mapping[str, HypervisorError]

    @property
    def newest(self) -> Sheet | None:
        return self.copies[0][1] if self.copies else None

    @property
    def good(self) -> tuple[tuple[str, Sheet], ...]:
        """Those that are what the newest is."""
        return tuple(copy for copy in self.copies if copy[1].sha256 == self.copies[0][1].sha256)


class Copies:
    """The copies of images on the workers of one cluster. Thread-safe; every call may be repeated."""

    def __init__(self, workers: Mapping[str, Worker], pools: Mapping[str, Pool], where: str):
        self.workers = dict(workers)
        self.pools = dict(pools)
        self.where = where
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}

    # -- using them -------------------------------------------------------------------------------------------------

    def ensure(self, worker: str, name: str) -> Base:
        """The image on this worker, copied from another one when it is not there.

        `Rejected`: no such image (with the nearest name), or all copies are corrupt. `CapacityExceeded` on the worker.
        `Unreachable` when it may be on workers that do not answer.
        """
        require_name(name)
        if sheet := self._whole(worker, name):
            return sheet.base
        with self._alone(worker, name) as hold:
            sheet = self._whole(worker, name) or self._fetched(worker, name, hold)
        return sheet.base

    # -- inside: copies ---------------------------------------------------------------------------------------------

    def _fetched(self, worker: str, name: str, hold: Hold) -> Sheet:
        """A copy from whichever worker has a good one."""
        heard = self._heard(name)
        faults: list[HypervisorError] = []
        for holder, sheet in heard.good:
            try:
                self._copy(sheet, holder, worker, hold)
            except CapacityExceeded:
                raise
            except HypervisorError as error:
                log.warning("%s: copy of the image %s from %s: %s", self.where, name, holder, error)
                faults.append(error)
            else:
                return sheet
        raise self._excuse(heard, name, faults)

    def _copy(self, sheet: Sheet, source: str, target: str, hold: Hold) -> None:
        """From worker to worker. `Corrupt` when the source's is not what its sheet says: nobody takes it any more."""
        if self.pools[source].length(sheet.volume) != sheet.size_bytes:
            self._condemn(source, sheet)
        passing = Passing(self.pools[source].read(sheet.volume))
        with self._written(target, sheet.name, hold) as whole:
            self.pools[target].write(sheet.volume, passing, sheet.size_bytes)  # type: ignore[arg-type]
            if passing.sha256 != sheet.sha256:
                self._check(source, sheet)
                raise broken(sheet, f"{self.where}/{target}")
            whole(sheet)

    @contextmanager
    def _written(self, worker: str, name: str, hold: Hold) -> Iterator[Callable[[Sheet], None]]:
        """What is written inside is an image once its sheet is told, and gone when that does not come about."""
        pool = self.pools[worker]
        pool.remove(sheet_of(name))
        told: list[Sheet] = []
        try:
            yield told.append
            hold.require()
            self._note(worker, replace(told[-1], copied_at=now()))
        except BaseException:
            with suppress(HypervisorError):  # what went wrong first is what must be heard
                hold.require()  # else it is another's by now
                pool.remove_all((sheet_of(name), volume_of(name)))
            raise

    def _note(self, worker: str, sheet: Sheet) -> None:
        data = sheet.dump()
        self.pools[worker].write(sheet_of(sheet.name), data, len(data))

    def _check(self, worker: str, sheet: Sheet) -> None:
        """Read a copy as a whole. `Corrupt`."""
        if self._digest(worker, sheet.volume) != sheet.sha256:
            self._condemn(worker, sheet)

    def _condemn(self, worker: str, sheet: Sheet) -> None:
        """Without its sheet a copy is none; the volume goes when nothing stands on it, see `tidy`."""
        self.pools[worker].remove(sheet_of(sheet.name))
        told = {"name": sheet.name, "worker": worker}
        raise Corrupt(_("The image “%(name)s” on %(worker)s is corrupt.") % told, where=self.where)

    def _digest(self, worker: str, volume: str) -> str:
        passing = Passing(self.pools[worker].read(volume))
        while passing.read():
            pass
        return passing.sha256

    # -- inside: looking --------------------------------------------------------------------------------------------

    def _whole(self, worker: str, name: str) -> Sheet | None:
        """The sheet of a copy on this worker whose volume has its length."""
        sheet = self._sheet(worker, name)
        return sheet if sheet and self.pools[worker].length(sheet.volume) == sheet.size_bytes else None

    def _sheet(self, worker: str, name: str) -> Sheet | None:
        try:
            return parse(b"".join(self.pools[worker].read(sheet_of(name))))
        except (Missing, Rejected):  # the latter of a file that somebody took away
            return None

    def _heard(self, name: str) -> Heard:
        sheets, silent = self._everywhere(lambda worker: self._sheet(worker, name))
        copies = [(worker, sheet) for worker, sheet in sheets.items() if sheet is not None]
        copies.sort(key=lambda copy: copy[1].created_at, reverse=True)
        return Heard(tuple(copies), silent)

    def _everywhere(
        self, ask: Callable[[str], T], workers: Collection[str] | None = None
    ) -> tuple[dict[str, T], dict[str, HypervisorError]]:
        """What each worker answers (all, unless some are named), and the faults of the others; asked at once."""
        asked = list(self.pools if workers is None else workers)
        found: dict[str, T] = {}
        silent: dict[str, HypervisorError] = {}

        def one(worker: str) -> None:
            try:
                found[worker] = ask(worker)
            except HypervisorError as error:
                silent[worker] = error

        with ThreadPoolExecutor(max(1, len(asked)), "images") as threads:
            list(threads.map(one, asked))
        return {worker: found[worker] for worker in asked if worker in found}, silent

    def _excuse(self, heard: Heard, name: str, faults: Collection[HypervisorError]) -> HypervisorError:
        """Why there is no copy to be had: what may pass first."""
        if other := next((fault for fault in faults if not isinstance(fault, Corrupt)), None):
            return other
        if heard.silent:
            told = {"name": name, "workers": ", ".join(heard.silent)}
            message = _("The image “%(name)s” is on no worker that answers; these do not: %(workers)s.") % told
            return Unreachable(message, where=self.where)
        if faults:
            message = " ".join(fault.message for fault in faults)
            return Rejected(message, where=self.where, hint=_("Upload it again."))
        known = self._names()
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        hint = _("The nearest is “%(name)s”.") % {"name": nearest[0]} if nearest else _("Upload one first.")
        return Rejected(_("There is no image “%(name)s”.") % {"name": name}, where=self.where, hint=hint)

    def _names(self) -> list[str]:
        found, _silent = self._everywhere(lambda worker: self.pools[worker].names())
        return sorted({name for names in found.values() for name in sheeted(names)})

    # -- inside: one at a time --------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self, worker: str, name: str, patience: float = FOREVER) -> Iterator[Hold]:
        """Nobody else writes or removes this image on this worker meanwhile. Threads wait here without asking it.

        `Transient` when somebody is busy with it for longer than `patience`, in seconds.
        """
        where = f"{self.where}/{worker}"
        with self._guard:
            lock = self._locks.setdefault((worker, name), threading.Lock())
        if not lock.acquire(timeout=patience):
            raise busy(name, where)
        try:
            with Hold(self.pools[worker], name, where, patience=patience) as hold:
                yield hold
        finally:
            lock.release()


def broken(sheet: Sheet, where: str) -> Transient:
    """What arrived is not what was sent."""
    return Transient(_("The image “%s” did not arrive whole.") % sheet.name, where=where)


def sheeted(volumes: Collection[str]) -> set[str]:
    """Names of the images that have a sheet among these volumes."""
    return {name for volume in volumes if (name := image_of(volume)) and volume == sheet_of(name)}
