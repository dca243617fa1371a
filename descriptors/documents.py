"""YAML 1.2 and JSON text ↔ plain data, with the line and column of everything and bounds on everything.

The result holds nothing but what JSON can say: mappings with text keys, lists, texts, finite numbers, booleans, null.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from descriptors.composer import MAX_DEPTH, MAX_NODES, Composer, Node
from descriptors.json_places import Places
from olimpus.errors import Invalid, TooLarge
from olimpus.words import gettext as _

MAX_BYTES: Final = 5 * 1024 * 1024
#: Half a character, as JSON escapes it; mostly, its other half follows.
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")

Path = Sequence[str | int]


# Text -----------------------------------------------------------------------------------------------------------------


def _decoded(text: str | bytes, name: str) -> str:
    """The document as text without a byte order mark. Raises TooLarge before anything is read."""
    if len(text) > MAX_BYTES:
        limit = {"limit": MAX_BYTES // 1024 // 1024}
        raise TooLarge(_("the document is larger than %(limit)d MiB") % limit, where=name)
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode(_encoding(text)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        hint = _("Save the file as UTF-8.")
        raise Invalid(_("the document is not UTF-8 text"), where=f"{name}:{line}", hint=hint) from None


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if data[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if data[:1] == b"\0" else "utf-8"


# Reading --------------------------------------------------------------------------------------------------------------


class Positions:
    """Line and column of each value of a document: of nodes of YAML, or of a text of JSON."""

    def __init__(self, name: str, document: Node | Places):
        self.name = name
        self._document = document

    def lookup(self, path: Path) -> tuple[int, int]:
        """(line, column), both from 1, of the value at `path`, such as ("nodes", 0, "cpus").

        For an entry of a mapping it is where its key stands. What is not in the document is looked up by what holds it.
        """
        if isinstance(self._document, Places):
            return self._document.lookup(path)
        node = self._document
        found = (node.line, node.column)
        for key in path:
            if isinstance(node.value, dict) and isinstance(key, str) and key in node.value:
                found, node = node.keys[key], node.value[key]
            elif isinstance(node.value, list) and isinstance(key, int) and 0 <= key < len(node.value):
                node = node.value[key]
                found = (node.line, node.column)
            else:
                break
        return found

    def where(self, path: Path) -> str:
        """The place of the value at `path` for a message: "course.yaml:12:5"."""
        line, column = self.lookup(path)
        return f"{self.name}:{line}:{column}"


def load(text: str | bytes, *, name: str = "document") -> Any:
    """The data of one YAML 1.2 or JSON document of at most 5 MiB; None for an empty one.

    Bytes are UTF-8 or UTF-16, with or without a byte order mark. Dates stay texts. Raises TooLarge, or Invalid with
    `where` "name:line:column": bad syntax, duplicate or non-text keys, tags that build objects, NaN and infinity,
    aliases to themselves, more than 200,000 values (aliases expanded), 200,000 lines of YAML or 32 levels.
    """
    return load_with_lines(text, name=name)[0]


def load_with_lines(text: str | bytes, *, name: str = "document", bare_keys: bool = False) -> tuple[Any, Positions]:
    """What `load` returns, and the positions of its values. Raises as `load` does.

    With `bare_keys` every key of YAML that has no quotes is a text: other programs number what they name.
    """
    source = _decoded(text, name)
    try:
        return _json(source, name), Positions(name, Places(source))
    except (ValueError, RecursionError):  # no JSON, or JSON with a fault: YAML tells the line, and refuses depth itself
        root = Composer(name, source, bare_keys=bare_keys).compose()
        return root.plain(), Positions(name, root)


def _json(source: str, name: str) -> Any:
    """The data of a JSON document; ValueError or RecursionError if it is anything else. Raises Invalid if too many."""
    if source.lstrip()[:1] not in ("{", "[", '"'):
        raise ValueError("YAML, to judge by its start")
    data = json.loads(source, object_pairs_hook=_unique, parse_constant=_no_constant)
    if _number_of_values(data) > MAX_NODES:
        raise Invalid(_("the document has more than %(limit)d values") % {"limit": MAX_NODES}, where=name)
    source.encode()  # half a character is a UnicodeEncodeError, which is a ValueError
    if _HALF.search(source):
        json.dumps(data, ensure_ascii=False).encode()
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _number_of_values(data: Any) -> int:
    """How many values there are; ValueError for those that YAML would refuse, too."""
    number, depth, level = 0, 0, [data]
    while level:
        number += len(level)
        inner: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is dict:
                inner += value.values()
            elif kind is list:
                inner += value
            elif kind is float and not math.isfinite(value):
                raise ValueError("not finite")
            else:
                continue
            if depth == MAX_DEPTH:
                raise ValueError("too deep")
        depth, level = depth + 1, inner
    return number


def locate(invalid: Invalid, positions: Positions, prefix: Path = ()) -> Invalid:
    """The same error with "name:line:column" in front of `where`, of each of its faults too.

    `prefix` leads from the root of the document to the definition that was validated.
    """
    faults = [
        fault | {"where": _joined(positions.where([*prefix, *fault.get("path", ())]), fault["where"])}
        for fault in invalid.errors
    ]
    where = faults[0]["where"] if faults else _joined(positions.where(prefix), invalid.where)
    return type(invalid)(invalid.message, where=where, hint=invalid.hint, errors=faults)


def _joined(place: str, where: str) -> str:
    return f"{place}: {where}" if where else place


# Writing --------------------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+@-]*(?: [A-Za-z0-9_./+@-]+)*")
#: Texts that some reader of YAML, old or new, takes for something else.
_AMBIGUOUS = re.compile(r"(?:y|n|yes|no|on|off|true|false|null|nan|inf|infinity)", re.IGNORECASE)
#: Line ends, controls and half characters that must be escaped even between quotes.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
_UNFIT_FOR_BLOCK = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]| \n")
_LONG_KEY: Final = 500  # YAML allows 1024 characters in a key without a question mark


def dump_json(data: Any) -> str:
    """`data` as indented JSON, keys in the order given. Raises Invalid for what JSON cannot say."""
    try:
        return _escaped(json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(_("this cannot be written as JSON: %(error)s") % {"error": error}) from None


def dump_yaml(data: Any) -> str:
    """`data` as YAML in block style, keys in the order given, such that `load` gives it back.

    Texts that could be taken for something else are quoted. Raises Invalid for what JSON cannot say and for more than
    32 levels.
    """
    return "\n".join(_block(data, 0)) + "\n"


def _block(value: Any, level: int) -> Iterator[str]:
    """The lines of `value`, not indented."""
    if level >= MAX_DEPTH and isinstance(value, (dict, list, tuple)):
        raise Invalid(_("nested deeper than %(limit)d levels") % {"limit": MAX_DEPTH})
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry_lines(key, item, level)
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            yield from _hung("- ", _block(item, level + 1))
    elif isinstance(value, str) and _fits_block(value):
        yield "|" if value.endswith("\n") else "|-"
        yield from ("  " + line if line else "" for line in value.removesuffix("\n").split("\n"))
    else:
        yield _scalar_text(value)


def _entry_lines(key: Any, value: Any, level: int) -> Iterator[str]:
    if not isinstance(key, str):
        raise Invalid(_("keys are texts, not of type %(type)s") % {"type": type(key).__name__})
    name = _quoted_if_needed(key)
    if len(name) > _LONG_KEY:
        yield f"? {name}"
        name = ""
    lines = _block(value, level + 1)
    if isinstance(value, (dict, list, tuple)) and value:
        yield f"{name}:"
        yield from ("  " + line if line else "" for line in lines)
    else:
        yield f"{name}: {next(lines)}"
        yield from lines


def _hung(mark: str, lines: Iterator[str]) -> Iterator[str]:
    """`lines` with `mark` before the first and its width of spaces before the others."""
    yield mark + next(lines)
    yield from (" " * len(mark) + line if line else "" for line in lines)


def _fits_block(text: str) -> bool:
    """Whether the text can stand as a block of its own lines: several, none of which hides something."""
    if "\n" not in text or text[0] in " \n" or text.endswith((" ", "\n\n")):
        return False
    return not _UNFIT_FOR_BLOCK.search(text)


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        return _quoted_if_needed(value)
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(_("this cannot be written as YAML: %(error)s") % {"error": error}) from None


def _quoted_if_needed(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _AMBIGUOUS.fullmatch(text):
        return text
    return _escaped(json.dumps(text, ensure_ascii=False))


def _escaped(quoted: str) -> str:
    """Quoted text in which what readers trip over is written as an escape."""
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
