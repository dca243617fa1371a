"""Faults of a definition, in the words of whoever wrote it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jsonschema import ValidationError

from olimpus.errors import Invalid
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

MAX_KEY: Final = 128  # characters of one key
MAX_FAULTS: Final = 100  # reported at once

Path = tuple[str | int, ...]


# Places and values ----------------------------------------------------------------------------------------------------


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
        return _('Did you mean "%(name)s"?') % {"name": close[0]}
    if not names:
        return _("There is none.")
    return _("Known: %(names)s.") % {"names": ", ".join(names[:12]) + (", …" if len(names) > 12 else "")}


def shown(value: object) -> str:
    """`value` for a message: short, quoted, and never the whole of something long."""
    if isinstance(value, Mapping):
        return _("a mapping")
    if isinstance(value, (list, tuple)):
        return _("a list")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else value[:39] + "…", ensure_ascii=False)
    return str(value)


class Faults:
    """Collects every fault of one definition, so that the user meets them all at once."""

    def __init__(self, where: str):
        self._prefix = f"{where}: " if where else ""
        self._where = where
        self.found: list[dict[str, Any]] = []

    def add(self, path: Path, message: str, hint: str = "") -> None:
        """Keep the fault of the value at `path`, once; what comes after the hundredth is dropped."""
        text = ""
        for key in path:
            text = at(text, key)
        where = self._prefix + text if text else self._where
        fault = {"where": where, "message": message, "hint": hint, "path": list(path)}
        if len(self.found) < MAX_FAULTS and fault not in self.found:
            self.found.append(fault)

    def raise_if_any(self) -> None:
        """Raises Invalid with all of them in `errors`, the first one as its own message."""
        if self.found:
            first = self.found[0]
            more = len(self.found) - 1
            message = first["message"] + (" " + _("(and %(more)d more)") % {"more": more} if more else "")
            raise Invalid(message, where=first["where"], hint=first["hint"], errors=self.found)


# What a schema refuses -----------------------------------------------------------------------------------------------

_TYPES: Final = {
    "string": gettext_noop("a text"),
    "integer": gettext_noop("a whole number"),
    "number": gettext_noop("a number"),
    "boolean": gettext_noop("true or false"),
    "array": gettext_noop("a list"),
    "object": gettext_noop("a mapping"),
}
_FORMATS: Final = {
    "mac": (
        gettext_noop("%(value)s is not the MAC address of a network card"),
        gettext_noop('Write it in quotes, such as "52:54:00:12:34:56".'),
    ),
    "ip": (gettext_noop('%(value)s is neither an IPv4 or IPv6 address nor "auto"'), ""),
    "address": (gettext_noop("%(value)s is not an IPv4 or IPv6 address"), ""),
    "cidr": (
        gettext_noop("%(value)s is not a network"),
        gettext_noop('Write the first address and the prefix length, such as "10.0.0.0/24".'),
    ),
    "name": (
        gettext_noop("%(value)s is not a name"),
        gettext_noop("A name is not empty, on one line, without spaces around it."),
    ),
    "ssh-key": (
        gettext_noop("%(value)s is not a public key of SSH"),
        gettext_noop("Paste the one line of a file such as ~/.ssh/id_ed25519.pub."),
    ),
}
_QUANTITY = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([KMGT])(?:i?B)?\s*", re.IGNORECASE)
_MIB: Final = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}


def explain(error: ValidationError, path: Path, unit: str, faults: Faults) -> None:
    """Puts one error of the schema into words for whoever wrote the definition."""
    path = (*path, *error.absolute_path)
    if error.validator == "additionalProperties":
        for key, hint in _extra_keys(error):
            faults.add((*path, key), _('unknown entry "%(name)s"') % {"name": key}, hint)
    elif error.validator == "required":
        for key in sorted(set(error.validator_value) - set(error.instance)):
            faults.add(path, _('"%(name)s" is missing') % {"name": key})
    else:
        faults.add(path, *_sentence(error, unit))


def _extra_keys(error: ValidationError) -> Iterator[tuple[str, str]]:
    known = error.schema.get("properties", {})
    for key in error.instance:
        if key not in known:
            yield key, nearest(key, known)


def _sentence(error: ValidationError, unit: str) -> tuple[str, str]:
    """Message and hint for an error in one value."""
    value, bound = shown(error.instance), error.validator_value
    limit = {"value": value, "bound": f"{bound} {_(unit)}" if unit else bound}
    match error.validator:
        case "type":
            return _wrong_type(error, unit)
        case "enum":
            known = [name for name in bound if name is not None]
            message = _("%(value)s is not one of %(known)s") % {"value": value, "known": ", ".join(known)}
            return message, nearest(str(error.instance), known)
        case "format":
            message, hint = _FORMATS[bound]
            return _(message) % {"value": value}, hint and _(hint)
        case "minimum":
            return _("%(value)s is too small: at least %(bound)s") % limit, ""
        case "exclusiveMinimum":
            return _("%(value)s is too small: more than %(bound)s") % limit, ""
        case "maximum":
            return _("%(value)s is too large: at most %(bound)s") % limit, ""
        case "maxLength":
            return too_long(len(error.instance), bound), ""
        case "maxItems":
            count = {"count": len(error.instance), "limit": bound}
            return _("a list of %(count)d; at most %(limit)d are allowed") % count, ""
        case "maxProperties":
            count = {"count": len(error.instance), "limit": bound}
            return _("a mapping of %(count)d; at most %(limit)d are allowed") % count, ""
        case "uniqueItems":
            return _("the list names something twice"), ""
    return error.message[:200], ""


def _wrong_type(error: ValidationError, unit: str) -> tuple[str, str]:
    types = (
        [t for t in error.schema["type"] if t != "null"]
        if isinstance(error.schema["type"], list)
        else [error.schema["type"]]
    )
    wanted = _(_TYPES[types[0]])
    for other in types[1:]:
        wanted = _("%(one)s or %(other)s") % {"one": wanted, "other": _(_TYPES[other])}
    if unit:
        wanted = _("%(amount)s of %(unit)s") % {"amount": wanted, "unit": _(unit)}
    hint = ""
    if isinstance(error.instance, str) and (quantity := _QUANTITY.fullmatch(error.instance)) and unit in ("MiB", "GiB"):
        mib = float(quantity[1]) * _MIB[quantity[2].upper()]
        bare = {"number": f"{mib if unit == 'MiB' else mib / 1024:g}"}
        hint = _("Without a unit: %(number)s.") % bare if mib < 1e6 else _("Leave the unit away.")
    elif "string" in types:
        hint = _("Put it in quotes.") if isinstance(error.instance, (int, float)) else ""
    return _("give %(wanted)s, not %(value)s") % {"wanted": wanted, "value": shown(error.instance)}, hint


def too_long(length: int, limit: int) -> str:
    """What is wrong with a text of so many characters."""
    return _("a text of %(length)d characters; at most %(limit)d are allowed") % {"length": length, "limit": limit}


def unknown_parameter(name: str) -> str:
    """What is wrong with a parameter that the table does not have."""
    return _('unknown parameter "%(name)s"') % {"name": name}
