"""Single values of a document that anybody may have written: what is wrong becomes a fault, and something harmless."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Set
from typing import Any, Final

from descriptors.canonical import canonical_cidr, canonical_ip, packed_ipv4
from descriptors.faults import Faults, Path, nearest, shown, too_long
from descriptors.spelling import HINT, fault_of
from olimpus.words import gettext as _

LONGEST_WORD: Final = 128
LONGEST_TEXT: Final = 65_536
#: Pixels from the middle, in which a drawing is a drawing.
FARTHEST: Final = 1e6
#: NUL and halves of characters.
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")


class Fields(Faults):
    """Reads values into their types; collects the faults of all of them."""

    def wrong(self, path: Path, wanted: str, value: object, hint: str = "") -> None:
        """Keep that something else is wanted here."""
        self.add(path, _("give %(wanted)s, not %(value)s") % {"wanted": wanted, "value": shown(value)}, hint)

    def missing(self, path: Path, name: str) -> None:
        """Keep that something is missing here."""
        self.add(path, _('"%(name)s" is missing') % {"name": name})

    def mapping(self, value: object, path: Path) -> dict[Any, Any]:
        """The mapping itself."""
        if isinstance(value, dict):
            return value
        self.wrong(path, _("a mapping"), value)
        return {}

    def listed(self, value: object, path: Path) -> list[Any]:
        """The list itself."""
        if isinstance(value, list):
            return value
        self.wrong(path, _("a list"), value)
        return []

    def known(self, said: dict[Any, Any], names: Set[str], path: Path) -> None:
        """Nothing but these entries is said."""
        for key in () if said.keys() <= names else said.keys() - names:
            told = str(key)[:LONGEST_WORD]
            self.add((*path, told), _('unknown entry "%(name)s"') % {"name": told}, nearest(told, names))

    def word(self, value: object, path: Path) -> str:
        """A short text on one line, in Unicode's NFC form."""
        if isinstance(value, str) and len(value) <= LONGEST_WORD and value.isascii() and value.isprintable():
            return value  # nearly every word of a topology of thousands
        text = self.text(value, path, LONGEST_WORD)
        if not text.isprintable():
            self.add(path, _("it contains a character that cannot be seen"))
        return text if text.isascii() else unicodedata.normalize("NFC", text)

    def text(self, value: object, path: Path, most: int = LONGEST_TEXT) -> str:
        """The text as it is."""
        if not isinstance(value, str):
            self.wrong(path, _("a text"), value, _("Put it in quotes."))
        elif len(value) > most:
            self.add(path, too_long(len(value), most))
        elif _UNFIT.search(value):
            self.add(path, _("it contains a character that cannot be seen"))
        else:
            return value
        return ""

    def name(self, value: object, path: Path) -> str:
        """A name of the tree; "" where it is none."""
        name = self.word(value, path)
        if isinstance(value, str) and (fault := fault_of(name)):
            self.add(path, fault, _(HINT))
            return ""
        return name

    def flag(self, value: object, path: Path) -> bool:
        """True or false."""
        if not isinstance(value, bool):
            self.wrong(path, _("true or false"), value)
        return value is True

    def pixels(self, value: Any, path: Path) -> float | None:
        """A place on the drawing; None where nobody has said."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(path, _("a number"), value)
        elif not math.isfinite(value) or abs(value) > FARTHEST:
            self.add(path, _("%(value)s is not on the drawing") % {"value": str(value)[:40]})
        else:
            return value
        return None

    def cidr(self, value: object, path: Path) -> str:
        """A range in its shortest form; "" where none is given."""
        text = self.word(value, path)
        try:
            return canonical_cidr(text) if text else ""
        except ValueError:
            hint = _('Write the first address and the prefix length, such as "10.0.0.0/24".')
            self.add(path, _("%(value)s is not a network") % {"value": shown(text)}, hint)
        return ""

    def ip(self, value: object, path: Path) -> str:
        """An address in its shortest form; "" where it waits for one."""
        if isinstance(value, str) and packed_ipv4(value):
            return value  # nearly every address of thousands
        text = self.word(value, path)
        try:
            return canonical_ip(text) if text and text != "auto" else ""
        except ValueError:
            self.add(path, _("%(value)s is not an IPv4 or IPv6 address") % {"value": shown(text)})
        return ""
