"""The rules of a definition: what is valid, what may change in which state, what a change means, which size results.

The parameters themselves are a table in `descriptors.parameters`.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError

from descriptors.parameters import (
    CANONICAL,
    EXTENDS,
    FORMATS,
    LOCAL_SCHEMAS,
    NAME,
    NOT_IN_PROTOTYPES,
    PARAMETERS,
    Kind,
    Parameter,
    Schema,
    has_reference,
    nullable,
    schema_document,
)
from descriptors.states import OFF, State
from hypervisors.flavors import PREDEFINED as FLAVORS
from hypervisors.flavors import Flavor
from olimpus.errors import Conflict, Invalid

__all__ = [
    "FLAVORS",
    "PARAMETERS",
    "Effect",
    "Parameter",
    "Size",
    "at",
    "changed",
    "check_edit",
    "effect",
    "kind_of",
    "nearest",
    "schema_document",
    "sizing",
    "validate",
]

MAX_DEPTH: Final = 16  # levels of nesting
MAX_VALUES: Final = 20_000
MAX_BYTES: Final = 256 * 1024  # of the definition as JSON
MAX_TEXT: Final = 64 * 1024  # characters of one text
MAX_KEY: Final = 128  # characters of one key
MAX_FAULTS: Final = 100  # reported at once
DEFAULT_FLAVOR: Final = "nano"

Path = tuple[str | int, ...]


# Words ----------------------------------------------------------------------------------------------------------------


def at(path: str, key: str | int) -> str:
    """The dotted path of `key` inside `path`: nics[0], nics[0].mac, labels["a.b"]."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not key or "." in key or "[" in key:
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known name most like `name`, or else the first few there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:MAX_KEY], names, n=1, cutoff=0.5)
    close = close or [known_name for known_name in names if known_name.startswith(name[:MAX_KEY] + "_")]
    if close:
        return f'Did you mean "{close[0]}"?'
    return f"Known: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}." if names else "There is none."


