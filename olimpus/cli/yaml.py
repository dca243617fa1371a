"""YAML of plain data, quick enough for twenty thousand rows. (ruamel.yaml, which reads documents, takes a minute.)"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

#: Beginning with a letter or slash and made of harmless characters, a word needs no quotes …
PLAIN: Final = re.compile(r"[A-Za-zÀ-ÿ/_][\wÀ-ÿ./@+-]*(?: [\wÀ-ÿ./@+-]+)*")
#: … unless some version of YAML takes it for something else.
RESERVED: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
INDENT: Final = "  "


def as_yaml(data: Any) -> str:
    """Data of JSON as YAML 1.1 and 1.2 read it alike."""
    return "".join(f"{line}\n" for line in _lines(data))


def _lines(data: Any) -> Iterator[str]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _entry(f"{_scalar(str(key))}:", value)
    elif isinstance(data, list) and data:
        for value in data:
            yield from _item(value)
    else:
        yield _scalar(data)


def _entry(head: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from (f"{INDENT}{line}" for line in _lines(value))
    else:
        yield f"{head} {_scalar(value)}"


def _item(value: Any) -> Iterator[str]:
    first, *rest = _lines(value)
    yield f"- {first}"
    yield from (f"{INDENT}{line}" for line in rest)


def _scalar(value: Any) -> str:
    """One value; strings in the quotes of JSON, which are those of YAML, where they need some."""
    if isinstance(value, str):
        if PLAIN.fullmatch(value) and value.lower() not in RESERVED:
            return value
        return "".join(_escaped(letter) for letter in json.dumps(value, ensure_ascii=False))
    return json.dumps(value)


def _escaped(letter: str) -> str:
    """Line breaks of Unicode and unseen characters are escaped."""
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
