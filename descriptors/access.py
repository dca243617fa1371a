"""What one person may do where: a pure function of the grants and rights on the tree. No Django, no database.

A *mark* is a node that says something about access: grants of roles, `rights` flags, or a stop of inheritance. At a node,
the roles are those granted at it or above it (a stop clears those from above), and a role's flag for an operation is the
nearest one set, else the role's default.

Nodes are compared by *key*, the path with a slash at its end: the branch below `/a` is exactly the keys from `/a/` up to,
not including, `/a0` (`0` follows `/`), so a branch is an interval of text in the order of code points, which is also the
order of SQLite and of MariaDB's binary collation. Unlike positions in the nested set, keys do not shift when somebody
else inserts a node between two of our queries.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Interval = tuple[str, str]  # from the first key up to, not including, the second
#: Where a path may end inside the end of an interval, and yet its key lie beyond that end: no character after `/`.
_CUT = re.compile(r"(?<=.)(?:[ -.]|/\Z)")


def key_of(path: str) -> str:
    """The path with one slash at its end; the root is `/`."""
    return path if path.endswith("/") else f"{path}/"


def end_of(key: str) -> str:
    """The first key after the branch that starts at `key`."""
    return f"{key[:-1]}0"


def moved_path(path: str, old: str, new: str) -> str:
    """Where a path is once the branch at `old` is at `new`; paths outside of it stay."""
    return new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path


@dataclass(frozen=True)
class Mark:
    """One node that matters for access."""

    path: str
    roles: frozenset[str] = frozenset()
    rights: Mapping[str, Any] = field(default_factory=dict)
    inherits: bool = True

    @property
    def key(self) -> str:
        """Where the branch begins."""
        return key_of(self.path)


@dataclass(frozen=True)
class Stand:
    """Roles and flags that hold from a mark downwards, each with the path that says so."""

    roles: Mapping[str, str]  # role → path of the nearest grant
    flags: Mapping[tuple[str, str], tuple[bool, str]]  # (role, operation) → (allowed, path that sets it)


NOWHERE = Stand({}, {})


class Access:
    """Answers for one node and for a list with the same rule."""

    def __init__(self, marks: Iterable[Mark], defaults: Mapping[str, frozenset[str]], *, everything: bool = False):
        self.everything = everything
        self.defaults = defaults
        self.marks = {mark.key: mark for mark in sorted(marks, key=lambda mark: mark.key)}
        self._intervals: dict[str, list[Interval]] = {}

    def moved(self, old: str, new: str) -> Access:
        """The same access once the branch at `old` is at `new`."""
        marks = [replace(mark, path=moved_path(mark.path, old, new)) for mark in self.marks.values()]
        return Access(marks, self.defaults, everything=self.everything)

    def can(self, operation: str, path: str) -> bool:
        """Whether `operation` is allowed at `path`."""
        return self.everything or self.allows(self.stand(path), operation)

    def allows(self, stand: Stand, operation: str) -> bool:
        """Whether any of the roles standing there may do it."""
        return any(self.flag(stand, role, operation)[0] for role in stand.roles)

    def flag(self, stand: Stand, role: str, operation: str) -> tuple[bool, str]:
        """The nearest flag of a role for an operation and the path that set it ("" for the default)."""
        return stand.flags.get((role, operation), (operation in self.defaults.get(role, frozenset()), ""))

    def stand(self, path: str) -> Stand:
        """What holds at `path`: the marks on the way from the root to it."""
        stand, key = NOWHERE, key_of(path)
        end = key.find("/")
        while end >= 0:
            if mark := self.marks.get(key[: end + 1]):
                stand = _step(stand, mark)
            end = key.find("/", end + 1)
        return stand

    def intervals(self, operation: str, *, below: str = "/") -> list[Interval]:
        """Disjoint, sorted intervals of keys in the branch of `below` at which `operation` is allowed."""
        first = key_of(below)
        last = end_of(first)
        if self.everything:
            return [(first, last)]
        if operation not in self._intervals:
            self._intervals[operation] = _merge(self._pieces(operation))
        clipped = ((max(low, first), min(high, last)) for low, high in self._intervals[operation])
        return [(low, high) for low, high in clipped if low < high]

    def _pieces(self, operation: str) -> Iterable[Interval]:
        """Walk the marks in order with a stack of the branches that are open."""
        stack: list[tuple[str, Stand]] = [(end_of("/"), NOWHERE)]
        position = "/"
        for mark in self.marks.values():
            while stack[-1][0] <= mark.key:
                end, stand = stack.pop()
                if self.allows(stand, operation):
                    yield position, end
                position = end
            if self.allows(stack[-1][1], operation):
                yield position, mark.key
            stack.append((end_of(mark.key), _step(stack[-1][1], mark)))
            position = mark.key
        while stack:
            end, stand = stack.pop()
            if self.allows(stand, operation):
                yield position, end
            position = end


def _step(stand: Stand, mark: Mark) -> Stand:
    roles = dict(stand.roles) if mark.inherits else {}
    roles.update(dict.fromkeys(mark.roles, mark.path))
    flags = dict(stand.flags)
    for role, operations in (mark.rights or {}).items():
        if operations is None:  # an explicit null forgets what is inherited
            flags = {key: value for key, value in flags.items() if key[0] != role}
            continue
        for operation, allowed in operations.items():
            if allowed is None:
                flags.pop((role, operation), None)
            else:
                flags[role, operation] = (bool(allowed), mark.path)
    return Stand(roles, flags)


def _merge(pieces: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for first, last in pieces:
        if merged and merged[-1][1] == first:
            merged[-1] = (merged[-1][0], last)
        elif first < last:
            merged.append((first, last))
    return merged


def single_branches(intervals: Iterable[Interval]) -> set[str] | None:
    """The paths of the branches, when each interval is exactly one branch; None otherwise."""
    found = set()
    for low, high in intervals:
        if high != end_of(low):
            return None
        found.add(low[:-1] or low)
    return found


def of_paths(intervals: Sequence[Interval]) -> tuple[set[str], set[str]]:
    """What to add and what to leave out where paths are compared with intervals of keys, as columns hold paths.

    Only a path that an end of an interval begins with can be on the other side of that end than its key.
    """
    ends = [end for interval in intervals for end in interval]
    doubtful = {end[: cut.start()] for end in ends for cut in _CUT.finditer(end)}
    inside = {path for path in doubtful if bisect_right(ends, key_of(path)) % 2}
    between = {path for path in doubtful if bisect_right(ends, path) % 2}
    return inside - between, between - inside
