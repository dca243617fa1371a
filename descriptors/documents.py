"""YAML 1.2 and JSON text ↔ plain data, with the line and column of everything and bounds on everything.

The result holds nothing but what JSON can say: mappings with text keys, lists, texts, finite numbers, booleans, null.
The YAML is read as a stream of events and put together here, so that every bound holds before the memory is taken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner, ScannerError

from olimpus.errors import Invalid, TooLarge

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_NODES: Final = 200_000  # after aliases are expanded
MAX_DEPTH: Final = 32
MAX_LINES: Final = 200_000  # of YAML: reading a line costs more than reading a character
MAX_TAG: Final = 1024

Path = Sequence[str | int]


# Text -----------------------------------------------------------------------------------------------------------------


def _decoded(text: str | bytes, name: str) -> str:
    """The document as text without a byte order mark. Raises TooLarge before anything is read."""
    if len(text) > MAX_BYTES:
        raise TooLarge(f"the document is larger than {MAX_BYTES // 1024 // 1024} MiB", where=name)
    if isinstance(text, bytes):
        try:
            text = text.decode(_encoding(text))
        except UnicodeDecodeError as error:
            line = text.count(b"\n", 0, error.start) + 1
            hint = "Save the file as UTF-8."
            raise Invalid("the document is not UTF-8 text", where=f"{name}:{line}", hint=hint) from None
    return text.removeprefix("\ufeff")


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if data[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if data[:1] == b"\0" else "utf-8"


# Reading --------------------------------------------------------------------------------------------------------------


class _Node:
    """One value of the document: what it is, where it stands, and how much it is once its aliases are expanded."""

    __slots__ = ("column", "count", "height", "keys", "line", "value")

    def __init__(self, value: Any, line: int, column: int):
        self.value = value  # a scalar, a list of nodes, or a dict of nodes
        self.line = line
        self.column = column
        self.count = 1
        self.height = 0
        self.keys: dict[str, tuple[int, int]] = {}  # where the key of each entry of a mapping stands

    def take(self, child: _Node) -> None:
        self.count += child.count
        self.height = max(self.height, child.height + 1)

    def plain(self) -> Any:
        """The value as data of its own; the height is bounded, hence the recursion."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class Positions:
    """Line and column of each value of a document."""

    def __init__(self, name: str, text: str, root: _Node | None = None):
        self.name = name
        self._text = text
        self._root = root

    def lookup(self, path: Path) -> tuple[int, int] | None:
        """(line, column), both from 1, of the value at `path`, such as ("nodes", 0, "cpus").

        For an entry of a mapping it is where its key stands. What is not in the document is looked up by what holds
        it. None when the document has no positions (a JSON document that is not YAML).
        """
        node = self._composed()
        if node is None:
            return None
        found = (node.line, node.column)
        for key in path:
            if isinstance(node.value, dict) and isinstance(key, str) and key in node.value:
                found = node.keys[key]
            elif isinstance(node.value, list) and isinstance(key, int) and 0 <= key < len(node.value):
                found = (node.value[key].line, node.value[key].column)
            else:
                break
            node = node.value[key]
        return found

    def where(self, path: Path) -> str:
        """The place of the value at `path` for a message: "course.yaml:12:5"."""
        found = self.lookup(path)
        return f"{self.name}:{found[0]}:{found[1]}" if found else self.name

    def _composed(self) -> _Node | None:
        """JSON is read without positions; they are made when an error first asks for them."""
        if self._root is None and self._text:
            try:
                self._root = _Composer(self.name, self._text).compose()
            except Invalid:
                self._text = ""
        return self._root


def load(text: str | bytes, *, name: str = "document") -> Any:
    """The data of one YAML 1.2 or JSON document of at most 5 MiB; None for an empty one.

    Bytes are UTF-8 or UTF-16, with or without a byte order mark. Dates stay texts. Raises TooLarge, or Invalid with
    `where` "name:line:column": bad syntax, duplicate or non-text keys, tags that build objects, NaN and infinity,
    aliases to themselves, more than 200,000 values (aliases expanded), 200,000 lines of YAML or 32 levels.
    """
    return load_with_lines(text, name=name)[0]


def load_with_lines(text: str | bytes, *, name: str = "document") -> tuple[Any, Positions]:
    """What `load` returns, and the positions of its values. Raises as `load` does."""
    source = _decoded(text, name)
    try:
        return _json(source, name), Positions(name, source)
    except (ValueError, RecursionError):  # no JSON, or JSON with a fault: YAML tells the line, and refuses depth itself
        root = _Composer(name, source).compose()
        return root.plain(), Positions(name, source, root)


