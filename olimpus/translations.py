"""The catalogs of `locale/`, in pure Python: gettext's tools may be missing.

`python -m olimpus.translations` compiles them; with `--update` it first brings the messages in line with the source:
new ones are added (to be translated), those no longer used are dropped.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import polib
from django.utils.translation.template import templatize

ROOT: Final = Path(__file__).resolve().parent.parent
LOCALE: Final = ROOT / "locale"
#: Top-level folders without messages for users.
SKIPPED: Final = frozenset({"deploy", "docs", "locale", "node_modules", "static", "staticfiles", "tests", "var"})

_ROLES: Final = {
    "_": ("text",),
    "gettext": ("text",),
    "ngettext": ("text", "plural"),
    "pgettext": ("context", "text"),
    "npgettext": ("context", "text", "plural"),
}
_LITERAL = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_CALL = re.compile(rf"\b(n?p?gettext|_)\(\s*({_LITERAL}(?:\s*,\s*{_LITERAL})*)", re.DOTALL)
_PERCENT_FORMAT = re.compile(r"%(?:\(\w+\))?[a-z]")


class Message(NamedTuple):
    """What identifies an entry of a catalog; `plural` does not."""

    text: str
    context: str = ""
    plural: str = ""


def messages(root: Path = ROOT) -> dict[tuple[str, str], Message]:
    """Every message that the modules and templates below `root` mark for translation, by (context, text)."""
    found = [message for path in sorted(sources(root)) for message in _marked(path)]
    # What is counted anywhere comes last: it is a message with a plural.
    return {(one.context, one.text): one for one in sorted(found, key=lambda one: bool(one.plural))}


def sources(root: Path = ROOT) -> Iterator[Path]:
    """Every module and template that may hold messages."""
    for folder in root.iterdir():
        if folder.is_dir() and folder.name not in SKIPPED and not folder.name.startswith("."):
            yield from folder.rglob("*.py")
            yield from (path for path in folder.rglob("*") if path.suffix in (".html", ".txt"))


def _marked(path: Path) -> Iterator[Message]:
    source = path.read_text(encoding="utf-8")
    for name, texts in _python_calls(source) if path.suffix == ".py" else _template_calls(source):
        roles = _ROLES.get(name.removesuffix("_lazy").removesuffix("_noop"), ())
        if roles and len(texts) >= len(roles):
            yield Message(**dict(zip(roles, texts, strict=False)))


def _python_calls(source: str) -> Iterator[tuple[str, list[str]]]:
    """(name of the function, its leading texts) of every call."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            name = getattr(call.func, "id", "") or getattr(call.func, "attr", "")
            values = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
            yield name, [value for value in values if isinstance(value, str)]


def _template_calls(source: str) -> Iterator[tuple[str, list[str]]]:
    """Django turns a template into something that looks like calls in Python."""
    for found in _CALL.finditer(templatize(source)):
        yield found[1], [ast.literal_eval(literal) for literal in re.findall(_LITERAL, found[2], re.DOTALL)]


def update(source: Path, wanted: dict[tuple[str, str], Message]) -> None:
    """Rewrite one .po so that it has exactly the wanted messages, sorted, keeping what is translated."""
    catalog = polib.pofile(str(source), wrapwidth=0)
    known = {(entry.msgctxt or "", entry.msgid): entry for entry in catalog if not entry.obsolete}
    catalog[:] = [_entry(wanted[key], known.get(key)) for key in sorted(wanted)]
    catalog.save(str(source))


def _entry(message: Message, known: polib.POEntry | None) -> polib.POEntry:
    entry = known or polib.POEntry(msgid=message.text, msgctxt=message.context or None)
    if message.plural and entry.msgid_plural != message.plural:
        entry = polib.POEntry(msgid=message.text, msgctxt=message.context or None, msgid_plural=message.plural)
        entry.msgstr_plural = {0: "", 1: ""}
    formatted = _PERCENT_FORMAT.search(f"{message.text} {message.plural}")
    entry.flags = ["python-format"] if formatted else []
    entry.occurrences = []
    return entry


def compile_all() -> int:
    """Write the .mo beside every .po that is newer; returns how many were written. May be repeated."""
    written = 0
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            catalog = polib.pofile(str(source))
            catalog.extend(_singulars(catalog))
            catalog.save_as_mofile(str(target))
            written += 1
    return written


def _singulars(catalog: polib.POFile) -> list[polib.POEntry]:
    """What is counted in one place and stands alone in another has one entry; Debian 12's Python finds it only counted."""
    return [
        polib.POEntry(msgid=entry.msgid, msgctxt=entry.msgctxt, msgstr=entry.msgstr_plural[0])
        for entry in catalog
        if entry.msgid_plural and not entry.obsolete
    ]


def main(arguments: list[str]) -> None:
    """Update the catalogs when asked to, then compile them."""
    if "--update" in arguments:
        wanted = messages()
        for source in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
            update(source, wanted)
    print(f"{compile_all()} catalogs compiled")


if __name__ == "__main__":
    main(sys.argv[1:])
