"""Patterns of paths as in a shell: `*`, `?` and `[…]` stay inside one name, `**` stands for any number of names.

Whatever the pattern, a path is judged in a number of steps proportional to both lengths: each name is matched by
itself (`fnmatch` never goes back over a piece it has found), and `**` only ever remembers the last one that it met.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext as _

from olimpus.errors import Invalid

MAGIC = re.compile(r"[*?\[]")
ANY_DEPTH = "**"
#: A pattern with more stars than this asks nothing that a person wants to know.
MOST_STARS = 32


@dataclass(frozen=True)
class Glob:
    """A pattern that was read."""

    names: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The longest path without wildcards above everything that matches (or the pattern itself without wildcards)."""
        return "/" + "/".join(self.names[: self._magic])

    @property
    def depth(self) -> int | None:
        """How many names a path that matches has; None when the pattern does not say."""
        return None if ANY_DEPTH in self.names else len(self.names)

    @property
    def last(self) -> str:
        """The name of everything that matches; empty when the pattern leaves it open."""
        return "" if not self.names or MAGIC.search(self.names[-1]) else self.names[-1]

    @property
    def _magic(self) -> int:
        return next((index for index, name in enumerate(self.names) if MAGIC.search(name)), len(self.names))

    def matches(self, path: str) -> bool:
        """Whether this path, beginning with a slash, is meant."""
        return _matches(self._tests, path[1:].split("/") if path != "/" else [])

    @cached_property
    def _tests(self) -> list[Callable[[str], object] | None]:
        """One test for each name; None where any number of names may stand."""
        return [None if name == ANY_DEPTH else re.compile(fnmatch.translate(name)).match for name in self.names]


def read_glob(pattern: str) -> Glob:
    """The pattern as written (`/courses/*/student-0*/web`). Invalid when it is not absolute or has too many stars."""
    pattern = unicodedata.normalize("NFC", pattern)
    if not pattern.startswith("/"):
        raise Invalid(_("A path begins with a slash."), where="glob", hint=_("For example: /courses/*/web"))
    if pattern.count("*") > MOST_STARS:
        raise Invalid(_("The pattern has more than %(number)d stars.") % {"number": MOST_STARS}, where="glob")
    names = [name for name in pattern.split("/") if name]
    if names and names[-1] == ANY_DEPTH:
        names.append("*")  # everything inside, not the folder itself
    return Glob(
        tuple(name for index, name in enumerate(names) if name != ANY_DEPTH or names[index - 1 : index] != [name])
    )


def _matches(tests: list[Callable[[str], object] | None], names: list[str]) -> bool:
    """The classic walk with one place to go back to: the last `**` and the name up to which it reaches."""
    at, name, star, reach = 0, 0, -1, 0
    while name < len(names):
        test = tests[at] if at < len(tests) else _nothing
        if test is None:
            star, reach, at = at, name, at + 1
        elif test(names[name]):
            at, name = at + 1, name + 1
        elif star >= 0:
            at, reach = star + 1, reach + 1
            name = reach
        else:
            return False
    return all(test is None for test in tests[at:])


def _nothing(_name: str) -> bool:
    return False
