"""Puts the events of a YAML 1.2 document together, so that every bound holds before the memory is taken.

Text in, nodes with their lines and columns out; `descriptors.documents` makes data of them. libyaml reads what is right;
where it finds a fault, ruamel.yaml reads the text again and says what is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner, ScannerError

from olimpus.errors import Invalid, TooLarge
from olimpus.words import gettext as _

MAX_NODES: Final = 200_000  # after aliases are expanded
MAX_DEPTH: Final = 32
MAX_LINES: Final = 200_000  # of YAML: reading a line costs more than reading a character
MAX_TAG: Final = 1024


class Node:
    """One value of the document: what it is, where it stands, and how much it is once its aliases are expanded."""

    __slots__ = ("column", "count", "height", "keys", "line", "value")

    def __init__(self, value: Any, line: int, column: int):
        self.value = value  # a scalar, a list of nodes, or a dict of nodes
        self.line = line
        self.column = column
        self.count = 1
        self.height = 0
        self.keys: dict[str, tuple[int, int]] = {}  # where the key of each entry of a mapping stands

    def take(self, child: Node) -> None:
        self.count += child.count
        if child.height >= self.height:
            self.height = child.height + 1

    def plain(self) -> Any:
        """The value as data of its own; the height is bounded, hence the recursion."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


