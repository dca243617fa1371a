"""What a change of definitions would do to the machines below: computed before and after, compared, nothing written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from posixpath import commonpath
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from descriptors import selectors
from descriptors.access import Access, Interval, end_of, key_of, moved_path
from descriptors.cascade import Cascade
from descriptors.definition import Effect, changed, check_edit, effect
from descriptors.models import Descriptor, Node
from descriptors.names import above
from descriptors.permissions import within
from olimpus.errors import Conflict, Invalid

Definitions = Mapping[str, Mapping[str, Any]]  # by path


@dataclass(frozen=True)
class Row:
    """One machine, what happens to it, and because of which parameters."""

    path: str
    state: str
    effect: Effect
    parameters: list[str]


@dataclass
class EditPlan:
    """What an edit does: machines that change (unchanged ones are only counted) and definitions it would break."""

    rows: list[Row] = field(default_factory=list)
    broken: list[dict[str, str]] = field(default_factory=list)
    unchanged: int = 0
    #: Machines that change and that whoever asks may not see: only counted.
    unseen: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """How many machines for each effect: now, next_start, reapply, recreate."""
        found = Counter(str(row.effect) for row in self.rows) + self.unseen
        return {str(effect): found.get(str(effect), 0) for effect in Effect if effect is not Effect.NONE}

    def veil(self, access: Access) -> EditPlan:
        """Names no machine that may not be seen: neither what changes nor what would break."""
        unseen = [row for row in self.rows if not access.can("see", row.path)]
        self.unseen.update(str(row.effect) for row in unseen)
        self.rows = [row for row in self.rows if access.can("see", row.path)]
        veiled = {"where": "…", "message": _("It is a machine that you may not see.")}
        self.broken = [row if access.can("see", row["where"]) else veiled for row in self.broken]
        return self

    @property
    def faults(self) -> list[dict[str, str]]:
        """What is broken, once for all machines with the same fault: then `where` is the folder that holds them."""
        alike: dict[str, list[str]] = {}
        for row in self.broken:
            alike.setdefault(row["message"], []).append(row["where"])
        return [_fault(message, paths) for message, paths in alike.items()]

    def refuse_if_broken(self) -> None:
        """Raise Invalid, naming the machines, when one cannot be computed that could be, or that is new."""
        if self.broken:
            first, faults = self.broken[0], self.faults
            raise Invalid(
                ngettext(
                    "%(count)d machine could not be computed: %(path)s: %(message)s",
                    "%(count)d machines could not be computed; the first: %(path)s: %(message)s",
                    len(self.broken),
                )
                % {"count": len(self.broken), "path": first["where"], "message": first["message"]},
                where=faults[0]["where"],
                errors=faults[:50],
            )


def _fault(message: str, paths: list[str]) -> dict[str, str]:
    if len(paths) == 1:
        return {"where": paths[0], "message": message}
    said = _("%(count)d machines: %(message)s") % {"count": len(paths), "message": message}
    return {"where": commonpath(paths), "message": said}


def machines_under(paths: Iterable[str]) -> list[Descriptor]:
    """The machines at or below any of the paths, each with its open operation."""
    branches: list[Interval] = []
    for key in sorted({key_of(path) for path in paths}):
        if not branches or key >= branches[-1][1]:  # else it lies below the one before
            branches.append((key, end_of(key)))
    rows = Descriptor.objects.filter(within("path", branches)).select_related("open_operation")
    return list(rows.only("path", "name", "definition", "state", "open_operation"))


def plan(
    changes: Definitions,
    machines: Iterable[Descriptor],
    *,
    moved: Mapping[str, str] | None = None,
    lifted: Mapping[str, Collection[str]] | None = None,
) -> EditPlan:
    """Compare the computed definitions of `machines` before and after `changes` (new local definitions by path).

    `moved` maps old path prefixes to new ones when nodes change their place. `lifted` are kinds of parameters, by path,
    that the state of the machine does not hold back: whoever changes them sees to it that they are written, too.
    """
    machines = list(machines)
    folders = selectors.folders_above(machines)
    moved = moved or {}
    targets = {machine.path: _moved(machine.path, moved) for machine in machines}
    after_folders = _after(folders, changes, moved)
    missing = {path for target in targets.values() for path in above(target)} - after_folders.keys()
    after_folders |= dict(Node.objects.filter(path__in=missing).values_list("path", "definition"))
    before, after = Cascade(folders), Cascade(after_folders)
    found = EditPlan()
    for machine in machines:
        new = _compare(machine, targets[machine.path], changes, before, after, found)
        if new is not None and machine.path in changes:
            _check_own_edit(machine, *new, (lifted or {}).get(machine.path, ()))
    return found


def _moved(path: str, moved: Mapping[str, str]) -> str:
    for old, new in moved.items():
        if (target := moved_path(path, old, new)) != path:
            return target
    return path


def _after(folders: Definitions, changes: Definitions, moved: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    return {_moved(path, moved): changes.get(path, definition) for path, definition in folders.items()}


def _compare(
    machine: Descriptor, target: str, changes: Definitions, before: Cascade, after: Cascade, found: EditPlan
) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Computed before and after; None when it is broken."""
    parent, _slash, name = target.rpartition("/")
    try:
        new = after.of(parent or "/", name, changes.get(machine.path, machine.definition)).values
    except Invalid as error:
        found.broken.append({"where": machine.path, "message": str(error)})
        return None
    try:
        old = before.of(machine.path.rpartition("/")[0] or "/", machine.name, machine.definition).values
    except Invalid:  # it was broken and is mended now
        old = {}
    what, parameters = effect(machine.state, old, new)
    if what is Effect.NONE:
        found.unchanged += 1
    else:
        found.rows.append(Row(machine.path, machine.state, what, parameters))
    return old, new


def _check_own_edit(
    machine: Descriptor, old: Mapping[str, Any], new: Mapping[str, Any], lifted: Collection[str]
) -> None:
    """A machine's own definition is bound by its state; what comes from folders waits as pending changes instead."""
    differ = changed(old, new)
    check_edit(machine.state, {kind: names for kind, names in differ.items() if kind not in lifted}, where=machine.path)
    if (differ["creation"] or differ["run"]) and (operation := selectors.open_operation(machine)):
        raise Conflict(
            _("“%(verb)s” is in progress.") % {"verb": operation.verb},
            where=machine.path,
            hint=_("Wait for it, or cancel it."),
        )
