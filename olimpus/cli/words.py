"""The words of the command line: the project's own catalogs, read without Django.

`use` is called once, before any module with texts is imported; so help texts may be translated where they are written:
`from olimpus.cli.words import gettext as _`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from gettext import NullTranslations, bindtextdomain, textdomain, translation
from pathlib import Path
from typing import Final

from olimpus import words
from olimpus.words import gettext_noop

LOCALE: Final = Path(__file__).resolve().parents[2] / "locale"
DOMAIN: Final = "django"
LANGUAGES: Final = ("en", "es")
#: As in gettext: the first one that is set decides.
VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")

#: What the libraries that read the command line and print help say; they ask the same catalogs.
FOREIGN: Final = (
    gettext_noop("Arguments"),
    gettext_noop("Commands"),
    gettext_noop("Options"),
    gettext_noop("Usage:"),
    gettext_noop("[default: {}]"),
    gettext_noop("[required]"),
    gettext_noop("(dynamic)"),
    gettext_noop("Error: {message}"),
    gettext_noop("Invalid value: {message}"),
    gettext_noop("Invalid value for {param_hint}: {message}"),
    gettext_noop("Missing argument"),
    gettext_noop("Missing option"),
    gettext_noop("Missing command."),
    gettext_noop("No such command {name!r}."),
    gettext_noop("No such option {name!r}."),
    gettext_noop("Show this message and exit."),
    gettext_noop("Install completion for the current shell."),
    gettext_noop("Show completion for the current shell, to copy it or customize the installation."),
    gettext_noop("{value!r} is not a valid {number_type}."),
    gettext_noop("{value!r} is not one of {choices}."),
)

_language = "en"
_catalog: NullTranslations = NullTranslations()


def use(language: str) -> None:
    """Speak this language from now on, here and in the libraries; one that is not known means English."""
    global _language, _catalog
    _language = language if language in LANGUAGES else LANGUAGES[0]
    _catalog = translation(DOMAIN, LOCALE, languages=[_language], fallback=True)
    os.environ["LANGUAGE"] = _language
    bindtextdomain(DOMAIN, str(LOCALE))
    textdomain(DOMAIN)
    words.use(gettext)


def language() -> str:
    """The language spoken: `en` or `es`."""
    return _language


def wanted(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language asked for by `--lang` or else by the locale; found before the command line is understood."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")[:2]
        if argument == "--lang":
            return "".join(arguments[index + 1 : index + 2])[:2]
    return next((environment[name] for name in VARIABLES if environment.get(name)), "")[:2].lower()


def gettext(text: str) -> str:
    """The text in the language of whoever types."""
    return _catalog.gettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    """The text for that number of things."""
    return _catalog.ngettext(one, many, count)


def pgettext(context: str, text: str) -> str:
    """The text, told apart by its context from the same text elsewhere."""
    return _catalog.pgettext(context, text)
