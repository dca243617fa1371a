"""The rules of a definition: what is valid, what may change in which state, what a change means, which size results.

The parameters themselves are a table in `descriptors.parameters`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from jsonschema import Draft202012Validator

from descriptors.canonical import CANONICAL, FORMATS, has_reference
from descriptors.faults import MAX_KEY, Faults, Path, at, explain, nearest, shown, too_long, unknown_parameter
from descriptors.parameters import (
    EXTENDS,
    LOCAL_SCHEMAS,
    NAME,
    NOT_IN_PROTOTYPES,
    PARAMETERS,
    Kind,
    Parameter,
    Schema,
    nullable,
    schema_document,
)
from descriptors.ranges import check_range
from descriptors.states import CHOICES, OFF, State
from hypervisors.flavors import PREDEFINED as FLAVORS
from hypervisors.flavors import Flavor
from olimpus.errors import Conflict, Invalid
from olimpus.words import gettext as _

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
MAX_VALUES: Final = 50_000  # the folder of a slice names all its networks: there may be five thousand
MAX_BYTES: Final = 1024 * 1024  # of the definition as JSON
MAX_TEXT: Final = 64 * 1024  # characters of one text
DEFAULT_FLAVOR: Final = "nano"

# Validation -----------------------------------------------------------------------------------------------------------


def validate(local: object, *, where: str = "", rights_operations: Collection[str] | None = None) -> dict[str, Any]:
    """The local definition in its normal form, as a new dict of plain JSON types; `local` is left as it is.

    Normal form: MACs in lower case with colons, addresses in their shortest form, whole floats as integers where a
    whole number is asked for. Null is legal for any parameter and inside mappings: it removes what is inherited.
    `rights_operations` are the operations that `rights` may name (None: any).

    Raises Invalid, and nothing else whatever is given, with all faults in `errors`: each with `where` (`where` before
    the dotted path), `message`, `hint` and the `path` as a list of keys.
    """
    faults = Faults(where)
    plain = _Plain(faults).copy(local, (), 0)
    if not isinstance(plain, dict):
        faults.add((), _("a definition is a mapping of parameters, not %(value)s") % {"value": shown(plain)})
    faults.raise_if_any()
    result = {name: _checked_parameter(name, value, (), faults) for name, value in plain.items()}
    _check_rights(result.get("rights"), rights_operations, faults)
    faults.raise_if_any()
    return result


class _Plain:
    """Copies anything into plain JSON types while it holds the bounds. A value that breaks one becomes None."""

    def __init__(self, faults: Faults):
        self._faults = faults
        self._values = 0
        self._bytes = 0

    def copy(self, value: object, path: Path, depth: int) -> Any:
        self._count(path, values=1, size=8)
        if depth > MAX_DEPTH:
            return self._refused(path, _("nested deeper than %(limit)d levels") % {"limit": MAX_DEPTH})
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
        message = _("a definition cannot hold a value of type %(type)s") % {"type": type(value).__name__}
        return self._refused(path, message)

    def _refused(self, path: Path, message: str) -> Any:
        """None, in place of the value that is refused."""
        self._faults.add(path, message)
        return None

    def _count(self, path: Path, *, values: int = 0, size: int) -> None:
        """Stops at once: what is too large is not worth reading to its end."""
        self._values += values
        self._bytes += size
        if self._values > MAX_VALUES:
            self._faults.add(path[:1], _("the definition has more than %(limit)d values") % {"limit": MAX_VALUES})
            self._faults.raise_if_any()
        if self._bytes > MAX_BYTES:
            self._faults.add(path[:1], _("the definition is larger than %(limit)d KiB") % {"limit": MAX_BYTES // 1024})
            self._faults.raise_if_any()

    def _mapping(self, value: dict[Any, Any], path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in dict.items(value):
            if not isinstance(key, str):
                message = _("keys are texts, not of type %(type)s") % {"type": type(key).__name__}
                self._faults.add(path, message, _("Put it in quotes."))
            elif (name := self._text(key, path, MAX_KEY)) is not None:
                result[name] = self.copy(item, (*path, name), depth + 1)
        return result

    def _text(self, value: str, path: Path, limit: int) -> str | None:
        text = str.__str__(value)
        if len(text) > limit:
            return self._refused(path, too_long(len(text), limit))
        if "\0" in text:
            return self._refused(path, _("a text contains the NUL character"))
        try:
            self._count(path, size=len(text.encode()) + 1)
        except UnicodeEncodeError:
            return self._refused(path, _("a text contains half a surrogate pair, which is no character"))
        return text

    def _whole(self, value: int, path: Path) -> int | None:
        if not -(2**63) <= value < 2**63:
            return self._refused(path, _("a whole number does not fit into 64 bits"))
        return value

    def _real(self, value: float, path: Path) -> float | None:
        if not math.isfinite(value):
            return self._refused(path, _("NaN and infinity are not numbers one can work with"))
        return value


_EXTENDS_SCHEMA: Final[Schema] = nullable(NAME)
_VALIDATORS: Final = {
    name: Draft202012Validator(schema, format_checker=FORMATS)
    for name, schema in (LOCAL_SCHEMAS | {EXTENDS: _EXTENDS_SCHEMA}).items()
}


def _checked_parameter(name: str, value: Any, path: Path, faults: Faults) -> Any:
    """The value in its normal form; its faults are collected."""
    path = (*path, name)
    if name not in PARAMETERS:
        faults.add(path, unknown_parameter(name), nearest(name, PARAMETERS))
        return value
    return _checked(name, value, path, faults, unit=PARAMETERS[name].unit)


def _checked(name: str, value: Any, path: Path, faults: Faults, unit: str = "") -> Any:
    errors = list(_VALIDATORS[name].iter_errors(value))
    for error in errors:
        explain(error, path, unit, faults)
    if errors or value is None:
        return value
    if name == "prototypes":
        return {key: _checked_prototype(content, (*path, key), faults) for key, content in value.items()}
    if name == "networks":
        for key, network in value.items():
            check_range(network or {}, (*path, key), faults)
    return _normal(value, _VALIDATORS[name].schema)


def _checked_prototype(content: dict[str, Any] | None, path: Path, faults: Faults) -> dict[str, Any] | None:
    if content is None:
        return None
    result = {}
    for name, value in content.items():
        if name in NOT_IN_PROTOTYPES:
            message = _('a prototype cannot hold "%(name)s"') % {"name": name}
            faults.add((*path, name), message, _("Set it in a folder instead."))
        elif name == EXTENDS:
            result[name] = _checked(EXTENDS, value, (*path, name), faults)
        else:
            result[name] = _checked_parameter(name, value, path, faults)
    return result


def _check_rights(rights: Any, operations: Collection[str] | None, faults: Faults) -> None:
    if operations is None or not isinstance(rights, dict):
        return
    for role, flags in rights.items():
        for operation in flags if isinstance(flags, dict) else ():
            if operation not in operations:
                message = _('unknown operation "%(name)s"') % {"name": operation}
                faults.add(("rights", role, operation), message, nearest(operation, operations))


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


# Changes --------------------------------------------------------------------------------------------------------------


def kind_of(name: str) -> Kind:
    """ "creation", "run" or "free". Raises Invalid for an unknown parameter."""
    if name not in PARAMETERS:
        raise Invalid(unknown_parameter(name), where=name, hint=nearest(name, PARAMETERS))
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
        message = _("%(names)s can change only before the VM is created; it is %(state)s")
        hint = _("Destroy the VM, change the definition and create it again.")
        raise Conflict(message % _told(creation, state), where=where, hint=hint)
    if run := _refused(state, changed_by_kind, "run", {State.PROVISIONED, *OFF}):
        message = _("%(names)s can change only while the VM is off; it is %(state)s")
        hint = _("Recover the VM first.") if state == State.FAILED else _("Stop the VM first.")
        raise Conflict(message % _told(run, state), where=where, hint=hint)


def _refused(state: str, by_kind: Mapping[str, Collection[str]], kind: Kind, allowed: Collection[str]) -> list[str]:
    return [] if state in allowed else sorted(by_kind.get(kind, ()))


def _told(names: Collection[str], state: str) -> dict[str, str]:
    """For a message: the names, and the state in the words of the reader."""
    return {"names": ", ".join(names), "state": _(dict(CHOICES).get(state, state)).lower()}


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
        message = _('unknown flavor "%(name)s"') % {"name": name}
        raise Invalid(message, where="flavor", hint=nearest(str(name), flavors))
    return Size(
        cpus=_or(computed.get("cpus"), flavor.cpus),
        memory_mib=_or(computed.get("memory_mib"), flavor.memory_mib),
        disk_gib=_or(computed.get("disk_gib"), flavor.disk_gib),
    )


def _or(given: Any, otherwise: Any) -> Any:
    """What is given; null takes an inherited value away, and counts as not given."""
    return otherwise if given is None else given