_SCALARS: Final = (
    (re.compile(r"~|null|Null|NULL|"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
)
#: How all that is no text begins.
_NO_TEXT: Final = re.compile(r"[-+.0-9~nNtTfFI]|\Z")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_NOT_FINITE: Final = re.compile(r"[-+]?(?:\.inf|\.Inf|\.INF|Infinity)|\.nan|\.NaN|\.NAN|NaN")
_YAML_TAG: Final = "tag:yaml.org,2002:"
_TAGS: Final = {
    ScalarEvent: {"!", _YAML_TAG + "str"},
    SequenceStartEvent: {"!", _YAML_TAG + "seq"},
    MappingStartEvent: {"!", _YAML_TAG + "map"},
}
#: libyaml's events → ours, which have the same parts.
_EVENTS: Final = {
    yaml.ScalarEvent: ScalarEvent,
    yaml.SequenceStartEvent: SequenceStartEvent,
    yaml.MappingStartEvent: MappingStartEvent,
    yaml.SequenceEndEvent: SequenceEndEvent,
    yaml.MappingEndEvent: MappingEndEvent,
    yaml.AliasEvent: AliasEvent,
    yaml.DocumentStartEvent: DocumentStartEvent,
}
_ODD: Final = "\t\x85\u2028\u2029\ufeff"
#: What libyaml lets pass or takes otherwise: tabs, line ends of Unicode, directives, comments that touch something, odd
#: names of anchors. All of it begins with one of a few characters, which is looked for first: that is quick.
_OTHERWISE: Final = re.compile(
    f"[{_ODD}%|>&*](?:(?<=[{_ODD}])|(?<=^%)|(?<=[|>])[-+0-9]*#|(?<=[&*])[\\w-]*[^\\s\\w,\\]}}-])", re.MULTILINE
)


_MERGE: Final = object()


class _Scanner(Scanner):
    """Refuses endless tags, on which the scanner spends a time that grows with the square of their length."""

    def scan_tag(self) -> Any:
        if not re.search(r"\s|\0", self.reader.prefix(MAX_TAG)):
            mark = self.reader.get_mark()
            raise ScannerError("while scanning a tag", mark, "it is too long", mark)
        return super().scan_tag()


class Composer:
    """Composes one document, without recursion and within the bounds. Raises Invalid with "name:line:column".

    Keys are texts; with `bare_keys` those without quotes are, whatever they look like (`65000: …`).
    """

    def __init__(self, name: str, text: str, *, bare_keys: bool = False):
        self._name = name
        self._text = text
        self._bare_keys = bare_keys
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []
        self._keys: list[Node | None] = []  # for each open mapping the key that waits for its value
        self._merges: list[list[Node]] = []  # for each open mapping what its << entries bring
        self._root: Node | None = None
        self._count = 0
        self._scalars: dict[str, Any] = {}  # what is written without quotes → its value

    def compose(self) -> Node:
        if self._text.count("\n") > MAX_LINES or self._text.count("\r") > MAX_LINES:
            raise TooLarge(_("the document has more than %(limit)d lines") % {"limit": MAX_LINES}, where=self._name)
        return Composer(self._name, self._text, bare_keys=self._bare_keys)._swiftly() or self._explained()

    def _swiftly(self) -> Node | None:
        """What libyaml reads, many times as fast; None where it, or a rule of ours, finds a fault."""
        if not yaml.__with_libyaml__ or _OTHERWISE.search(self._text):
            return None
        try:
            for event in yaml.parse(self._text, Loader=yaml.CLoader):
                self._read(event)
        except (yaml.YAMLError, ValueError, Invalid):
            return None
        return self._root or Node(None, 1, 1)

    def _explained(self) -> Node:
        try:
            for event in self._events():
                self._read(event)
        except MarkedYAMLError as error:
            raise self._syntax(error) from None
        except ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            column = error.position - self._text.rfind("\n", 0, error.position)
            message = _("the character %(code)s is not allowed in YAML")
            code = f"U+{ord(self._text[error.position]):04X}"
            raise self._fault(message % {"code": code}, line, column) from None
        except (YAMLError, ValueError, LookupError, AttributeError) as error:
            # The scanner lets a few of these slip on malformed escapes and directives: still the fault of the text.
            message = _("the document is not YAML: %(error)s") % {"error": str(error)[:200]}
            raise Invalid(message, where=self._name) from None
        return self._root or Node(None, 1, 1)

    def _events(self) -> Iterator[Event]:
        reader = YAML(typ="safe", pure=True)
        reader.Scanner = _Scanner
        return reader.parse(self._text)

    def _fault(self, message: str, line: int, column: int, hint: str = "") -> Invalid:
        return Invalid(message, where=f"{self._name}:{line}:{column}", hint=hint)

    def _too_deep(self) -> str:
        return _("nested deeper than %(limit)d levels") % {"limit": MAX_DEPTH}

    def _syntax(self, error: MarkedYAMLError) -> Invalid:
        told = ": ".join(part for part in (error.context, error.problem) if part)
        message = _("the document is not YAML: %(error)s") % {"error": told or "?"}
        mark = error.problem_mark or error.context_mark
        if mark is None:
            return Invalid(message, where=self._name)
        return self._fault(message, mark.line + 1, mark.column + 1)

    def _read(self, event: Any) -> None:
        kind = _EVENTS.get(type(event), type(event))
        if kind in _TAGS:
            self._node(event, kind)
        elif kind in (SequenceEndEvent, MappingEndEvent):
            self._close()
        elif kind is AliasEvent:
            self._attach(self._aliased(event))
        elif kind is DocumentStartEvent and self._root is not None:
            raise self._at(event, _("a second document begins here"), _("Give one document at a time."))

    def _at(self, event: Event, message: str, hint: str = "") -> Invalid:
        return self._fault(message, event.start_mark.line + 1, event.start_mark.column + 1, hint)

    def _node(self, event: Any, kind: type[Event]) -> None:
        tag, mark = event.tag, event.start_mark
        if tag is not None and str(tag) not in _TAGS[kind]:
            raise self._at(event, _("the tag %(tag)s is not allowed") % {"tag": tag}, _("Write plain data."))
        node = Node(None, mark.line + 1, mark.column + 1)
        self._grow(1, node.line, node.column)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if kind is ScalarEvent:
            plain = event.style is None or event.style == ""
            as_text = not plain or tag is not None or (self._bare_keys and self._at_key())
            node.value = self._text_of(event) if as_text else self._scalar(event)
            self._attach(node, merge=plain and event.value == "<<")
            return
        if len(self._open) >= MAX_DEPTH:
            raise self._at(event, self._too_deep())
        node.value = {} if kind is MappingStartEvent else []
        self._open.append(node)
        self._keys.append(None)
        self._merges.append([])

    def _at_key(self) -> bool:
        return bool(self._keys) and self._keys[-1] is None and isinstance(self._open[-1].value, dict)

    def _text_of(self, event: ScalarEvent) -> str:
        """The text, with characters that were escaped as surrogate pairs (as JSON may do) made whole."""
        try:
            if event.value.isascii():
                return str(event.value)
            return str(event.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le"))
        except UnicodeDecodeError:
            raise self._at(event, _("a text contains half a surrogate pair, which is no character")) from None

    def _scalar(self, event: ScalarEvent) -> Any:
        """The value of a plain scalar, found once for all that are written alike."""
        if event.value not in self._scalars:
            self._scalars[event.value] = self._constructed(event)
        return self._scalars[event.value]

    def _constructed(self, event: ScalarEvent) -> Any:
        """The value of a plain scalar by the core schema of YAML 1.2, less what it leaves in doubt."""
        text = event.value
        if not _NO_TEXT.match(text):
            return self._text_of(event)
        if _LEADING_ZERO.fullmatch(text):
            message = _("%(value)s may be a text or a number") % {"value": text[:40]}
            raise self._at(event, message, _("Put it in quotes, or leave the zeros away."))
        if _NOT_FINITE.fullmatch(text):
            message = _("%(value)s is not a number one can work with") % {"value": text}
            raise self._at(event, message, _("Put it in quotes if it is a text."))
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
            raise self._at(event, _("the number is too large"))
        return value

    def _aliased(self, event: AliasEvent) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._at(event, _("the alias *%(name)s has no anchor before it") % {"name": event.anchor})
        if any(node is parent for parent in self._open):
            raise self._at(event, _("the alias *%(name)s contains itself") % {"name": event.anchor})
        if len(self._open) + node.height > MAX_DEPTH:
            raise self._at(event, self._too_deep())
        self._grow(node.count, event.start_mark.line + 1, event.start_mark.column + 1)
        return node

    def _grow(self, count: int, line: int, column: int) -> None:
        self._count += count
        if self._count > MAX_NODES:
            message = _("the document has more than %(limit)d values, aliases expanded") % {"limit": MAX_NODES}
            raise self._fault(message, line, column)

    def _attach(self, node: Node, *, merge: bool = False) -> None:
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

    def _key(self, node: Node, *, merge: bool) -> Node:
        if merge:
            return Node(_MERGE, node.line, node.column)
        if not isinstance(node.value, str):
            nested = isinstance(node.value, (dict, list))
            message = _("a mapping or list cannot be a key") if nested else _("keys are texts")
            raise self._fault(message, node.line, node.column, _("Put it in quotes."))
        first = self._open[-1].keys.get(node.value)
        if first is not None:
            message = _('the key "%(key)s" is there twice, first in line %(line)d')
            raise self._fault(message % {"key": node.value[:80], "line": first[0]}, node.line, node.column)
        return node

    def _entry(self, mapping: Node, key: Node, node: Node) -> None:
        if key.value is _MERGE:
            self._merges[-1].extend(self._merged_mappings(node))
            return
        mapping.value[key.value] = node
        mapping.keys[key.value] = (key.line, key.column)
        mapping.take(node)

    def _merged_mappings(self, node: Node) -> list[Node]:
        mappings = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(mapping.value, dict) for mapping in mappings):
            raise self._fault(_("<< takes a mapping or a list of mappings"), node.line, node.column)
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
            raise self._fault(self._too_deep(), node.line, node.column)
        self._attach(node)
