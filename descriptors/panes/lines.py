"""A computed definition as lines to read: one per value, with its unit, the folder that set it and what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from descriptors.cascade import Computed
from descriptors.definition import at
from descriptors.parameters import PARAMETERS

#: The page on which the definition at a path is shown; "" when this person may not see it.
Link = Callable[[str], str]
#: The order of the table of parameters.
ORDER = {name: position for position, name in enumerate(PARAMETERS)}


@dataclass(frozen=True)
class Origin:
    """The folder or machine that set a value, perhaps by a prototype that it defines."""

    path: str
    prototype: str = ""
    url: str = ""


@dataclass(frozen=True)
class Overridden:
    """A value from further up that does not count."""

    value: str
    origin: Origin


@dataclass
class Line:
    """One value of a computed definition. `key` is its dotted path, `name` the parameter that it belongs to."""

    key: str
    name: str
    value: str
    block: bool
    origin: Origin
    own: bool = False
    overridden: list[Overridden] = field(default_factory=list)
    #: What a draft does to it: "added", "changed", "removed" or "" for nothing; `before` is what it was.
    change: str = ""
    before: str = ""
    #: What the hypervisor was given and what was last seen there, where they differ (None: they do not).
    applied: str | None = None
    observed: str | None = None
    #: What its hypervisor calls it, where that is another name.
    there: str = ""

    @property
    def unit(self) -> str:
        """The unit of its number."""
        return _(PARAMETERS[self.name].unit) if self.name in PARAMETERS and PARAMETERS[self.name].unit else ""

    @property
    def help(self) -> str:
        """What the parameter means."""
        return _(PARAMETERS[self.name].description) if self.name in PARAMETERS else ""

    @property
    def kind(self) -> str:
        """When it may change: "creation", "run" or "free"."""
        return PARAMETERS[self.name].kind if self.name in PARAMETERS else ""

    @property
    def example(self) -> str:
        """As one writes it."""
        return words_of(PARAMETERS[self.name].example) if self.name in PARAMETERS else ""


def no_link(_path: str) -> str:
    """Where nothing is to be linked."""
    return ""


def definition_rows(computed: Computed, own_path: str, link: Link = no_link) -> list[Line]:
    """A line for every value, in the order of the table of parameters."""
    names = sorted(computed.values, key=lambda name: ORDER.get(name, len(ORDER)))
    return [
        _line(key, value, name, computed, own_path, link)
        for name in names
        for key, value in _leaves(name, computed.values[name])
    ]


def compared(after: list[Line], before: list[Line]) -> list[Line]:
    """The lines `after`, each told apart from `before`; lines that vanish are kept, marked as removed."""
    old, new = {line.key: line for line in before}, {line.key for line in after}
    for line in after:
        was = old.get(line.key)
        if was is None:
            line.change = "added"
        elif was.value != line.value:
            line.change, line.before = "changed", was.value
    gone = [line for line in before if line.key not in new]
    for line in gone:
        line.change = "removed"
    return sorted([*after, *gone], key=lambda line: ORDER.get(line.name, len(ORDER)))


def observed_beside(lines: list[Line], pending: Mapping[str, Any], drift: list[dict[str, Any]]) -> None:
    """Put beside each value what the hypervisor was given and what was seen there, in place."""
    seen = {row["field"]: row["observed"] for row in drift}
    for line in lines:
        if line.key in pending:
            line.applied = words_of(pending[line.key]["applied"])
        if line.key in seen:
            line.observed = words_of(seen[line.key])


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Mappings are spread out, as each of their entries may come from another folder."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(at(path, key), inner)
    else:
        yield path, value


def _line(key: str, value: Any, name: str, computed: Computed, own_path: str, link: Link) -> Line:
    origin = _origin(computed.origins.get(key, ""), key, link)
    return Line(
        key=key,
        name=name,
        value=words_of(value),
        block=isinstance(value, list | dict) or (isinstance(value, str) and "\n" in value),
        origin=origin,
        own=origin.path == own_path and not origin.prototype,
        overridden=[
            Overridden(words_of(old), _origin(place, key, link)) for place, old in computed.overridden.get(key, [])
        ],
    )


def _origin(place: str, key: str, link: Link) -> Origin:
    """A link leads to the line of the very key in the folder's definition; of a prototype, to where that is written."""
    path, _hash, prototype = place.partition("#")
    address = link(path) if path else ""
    target = at(prototype, key) if prototype else key
    return Origin(path, prototype.removeprefix("prototypes."), f"{address}#at-{target}" if address else "")


def words_of(value: Any) -> str:
    """A value as one reads it; lists as JSON, an entry a line."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return "\n".join(json.dumps(item, ensure_ascii=False) if not isinstance(item, str) else item for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
