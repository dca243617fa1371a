"""A computed definition as lines to read: one per value, with its unit and the folder that set it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from descriptors.cascade import Computed
from descriptors.definition import at
from descriptors.parameters import PARAMETERS

Line = dict[str, Any]


def definition_rows(computed: Computed, own_path: str) -> list[Line]:
    """{key, value, block, unit, kind, help, origin, origin_name, own, overridden} for every value, in the table's order."""
    order = {name: position for position, name in enumerate(PARAMETERS)}
    names = sorted(computed.values, key=lambda name: order.get(name, len(order)))
    return [
        _line(key, value, name, computed, own_path)
        for name in names
        for key, value in _leaves(name, computed.values[name])
    ]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Mappings are spread out, as each of their entries may come from another folder."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(at(path, key), inner)
    else:
        yield path, value


def _line(key: str, value: Any, name: str, computed: Computed, own_path: str) -> Line:
    parameter = PARAMETERS.get(name)
    origin = computed.origins.get(key, "")
    path, _hash, prototype = origin.partition("#")
    return {
        "key": key,
        "value": words_of(value),
        "block": isinstance(value, list | dict) or (isinstance(value, str) and "\n" in value),
        "unit": _(parameter.unit) if parameter else "",
        "kind": parameter.kind if parameter else "",
        "help": _(parameter.description) if parameter else "",
        "origin": path,
        "prototype": prototype.removeprefix("prototypes."),
        "own": path == own_path and not prototype,
        "overridden": [
            {"origin": place.partition("#")[0], "value": words_of(old)}
            for place, old in computed.overridden.get(key, [])
        ],
    }


def words_of(value: Any) -> str:
    """A value as one reads it; lists as JSON, an entry a line."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return "\n".join(json.dumps(item, ensure_ascii=False) if not isinstance(item, str) else item for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