def _json(source: str, name: str) -> Any:
    """The data of a JSON document; ValueError or RecursionError if it is anything else. Raises Invalid if too many."""
    if source.lstrip()[:1] not in ("{", "["):
        raise ValueError("YAML, to judge by its start")
    data = json.loads(source, object_pairs_hook=_unique, parse_constant=_no_constant)
    if _measure(data, MAX_DEPTH) > MAX_NODES:
        raise Invalid(f"the document has more than {MAX_NODES} values", where=name)
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _measure(data: Any, levels: int) -> int:
    """The number of values in `data`; ValueError for what YAML would refuse too."""
    if levels <= 0 and isinstance(data, (dict, list)):
        raise ValueError("too deep")
    if isinstance(data, dict):
        return 1 + sum(_measure(key, 0) - 1 + _measure(item, levels - 1) for key, item in data.items())
    if isinstance(data, list):
        return 1 + sum(_measure(item, levels - 1) for item in data)
    if isinstance(data, float) and not math.isfinite(data):
        raise ValueError("not finite")
    if isinstance(data, str):
        data.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return 1


_SCALARS: Final = (
    (re.compile(r"~|null|Null|NULL|"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
)
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_NOT_FINITE: Final = re.compile(r"[-+]?(?:\.inf|\.Inf|\.INF|Infinity)|\.nan|\.NaN|\.NAN|NaN")
_YAML_TAG: Final = "tag:yaml.org,2002:"
_TAGS: Final = {
    ScalarEvent: {None, "!", _YAML_TAG + "str"},
    SequenceStartEvent: {None, "!", _YAML_TAG + "seq"},
    MappingStartEvent: {None, "!", _YAML_TAG + "map"},
}


_MERGE: Final = object()


class _Scanner(Scanner):
    """Refuses endless tags, on which the scanner spends a time that grows with the square of their length."""

    def scan_tag(self) -> Any:
        if not re.search(r"\s|\0", self.reader.prefix(MAX_TAG)):
            mark = self.reader.get_mark()
            raise ScannerError("while scanning a tag", mark, "it is too long", mark)
        return super().scan_tag()


class _Composer:
    """Puts the events of one document together, without recursion and within the bounds."""

    def __init__(self, name: str, text: str):
        self._name = name
        self._text = text
        self._anchors: dict[str, _Node] = {}
        self._open: list[_Node] = []
        self._keys: list[_Node | None] = []  # for each open mapping the key that waits for its value
        self._merges: list[list[_Node]] = []  # for each open mapping what its << entries bring
        self._root: _Node | None = None
        self._count = 0

    def compose(self) -> _Node:
        try:
            for event in self._events():
                self._read(event)
        except MarkedYAMLError as error:
            raise self._syntax(error) from None
        except ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            column = error.position - self._text.rfind("\n", 0, error.position)
            message = f"the character U+{ord(self._text[error.position]):04X} is not allowed in YAML"
            raise self._fault(message, line, column) from None
        except (YAMLError, ValueError, LookupError, AttributeError) as error:
            # The scanner lets a few of these slip on malformed escapes and directives: still the fault of the text.
            raise Invalid(f"the document is not YAML: {str(error)[:200]}", where=self._name) from None
        return self._root or _Node(None, 1, 1)

    def _events(self) -> Iterator[Event]:
        if self._text.count("\n") > MAX_LINES or self._text.count("\r") > MAX_LINES:
            raise TooLarge(f"the document has more than {MAX_LINES} lines", where=self._name)
        yaml = YAML(typ="safe", pure=True)
        yaml.Scanner = _Scanner
        return yaml.parse(self._text)

    def _fault(self, message: str, line: int, column: int, hint: str = "") -> Invalid:
        return Invalid(message, where=f"{self._name}:{line}:{column}", hint=hint)

    def _syntax(self, error: MarkedYAMLError) -> Invalid:
        message = ": ".join(part for part in (error.context, error.problem) if part) or "not YAML"
        mark = error.problem_mark or error.context_mark
        if mark is None:
            return Invalid(message, where=self._name)
        return self._fault(message, mark.line + 1, mark.column + 1)

    def _read(self, event: Event) -> None:
        if isinstance(event, (SequenceEndEvent, MappingEndEvent)):
            self._close()
        elif isinstance(event, AliasEvent):
            self._attach(self._aliased(event))
        elif isinstance(event, NodeEvent):
            self._node(event)
        elif isinstance(event, DocumentStartEvent) and self._root is not None:
            raise self._at(event, "a second document begins here", "Give one document at a time.")

    def _at(self, event: Event, message: str, hint: str = "") -> Invalid:
        return self._fault(message, event.start_mark.line + 1, event.start_mark.column + 1, hint)

    def _node(self, event: Any) -> None:
        tag = str(event.tag) if event.tag is not None else None
        if tag not in _TAGS[type(event)]:
            raise self._at(event, f"the tag {tag} is not allowed", "Write plain data.")
        node = _Node(None, event.start_mark.line + 1, event.start_mark.column + 1)
        self._grow(1, node.line, node.column)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if isinstance(event, ScalarEvent):
            plain = event.style is None or event.style == ""
            node.value = self._scalar(event) if plain and tag is None else self._text_of(event)
            self._attach(node, merge=plain and event.value == "<<")
            return
        if len(self._open) >= MAX_DEPTH:
            raise self._at(event, f"nested deeper than {MAX_DEPTH} levels")
        node.value = {} if isinstance(event, MappingStartEvent) else []
        self._open.append(node)
        self._keys.append(None)
        self._merges.append([])

    def _text_of(self, event: ScalarEvent) -> str:
        """The text, with characters that were escaped as surrogate pairs (as JSON may do) made whole."""
        try:
            if event.value.isascii():
                return str(event.value)
            return str(event.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le"))
        except UnicodeDecodeError:
            raise self._at(event, "a text contains half a surrogate pair, which is no character") from None

    def _scalar(self, event: ScalarEvent) -> Any:
        """The value of a plain scalar by the core schema of YAML 1.2, less what it leaves in doubt."""
        text = event.value
        if _LEADING_ZERO.fullmatch(text):
            raise self._at(
                event, f"{text[:40]} may be a text or a number", "Put it in quotes, or leave the zeros away."
            )
        if _NOT_FINITE.fullmatch(text):
            raise self._at(event, f"{text} is not a number one can work with", "Put it in quotes if it is a text.")
        for pattern, construct in _SCALARS:
            if pattern.fullmatch(text):
                return self._number(event, construct)
        return self._text_of(event)

    def _number(self, event: ScalarEvent, construct: Any) -> Any:
        try:
            value = construct(event.value)
        except ValueError:  # an integer with thousands of digits
            value = math.inf
        if isinstance(value, float) and not math.isfinite(value):
            raise self._at(event, "the number is too large")
        return value

    def _aliased(self, event: AliasEvent) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._at(event, f"the alias *{event.anchor} has no anchor before it")
        if any(node is parent for parent in self._open):
            raise self._at(event, f"the alias *{event.anchor} contains itself")
        if len(self._open) + node.height > MAX_DEPTH:
            raise self._at(event, f"nested deeper than {MAX_DEPTH} levels")
        self._grow(node.count, event.start_mark.line + 1, event.start_mark.column + 1)
        return node

    def _grow(self, count: int, line: int, column: int) -> None:
        self._count += count
        if self._count > MAX_NODES:
            raise self._fault(f"the document has more than {MAX_NODES} values, aliases expanded", line, column)

    def _attach(self, node: _Node, *, merge: bool = False) -> None:
        """Puts a finished node into what is open; `merge` marks an unquoted <<."""
        if not self._open:
            self._root = node
        elif isinstance(self._open[-1].value, list):
            self._open[-1].value.append(node)
            self._open[-1].take(node)
        elif self._keys[-1] is None:
            self._keys[-1] = self._key(node, merge=merge)
        else:
            self._entry(self._open[-1], self._keys[-1], node)
            self._keys[-1] = None

    def _key(self, node: _Node, *, merge: bool) -> _Node:
        if merge:
            return _Node(_MERGE, node.line, node.column)
        if not isinstance(node.value, str):
            message = "a mapping or list cannot be a key" if isinstance(node.value, (dict, list)) else "keys are texts"
            raise self._fault(message, node.line, node.column, "Put it in quotes.")
        first = self._open[-1].keys.get(node.value)
        if first is not None:
            message = f'the key "{node.value[:80]}" is there twice, first in line {first[0]}'
            raise self._fault(message, node.line, node.column)
        return node

    def _entry(self, mapping: _Node, key: _Node, node: _Node) -> None:
        if key.value is _MERGE:
            self._merges[-1].extend(self._merged_mappings(node))
            return
        mapping.value[key.value] = node
        mapping.keys[key.value] = (key.line, key.column)
        mapping.take(node)

    def _merged_mappings(self, node: _Node) -> list[_Node]:
        mappings = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(mapping.value, dict) for mapping in mappings):
            raise self._fault("<< takes a mapping or a list of mappings", node.line, node.column)
        return mappings

    def _close(self) -> None:
        node = self._open.pop()
        self._keys.pop()
        for source in self._merges.pop():
            for key, child in source.value.items():
                if key not in node.value:
                    self._grow(child.count, node.line, node.column)
                    node.value[key] = child
                    node.keys[key] = source.keys[key]
                    node.take(child)
        if len(self._open) + node.height >= MAX_DEPTH + 1:
            raise self._fault(f"nested deeper than {MAX_DEPTH} levels", node.line, node.column)
        self._attach(node)


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
        return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"this cannot be written as JSON: {error}") from None


def dump_yaml(data: Any) -> str:
    """`data` as YAML in block style, keys in the order given, such that `load` gives it back.

    Texts that could be taken for something else are quoted. Raises Invalid for what JSON cannot say and for more than
    32 levels.
    """
    return "\n".join(_block(data, 0)) + "\n"


def _block(value: Any, level: int) -> Iterator[str]:
    """The lines of `value`, not indented."""
    if level >= MAX_DEPTH and isinstance(value, (dict, list, tuple)):
        raise Invalid(f"nested deeper than {MAX_DEPTH} levels")
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
        raise Invalid(f"keys are texts, not of type {type(key).__name__}")
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
        raise Invalid(f"this cannot be written as YAML: {error}") from None


def _quoted_if_needed(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _AMBIGUOUS.fullmatch(text):
        return text
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))