def _shown(value: object) -> str:
    """`value` for a message: short, quoted, and never the whole of something long."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else value[:39] + "…", ensure_ascii=False)
    return str(value)


# Validation -----------------------------------------------------------------------------------------------------------


class _Faults:
    """Collects every fault of one definition, so that the user meets them all at once."""

    def __init__(self, where: str):
        self._prefix = f"{where}: " if where else ""
        self._where = where
        self.found: list[dict[str, Any]] = []

    def add(self, path: Path, message: str, hint: str = "") -> None:
        text = ""
        for key in path:
            text = at(text, key)
        where = self._prefix + text if text else self._where
        fault = {"where": where, "message": message, "hint": hint, "path": list(path)}
        if len(self.found) < MAX_FAULTS and fault not in self.found:
            self.found.append(fault)

    def raise_if_any(self) -> None:
        if self.found:
            first = self.found[0]
            more = len(self.found) - 1
            message = first["message"] + (f" (and {more} more)" if more else "")
            raise Invalid(message, where=first["where"], hint=first["hint"], errors=self.found)


def validate(local: object, *, where: str = "", rights_operations: Collection[str] | None = None) -> dict[str, Any]:
    """The local definition in its normal form, as a new dict of plain JSON types; `local` is left as it is.

    Normal form: MACs in lower case with colons, addresses in their shortest form, whole floats as integers where a
    whole number is asked for. Null is legal for any parameter and inside mappings: it removes what is inherited.
    `rights_operations` are the operations that `rights` may name (None: any).

    Raises Invalid, and nothing else whatever is given, with all faults in `errors`: each with `where` (`where` before
    the dotted path), `message`, `hint` and the `path` as a list of keys.
    """
    faults = _Faults(where)
    plain = _Plain(faults).copy(local, (), 0)
    if not isinstance(plain, dict):
        faults.add((), f"a definition is a mapping of parameters, not {_shown(plain)}")
    faults.raise_if_any()
    result = {name: _checked_parameter(name, value, (), faults) for name, value in plain.items()}
    _check_rights(result.get("rights"), rights_operations, faults)
    faults.raise_if_any()
    return result


class _Plain:
    """Copies anything into plain JSON types while it holds the bounds. A value that breaks one becomes None."""

    def __init__(self, faults: _Faults):
        self._faults = faults
        self._values = 0
        self._bytes = 0

    def copy(self, value: object, path: Path, depth: int) -> Any:
        self._count(path, values=1, size=8)
        if depth > MAX_DEPTH:
            return self._refused(path, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return self._mapping(value, path, depth)
        if isinstance(value, (list, tuple)):
            return [self.copy(item, (*path, index), depth + 1) for index, item in enumerate(value)]
        if isinstance(value, str):
            return self._text(value, path, MAX_TEXT)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self._whole(int(value), path)
        if isinstance(value, float):
            return self._real(float(value), path)
        return self._refused(path, f"a definition cannot hold a value of type {type(value).__name__}")

    def _refused(self, path: Path, message: str) -> Any:
        """None, in place of the value that is refused."""
        self._faults.add(path, message)
        return None

    def _count(self, path: Path, *, values: int = 0, size: int) -> None:
        """Stops at once: what is too large is not worth reading to its end."""
        self._values += values
        self._bytes += size
        if self._values > MAX_VALUES:
            self._faults.add(path[:1], f"the definition has more than {MAX_VALUES} values")
            self._faults.raise_if_any()
        if self._bytes > MAX_BYTES:
            self._faults.add(path[:1], f"the definition is larger than {MAX_BYTES // 1024} KiB")
            self._faults.raise_if_any()

    def _mapping(self, value: dict[Any, Any], path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in dict.items(value):
            if not isinstance(key, str):
                self._faults.add(path, f"keys are texts, not of type {type(key).__name__}", "Put it in quotes.")
            elif (name := self._text(key, path, MAX_KEY)) is not None:
                result[name] = self.copy(item, (*path, name), depth + 1)
        return result

    def _text(self, value: str, path: Path, limit: int) -> str | None:
        text = str.__str__(value)
        if len(text) > limit:
            return self._refused(path, f"a text of {len(text)} characters; at most {limit} are allowed")
        if "\0" in text:
            return self._refused(path, "a text contains the NUL character")
        try:
            self._count(path, size=len(text.encode()) + 1)
        except UnicodeEncodeError:
            return self._refused(path, "a text contains half a surrogate pair, which is no character")
        return text

    def _whole(self, value: int, path: Path) -> int | None:
        if not -(2**63) <= value < 2**63:
            return self._refused(path, "a whole number does not fit into 64 bits")
        return value

    def _real(self, value: float, path: Path) -> float | None:
        if not math.isfinite(value):
            return self._refused(path, "NaN and infinity are not numbers one can work with")
        return value


_EXTENDS_SCHEMA: Final[Schema] = nullable(NAME)
_VALIDATORS: Final = {
    name: Draft202012Validator(schema, format_checker=FORMATS)
    for name, schema in (LOCAL_SCHEMAS | {EXTENDS: _EXTENDS_SCHEMA}).items()
}


def _checked_parameter(name: str, value: Any, path: Path, faults: _Faults) -> Any:
    """The value in its normal form; its faults are collected."""
    path = (*path, name)
    if name not in PARAMETERS:
        faults.add(path, f'unknown parameter "{name}"', nearest(name, PARAMETERS))
        return value
    return _checked(name, value, path, faults, unit=PARAMETERS[name].unit)


def _checked(name: str, value: Any, path: Path, faults: _Faults, unit: str = "") -> Any:
    errors = list(_VALIDATORS[name].iter_errors(value))
    for error in errors:
        _explain(error, path, unit, faults)
    if errors or value is None:
        return value
    if name == "prototypes":
        return {key: _checked_prototype(content, (*path, key), faults) for key, content in value.items()}
    return _normal(value, _VALIDATORS[name].schema)


def _checked_prototype(content: dict[str, Any] | None, path: Path, faults: _Faults) -> dict[str, Any] | None:
    if content is None:
        return None
    result = {}
    for name, value in content.items():
        if name in NOT_IN_PROTOTYPES:
            faults.add((*path, name), f'a prototype cannot hold "{name}"', "Set it in a folder instead.")
        elif name == EXTENDS:
            result[name] = _checked(EXTENDS, value, (*path, name), faults)
        else:
            result[name] = _checked_parameter(name, value, path, faults)
    return result


def _check_rights(rights: Any, operations: Collection[str] | None, faults: _Faults) -> None:
    if operations is None or not isinstance(rights, dict):
        return
    for role, flags in rights.items():
        for operation in flags if isinstance(flags, dict) else ():
            if operation not in operations:
                faults.add(
                    ("rights", role, operation), f'unknown operation "{operation}"', nearest(operation, operations)
                )


def _normal(value: Any, schema: Schema) -> Any:
    """A valid value in its one canonical form."""
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        other = other if isinstance(other, dict) else {}
        return {key: _normal(item, known.get(key, other)) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item, schema.get("items", {})) for item in value]
    if isinstance(value, str) and schema.get("format") in CANONICAL and not has_reference(value):
        return CANONICAL[schema["format"]](value)
    if isinstance(value, float) and "integer" in schema.get("type", ""):
        return int(value)
    return value


# Faults in words ------------------------------------------------------------------------------------------------------

_TYPES: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_FORMATS: Final = {
    "mac": ("is not the MAC address of a network card", 'Write it in quotes, such as "52:54:00:12:34:56".'),
    "ip": ('is neither an IPv4 or IPv6 address nor "auto"', ""),
    "address": ("is not an IPv4 or IPv6 address", ""),
    "cidr": ("is not a network", 'Write the first address and the prefix length, such as "10.0.0.0/24".'),
    "name": ("is not a name", "A name is not empty, on one line, without spaces around it."),
}
_QUANTITY = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([KMGT])(?:i?B)?\s*", re.IGNORECASE)
_MIB: Final = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}


def _explain(error: ValidationError, path: Path, unit: str, faults: _Faults) -> None:
    """Puts one error of the schema into words for whoever wrote the definition."""
    path = (*path, *error.absolute_path)
    if error.validator == "additionalProperties":
        for key, hint in _extra_keys(error):
            faults.add((*path, key), f'unknown entry "{key}"', hint)
    elif error.validator == "required":
        for key in sorted(set(error.validator_value) - set(error.instance)):
            faults.add(path, f'"{key}" is missing')
    else:
        faults.add(path, *_sentence(error, unit))


def _extra_keys(error: ValidationError) -> Iterator[tuple[str, str]]:
    known = error.schema.get("properties", {})
    for key in error.instance:
        if key not in known:
            yield key, nearest(key, known)


def _sentence(error: ValidationError, unit: str) -> tuple[str, str]:
    """Message and hint for an error in one value."""
    value, bound = _shown(error.instance), error.validator_value
    of_unit = f" {unit}" if unit else ""
    match error.validator:
        case "type":
            return _wrong_type(error, unit)
        case "enum":
            known = [name for name in bound if name is not None]
            return f"{value} is not one of {', '.join(known)}", nearest(str(error.instance), known)
        case "format":
            words, hint = _FORMATS[bound]
            return f"{value} {words}", hint
        case "minimum":
            return f"{value} is too small: at least {bound}{of_unit}", ""
        case "exclusiveMinimum":
            return f"{value} is too small: more than {bound}{of_unit}", ""
        case "maximum":
            return f"{value} is too large: at most {bound}{of_unit}", ""
        case "maxLength":
            return f"a text of {len(error.instance)} characters; at most {bound} are allowed", ""
        case "maxItems":
            return f"a list of {len(error.instance)}; at most {bound} are allowed", ""
        case "uniqueItems":
            return "the list names something twice", ""
    return error.message[:200], ""


def _wrong_type(error: ValidationError, unit: str) -> tuple[str, str]:
    types = (
        [t for t in error.schema["type"] if t != "null"]
        if isinstance(error.schema["type"], list)
        else [error.schema["type"]]
    )
    wanted = " or ".join(_TYPES[name] for name in types) + (f" of {unit}" if unit else "")
    hint = ""
    if isinstance(error.instance, str) and (quantity := _QUANTITY.fullmatch(error.instance)) and unit in ("MiB", "GiB"):
        mib = float(quantity[1]) * _MIB[quantity[2].upper()]
        hint = f"Without a unit: {mib if unit == 'MiB' else mib / 1024:g}." if mib < 1e6 else "Leave the unit away."
    elif "string" in types:
        hint = "Put it in quotes." if isinstance(error.instance, (int, float)) else ""
    return f"give {wanted}, not {_shown(error.instance)}", hint


# Changes --------------------------------------------------------------------------------------------------------------


def kind_of(name: str) -> Kind:
    """ "creation", "run" or "free". Raises Invalid for an unknown parameter."""
    if name not in PARAMETERS:
        raise Invalid(f'unknown parameter "{name}"', where=name, hint=nearest(name, PARAMETERS))
    return PARAMETERS[name].kind


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, set[str]]:
    """Names of the top-level parameters that differ, by kind; a kind without changes has an empty set.

    Give computed definitions, since a change of `prototype` changes what the prototype says. Names no longer in the
    table (definitions of an older release) count as free.
    """
    result: dict[str, set[str]] = {"creation": set(), "run": set(), "free": set()}
    for name in before.keys() | after.keys():
        if (name in before) != (name in after) or not _same(before[name], after[name]):
            result[PARAMETERS[name].kind if name in PARAMETERS else "free"].add(name)
    return result


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, and neither is true."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def check_edit(state: str, changed_by_kind: Mapping[str, Collection[str]], *, where: str = "") -> None:
    """Raises Conflict unless parameters of these kinds may change in `state` (one of `State`).

    Creation parameters change only in Provisioned, run parameters also in Created and Stopped, free ones always.
    """
    if creation := _refused(state, changed_by_kind, "creation", {State.PROVISIONED}):
        hint = "Destroy the VM, change the definition and create it again."
        raise Conflict(
            f"{_names(creation)} can change only before the VM is created; it is {state}", where=where, hint=hint
        )
    if run := _refused(state, changed_by_kind, "run", {State.PROVISIONED, *OFF}):
        hint = "Recover the VM first." if state == State.FAILED else "Stop the VM first."
        raise Conflict(f"{_names(run)} can change only while the VM is off; it is {state}", where=where, hint=hint)


def _refused(state: str, by_kind: Mapping[str, Collection[str]], kind: Kind, allowed: Collection[str]) -> list[str]:
    return [] if state in allowed else sorted(by_kind.get(kind, ()))


def _names(names: Collection[str]) -> str:
    return ", ".join(names)


class Effect(StrEnum):
    """What a change of the computed definition does to a VM."""

    NOW = "now"  # takes effect at once, nothing on a hypervisor has to change
    NEXT_START = "next_start"  # written to the hypervisor when the VM goes from Stopped to Running
    REAPPLY = "reapply"  # waits until somebody asks for the verb reapply
    RECREATE = "recreate"  # only destroying the VM and creating it again brings it
    NONE = "none"  # nothing changes


def effect(state: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Effect, list[str]]:
    """What turning the computed definition `before` into `after` does to a VM in `state`, and which parameters do it.

    The names are sorted, and only those that cause the answer: with RECREATE the creation parameters. A failed VM
    counts as one that exists.
    """
    by_kind = changed(before, after)
    everything = sorted(set().union(*by_kind.values()))
    if not everything:
        return Effect.NONE, []
    if state != State.PROVISIONED and by_kind["creation"]:
        return Effect.RECREATE, sorted(by_kind["creation"])
    if state != State.PROVISIONED and by_kind["run"]:
        later = Effect.NEXT_START if after.get("reapply_on_start", True) else Effect.REAPPLY
        return later, sorted(by_kind["run"])
    return Effect.NOW, everything


# Size -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """What a VM takes from its hypervisor: virtual CPUs, memory in MiB, system disk in GiB."""

    cpus: int
    memory_mib: int
    disk_gib: float


def sizing(computed: Mapping[str, Any], flavors: Mapping[str, Flavor] = FLAVORS) -> Size:
    """The size that the computed definition asks for: its flavor (by default "nano"), explicit sizes winning over it.

    Raises Invalid when `flavors` has no such flavor.
    """
    name = computed.get("flavor") or DEFAULT_FLAVOR
    flavor = flavors.get(name) or (FLAVORS[name] if name == DEFAULT_FLAVOR else None)
    if flavor is None:
        raise Invalid(f'unknown flavor "{name}"', where="flavor", hint=nearest(str(name), flavors))
    return Size(
        cpus=computed.get("cpus", flavor.cpus),
        memory_mib=computed.get("memory_mib", flavor.memory_mib),
        disk_gib=computed.get("disk_gib", flavor.disk_gib),
    )
