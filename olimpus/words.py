"""Translation for modules that import no Django: they mark and translate with `_`, and Django plugs its gettext in.

Without Django (a driver used alone, a pure test) texts stay English.
"""

from __future__ import annotations

from collections.abc import Callable

_translate: Callable[[str], str] = str


def use(translate: Callable[[str], str]) -> None:
    """Translate with this function from now on; called once when Django is ready."""
    global _translate
    _translate = translate


def gettext(text: str) -> str:
    """The text in the language of whoever is being answered."""
    return _translate(text)


def gettext_noop(text: str) -> str:
    """Marks a text for translation by somebody else and returns it as it is."""
    return text
