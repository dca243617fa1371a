"""Names and paths: what they may look like. The root is `/`, its children are `/name`."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

from descriptors.models import PATH_LENGTH
from descriptors.spelling import COMMON, HINT, fault_of
from olimpus.errors import Invalid

ROOT = "/"
_BRACES = re.compile(r"\{(?:(?P<first>\d{1,6})\.\.(?P<last>\d{1,6})|(?P<list>[^{}]*,[^{}]*))\}", re.ASCII)
#: Commas and line breaks outside of braces.
_SEPARATOR = re.compile(r"[,\n](?![^{}]*\})")


def clean_name(name: str) -> str:
    """`name` in Unicode's NFC form. Raises `Invalid` saying what is wrong with it."""
    name = unicodedata.normalize("NFC", name)
    fault = fault_of(name)
    if fault:
        raise Invalid(fault, where=name or "name", hint=_(HINT))
    return name


def series(text: str, most: int) -> list[str]:
    """The names that a text stands for: `web-{1..5}` and `web-{01..12}` count, `{red,blue}` lists, commas separate.

    In the order written, each once. Invalid for more than `most`, and for braces that say nothing.
    """
    names: dict[str, None] = {}
    for part in _SEPARATOR.split(text.strip()):
        for name in _expanded(part.strip(), most):
            names[name] = None
            if len(names) > most:
                raise Invalid(_("At most %d are made at once.") % most, where="name")
    return [name for name in names if name]


def _expanded(text: str, most: int) -> list[str]:
    found = _BRACES.search(text)
    if found is None:
        if "{" in text or "}" in text:
            raise Invalid(
                _("“%s” has a brace that says nothing.") % text[:64], where="name", hint=_("For example: web-{1..5}")
            )
        return [text]
    choices = _choices(found, most)
    rest = _expanded(text[found.end() :], most)
    if len(choices) * len(rest) > most:
        raise Invalid(_("At most %d are made at once.") % most, where="name")
    return [text[: found.start()] + choice + tail for choice in choices for tail in rest]


def _choices(found: re.Match[str], most: int) -> list[str]:
    if found["list"] is not None:
        return [choice.strip() for choice in found["list"].split(",")]
    first, last = int(found["first"]), int(found["last"])
    if abs(last - first) >= most:
        raise Invalid(_("At most %d are made at once.") % most, where="name")
    width = len(found["first"]) if found["first"].startswith("0") else 0
    step = 1 if last >= first else -1
    return [f"{number:0{width}d}" for number in range(first, last + step, step)]


def clean_path(path: str) -> str:
    """An absolute path in NFC form without a trailing slash (`/` stays). Raises `Invalid` when it is not absolute.

    The names in it are not judged: a path that cannot exist is simply not found.
    """
    path = unicodedata.normalize("NFC", path)
    if not path.startswith(ROOT):
        raise Invalid(_("A path begins with a slash."), where=path or "path", hint=_("For example: /courses/TEL141"))
    return path.rstrip("/") or ROOT


def split_common(path: str) -> tuple[str, bool]:
    """The path of a node, and whether `path` addressed the folder's own definition (`/a/common` → `("/a", True)`)."""
    path = clean_path(path)
    folder, _slash, last = path.rpartition("/")
    return (folder or ROOT, True) if last == COMMON else (path, False)


def join(parent: str, name: str) -> str:
    """The path of the child `name` of the folder `parent`."""
    return f"/{name}" if parent == ROOT else f"{parent}/{name}"


def above(path: str) -> list[str]:
    """The paths of all ancestors of a clean path, root first; none for the root."""
    cuts = [index for index, character in enumerate(path) if character == "/"]
    return [] if path == ROOT else [path[:cut] or ROOT for cut in cuts]


def check_length(path: str, length: int | None = None) -> None:
    """Raises `Invalid` when a path is longer than the database can index (`length`: of the longest path below it)."""
    length = len(path) if length is None else length
    if length > PATH_LENGTH:
        raise Invalid(
            _("The path would have %(length)d characters, at most %(limit)d are allowed (limit of MariaDB's index).")
            % {"length": length, "limit": PATH_LENGTH},
            where=path[:PATH_LENGTH],
            hint=_("Use shorter names or fewer levels."),
        )
