"""How a name of the tree is spelled. Pure: whoever makes names up (formats of slices, generators) obeys the same rule."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from olimpus.words import gettext as _
from olimpus.words import gettext_noop

NAME_LENGTH: Final = 128
#: `<folder>/common` addresses the folder's own definition.
COMMON: Final = "common"
PUNCTUATION: Final = frozenset(".-_@+ ")
_USUAL: Final = re.compile(r"[A-Za-z0-9_.@+-]+")
HINT: Final = gettext_noop("Names consist of letters, digits, the characters . - _ @ + and spaces inside.")


def fault_of(name: str) -> str:
    """What is wrong with a name in NFC form; empty when nothing is."""
    if not name:
        return _("The name is empty.")
    if len(name) > NAME_LENGTH:
        return _("The name has %(length)d characters, at most %(limit)d are allowed.") % {
            "length": len(name),
            "limit": NAME_LENGTH,
        }
    if name in (".", "..", COMMON):
        return _("The name “%(name)s” is reserved.") % {"name": name}
    if _USUAL.fullmatch(name):
        return ""
    if name != name.strip(" "):
        return _("The name begins or ends with a space.")
    if unicodedata.category(name[0]).startswith("M"):
        return _("The name begins with a combining mark.")
    stranger = next((character for character in name if not is_allowed(character)), None)
    if stranger:
        return not_allowed(stranger)
    return ""


def not_allowed(character: str) -> str:
    """What is said of a character that may not be in a name."""
    return _("The name contains %(character)s, which is not allowed.") % {"character": _shown(character)}


def is_allowed(character: str) -> bool:
    """Letters and combining marks of any language, decimal digits, and a little punctuation."""
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd" or character in PUNCTUATION


def _shown(character: str) -> str:
    """The character itself when it can be seen, its code point always."""
    code = f"U+{ord(character):04X}"
    return f"“{character}” ({code})" if character.isprintable() else code
