"""`key=value` and `key-` on the command line: a new definition from an old one."""

from __future__ import annotations

import copy
import io
from collections.abc import Collection, Sequence
from typing import Any

from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

Values = dict[str, Any]


def changed(values: Values, changes: Sequence[str], *, texts: Collection[str] = ()) -> Values:
    """A copy with the changes made: `cpus=4`, `labels.role=web`, `labels.old-`. Raises Failure, naming the change.

    What is set under a key of `texts` is no YAML and stays as it is written, with its lines.
    """
    result = copy.deepcopy(values)
    for change in changes:
        key, equals, text = change.partition("=")
        if equals and key:
            _set(result, key.split("."), text if key in texts else value_of(text, where=change), change)
        elif not equals and change.endswith("-") and len(change) > 1:
            _remove(result, change[:-1].split("."), change)
        else:
            hint = _("For example: cpus=4 labels.role=web labels.old-")
            raise Failure(_("This is neither key=value nor key-."), Exit.USAGE, where=change, hint=hint)
    return result


def pairs(changes: Sequence[str], *, texts: Collection[str] = ()) -> Values:
    """`key=value` arguments as a mapping; `texts` as in `changed`. Raises Failure."""
    return changed({}, changes, texts=texts)


def value_of(text: str, *, where: str) -> Any:
    """What a text means as YAML 1.2: number, true or false, list, mapping, null, or a text. Raises Failure."""
    if not text.strip():
        return text
    from ruamel.yaml import YAML  # slow to load, and most commands read no YAML
    from ruamel.yaml.error import YAMLError

    try:
        return plain(YAML(typ="safe", pure=True).load(io.StringIO(text)))
    except YAMLError as error:
        why = getattr(error, "problem", None) or _("it cannot be read")
        hint = _("Quotes keep special characters: '\"…\"'")
        raise Failure(_("This is no YAML: %(why)s.") % {"why": why}, Exit.USAGE, where=where, hint=hint) from error


def plain(value: Any) -> Any:
    """The value as JSON has it: dates are texts, keys are texts."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _set(values: Values, keys: list[str], value: Any, change: str) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise _no_mapping(key, change)
        values = inner
    values[keys[-1]] = value


def _remove(values: Values, keys: list[str], change: str) -> None:
    inner: Any = values
    for key in keys[:-1]:
        inner = inner.get(key) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or keys[-1] not in inner:
        hint = _("What comes from above is removed by an explicit null: key=null")
        raise Failure(_("This is not set here."), Exit.NOT_FOUND, where=change, hint=hint)
    del inner[keys[-1]]
    if not inner and len(keys) > 1:
        _remove(values, keys[:-1], change)


def _no_mapping(key: str, change: str) -> Failure:
    hint = _("Lists and texts are set as a whole: nics='[{network: lan}]'")
    return Failure(_("%(key)s is no mapping.") % {"key": key}, Exit.USAGE, where=change, hint=hint)
