"""The catalogue of a cluster's images: sent from files, made of machines, removed, tidied."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

from hypervisors.drivers.cloud import Cleared, Image, Images
from hypervisors.drivers.linux.copies import Copies, broken, sheeted
from hypervisors.drivers.linux.holds import DEAD, Hold, held_of
from hypervisors.drivers.linux.sheets import (
    Passing,
    Sheet,
    image_of,
    look,
    now,
    pieces,
    require_name,
    sheet_of,
    volume_of,
)
from hypervisors.drivers.linux.usage import users
from olimpus.errors import CapacityExceeded, HypervisorError, Rejected, Unreachable
from olimpus.words import gettext as _

log = logging.getLogger(__name__)

#: Copies of each image that stay, on as many workers.
KEPT: Final = 2
#: Seconds for those who were given an image just before it is withdrawn: by then their disk stands on it.
GRACE: Final = 1.0
MIB: Final = 1024**2
Held = dict[str, Hold]


class ImageStore(Copies):
    """The images of one cluster. Thread-safe; every call may be repeated."""

    # -- looking ----------------------------------------------------------------------------------------------------

    def images(self) -> Images:
        """All images on the workers that answer, by name.

        Where workers have different ones under one name, the newest is meant, and its status is `conflict`.
        """
        return [_image(copies) for _name, copies in sorted(self._catalogue().items())]

    # -- changing ---------------------------------------------------------------------------------------------------

    def upload(self, name: str, file: BinaryIO, format: str = "") -> Image:
        """Keep an image on the workers with most room, on two where there are two. The same content again is the same image.

        `Rejected`: see `sheets.look`, name taken by another. `CapacityExceeded`; nothing is left behind then.
        """
        sheet = look(name, file, format)
        with self._everywhere_alone(name) as held:
            if known := self._heard(name).newest:
                if known.sha256 == sheet.sha256:
                    return self._told(name)
                raise _taken(name)
            first = self._received(sheet, file, held)
            self._second(sheet, first, held)
        return self._told(name)

    def publish(self, worker: str, volume: str, name: str, of_ref: str) -> Image:
        """An image of a disk that nobody writes to meanwhile, on its worker and on another one. The same again for `of_ref`.

        `Rejected` when the name is taken by another. `CapacityExceeded`; nothing is left behind then.
        """
        require_name(name)
        with self._everywhere_alone(name) as held:
            if known := self._heard(name).newest:
                if known.source == of_ref:
                    return self._told(name)
                raise _taken(name)
            self._second(self._made(worker, volume, name, of_ref, held[worker]), worker, held)
        return self._told(name)

    def delete(self, name: str) -> None:
        """Remove an image from all workers; a missing one succeeds quietly.

        `Rejected` while a machine stands on it, naming which. `Unreachable` while a worker is silent: it may have it too.
        """
        if not self._known(name):
            return
        self._require_unused(name)
        with self._everywhere_alone(name) as held:
            self._require_all(held)
            copies = self._heard(name).copies
            for worker in held:
                self.pools[worker].remove(sheet_of(name))
            time.sleep(GRACE)
            try:
                self._require_unused(name)
            except HypervisorError:
                for worker, sheet in copies:
                    self._note(worker, sheet)
                raise
            for worker in held:
                self.pools[worker].remove(volume_of(name))

    def tidy(self, days: float = 0.0) -> list[Cleared]:
        """Remove halves of copies, copies that differ from the newest, and those older than `days` beyond the kept two.

        Nothing that a machine stands on; workers that do not answer are left alone.
        """
        before = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        used, _silent = self._everywhere(lambda worker: users(self.workers[worker], self.pools[worker]))
        cleared = [one for worker in used for one in self._tidy_halves(worker, used[worker])]
        for name, copies in self._catalogue().items():
            for worker, sheet in _spare(name, copies, used, before):
                cleared += self._clear(worker, name, sheet)
        return cleared

    # -- inside: sending --------------------------------------------------------------------------------------------

    def _received(self, sheet: Sheet, file: BinaryIO, held: Held) -> str:
        """The worker that took the file: the roomiest one that could."""
        fault: HypervisorError = _no_room(sheet, 0)
        for worker in self._roomiest(sheet, held):
            file.seek(0)
            passing = Passing(pieces(file))
            try:
                with self._written(worker, sheet.name, held[worker]) as whole:
                    self.pools[worker].write(sheet.volume, passing, sheet.size_bytes)  # type: ignore[arg-type]
                    if passing.sha256 != sheet.sha256:
                        raise broken(sheet, f"{self.where}/{worker}")
                    whole(sheet)
            except (CapacityExceeded, Unreachable) as error:
                fault = error
            else:
                return worker
        raise fault

    def _second(self, sheet: Sheet, first: str, held: Held) -> None:
        """Another copy, where there is room: the image is there without it."""
        others = {worker: hold for worker, hold in held.items() if worker != first}
        try:
            worker = self._roomiest(sheet, others)[0]
            self._copy(sheet, first, worker, held[worker])
        except HypervisorError as error:
            log.warning("%s: there is no second copy of the image %s: %s", self.where, sheet.name, error)

    def _made(self, worker: str, volume: str, name: str, of_ref: str, hold: Hold) -> Sheet:
        pool, made = self.pools[worker], volume_of(name)
        with self._written(worker, name, hold) as whole:
            pool.remove(made)  # half of one, of somebody who died
            pool.copy(made, volume)
            size, virtual = pool.length(made) or 0, pool.size(made) or 0
            sheet = Sheet(name, "qcow2", size, virtual, self._digest(worker, made), now(), of_ref)
            whole(sheet)
        return sheet

    def _roomiest(self, sheet: Sheet, held: Held) -> Sequence[str]:
        """Workers that have room for it. `CapacityExceeded` when none has."""
        rooms, _silent = self._everywhere(lambda worker: self.pools[worker].room()[1], held)
        found = sorted((name for name in rooms if rooms[name] > sheet.size_bytes), key=rooms.__getitem__, reverse=True)
        if not found:
            raise _no_room(sheet, max(rooms.values(), default=0))
        return found

    # -- inside: removing -------------------------------------------------------------------------------------------

    def _require_all(self, held: Held) -> None:
        if silent := self.pools.keys() - held.keys():
            message = _("These workers do not answer, and may have the image: %s.") % ", ".join(sorted(silent))
            raise Unreachable(message, where=self.where)

    def _require_unused(self, name: str) -> None:
        found, _silent = self._everywhere(lambda worker: users(self.workers[worker], self.pools[worker]))
        machines = sorted({machine for used in found.values() for machine in used.get(volume_of(name), ())})
        if machines:
            told = {"name": name, "machines": ", ".join(machines[:10]) + (", …" if len(machines) > 10 else "")}
            message = _("Machines stand on the image “%(name)s”: %(machines)s.") % told
            raise Rejected(message, where=self.where, hint=_("Destroy them first."))

    def _known(self, name: str) -> bool:
        """Whether something of an image is there, or may be."""
        found, silent = self._everywhere(lambda worker: self.pools[worker].names())
        return bool(silent) or any({volume_of(name), sheet_of(name)} & {*names} for names in found.values())

    def _tidy_halves(self, worker: str, used: Mapping[str, set[str]]) -> Iterator[Cleared]:
        """What those left behind who died: volumes without a sheet, sheets without a volume, holds."""
        volumes = set(self.pools[worker].names())
        halves = {name for volume in volumes if (name := image_of(volume)) and not _is_whole(name, volumes)}
        for name in sorted(halves | {name for volume in volumes if (name := held_of(volume))}):
            if volume_of(name) not in used:
                yield from self._clear(worker, name, None)

    def _clear(self, worker: str, name: str, sheet: Sheet | None) -> list[Cleared]:
        """Remove a copy that nobody uses, or half of one when `sheet` is None; nothing while somebody is busy with it."""
        pool = self.pools[worker]
        try:
            with self._alone(worker, name, patience=DEAD + 2):
                if sheet is None and self._whole(worker, name):
                    return []  # it was being made
                size = pool.length(volume_of(name))
                pool.remove(sheet_of(name))
                time.sleep(GRACE if sheet else 0)
                if volume_of(name) in users(self.workers[worker], pool):
                    if sheet:
                        self._note(worker, sheet)
                    return []
                pool.remove(volume_of(name))
        except HypervisorError as error:
            log.warning("%s: %s on %s stays: %s", self.where, name, worker, error)
            return []
        return [] if size is None else [Cleared(name, worker, size)]

    # -- inside -----------------------------------------------------------------------------------------------------

    def _catalogue(self) -> dict[str, list[tuple[str, Sheet]]]:
        """Name → workers with their sheets, newest first. Raises when no worker answers."""
        found, silent = self._everywhere(self._sheets)
        if silent and not found:
            raise next(iter(silent.values()))
        catalogue: defaultdict[str, list[tuple[str, Sheet]]] = defaultdict(list)
        for worker, sheets in found.items():
            for sheet in sheets:
                catalogue[sheet.name].append((worker, sheet))
        for copies in catalogue.values():
            copies.sort(key=lambda copy: copy[1].created_at, reverse=True)
        return catalogue

    def _sheets(self, worker: str) -> list[Sheet]:
        names = sheeted(self.pools[worker].names())
        return [sheet for name in sorted(names) if (sheet := self._sheet(worker, name))]

    def _told(self, name: str) -> Image:
        return _image(list(self._heard(name).copies))

    @contextmanager
    def _everywhere_alone(self, name: str) -> Iterator[Held]:
        """Hold the name on all workers that answer, always in the same order. `Unreachable` when none does."""
        with ExitStack() as stack:
            held: Held = {}
            found, silent = self._everywhere(lambda worker: self.pools[worker].room())
            for worker in sorted(found):
                held[worker] = stack.enter_context(self._alone(worker, name))
            if not held:
                raise next(iter(silent.values()))
            yield held


def _image(copies: Sequence[tuple[str, Sheet]]) -> Image:
    newest = copies[0][1]
    same = tuple(sorted(worker for worker, sheet in copies if sheet.sha256 == newest.sha256))
    return newest.image("active" if len(same) == len(copies) else "conflict", same)


def _is_whole(name: str, volumes: set[str]) -> bool:
    return {volume_of(name), sheet_of(name)} <= volumes


def _spare(
    name: str, copies: Sequence[tuple[str, Sheet]], used: Mapping[str, Mapping[str, set[str]]], before: str
) -> list[tuple[str, Sheet]]:
    """Copies that nobody would miss: of another content than the newest, or one of many and old enough."""
    newest = copies[0][1].sha256
    same = [copy for copy in copies if copy[1].sha256 == newest]
    free = [copy for copy in copies if copy[0] in used and volume_of(name) not in used[copy[0]]]
    old = [copy for copy in free if copy in same and copy[1].copied_at <= before]
    return [copy for copy in free if copy not in same] + old[: max(0, len(same) - KEPT)]


def _taken(name: str) -> Rejected:
    message = _("There is an image “%(name)s” already.") % {"name": name}
    return Rejected(message, where="name", hint=_("Choose another name, or delete that image first."))


def _no_room(sheet: Sheet, free: int) -> CapacityExceeded:
    told = {"wanted": f"{sheet.size_bytes / MIB:.0f}", "free": f"{free / MIB:.0f}"}
    return CapacityExceeded(_("No worker has room for the image: %(wanted)s MiB wanted, %(free)s free.") % told)
