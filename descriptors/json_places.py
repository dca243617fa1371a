"""Where the values of a JSON document stand, found without a second reading of what nobody asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

#: What stands between two values.
_BETWEEN: Final = re.compile(r"[ \t\r\n,:]*")

#: Where the key of an entry stands, and where its value; an item of a list has no key, and stands where it stands.
Entry = tuple[int, int]


class Places:
    """Lines and columns in a text that `json` has read, with no key twice in a mapping.

    It is read as far as the place that is asked for and no farther; what was met on the way is remembered.
    """

    def __init__(self, text: str):
        self._text = text
        self._decoded = json.JSONDecoder().raw_decode
        self._met: dict[int, dict[str | int, Entry]] = {}  # start of a mapping or list → its entries so far
        self._rest: dict[int, Iterator[tuple[str | int, Entry]]] = {}
        self._last = (0, 1)  # a place and its line

    def lookup(self, path: Sequence[str | int]) -> tuple[int, int]:
        """(line, column), both from 1, of the entry at the path, or of what holds it as far as it is there."""
        place = value = self._after(0)
        for key in path:
            entry = self._entry(value, key)
            if entry is None:
                break
            place, value = entry
        return self._line_and_column(place)

    def _after(self, place: int) -> int:
        """Where the next value or key begins."""
        found = _BETWEEN.match(self._text, place)
        return found.end() if found else place

    def _entry(self, start: int, key: str | int) -> Entry | None:
        if start not in self._met:
            self._met[start], self._rest[start] = {}, self._entries(start)
        met = self._met[start]
        while key not in met and (found := next(self._rest[start], None)):
            met[found[0]] = found[1]
        return met.get(key)

    def _entries(self, start: int) -> Iterator[tuple[str | int, Entry]]:
        if self._text[start] == "{":
            return self._of_mapping(start + 1)
        return self._of_list(start + 1) if self._text[start] == "[" else iter(())

    def _of_mapping(self, place: int) -> Iterator[tuple[str, Entry]]:
        while self._text[place := self._after(place)] != "}":
            key, end = self._decoded(self._text, place)
            value = self._after(end)
            yield key, (place, value)
            _value, place = self._decoded(self._text, value)

    def _of_list(self, place: int) -> Iterator[tuple[int, Entry]]:
        number = 0
        while self._text[place := self._after(place)] != "]":
            yield number, (place, place)
            _value, place = self._decoded(self._text, place)
            number += 1

    def _line_and_column(self, place: int) -> tuple[int, int]:
        known, line = self._last if self._last[0] <= place else (0, 1)
        line += self._text.count("\n", known, place)
        line += self._text.count("\r", known, place) - self._text.count("\r\n", known, place)
        self._last = (place, line)
        before = self._text.rfind("\n", 0, place)
        return line, place - max(before, self._text.rfind("\r", before + 1, place))
