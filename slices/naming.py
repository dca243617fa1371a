"""Names for machines and links of files that know no rule of ours."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

from descriptors.spelling import COMMON, is_allowed
from slices.documents import free_name

#: Characters of a machine's name; a guest's own name has no more than 63.
MOST: Final = 60
#: What nearly all are, and need not be looked at letter by letter.
_USUAL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.@+-]{0,58}[A-Za-z0-9])?")
_PAUSES: Final = frozenset(",;\"'")
#: Categories of brackets, quotes and spaces.
_AROUND: Final = frozenset({"Ps", "Pe", "Pi", "Pf", "Zs", "Cc"})


def spelled(label: str, otherwise: str = "node") -> str:
    """The label as a name of the tree: brackets, commas and quotes become spaces, what else is not allowed a dash.

    `otherwise` when nothing is left.
    """
    if _USUAL.fullmatch(label) and label != COMMON:
        return label
    text = unicodedata.normalize("NFC", label)
    name = "".join(character if is_allowed(character) else _instead(character) for character in text)
    name = " ".join(name.split()).strip(" -")[:MOST].strip(" -")
    usable = name not in ("", ".", "..", COMMON) and not unicodedata.category(name[0]).startswith("M")
    return name if usable else otherwise


def _instead(character: str) -> str:
    return " " if character in _PAUSES or unicodedata.category(character) in _AROUND else "-"


class Names:
    """Gives every thing of a file a name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._tried: Counter[str] = Counter()

    def take(self, label: str, otherwise: str = "node") -> str:
        """The label as a name, with a number behind it when another thing has it."""
        name = free_name(spelled(label, otherwise), self._taken, self._tried)
        self._taken.add(name)
        return name
