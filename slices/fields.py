"""Single values of a document that anybody may have written: what is wrong becomes a fault, and something harmless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Set
from itertools import compress
from typing import Any, Final

from descriptors.canonical import canonical_cidr, canonical_ip, packed_ipv4
from descriptors.faults import Faults, Path, nearest, shown, too_long
from descriptors.spelling import HINT, fault_of
from olimpus.words import gettext as _

LONGEST_WORD: Final = 128
LONGEST_TEXT: Final = 65_536
#: Pixels from the middle, in which a drawing is a drawing.
FARTHEST: Final = 1e6
_PLACES: Final = frozenset({int, float, type(None)})
#: NUL and halves of characters.
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")


class Fields(Faults):
    """Reads values into their types; collects the faults of all of them.

    What a topology says thousands of times is read in lists, too: they are asked at once whether all of them are what
    nearly all are. Only if not, they are read one by one.
    """

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
        if isinstance(value, str) and (name or not value) and (fault := fault_of(name)):
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
        elif not _is_near(value):
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
        text = self.word(value, path)
        try:
            return canonical_ip(text) if text and text != "auto" else ""
        except ValueError:
            self.add(path, _("%(value)s is not an IPv4 or IPv6 address") % {"value": shown(text)})
        return ""

    # Lists of values

    def mappings(self, values: list[Any], paths: Iterable[Path]) -> list[dict[Any, Any]]:
        """Each as a `mapping`."""
        return values if set(map(type, values)) <= {dict} else self._each(self.mapping, values, paths)

    def lists(self, values: list[Any], paths: Iterable[Path]) -> list[list[Any]]:
        """Each as `listed`."""
        return values if set(map(type, values)) <= {list} else self._each(self.listed, values, paths)

    def needed(self, name: str, said: list[dict[Any, Any]], paths: Iterable[Path]) -> None:
        """Each of these mappings says this."""
        absent = [name not in one for one in said]
        for path in compress(paths, absent) if any(absent) else ():
            self.missing(path, name)

    def words(self, values: list[Any], paths: Iterable[Path]) -> list[str]:
        """Each as a `word`."""
        return values if _plain(values) else self._each(self.word, values, paths)

    def names(self, values: list[Any], paths: Iterable[Path]) -> list[str]:
        """Each as a `name`."""
        usual = _plain(values) and not any(map(fault_of, values))
        return values if usual else self._each(self.name, values, paths)

    def flags(self, values: list[Any], paths: Iterable[Path]) -> list[bool]:
        """Each as a `flag`."""
        return values if set(map(type, values)) <= {bool} else self._each(self.flag, values, paths)

    def places(self, values: list[Any], paths: Iterable[Path]) -> list[float | None]:
        """Each as `pixels`."""
        usual = set(map(type, values)) <= _PLACES and all(map(_is_near, filter(None, values)))
        return values if usual else self._each(self.pixels, values, paths)

    def cidrs(self, values: list[Any], paths: Iterable[Path]) -> list[str]:
        """Each as a `cidr`."""
        return values if _plain(values) and _canonical(values) else self._each(self.cidr, values, paths)

    def ips(self, values: list[Any], paths: Iterable[Path]) -> list[str]:
        """Each as an `ip`."""
        usual = _plain(values) and all(map(packed_ipv4, filter(None, values)))
        return values if usual else self._each(self.ip, values, paths)

    def _each(self, read: Callable[[Any, Path], Any], values: list[Any], paths: Iterable[Path]) -> list[Any]:
        return list(map(read, values, paths))


def _plain(values: list[Any]) -> bool:
    """Whether all are words of ASCII."""
    try:
        together = "".join(values)
    except TypeError:
        return False
    return together.isascii() and together.isprintable() and max(map(len, values), default=0) <= LONGEST_WORD


def _is_near(pixels: float) -> bool:
    return -FARTHEST <= pixels <= FARTHEST


def _canonical(ranges: list[str]) -> bool:
    try:
        return all(canonical_cidr(text) == text for text in ranges if text)
    except ValueError:
        return False
